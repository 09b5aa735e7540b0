import { kill, pid } from 'node:process';
import { openSqliteStore } from './sqlite.ts';
import { exampleContributor } from './testing.ts';

/** Run by full.test.ts: `end` opens a database, writes to it and is killed; `begin` opens it again and says whom it knows. */
const [folder = '', what = ''] = process.argv.slice(2);
const store = await openSqliteStore(folder);
const { id } = exampleContributor();
if (what === 'end') {
  await store.people.createContributor(exampleContributor());
  kill(pid, 'SIGKILL');
}
console.log((await store.people.contributor(id))?.id === id);
