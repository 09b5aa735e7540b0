import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

/** The add-on inside a Blender without windows. What it does with a real coordinator is a story: e2e/blender.test.ts. */

const run = promisify(execFile);
const hasBlender = await run('blender', ['--version']).then(
  () => true,
  () => false,
);
const folder = join(import.meta.dirname, 'testing');

interface Result {
  readonly name: string;
  readonly failure: string | null;
}

/** Runs a file of unittest cases, and returns what became of each. */
async function results(name: string): Promise<Result[]> {
  const out = await mkdtemp(join(tmpdir(), 'tessera-blender-'));
  try {
    const file = join(out, 'results.json');
    const arguments_ = ['--background', '--factory-startup', '--python-exit-code', '1', '--python', join(folder, 'run.py'), '--', name, file];
    // Its settings and cookies stay out of the home of whoever runs this.
    await run('blender', arguments_, { env: { ...process.env, BLENDER_USER_CONFIG: out } });
    return JSON.parse(await readFile(file, 'utf8')) as Result[];
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

describe.skipIf(!hasBlender)(hasBlender ? 'the add-on' : 'the add-on: skipped, there is no blender in PATH', () => {
  test.each(['test_client', 'test_reading', 'test_export', 'test_panel'])('%s', { timeout: 90_000 }, async (name) => {
    const written = [...(await readFile(join(folder, `${name}.py`), 'utf8')).matchAll(/^ {4}def (test_\w+)/gm)];
    const found = await results(name);
    expect(found.flatMap(({ name: which, failure }) => (failure === null ? [] : [`${which}\n${failure}`]))).toEqual([]);
    expect(found.map(({ name: which }) => which).toSorted()).toEqual(written.map(([, which]) => which).toSorted());
    expect(found.length).toBeGreaterThan(2);
  });
});
