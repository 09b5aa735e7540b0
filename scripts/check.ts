import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './pages.ts';

/** One thing that must hold, with the command that proves it. */
export interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

export interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
  readonly seconds: number;
}

const node = process.execPath;
const bin = (path: string): string => join(root, 'node_modules', path);

/**
 * Projects for the compiler: one a room, so that each sees only its own platform. '.' is scripts and the root's files. The compiler is
 * TypeScript 7, which is native and needs a third of the time; svelte-check and knip need the interfaces of TypeScript 6.
 */
const rooms = ['shared', 'shaders', 'server', 'e2e', '.'];

const types: readonly Check[] = rooms.map((room) => ({
  name: `types: ${room === '.' ? 'scripts' : room}`,
  command: [node, bin('typescript-native/bin/tsc'), '-p', room, '--pretty', 'false'],
}));

/** Everything that can be said without running the code, but for tidy.test.ts. svelte-check reads the client's .ts files as well as its components. */
export const checks: readonly Check[] = [
  {
    name: 'types: client',
    command: [node, bin('svelte-check/bin/svelte-check'), '--workspace', 'client', '--tsconfig', 'tsconfig.json', '--fail-on-warnings'],
  },
  ...types,
  { name: 'lint and format', command: [node, bin('@biomejs/biome/bin/biome'), 'check', '.'] },
  { name: 'unused code', command: [node, bin('knip/bin/knip.js'), '--no-progress'] },
  { name: 'third-party notices', command: [node, 'scripts/notices.ts', '--check'] },
];

const tidy: Check = { name: 'tidy', command: [node, bin('vitest/vitest.mjs'), 'run', '--project', 'unit', 'tidy.test.ts'] };

function run({ name, command }: Check): Promise<CheckResult> {
  const startedMs = performance.now();
  const [program = node, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const done = (passed: boolean): void => resolve({ name, passed, output, seconds: (performance.now() - startedMs) / 1000 });
    child.once('error', (error) => {
      output += error.message;
      done(false);
    });
    child.once('close', (code) => done(code === 0));
  });
}

/** Runs checks two at a time, prints a line for each as it ends and the output of those that fail. */
export async function runChecks(list: readonly Check[]): Promise<CheckResult[]> {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const waiting = [...list];
  const results: CheckResult[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const result = await run(next);
      results.push(result);
      console.log(`${result.passed ? 'ok    ' : 'FAILED'} ${result.name} (${result.seconds.toFixed(1)} s)`);
      if (!result.passed) console.log(result.output.trim());
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

if (import.meta.main) {
  const results = await runChecks([...checks, tidy]);
  const failed = results.filter(({ passed }) => !passed);
  console.log(
    failed.length === 0
      ? `All ${results.length} checks passed.`
      : `${failed.length} of ${results.length} checks failed: ${failed.map(({ name }) => name).join(', ')}.`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
}
