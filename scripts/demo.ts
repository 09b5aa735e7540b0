import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { workload, workloadIds } from '../shaders/registry.ts';
import { formatCredits } from '../shared/credits.ts';
import type { AccountView, JobView } from '../shared/schemas.ts';
import { Api } from './api.ts';
import { type Child, startChild } from './child.ts';
import { root } from './pages.ts';
import { ProgressBar } from './progress.ts';

/**
 * `npm start -- --demo`: the whole way of one job with no browser and no service. A coordinator on a free port with an
 * empty database, one headless contributor, the first public sample; the picture lands in out/.
 */

const DEMO_MS_MAX = 10 * 60_000;
const READY_MS_MAX = 30_000;
const POLL_MS = 250;

/** What the headless contributor said last, one JSON object a line. */
interface ContributorSays {
  adapter: string | null;
  earnedMicroCredits: bigint;
}

const testGrant = ({ balances }: AccountView): bigint => BigInt(balances.find(({ unit }) => unit === 'test')?.grantMicroCredits ?? '0');

/** Test credits of the requester, what the job paid and what the contributor earned must balance to the micro-credit. */
export function ledgerProblem(spent: bigint, paid: bigint, earned: bigint): string | null {
  if (spent === paid && paid === earned) return null;
  return `the books do not balance: the requester spent ${formatCredits(spent)}, the job paid ${formatCredits(paid)}, the contributor earned ${formatCredits(earned)}`;
}

async function submitSample(api: Api): Promise<{ job: JobView; output: { id: string; extension: string } }> {
  const [id] = workloadIds;
  const entry = id && workload(id);
  if (!entry) throw new Error('shaders/registry.ts lists no workload');
  const [sample] = await (await entry.samples()).samples();
  const [output] = entry.spec.outputs;
  if (!sample || !output) throw new Error(`${id} offers no sample or no output`);
  const files: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(sample.files)) files[name] = await api.upload(new Uint8Array(bytes));
  const request = { workload: id, params: sample.params, files, title: sample.title, visibility: 'unlisted' };
  return { job: await api.submit(request as Parameters<Api['submit']>[0]), output };
}

/** Polls the job until it is done; rejects when a child ends before. */
async function untilDone(api: Api, id: string, children: readonly Child[], signal: AbortSignal): Promise<JobView> {
  const bar = new ProgressBar(process.stdout, 'parts');
  const gone = Promise.race(
    children.map(async (child) => {
      const code = await child.exited;
      throw new Error(`a process ended early (${code ?? 'signal'}):\n${child.tail()}`);
    }),
  );
  const poll = async (): Promise<JobView> => {
    for (;;) {
      const job = await api.job(id);
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

function report(job: JobView, seconds: number, says: ContributorSays, picture: string): void {
  const { audits, replicas, refuted, elements } = job.checksDone;
  const paid = BigInt(job.paidMicroCredits);
  console.log(
    [
      `Picture   ${relative(root, picture)}`,
      `Adapter   ${says.adapter ?? 'unknown'}`,
      `Tiles     ${job.grid.passes * job.grid.tiles} (${job.parts.accepted} parts), ${refuted} refuted`,
      `Seconds   ${seconds.toFixed(1)}`,
      `Checks    ${audits} audits and ${replicas} replicas, ${elements} elements compared`,
      `Earnings  ${formatCredits(says.earnedMicroCredits)} test credits`,
      `Ledger    held ${formatCredits(BigInt(job.heldMicroCredits) + paid)}, paid ${formatCredits(paid)}: requester, job and contributor sum to zero`,
    ].join('\n'),
  );
}

async function play(dataDir: string, children: Child[], signal: AbortSignal): Promise<void> {
  const { PUBLIC_ORIGIN: _, ...env } = process.env;
  const coordinator = startChild(process.execPath, ['server/main.ts'], {
    cwd: root,
    env: { ...env, HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir, GALLERY: 'off', LOG_LEVEL: 'warn' },
  });
  children.push(coordinator);
  const url = (await coordinator.line(/ready: (http\S+)/, READY_MS_MAX))[1] ?? '';

  const api = new Api(url);
  const granted = testGrant(await api.openSession());
  const { job, output } = await submitSample(api);
  console.log(`Job       ${job.title}: ${job.grid.passes * job.grid.tiles} tiles, ${formatCredits(BigInt(job.heldMicroCredits))} test credits held`);

  const says: ContributorSays = { adapter: null, earnedMicroCredits: 0n };
  const contributor = startChild(process.execPath, ['client/headless.ts', '--url', url, '--json'], {
    cwd: root,
    env: process.env,
    onLine: (line) => hear(line, says),
    onErrorLine: (line) => console.error(line),
  });
  children.push(contributor);

  const startedMs = performance.now();
  const done = await untilDone(api, job.id, children, signal);
  const seconds = (performance.now() - startedMs) / 1000;
  if (done.status !== 'done') throw new Error(`the job ended as ${done.status}`);
  const picture = join(root, 'out', `${done.workload}.${output.extension}`);
  mkdirSync(join(root, 'out'), { recursive: true });
  writeFileSync(picture, await api.file(job.id, output.id));

  await contributor.stop();
  const spent = granted - testGrant(await api.account());
  report(done, seconds, says, picture);
  const problem = ledgerProblem(spent, BigInt(done.paidMicroCredits), says.earnedMicroCredits);
  if (problem) throw new Error(problem);
}
