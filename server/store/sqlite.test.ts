import { expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { temporaryFolder } from './testing.ts';

test('a second opener of the folder is refused at once with a plain sentence; after closing it may', async () => {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  const startedMs = performance.now();
  await expect(openSqliteStore(folder.path)).rejects.toThrow(`${folder.path} is in use by another coordinator.`);
  expect(performance.now() - startedMs).toBeLessThan(1000);
  expect(await store.nextEpoch()).toBe(1);
  await store.close();
  const reopened = await openSqliteStore(folder.path);
  expect(await reopened.nextEpoch()).toBe(2);
  await reopened.close();
  folder.remove();
});
