import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock } from './file-lock.ts';
import { temporaryFolder } from './store/testing.ts';

let root: ReturnType<typeof temporaryFolder>;
let folder: string;
beforeEach(() => {
  root = temporaryFolder();
  folder = join(root.path, 'a.lock');
});
afterEach(() => root.remove());

const options = { clock: Date.now, staleMs: 10_000 };
const take = () => takeLock(folder, options);
const makeOld = (name: string): void => utimesSync(join(folder, name), 1, 1);

test('one has it, the others wait, and nothing is left behind', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, take));
  const [lock, ...more] = all.filter((each) => each !== null);
  expect(more).toEqual([]);
  expect([await lock?.isMine(), lock?.mayHaveRival, await take()]).toEqual([true, false, null]);
  await lock?.release();
  expect(existsSync(folder)).toBe(false);
  expect(await take()).not.toBeNull();
});

test('of many who find it stale one gets it; who had it knows, and lets the others be', async () => {
  const asleep = (await take())!;
  for (let round = 1; round < 4; round++) {
    makeOld(String(round));
    const [lock, ...more] = (await Promise.all(Array.from({ length: 10 }, take))).filter((each) => each !== null);
    expect([more, lock?.mayHaveRival, await lock?.isMine(), await asleep.isMine()]).toEqual([[], true, true, false]);
    if (round === 3) await lock?.release();
  }
  const next = (await take())!;
  await asleep.release();
  expect([next.mayHaveRival, await next.isMine()]).toEqual([false, true]);
});

test('a process of this machine that was killed is out at once, one of another machine after a while', async () => {
  const script = `const { takeLock } = await import(${JSON.stringify(join(import.meta.dirname, 'file-lock.ts'))});
    await takeLock(${JSON.stringify(folder)}, { clock: Date.now, staleMs: 1e6 }); console.log('has it'); setInterval(() => 0, 1000);`;
  const child = spawn(execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  expect(await take()).toBeNull();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = await take();
  expect(lock?.mayHaveRival).toBe(false);
  await lock?.release();
  expect(existsSync(folder)).toBe(false);
  await take();
  writeFileSync(join(folder, '1'), `other\nnot-${hostname()}\n1\n`);
  expect(await take()).toBeNull();
  // Killed before it could write its name.
  writeFileSync(join(folder, '1'), '');
  makeOld('1');
  expect((await take())?.mayHaveRival).toBe(true);
});
