import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, startChild } from '../scripts/child.ts';
import { root } from '../scripts/pages.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { roomGlb } from './support/glb.ts';
import { jobOf } from './support/job.ts';

/** A requester at a command line: `npx tessera`, from the file to the picture. The operator’s machine computes. */

let coordinator: TestCoordinator;
let contributor: Child;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-command-'));
  writeFileSync(join(folder, 'room.glb'), roomGlb());
  const key = randomBytes(24).toString('hex');
  coordinator = await TestCoordinator.start(undefined, { TRUSTED_KEYS: key });
  const command = ['client/headless.ts', '--url', coordinator.apiUrl, '--trusted', key];
  contributor = startChild(process.execPath, command, { cwd: root, env: process.env });
  await contributor.line(/Ctrl-C stops/, 30_000);
});
afterAll(async () => {
  await contributor?.stop();
  await coordinator?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
}

/** As a user without a key runs it: his session is kept in his settings. */
function tessera(...args: readonly string[]): Promise<Ran> {
  const env = { ...process.env, TESSERA_SERVER: coordinator.apiUrl, TESSERA_KEY: '', XDG_CONFIG_HOME: join(folder, 'settings') };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, 'client/cli.ts'), ...args], { cwd: folder, env, timeout: 120_000 }, (error, out, notes) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, notes }),
    );
  });
}

test('npx finds it, and the Node that it needs', async () => {
  const { stdout } = await promisify(execFile)('npx', ['tessera', '--help'], { cwd: root });
  expect(stdout).toContain('npx tessera submit [FILE]');
});

test('a file becomes a picture', async () => {
  const size = ['--width', '64', '--height', '48', '--samples', '4'];
  const quote = await tessera('quote', 'room.glb', ...size, '--json');
  expect([quote.code, JSON.parse(quote.out)]).toMatchObject([0, { tiles: 12 }]);

  const made = await tessera('submit', 'room.glb', ...size, '--title', 'My room', '--out', 'room.png');
  expect(made.code, made.notes).toBe(0);
  expect(made.notes).toMatch(/Price: at most 0\.\d+ test credits/);
  expect(made.notes).toMatch(/\[#{30}\] 100 %/);
  const { width, height, data } = PNG.sync.read(readFileSync(join(folder, 'room.png')));
  expect([width, height, data.some((value, at) => at % 4 < 3 && value > 0)]).toEqual([64, 48, true]);

  const list = await tessera('list');
  expect(list.out).toMatch(/^j_\S{16} {2}done +100 % .*My room$/m);
  const id = /j_\S{16}/.exec(list.out)?.[0] ?? '';
  expect((await tessera('download', id, '--out', 'room.exr')).code).toBe(0);
  expect(readFileSync(join(folder, 'room.exr')).readUInt32LE(0)).toBe(20000630);
  expect(await tessera('download', id, '--out', 'room.gif')).toMatchObject({ code: 2, notes: expect.stringContaining('exr (.exr, EXR, linear)') });
});

test('orders are paused, cancelled and refused in words', async () => {
  const dear = await tessera('submit', 'room.glb', '--max-price', '0.000001');
  expect([dear.code, dear.notes]).toEqual([1, expect.stringContaining('nothing was ordered')]);
  expect(await tessera('submit', 'room.glb', '--width', '1')).toMatchObject({
    code: 1,
    notes: expect.stringContaining('Field: params.width. Accepted: 16 to 8192.'),
  });
  expect(await tessera('submit', 'none.glb')).toMatchObject({ code: 2, notes: expect.stringContaining('none.glb cannot be read') });
  expect((await tessera('sing')).code).toBe(2);

  const ordered = await tessera('submit', 'room.glb', '--width', '2048', '--height', '2048', '--samples', '256');
  expect(ordered.code, ordered.notes).toBe(0);
  const id = ordered.out.trim();
  expect(await jobOf(coordinator, id)).toMatchObject({ status: 'open' });
  expect((await tessera('pause', id)).code).toBe(0);
  expect(await jobOf(coordinator, id)).toMatchObject({ paused: true });
  expect((await tessera('resume', id)).code).toBe(0);
  expect((await tessera('cancel', id)).code).toBe(0);
  expect((await tessera('watch', id, '--out', 'never.png')).code).toBe(3);
  expect(existsSync(join(folder, 'never.png'))).toBe(false);
});
