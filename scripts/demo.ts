import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProgressBar } from '../client/cli/progress.ts';
import { Tessera } from '../client/sdk/index.ts';
import { workload, workloadIds } from '../shaders/registry.ts';
import { formatCredits } from '../shared/credits.ts';
import type { AccountView, JobRequest, JobView } from '../shared/schemas.ts';
import { type Child, startChild } from './child.ts';
import { type DemoMoney, openDemoMoney } from './demo-money.ts';
import { buildPages, root } from './pages.ts';

/**
 * `npm start -- --demo`: the whole way of one job with no browser and no service. A coordinator on a free port with an
 * empty database, one headless contributor, the first public sample; the picture lands in out/.
 */

const DEMO_MS_MAX = 10 * 60_000;
const READY_MS_MAX = 30_000;
const POLL_MS = 250;

/** What the headless contributor said last: one JSON object a line, the last one from the coordinator's books. */
interface ContributorSays {
  readonly adapter: string;
  readonly earnedMicroCredits: string;
  /** Earned too, but voided should the contributor be proven wrong in the next minutes. */
  readonly vestingMicroCredits: string;
}

const earningsOf = ({ earnedMicroCredits, vestingMicroCredits }: ContributorSays): bigint => BigInt(earnedMicroCredits) + BigInt(vestingMicroCredits);

/** What there is to be spent on jobs alone. */
const prepaid = ({ balances }: AccountView, of: 'test' | 'credit'): bigint => {
  const balance = balances.find(({ unit }) => unit === of);
  return BigInt((of === 'test' ? balance?.grantMicroCredits : balance?.depositedMicroCredits) ?? '0');
};

/**
 * What the requester spent, what the job paid and what the contributor earned must be the same amount of micro-credits.
 * `rounding`: how far off the contributor's own figure may be.
 */
export function ledgerProblem(spent: bigint, paid: bigint, earned: bigint, rounding = 0n): string | null {
  const off = earned > paid ? earned - paid : paid - earned;
  if (spent === paid && off <= rounding) return null;
  return `the books do not balance: the requester spent ${formatCredits(spent)}, the job paid ${formatCredits(paid)}, the contributor earned ${formatCredits(earned)}`;
}

/** The last resort of a contributor is a page, which shows two decimals. */
const roundingOf = ({ adapter }: ContributorSays): bigint => (adapter.includes('Chromium') ? 5_000n : 0n);

async function submitSample(tessera: Tessera, unit: 'test' | 'credit'): Promise<{ job: JobView; output: { id: string; extension: string } }> {
  const [id] = workloadIds;
  const entry = id && workload(id);
  if (!entry) throw new Error('shaders/registry.ts lists no workload');
  const [sample] = await (await entry.samples()).samples();
  if (!sample) throw new Error(`${id} offers no sample`);
  const files: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(sample.files)) files[name] = (await tessera.upload(new Blob([new Uint8Array(bytes)]))).hash;
  const request = { workload: id, params: sample.params, files, title: sample.title, visibility: 'unlisted', unit };
  const job = await tessera.submit(request as JobRequest);
  const { seed, params, prepared } = job;
  const [output] = entry.spec.outputs({ id: job.id, seed, params, prepared });
  if (!output) throw new Error(`${id} offers no output`);
  return { job, output };
}

/** Polls the job until it is done; rejects when a child ends before. */
async function untilDone(tessera: Tessera, id: JobView['id'], children: readonly Child[], signal: AbortSignal): Promise<JobView> {
  const bar = new ProgressBar(process.stdout, 'parts');
  const gone = Promise.race(
    children.map(async (child) => {
      const code = await child.exited;
      throw new Error(`a process ended early (${code ?? 'signal'}):\n${child.tail()}`);
    }),
  );
  const poll = async (): Promise<JobView> => {
    for (;;) {
      const job = await tessera.job(id);
      bar.update(job.parts.accepted, job.parts.total);
      if (job.status !== 'open') return job;
      await sleep(POLL_MS, undefined, { signal });
    }
  };
  try {
    return await Promise.race([poll(), gone]);
  } finally {
    bar.end();
  }
}

function report(job: JobView, seconds: number, says: ContributorSays, picture: string, earnings: string): void {
  const { cpu, trusted, contributor, refuted, errorBound } = job.checksDone;
  console.log(
    [
      `Picture   ${relative(root, picture)}`,
      `Adapter   ${says.adapter}`,
      `Tiles     ${job.grid.passes * job.grid.tiles} (${job.parts.accepted} parts), ${refuted} refuted`,
      `Seconds   ${seconds.toFixed(1)}`,
      `Checks    ${cpu + trusted + contributor} values recomputed; at most ${errorBound.toExponential(1)} of all values are expected to be wrong`,
      `Earnings  ${earnings}`,
      'Ledger    what the requester spent, the job paid and the contributor earned sums to zero',
    ].join('\n'),
  );
}

function startCoordinator(dataDir: string, more: NodeJS.ProcessEnv): Child {
  const { PUBLIC_ORIGIN: _, ...env } = process.env;
  return startChild(process.execPath, ['server/main.ts'], {
    cwd: root,
    // Whatever the operator's environment says of https: these two talk to each other alone.
    env: { ...env, HTTPS: 'off', TLS_CERT: '', TLS_KEY: '', HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir, GALLERY: 'off', LOG_LEVEL: 'warn', ...more },
  });
}

async function play(dataDir: string, children: Child[], signal: AbortSignal, money: DemoMoney | null): Promise<void> {
  const coordinator = startCoordinator(dataDir, money?.env ?? {});
  children.push(coordinator);
  const url = (await coordinator.line(/ready: (http\S+)/, READY_MS_MAX))[1] ?? '';

  const tessera = new Tessera({ server: url });
  await tessera.session();
  const unit = money ? 'credit' : 'test';
  const identity = await money?.begin(url, tessera);
  const before = prepaid(await tessera.account(), unit);
  const { job, output } = await submitSample(tessera, unit);
  const held = formatCredits(BigInt(job.heldMicroCredits));
  console.log(`Job       ${job.title}: ${job.grid.passes * job.grid.tiles} tiles, ${held} ${money ? 'credits' : 'test credits'} held`);

  const startedMs = performance.now();
  const lines: string[] = [];
  const contributor = startChild(process.execPath, ['client/headless.ts', '--url', url, '--json', ...(identity ? ['--identity', identity] : [])], {
    cwd: root,
    env: process.env,
    onLine: (line) => lines.push(line),
    onErrorLine: (line) => line.startsWith('Adapter:') && console.log(line.replace('Adapter:', 'Adapter  ')),
  });
  children.push(contributor);
  const done = await untilDone(tessera, job.id, children, signal);
  const seconds = (performance.now() - startedMs) / 1000;
  if (done.status !== 'done') throw new Error(`the job ended as ${done.status}`);

  const picture = join(root, 'out', `${done.workload}.${output.extension}`);
  mkdirSync(join(root, 'out'), { recursive: true });
  await writeFile(picture, await tessera.download(job.id, output.id));

  await contributor.stop();
  await contributor.exited;
  const says = JSON.parse(lines.at(-1) ?? 'null') as ContributorSays | null;
  if (!says) throw new Error(`the contributor said nothing:\n${contributor.tail()}`);
  const earned = money ? await money.earned(BigInt(done.paidMicroCredits), signal) : earningsOf(says);
  const vesting = money ? 'vested' : `${formatCredits(BigInt(says.vestingMicroCredits))} of them vesting`;
  report(done, seconds, says, picture, `${formatCredits(earned)} ${money ? 'credits' : 'test credits'}, ${vesting}`);
  const spent = before - prepaid(await tessera.account(), unit);
  const problem = ledgerProblem(spent, BigInt(done.paidMicroCredits), earned, money ? 0n : roundingOf(says));
  if (problem) throw new Error(problem);
  await money?.payOut(signal);
}

/**
 * Plays the demo. Rejects with the reason when anything fails; no child outlives it either way. `onChain`: the job is paid with credits that were
 * deposited on a chain of this machine, and what was earned is withdrawn to it.
 */
export async function demo(onChain = false): Promise<void> {
  await buildPages();
  const dataDir = mkdtempSync(join(tmpdir(), 'tessera-demo-'));
  const children: Child[] = [];
  const stopping = new AbortController();
  const late = setTimeout(() => stopping.abort(new Error(`the demo was not done after ${DEMO_MS_MAX / 60_000} minutes`)), DEMO_MS_MAX);
  const stop = (): void => stopping.abort(new Error('stopped'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const stopped = new Promise<never>((_, reject) => stopping.signal.addEventListener('abort', () => reject(stopping.signal.reason)));
  try {
    const money = onChain ? await openDemoMoney(join(dataDir, 'chain'), children) : null;
    await Promise.race([play(dataDir, children, stopping.signal, money), stopped]);
  } finally {
    clearTimeout(late);
    stopping.abort();
    // The contributor first: it hands in and withdraws its consent while the coordinator still listens.
    for (const child of children.reverse()) await child.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
  process.exit(0);
}
