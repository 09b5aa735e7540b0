import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checks, runChecks } from './check.ts';
import { ensureChromium } from './chromium.ts';
import { buildPages, root } from './pages.ts';

/** `npm test`: types, lint and the rest of `npm run check`, then every test in Node and in a real browser. The last line counts both. */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** The part of Vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly success: boolean;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** A file that could not even be loaded counts as one failed test, and so does an error outside of any test. */
export function countTests(report: Report): Counts {
  const unloaded = report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0).length;
  const failed = report.numFailedTests + unloaded;
  return { passed: report.numPassedTests, failed: failed === 0 && !report.success ? 1 : failed };
}

async function vitest(): Promise<Counts> {
  const reportPath = join(root, '.cache/vitest.json');
  rmSync(reportPath, { force: true });
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  const [code] = (await once(spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }), 'close')) as [number | null];
  if (!existsSync(reportPath)) return { passed: 0, failed: 1 };
  const counts = countTests(JSON.parse(readFileSync(reportPath, 'utf8')) as Report);
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

async function pages(): Promise<Counts> {
  try {
    console.log((await buildPages()) ? 'ok     pages built' : 'ok     pages are up to date');
    return { passed: 1, failed: 0 };
  } catch (error) {
    console.log('FAILED pages');
    console.log(error);
    return { passed: 0, failed: 1 };
  }
}

if (import.meta.main) {
  console.log(`Chromium: ${ensureChromium()}`);
  const results = await runChecks(checks);
  const counts: Counts[] = results.map(({ passed }) => ({ passed: passed ? 1 : 0, failed: passed ? 0 : 1 }));
  counts.push(await pages(), await vitest());
  const sum = counts.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed }));
  process.exitCode = sum.failed === 0 ? 0 : 1;
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
}
