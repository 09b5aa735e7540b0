import { randomBytes } from 'node:crypto';
import { argv, stdout } from 'node:process';
import { Delivering } from './delivering.ts';
import { ask } from './outbound.ts';
import { openSqliteStore } from './store/sqlite.ts';
import { exampleJob, jobIdOf } from './store/testing.ts';

/**
 * Run by delivering.test.ts and killed by it: ends job after job and prints the number of each whose end is committed; what is due is sent to the
 * webhooks of the store meanwhile.
 */
const [folder = '', from = '0'] = argv.slice(2);
const store = await openSqliteStore(folder);
const delivering = new Delivering({
  store,
  ask: (url, request, { signal }) => ask(url, request, { allowsLocal: true, signal }),
  clock: Date.now,
  randomBytes,
  log: { error: (fields, message) => console.error(fields, message) },
});
const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 };
const summary = { parts: { total: 1, accepted: 1, checking: 0, leased: 0 }, contributors: 1, checksDone, paidMicroCredits: '0' };

for (let number = Number(from); ; number++) {
  const id = jobIdOf(number);
  await store.jobs.create(exampleJob({ id, createdMs: Date.now() }), []);
  await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: Date.now(), summary }]);
  stdout.write(`${number}\n`);
  delivering.wake();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
