import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { GroupId } from '../../shared/model.ts';
import { newGoneOwner } from '../ids.ts';
import { pooledRandom } from '../random.ts';
import { enter, enterBob, everything, found, type Person, personOf } from './erasure.testing.ts';
import { type EmbeddedStore, openSqliteStore } from './sqlite.ts';
import { sqliteIn } from './stores.testing.ts';
import { temporaryFolder } from './testing.ts';

const PEOPLE = 12;

/** Kills it a moment after it has acknowledged so many. Returns the last of them. */
async function killedWriter(folder: string, from: number, acknowledgedMin: number, moreMs: number): Promise<number> {
  const child = spawn(execPath, [join(import.meta.dirname, 'erasure.writer.ts'), folder, String(from), String(PEOPLE)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let [last, count] = [from - 1, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (++count === acknowledgedMin) void wait(moreMs).then(() => child.kill('SIGKILL'));
  }
  await ended;
  return last;
}

/** Which traces of a person are anywhere in the files of a data folder, in use or not. */
async function inFiles(folder: string, { traces }: Person): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = await Promise.all(names.map(async ({ parentPath, name }) => ({ name, bytes: await readFile(join(parentPath, name)) })));
  return traces.flatMap((trace) => files.flatMap(({ name, bytes }) => (bytes.includes(Buffer.from(trace as string)) ? [`${name}: ${String(trace)}`] : [])));
}

/** A store full of people, some of whom go. */
async function crowd(): Promise<{ folder: ReturnType<typeof temporaryFolder>; store: EmbeddedStore; people: Person[] }> {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  await enterBob(store);
  const people: Person[] = [];
  for (let index = 0; index < PEOPLE; index++) people.push(await enter(store, index));
  return { folder, store, people };
}

test('not one byte of what was said is left in the files, also not of what had been deleted before', async () => {
  const { folder, store, people } = await crowd();
  const [first, second] = people;
  if (!first || !second) throw new Error('nobody is there');
  expect((await inFiles(folder.path, first)).length).toBeGreaterThan(first.traces.length);
  // His name in Bob's group goes before he does.
  await store.groups.removeMember('g_0000000000000001' as GroupId, first.wallet);
  const newName = () => newGoneOwner(pooledRandom());
  const erased = await store.erasure.erase({ owner: first.wallet, forfeit: true, newName, atMs: 11 });
  await store.erasure.sweep(erased, erased.names, newName, 12);
  expect(await inFiles(folder.path, first)).toEqual([]);
  expect(await inFiles(folder.path, second)).not.toEqual([]);
  await store.close();
  folder.remove();
});

test('killed at any moment, each person is deleted as a whole or not at all, and the books are right', async () => {
  const { folder, store, people } = await crowd();
  await store.close();
  const database = sqliteIn(folder.path);
  const tracesOf = async (): Promise<string[][]> => {
    const tables = await everything(database, true);
    // An epoch is of everybody.
    return people.map(({ traces }) => found(tables, traces).filter((trace) => !trace.startsWith('epochs')));
  };
  const whole = await tracesOf();
  let next = 0;
  for (const [acknowledgedMin, moreMs] of [
    [1, 0],
    [2, 3],
    [1, 7],
  ] as const) {
    next = (await killedWriter(folder.path, next, acknowledgedMin, moreMs)) + 1;
    const now = await tracesOf();
    for (const [index, traces] of now.entries()) {
      // The one that was under way may have been committed without being acknowledged.
      if (index < next || (index === next && traces.length === 0)) expect(traces, personOf(index).wallet).toEqual([]);
      else expect(traces).toEqual(whole[index]);
    }
    const reopened = await openSqliteStore(folder.path);
    for (const books of await reopened.ledger.audit()) expect(books).toMatchObject({ sum: 0n, wrongAccounts: 0 });
    await reopened.close();
    await expect(database.run('update transfers set amount = 1')).rejects.toThrow('transfers is append-only');
  }
  folder.remove();
});
