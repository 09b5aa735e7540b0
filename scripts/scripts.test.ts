import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { withoutServerFaces } from '../vite.config.ts';
import { findSuites, table } from './bench.ts';
import { startChild } from './child.ts';
import { ensureChromium, findChromium, type Installer } from './chromium.ts';
import { productionPackages, renderList, renderTexts } from './notices.ts';
import { sourceHash } from './pages.ts';
import { countTests } from './test.ts';

const folder = mkdtempSync(join(tmpdir(), 'tessera-scripts-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('child', () => {
  const start = (code: string, onLine?: (line: string) => void) =>
    startChild(process.execPath, ['-e', code], { cwd: folder, env: process.env, ...(onLine ? { onLine } : {}) });

  test('gives its lines, also those of the past, and its exit code', async () => {
    const lines: string[] = [];
    const child = start(`console.log('port 17'); console.error('warned'); process.exitCode = 3;`, (line) => lines.push(line));
    expect((await child.line(/port (\d+)/, 10_000))[1]).toBe('17');
    expect(await child.exited).toBe(3);
    expect((await child.line(/port (\d+)/, 10_000))[1]).toBe('17');
    expect(lines).toEqual(['port 17']);
    expect(child.tail()).toContain('warned');
  });
  test('says what it printed when it ends too early, or too late', async () => {
    await expect(start(`console.error('disk is full'); process.exit(4)`).line(/ready/, 10_000)).rejects.toThrow(/ended with 4[\s\S]*disk is full/);
    const slow = start('setTimeout(() => {}, 60_000)');
    await expect(slow.line(/ready/, 50)).rejects.toThrow(/within 0.05 s/);
    await slow.stop();
    await expect(startChild('/no/such/program', [], { cwd: folder, env: {} }).line(/ready/, 10_000)).rejects.toThrow(/ENOENT/);
  });
  test('ends with all its children', async () => {
    const parent = start(`const { spawn } = require('node:child_process');
      spawn(process.execPath, ['-e', 'console.log("grandchild"); setTimeout(() => {}, 60_000)'], { stdio: 'inherit' });
      setTimeout(() => {}, 60_000);`);
    await parent.line(/grandchild/, 10_000);
    await parent.stop();
    // The pipe closes only when its last holder, the grandchild, is gone.
    expect(await parent.exited).toBe(null);
  });
});

test('page sources: any change of name or bytes changes the hash', () => {
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const kept = ['client/a.ts', 'shared/deep/a.ts', 'scripts/verify-receipt.mjs', 'vite.config.ts', 'package-lock.json'];
  for (const path of [...kept, 'shaders/a.ts']) write(path, path);
  const seen = new Set([sourceHash(folder)]);
  write('server/a.ts', 'not a page');
  expect(seen.has(sourceHash(folder))).toBe(true);
  for (const path of [...kept, 'shaders/b.ts']) {
    write(path, 'changed');
    seen.add(sourceHash(folder));
  }
  rmSync(join(folder, 'client/a.ts'));
  seen.add(sourceHash(folder));
  expect(seen.size).toBe(8);
});

test('faces of the coordinator become a module that throws', async () => {
  const { resolveId, load } = withoutServerFaces() as unknown as {
    resolveId(source: string, importer: string): Promise<string | null>;
    load(id: string): string | null;
  };
  for (const face of ['prepare', 'check', 'assemble', 'samples']) {
    const id = await resolveId(`./${face}.ts`, '/x/shaders/sum/entry.ts');
    expect(load(id ?? '')).toBe(`throw new Error("shaders/sum/${face}.ts runs on the coordinator only");`);
  }
  const data = await resolveId('./calibration.json', '/x/shaders/sum/entry.ts');
  expect(data).toMatch(/\.js$/);
  expect(load(data ?? '')).toContain('shaders/sum/calibration.json runs on the coordinator only');
  for (const face of ['spec', 'run', 'view']) expect(await resolveId(`./${face}.ts`, '/x/shaders/sum/entry.ts')).toBe(null);
  expect(await resolveId('sharp', '/x/shaders/sum/run.ts')).toBe(null);
});

test('the report counts files that did not load and errors outside of tests', () => {
  const passed = { status: 'passed', assertionResults: [{}] };
  expect(countTests({ numPassedTests: 2, numFailedTests: 0, success: true, testResults: [passed] })).toEqual({ passed: 2, failed: 0 });
  expect(countTests({ numPassedTests: 2, numFailedTests: 1, success: false, testResults: [passed, { status: 'failed', assertionResults: [] }] })).toEqual({
    passed: 2,
    failed: 2,
  });
  expect(countTests({ numPassedTests: 2, numFailedTests: 0, success: false, testResults: [passed] })).toEqual({ passed: 2, failed: 1 });
});

test('benchmarks are found by name and printed in columns', () => {
  mkdirSync(join(folder, 'server'), { recursive: true });
  writeFileSync(join(folder, 'server/ledger.bench.ts'), '');
  expect([...findSuites(folder)]).toEqual([['ledger', join(folder, 'server/ledger.bench.ts')]]);
  expect(table({ suite: 'ledger', figures: { rowsPerSecond: 123456, ms: 0.5 }, notes: ['two cores'] })).toBe(
    'ledger\n  rowsPerSecond  123,500\n  ms             0.5\n  two cores',
  );
});

test('notices: production packages only, and equal texts once', () => {
  const lock = {
    packages: {
      '': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0', license: 'ISC', os: ['linux'] },
      'node_modules/a': { version: '1.0.0', license: 'MIT' },
      'node_modules/c/node_modules/a': { version: '1.0.0', license: 'MIT' },
      'node_modules/d': { version: '1.0.0', license: 'MIT', dev: true },
    },
  };
  const packages = productionPackages(lock);
  expect(packages.map(({ name, version, platformOnly }) => [name, version, platformOnly])).toEqual([
    ['a', '1.0.0', false],
    ['b', '2.0.0', true],
  ]);
  expect(renderList(packages)).toContain('| a | 1.0.0 | MIT |\n| b | 2.0.0 | ISC |');
  const texts = renderTexts([
    { title: 'a 1.0.0', text: 'MIT License\n\nCopyright (c) 2020 Ana\n\nPermission is granted.' },
    { title: 'b 2.0.0', text: 'The MIT License (MIT)\nCopyright 2021 Ben\nPermission is\ngranted.' },
    { title: 'c 3.0.0', text: 'Copyright (c) 2020 Ana\nNo permission.' },
  ]);
  expect(texts.match(/## Text/g)).toHaveLength(2);
  expect(texts).toContain('a 1.0.0\n  Copyright (c) 2020 Ana\nb 2.0.0\n  Copyright 2021 Ben\n\nMIT License');
});

test('CHROMIUM_PATH decides, and must name a program', () => {
  expect(findChromium({ CHROMIUM_PATH: process.execPath })).toBe(process.execPath);
  expect(() => findChromium({ CHROMIUM_PATH: '/no/such/chromium' })).toThrow(/CHROMIUM_PATH.*\/no\/such\/chromium/);
});

test('a missing Chromium is installed: downloaded, else packaged, else said what to do', () => {
  /** A machine on which the named command brings a Chromium. */
  const machine = (works: string | null, isRoot: boolean): Installer & { commands: string[] } => {
    const commands: string[] = [];
    const run = (command: string, args: readonly string[]): boolean => {
      commands.push([command, ...args].join(' '));
      return true;
    };
    return { commands, run, isRoot, hasApt: true, find: () => (works !== null && commands.some((command) => command.includes(works)) ? '/found' : undefined) };
  };
  const user = machine('playwright install chromium', false);
  expect(ensureChromium(user)).toBe('/found');
  expect(user.commands).toEqual(['npx playwright install chromium']);
  const root = machine('apt-get install', true);
  expect(ensureChromium(root)).toBe('/found');
  expect(root.commands).toEqual(['npx playwright install --with-deps chromium', 'apt-get update', 'apt-get install -y --no-install-recommends chromium']);
  expect(() => ensureChromium(machine(null, false))).toThrow(/CHROMIUM_PATH/);
  expect(ensureChromium({ ...machine(null, false), find: () => '/there' })).toBe('/there');
});
