import { expect, test } from 'vitest';
import type { OwnerId } from '../../../shared/model.ts';
import { newGoneOwner } from '../../ids.ts';
import { enter, enterBob, everything, found } from '../erasure.testing.ts';
import { openSqliteStore } from '../sqlite.ts';
import { sqliteIn } from '../stores.testing.ts';
import { temporaryFolder } from '../testing.ts';

test('devices that signed in before are found by what the database still tells of them', async () => {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  await enterBob(store);
  const ada = await enter(store, 0);
  await store.close();
  const database = sqliteIn(folder.path);
  const known = await database.run('select * from owner_aliases');
  await database.run('drop table owner_aliases');
  await database.run('alter table job_files drop column made_ms');
  await database.run("delete from kysely_migration where name >= '0019_erasure'");
  const reopened = await openSqliteStore(folder.path);
  let names = 0;
  const newName = (): OwnerId => newGoneOwner(() => new Uint8Array(12).fill(++names));
  const { names: erased } = await reopened.erasure.erase({ owner: ada.wallet, forfeit: true, newName, atMs: 1 });
  await reopened.close();
  expect(known).toEqual([{ alias: ada.device, owner: ada.wallet }]);
  expect(erased).toEqual([ada.wallet, ada.device]);
  expect(found(await everything(database, true), ada.traces)).toEqual([]);
  folder.remove();
});
