import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, startChild } from './child.ts';
import { changed, missingFrom, stepsOf } from './documents.ts';
import { root } from './pages.ts';
import { parseSource } from './sources.ts';
import { folderImports, reachableImports, registered } from './tidy.ts';

/** The workload of docs/adding-a-workload.md, made of that text alone, in a copy of the project: nothing of the checkout is touched. */

const steps = stepsOf(readFileSync(join(root, 'docs/adding-a-workload.md'), 'utf8'));
const READY_MS_MAX = 30_000;

let copy: string;
const children: Child[] = [];

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'tessera-workload-'));
  const rootFiles = readdirSync(root).filter((name) => /\.(json|ts)$/.test(name));
  for (const name of ['shared', 'shaders', 'server', 'client', 'scripts', ...rootFiles]) cpSync(join(root, name), join(copy, name), { recursive: true });
  // The second has the software driver, unpacked.
  mkdirSync(join(root, '.cache'), { recursive: true });
  for (const name of ['node_modules', '.cache']) symlinkSync(join(root, name), join(copy, name));
  for (const step of steps) {
    if (step.kind === 'file') {
      mkdirSync(dirname(join(copy, step.path)), { recursive: true });
      writeFileSync(join(copy, step.path), step.text);
    } else if (step.kind === 'change') writeFileSync(join(copy, step.path), changed(readFileSync(join(copy, step.path), 'utf8'), step));
  }
});

afterAll(async () => {
  for (const child of children.reverse()) await child.stop();
  rmSync(copy, { recursive: true, force: true });
}, 60_000);

/** What a Node program of the copy prints. Rejects unless it ends with 0. */
async function printed(...args: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: copy }).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${args.join(' ')} failed:\n${error.stdout}${error.stderr}`);
  });
  return `${stdout}\n${stderr}`.split('\n');
}

/** The document's command that begins so. */
function documented(beginning: string): { readonly args: readonly string[]; readonly wanted: readonly string[] } {
  const step = steps.find((each) => 'command' in each && each.command.includes(beginning));
  if (!step || !('command' in step)) throw new Error(`the document has no command ${beginning}`);
  return {
    args: step.command
      .slice(step.command.indexOf(beginning) + beginning.length)
      .trim()
      .split(' '),
    wanted: step.wanted,
  };
}

test('types and format are as the project wants them', async () => {
  const types = printed('node_modules/typescript-native/bin/tsc', '-p', 'shaders', '--pretty', 'false');
  const format = printed('node_modules/@biomejs/biome/bin/biome', 'check', '--vcs-enabled=false', 'shaders/julia', 'shaders/registry.ts');
  await Promise.all([types, format]);
});

test('it is one folder with all faces, and the registry knows it', async () => {
  const tellIds = "import { workload, workloadIds } from './shaders/registry.ts'; console.log(workloadIds.map((id) => workload(id)?.spec.id).join(' '))";
  const ids = (await printed('--input-type=module', '-e', tellIds))[0]!.split(' ');
  expect(ids).toContain('julia');
  const filesOf = (folder: string): string[] => readdirSync(join(copy, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`);
  expect(registered(filesOf('shaders'), ids)).toEqual([]);
  const sources = ['shaders/julia', 'shaders/common', 'shared']
    .flatMap(filesOf)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parseSource(path, readFileSync(join(copy, path), 'utf8')));
  expect([...folderImports(sources), ...reachableImports(sources)]).toEqual([]);
  const touched = new Set(steps.flatMap((step) => ('path' in step ? dirname(step.path) : [])));
  expect([...touched]).toEqual(['shaders/julia', 'shaders']);
});

test('the kernel comes to what the CPU comes to', async () => {
  expect(missingFrom(await printed('scripts/agree.ts', 'julia'), documented('npm run agree').wanted)).toBeUndefined();
});

test('a job of it is computed, checked and put together', async () => {
  const env = {
    ...process.env,
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: join(copy, 'data'),
    GALLERY: 'off',
    LOG_LEVEL: 'warn',
    HTTPS: 'off',
    PUBLIC_ORIGIN: '',
  };
  const coordinator = startChild(process.execPath, ['server/main.ts'], { cwd: copy, env });
  children.push(coordinator);
  const url = (await coordinator.line(/ready: (http\S+)/, READY_MS_MAX))[1]!;
  const contributor = startChild(process.execPath, ['client/headless.ts', '--url', url], { cwd: copy, env: process.env });
  children.push(contributor);
  await contributor.line(/Ctrl-C stops/, READY_MS_MAX);
  const { args, wanted } = documented('npx tessera');
  const said: string[] = [];
  const onLine = (line: string): void => void said.push(line);
  const own = { ...process.env, TESSERA_SERVER: url, TESSERA_KEY: '', XDG_CONFIG_HOME: join(copy, 'settings') };
  const order = startChild(process.execPath, ['client/cli.ts', ...args], { cwd: copy, env: own, onLine, onErrorLine: onLine });
  children.push(order);
  expect(await order.exited, order.tail()).toBe(0);
  expect(missingFrom(said, wanted)).toBeUndefined();

  const id = /j_[\w-]{16}/.exec(said.join('\n'))?.[0];
  const job = (await (await fetch(`${url}/api/jobs/${id}`)).json()) as {
    status: string;
    parts: { total: number; accepted: number };
    checksDone: Record<string, number>;
  };
  expect(job).toMatchObject({ status: 'done', parts: { total: 16, accepted: 16 }, checksDone: { refuted: 0 } });
  expect(job.checksDone.cpu).toBeGreaterThan(16 * 100);

  const pixels = (path: string): Promise<Buffer> => sharp(path).raw().toBuffer();
  expect((await pixels(join(copy, 'out/julia.png'))).equals(await pixels(join(root, 'docs/julia.png')))).toBe(true);
}, 60_000);
