import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { bytesOf, exampleContributor, jobIdOf, resultIdOf, temporaryFolder } from './testing.ts';

const ROWS = 100;

/** Kills it some milliseconds after it has acknowledged so many commits. Returns the number behind the last one. */
async function killedWriter(folder: string, from: number, commitsMin: number, moreMs: number): Promise<number> {
  const child = spawn(execPath, [join(import.meta.dirname, 'packs.writer.ts'), folder, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let next = from;
  for await (const line of createInterface({ input: child.stdout })) {
    next = Number(line) + 1;
    if (next === from + commitsMin) void wait(moreMs).then(() => child.kill('SIGKILL'));
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
  return next;
}

test('killed at any moment, each result is there once, packed or not, in the order of its commit', async () => {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  await store.people.createContributor(exampleContributor());
  await store.close();
  let next = 0;
  for (const [commitsMin, moreMs] of [
    [2, 0],
    [1, 2],
    [1, 6],
    [3, 12],
  ] as const) {
    next = await killedWriter(folder.path, next, commitsMin, moreMs);
    const reopened = await openSqliteStore(folder.path);
    const results = await reopened.jobs.results(jobIdOf(1));
    // At most the commit that was under way is there beyond the acknowledged ones, and it is whole.
    expect([next * ROWS, (next + 1) * ROWS]).toContain(results.length);
    expect(results.map(({ id }) => id)).toEqual(Array.from({ length: results.length }, (_, number) => resultIdOf(number)));
    expect(results.some(({ salt }) => salt.length === 0)).toBe(true);
    const last = next * ROWS - 1;
    for (const number of [0, 57, last]) expect((await reopened.jobs.result(resultIdOf(number)))?.inline).toEqual(bytesOf(number % 251, 40));
    next = results.length / ROWS;
    await reopened.close();
  }
  folder.remove();
});
