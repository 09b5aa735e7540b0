import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './pages.ts';

/** What a suite reports: `X.bench.ts` exports `bench(): Promise<BenchReport>`. */
export interface BenchReport {
  readonly suite: string;
  /** Name with its unit last, such as `pathsPerSecond`, and the measured number. */
  readonly figures: Readonly<Record<string, number>>;
  /** What was measured on what, and anything that limits what the figures say. */
  readonly notes: readonly string[] | string;
}

/** Suites there are, by name. */
export function findSuites(base: string = root): Map<string, string> {
  const files = globSync('{shared,shaders,server,client,e2e}/**/*.bench.ts', { cwd: base });
  return new Map(files.sort().map((file) => [basename(file, '.bench.ts'), join(base, file)]));
}

function isReport(value: unknown): value is BenchReport {
  if (typeof value !== 'object' || value === null || !('figures' in value)) return false;
  const { figures } = value;
  return typeof figures === 'object' && figures !== null && Object.values(figures).every((figure) => Number.isFinite(figure));
}

/** Aligned lines of a report, for people. */
export function table({ suite, figures, notes }: BenchReport): string {
  const width = Math.max(0, ...Object.keys(figures).map((name) => name.length));
  const rows = Object.entries(figures).map(([name, value]) => `  ${name.padEnd(width)}  ${value.toLocaleString('en-US', { maximumSignificantDigits: 4 })}`);
  return [suite, ...rows, ...[notes].flat().map((note) => `  ${note}`)].join('\n');
}

/** `parts`: of a suite that can run some of its parts alone. */
async function run(name: string, parts: readonly string[]): Promise<BenchReport> {
  const suites = findSuites();
  const path = suites.get(name);
  if (!path) throw new Error(`${name ? `No suite ${name}.` : 'Name a suite: npm run bench -- SUITE [--json].'} There are: ${[...suites.keys()].join(', ')}.`);
  const { bench } = (await import(path)) as { bench?: unknown };
  if (typeof bench !== 'function') throw new Error(`${path} exports no function bench`);
  const report: unknown = await bench(...parts);
  if (!isReport(report)) throw new Error(`${path}: bench() gave no finite figures`);
  return report;
}

if (import.meta.main) {
  try {
    const { values, positionals } = parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
    const [name = '', ...parts] = positionals;
    const report = await run(name, parts);
    console.log(values.json ? JSON.stringify(report) : table(report));
    // Dawn keeps its threads for the life of the process: there is nothing left to wait for.
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
