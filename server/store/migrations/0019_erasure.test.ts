import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { OwnerId } from '../../../shared/model.ts';
import { newGoneOwner } from '../../ids.ts';
import { enter, enterBob, everything, found } from '../erasure.testing.ts';
import { openSqliteStore } from '../sqlite.ts';
import { temporaryFolder } from '../testing.ts';

test('devices that signed in before are found by what the database still tells of them', async () => {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  await enterBob(store);
  const ada = await enter(store, 0);
  await store.close();
  const file = new Database(join(folder.path, 'tessera.sqlite'));
  const known = file.prepare('select * from owner_aliases').all();
  file.exec("drop table owner_aliases; delete from kysely_migration where name = '0019_erasure'");
  file.close();
  const reopened = await openSqliteStore(folder.path);
  let names = 0;
  const newName = (): OwnerId => newGoneOwner(() => new Uint8Array(12).fill(++names));
  const { names: erased } = await reopened.erasure.erase({ owner: ada.wallet, forfeit: true, newName, atMs: 1 });
  await reopened.close();
  expect(known).toEqual([{ alias: ada.device, owner: ada.wallet }]);
  expect(erased).toEqual([ada.wallet, ada.device]);
  const run = async (sql: string): Promise<unknown[]> => {
    const again = new Database(join(folder.path, 'tessera.sqlite'));
    const rows = again.prepare(sql).all();
    again.close();
    return rows;
  };
  expect(found(await everything({ run, open: () => openSqliteStore(folder.path) }, true), ada.traces)).toEqual([]);
  folder.remove();
});
