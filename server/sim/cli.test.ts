import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tessera-sim-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sim = (...args: string[]) => spawnSync(process.execPath, [join(import.meta.dirname, 'cli.ts'), ...args], { encoding: 'utf8', timeout: 60_000 });
const small = ['--contributors', '20', '--hours', '0.1', '--json'];

describe('npm run sim', () => {
  it('prints every figure as JSON, and the same for the same seed', () => {
    const run = () => {
      const { realMs, ...report } = JSON.parse(sim(...small, '--policy', 'ours', '--liars', '0.2', '--kind', 'always', '--seed', '3').stdout) as Record<
        string,
        unknown
      >;
      expect(realMs).toBeGreaterThan(0);
      return report;
    };
    const report = run();
    const names = [
      'overhead',
      'wasted',
      'cpuMsPerTile',
      'overheadCpu',
      'wrongShare',
      'patch',
      'falseAccusations',
      'detectionSeconds',
      'detectionLies',
      'tiles',
      'contributors',
    ];
    for (const name of names) expect(report, name).toHaveProperty(name);
    expect(report).toMatchObject({ contributors: 20, wrongShare: 0 });
    expect(run()).toEqual(report);
  }, 60_000);

  it('prints a table for people', () => {
    expect(sim(...small.slice(0, -1), '--policy', 'quorum2').stdout).toMatch(/^overhead +\d/);
  });

  it('loads the liar that the README shows', () => {
    const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
    const example = /```ts\n(import[\s\S]*?)```/.exec(readme)![1]!.replace("'./server/sim/adversary.ts'", `'${join(import.meta.dirname, 'adversary.ts')}'`);
    const file = join(folder, 'liar.ts');
    writeFileSync(file, example);
    const { status, stdout, stderr } = sim(...small, '--liars', '0.5', '--adversary', file);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ falseAccusations: 0 });
  });

  it('answers wrong arguments with what there is, and exit 2', () => {
    const empty = join(folder, 'empty.ts');
    writeFileSync(empty, 'export const nothing = 1;\n');
    const wrong = [
      ['--policy', 'mine'],
      ['--kind', 'honest'],
      ['--liars', '1.5'],
      ['--liars', 'many'],
      ['--seed', ''],
      ['--target', '0'],
      ['--hours', '0'],
      ['--nonsense'],
      ['--adversary', join(folder, 'missing.ts')],
      ['--adversary', empty],
      ['--kind', 'always', '--adversary', empty],
    ];
    for (const args of wrong) {
      const { status, stderr, stdout } = sim(...args);
      expect(status, args.join(' ')).toBe(2);
      expect(stderr, args.join(' ')).toContain('npm run sim --');
      expect(stdout).toBe('');
    }
  }, 60_000);
});
