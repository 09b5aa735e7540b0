import { argv, stdout } from 'node:process';
import { newGoneOwner } from '../ids.ts';
import { pooledRandom } from '../random.ts';
import { personOf } from './erasure.testing.ts';
import { openSqliteStore } from './sqlite.ts';

/** Run by erasure-kill.test.ts and killed by it: deletes the data of one person after the other and prints a line for each that was acknowledged. */
const [folder = '', from = '0', to = '0'] = argv.slice(2);
const store = await openSqliteStore(folder);
const random = pooledRandom();
for (let index = Number(from); index < Number(to); index++) {
  await store.erasure.erase({ owner: personOf(index).wallet, forfeit: true, newName: () => newGoneOwner(random), atMs: 1 });
  stdout.write(`${index}\n`);
}
