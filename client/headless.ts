import '../shaders/raw-hooks.ts';
import { spawn } from 'node:child_process';
import { workload, workloadIds } from '../shaders/registry.ts';
import { formatCredits } from '../shared/credits.ts';
import { type Adapter, findAdapter } from './headless/adapter.ts';
import { contributeByPage } from './headless/chromium.ts';
import { contribute } from './headless/contribute.ts';
import { type Options, readOptions, UsageError, usage } from './headless/options.ts';
import type { Outcome, Report } from './headless/outcome.ts';

/** `npm run contribute`: a contributor without a page, see `usage`. Exits 0 when done or stopped, 1 on failure, 2 on wrong arguments. */

/** Progress is told at most this often when tiles were judged or audits answered, and this often when nothing happened. */
const NEWS_MS_MIN = 1000;
const QUIET_MS_MAX = 10_000;

const stopping = new AbortController();
// Stopping takes a few seconds at most; a second signal changes nothing about that.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));

async function main(options: Options): Promise<number> {
  const note = (line: string): void => (options.json ? console.error(line) : console.log(line));
  const adapter = await findAdapter(options.adapter);
  if (adapter.kind === 'restart') return restart(adapter.env);
  if (adapter.kind === 'chromium' && options.trusted !== null)
    throw new UsageError('This machine could contribute through a page only, which cannot show a key.');

  const name = adapter.kind === 'dawn' ? adapter.name : `headless Chromium, ${adapter.executablePath}`;
  note(`Adapter: ${name}`);
  note(`Contributing to ${options.origin} at ${options.powerPercent} % of its time${options.hours === '' ? '' : `, at ${options.hours}`}. What may run:`);
  for (const id of workloadIds) note(`  ${workload(id)?.spec.title}: ${workload(id)?.spec.summary}`);
  note('Ctrl-C stops.');

  const startedMs = performance.now();
  const print = (outcome: Outcome): void => {
    const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
    if (options.json) console.log(JSON.stringify({ adapter: name, ...outcome, seconds }));
    else console.log(`${seconds} s: ${sentence(outcome)}`);
  };
  const outcome = await run(adapter, options, sparingly(print), note);
  print(outcome);
  return 0;
}

function run(adapter: Exclude<Adapter, { kind: 'restart' }>, options: Options, report: Report, note: (line: string) => void): Promise<Outcome> {
  if (adapter.kind === 'dawn') return contribute(adapter.gpu, options, report, note, stopping.signal);
  // The page keeps the hours itself, and shows that it does.
  return contributeByPage(adapter.executablePath, options, report, stopping.signal);
}

function sentence({ accepted, refuted, discarded, audits, earnedMicroCredits, vestingMicroCredits }: Outcome): string {
  const tiles = [`${accepted} tiles accepted`, `${refuted} refuted`, ...(discarded > 0 ? [`${discarded} discarded`] : [])];
  const amounts = [`${formatCredits(BigInt(earnedMicroCredits))} credits earned`, `${formatCredits(BigInt(vestingMicroCredits))} vesting`];
  return [...tiles, ...(audits > 0 ? [`${audits} audits answered`] : []), ...amounts].join(', ');
}

/** Passes on what is worth a line. */
function sparingly(print: Report): Report {
  let saidMs = performance.now();
  let said = 0;
  return (outcome) => {
    const now = performance.now();
    const { accepted, refuted, discarded, audits } = outcome;
    const done = accepted + refuted + discarded + audits;
    if (now - saidMs < (done > said ? NEWS_MS_MIN : QUIET_MS_MAX)) return;
    said = done;
    saidMs = now;
    print(outcome);
  };
}

/** This same command in a process whose environment finds other libraries. */
function restart(env: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit', env: { ...process.env, ...env } });
  stopping.signal.addEventListener('abort', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') console.log(usage);
  // Dawn's threads would keep the process alive.
  process.exit(options === 'help' ? 0 : await main(options));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) console.error('See --help.');
  process.exit(error instanceof UsageError ? 2 : 1);
}
