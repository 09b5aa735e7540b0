import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { backupRoutes } from './http/backup.ts';
import { Retention } from './retention.ts';
import { openBlobStore } from './store/blobs.ts';
import { openSqliteStore } from './store/sqlite.ts';
import { exampleContributor, exampleJob, exampleResult, exampleTransfer, inChunks, jobIdOf, pattern, resultIdOf } from './store/testing.ts';

/**
 * Run by backup.test.ts and killed by it: a coordinator's store that jobs with blobs and pay come into without end and are deleted from, and that can
 * be asked for a backup. Prints its port, and then a line for each job.
 */
const [folder = ''] = argv.slice(2);
const store = await openSqliteStore(folder);
await store.people.createContributor(exampleContributor());
const blobs = openBlobStore(join(folder, 'blobs'));
const retention = new Retention({ store, blobs, retentionMs: 1e12, clock: Date.now, log: { info: () => undefined, error: () => undefined } });
const app = Fastify();
await app.register(backupRoutes({ dataDir: folder, retention, copyTo: (path) => store.copyTo(path), clock: Date.now }));
await app.listen({ host: '127.0.0.1', port: 0 });
stdout.write(`${(app.server.address() as AddressInfo).port}\n`);
const summary = { parts: { total: 1, accepted: 1, checking: 0, leased: 0 }, contributors: 1, paidMicroCredits: '3' };
const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 };
for (let number = 0; ; number++) {
  const { hash } = await blobs.put(inChunks(pattern(1000 + number), 5000), { bytesMax: 1e6 });
  const id = jobIdOf(number);
  await store.jobs.create(exampleJob({ id, inputs: [], createdMs: Date.now() }), []);
  await store.commit([
    { kind: 'result', result: exampleResult({ id: resultIdOf(number), job: id, hash, inline: null, state: 'accepted' }) },
    { kind: 'transfer', transfer: exampleTransfer({ id: `pay/${number}`, credit: `job/${id}`, microCredits: 3n, kind: 'hold' }) },
    { kind: 'jobEnded', id, status: 'done', atMs: Date.now(), summary: { ...summary, checksDone } },
  ]);
  if (number % 3 === 0) await retention.forget(id);
  stdout.write(`${number}\n`);
  // Backups get their turns, and do not grow for ever.
  await sleep(10);
}
