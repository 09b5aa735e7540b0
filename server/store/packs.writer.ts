import { argv, stdout } from 'node:process';
import { packAll } from './packs.testing.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Write } from './store.ts';
import { bytesOf, exampleJob, exampleResult, jobIdOf, resultIdOf } from './testing.ts';

/** Run by packs-kill.test.ts and killed by it: commits results and packs them without end, and prints the number of each commit that was acknowledged. */
const [folder = '', from = '0'] = argv.slice(2);
const store = await openSqliteStore(folder);
if (!(await store.jobs.get(jobIdOf(1)))) await store.jobs.create(exampleJob(), []);
const ROWS = 100;
for (let commit = Number(from); ; commit++) {
  const results = Array.from({ length: ROWS }, (_, row) => {
    const number = commit * ROWS + row;
    return exampleResult({ id: resultIdOf(number), state: 'accepted', at: { pass: 0, tile: number }, inline: bytesOf(number % 251, 40) });
  });
  await store.commit(results.map((result): Write => ({ kind: 'result', result })));
  stdout.write(`${commit}\n`);
  await packAll(store, { packResults: 30 });
  // And some are rows again.
  if (commit % 3 === 0) await store.commit([{ kind: 'settled', id: results[0]!.id }]);
}
