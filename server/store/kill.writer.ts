import { argv, stdout } from 'node:process';
import { openSqliteStore } from './sqlite.ts';
import type { Write } from './store.ts';
import { bytesOf, contributorIdOf, exampleJob, exampleResult, exampleStanding, exampleTransfer, jobIdOf, resultIdOf } from './testing.ts';

/** Run by kill.test.ts and killed by it: commits without end and prints a line for each commit that was acknowledged. */
const [folder = '', from = '0'] = argv.slice(2);
const store = await openSqliteStore(folder);
const id = jobIdOf(1);
if (!(await store.jobs.get(id))) await store.jobs.create(exampleJob(), []);
const ROWS = 5;
for (let commit = Number(from); ; commit++) {
  const writes = Array.from({ length: ROWS }, (_, row): Write[] => {
    const result = resultIdOf(commit * ROWS + row);
    return [
      { kind: 'result', result: exampleResult({ id: result }) },
      { kind: 'opening', id: result, opening: { hash: exampleResult().hash, inline: bytesOf(6, 200) } },
      { kind: 'standing', contributor: contributorIdOf(1), workload: 'example', standing: exampleStanding({ accepted: commit + 1 }) },
      { kind: 'transfer', transfer: exampleTransfer({ id: `pay/${result}`, credit: `job/${id}`, microCredits: 3n }) },
    ];
  });
  await store.commit(writes.flat());
  stdout.write(`${commit}\n`);
}
