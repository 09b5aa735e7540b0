import { kill, pid } from 'node:process';
import { openSqliteStore } from './sqlite.ts';
import { bytesOf, contributorIdOf, device, exampleContributor, exampleTransfer } from './testing.ts';

/** So many need more room than the file has, and less than what a checkpoint begins at by itself. */
const CONTRIBUTORS = 1000;

/** Run by full.test.ts: `end` opens a database, writes to it and is killed; `begin` opens it again, empties its log and says whom it knows. */
const [folder = '', what = ''] = process.argv.slice(2);
const store = await openSqliteStore(folder);
const owner = device('ada');
if (what === 'end') {
  await store.people.createDevice(owner, bytesOf(1), 1e15, exampleTransfer({ id: `grant/${owner}`, credit: `${owner}/grant` }));
  await Promise.all(Array.from({ length: CONTRIBUTORS }, (_, index) => store.people.createContributor(exampleContributor({ id: contributorIdOf(index) }))));
  kill(pid, 'SIGKILL');
}
// Of somebody who is there again: nothing is written.
await store.erasure.sweep({ owner, contributors: [] }, [owner], () => owner, 1);
const id = contributorIdOf(CONTRIBUTORS - 1);
console.log((await store.people.contributor(id))?.id === id);
