import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Contributor, type Done, delay, type Identity, Swarm, Worker } from './bench/load.ts';
import { postgresUrl, startPostgres } from './store/postgres.testing.ts';
import { query } from './store/stores.testing.ts';

const SOCKETS = 1000;
/** Messages on their way at full load, and tiles in each. */
const LANES = 16;
const TILES = 32;
const ROUNDS = 5;
const ROUND_MS = 4000;
/** Until everybody's speed is known, and gets it whole messages. */
const WARM_UP_MS = 8000;
const PACED_MS = 8000;
const MANY = 10_000;
/** Until it has given back what the crowd took as it came. */
const SETTLE_MS = 10_000;

const RIVALS = ['sqlite', 'pg', 'peer'] as const;
type Rival = (typeof RIVALS)[number];
const PARTS = [...RIVALS, 'crowd'] as const;
type Part = (typeof PARTS)[number];

/** `env NODE_COMPILE_CACHE=... node`: what `npm start` puts before its script. */
const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { scripts: { start: string } };
const STARTED_BY = scripts.start.replace(/^exec (.+) \S+$/, '$1');

interface Ready {
  readonly port: number;
  readonly identities: Identity[];
}
interface Books {
  readonly sum: string;
  readonly wrongAccounts: number;
  readonly transfers: number;
}

/** A process that says one line when it is ready, and one when it ends. */
class Side {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string, ...args: readonly string[]) {
    this.#child = spawn('sh', ['-c', `exec ${STARTED_BY} "$@"`, 'node', join(import.meta.dirname, 'bench', script), ...args], {
      cwd: join(import.meta.dirname, '..'),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#child.stdout!)[Symbol.asyncIterator]();
  }

  async line<T>(): Promise<T> {
    return JSON.parse(String((await this.#lines.next()).value)) as T;
  }

  /** Resident memory of the process, in MB. */
  get megabytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  /** Processor time of the process so far, in milliseconds: fields 14 and 15 of `proc_pid_stat(5)`, in hundredths of a second. */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async end<T>(): Promise<T> {
    this.#child.kill('SIGTERM');
    const last = await this.line<T>();
    await once(this.#child, 'exit');
    return last;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/**
 * Completions a second of the real coordinator: sockets from a second process (this one), SQLite with `synchronous=FULL` and PostgreSQL with `fsync`. One
 * completion is one tile of its own: a 64-byte inline result, handed in with its hash and its root, and its opening, both acknowledged after
 * their commits; its evidence, verdict, standing and pay, each of them committed and then told; and a second later its pay vests. At most 32 hand-ins or
 * openings are in a message. Counted are tiles that their contributor was told are paid. Left out: recomputing drawn elements (answered at
 * once), blobs, audits by others, TLS. It could be gamed by giving many tiles one hash, row or transfer, by acknowledging before the commit,
 * by drawing nothing, or by counting what is only sent; here every tile has its own, and the books are proved at the end.
 *
 * `only`: parts of it, all when none is named; each of them alone is faster than it is in turns with the others.
 *
 * Peer: graphile-worker with its local queue and batching on, behind the same sockets, on the same PostgreSQL, with the same bytes (`bench/peer.ts`).
 */
export async function bench(...only: readonly string[]): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const unknown = only.find((part) => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`No part ${unknown}. There are: ${PARTS.join(', ')}.`);
  const isAsked = (part: Part): boolean => only.length === 0 || only.includes(part);
  const asked = RIVALS.filter(isAsked);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-bench-'));
  const database = asked.some((name) => name !== 'sqlite')
    ? await startPostgres({ fsync: true, flags: ['-c', 'shared_buffers=256MB', '-c', 'max_wal_size=4GB'] })
    : null;
  const sides: Side[] = [];
  const side = (...args: ConstructorParameters<typeof Side>): Side => {
    sides.push(new Side(...args));
    return sides.at(-1)!;
  };
  try {
    if (database) for (const name of ['pg', 'peer']) await query(postgresUrl(database.port, 'postgres'), `create database ${name}`);
    const rates = asked.length > 0 ? await compare(asked, folder, database?.port ?? 0, side) : {};
    const many = isAsked('crowd') ? await crowd(join(folder, 'many'), side) : {};
    return {
      suite: 'coordinator',
      figures: { ...rates, ...many },
      notes: [
        `${SOCKETS} sockets from a second process; at full load ${LANES} messages of up to ${TILES} hand-ins or openings are always on their way, from one socket after the other. ${ROUNDS} rounds of ${ROUND_MS / 1000} s, in turns: SQLite, PostgreSQL, the peer; median, least and most.`,
        'One completion: a 64-byte inline result and its opening, acknowledged after their commits (synchronous=FULL; fsync=on), verdict, standing and pay, told to its contributor. Vesting runs beside it.',
        'cpu_us_*: processor time of the coordinator (of the peer) for one completion, its database not counted where that is PostgreSQL; median of the rounds. Other load on the machine moves it less than the rates.',
        'ack_*: from sending a message of hand-ins to its answer. Without `full`: at half the measured load.',
        'The peer, graphile-worker 0.18, stores the bytes and completes its job; it leases nothing by speed, checks nothing and pays nobody.',
        `idle_10k_mb: resident memory of the coordinator with ${MANY} contributors that have come back and wait, ${SETTLE_MS / 1000} s after the last of them came. reconnect_10k_s: from the start of the process after kill -9 until all of them have been welcomed, each coming back with full jitter as the engine does.`,
      ],
    };
  } finally {
    for (const each of sides) each.kill();
    await database?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

type Start = (...args: ConstructorParameters<typeof Side>) => Side;

async function compare(names: readonly Rival[], folder: string, port: number, start: Start): Promise<Record<string, number>> {
  const sides = names.map((name): Side => {
    if (name === 'peer') return start('peer.ts', postgresUrl(port, name));
    return start('process.ts', folder, String(SOCKETS), ...(name === 'pg' ? [postgresUrl(port, name)] : []));
  });
  const rivals: { name: Rival; side: Side; swarm: Swarm; done: Done[]; cpuUs: number[] }[] = [];
  for (const [index, name] of names.entries()) {
    const side = sides[index]!;
    const ready = await side.line<Ready>();
    const swarm = await Swarm.open(SOCKETS, (member) => (name === 'peer' ? Worker.open(ready.port) : Contributor.open(ready.port, ready.identities[member]!)));
    rivals.push({ name, side, swarm, done: [], cpuUs: [] });
  }
  for (const { swarm } of rivals) await swarm.full(LANES, TILES, WARM_UP_MS);
  for (let round = 0; round < ROUNDS; round++)
    for (const { side, swarm, done, cpuUs } of rivals) {
      const before = side.cpuMs;
      const each = await swarm.full(LANES, TILES, ROUND_MS);
      done.push(each);
      cpuUs.push(((side.cpuMs - before) * 1000) / each.completions);
    }

  const figures: Record<string, number> = {};
  const latencies = (rounds: readonly Done[]): number[] => rounds.flatMap((each) => each.latencies);
  let [imbalance, transfers] = [0, 0];
  for (const { name, side, swarm, done, cpuUs } of rivals) {
    const rates = done.map(({ perSecond }) => perSecond);
    figures[`completions_per_s_${name}`] = Math.round(quantile(rates, 0.5));
    figures[`completions_per_s_${name}_min`] = Math.round(quantile(rates, 0));
    figures[`completions_per_s_${name}_max`] = Math.round(quantile(rates, 1));
    figures[`cpu_us_${name}`] = round(quantile(cpuUs, 0.5));
    const suffix = name === 'sqlite' ? '' : `_${name}`;
    if (name !== 'peer') {
      figures[`ack_p99${suffix}_ms`] = round(quantile(latencies([await swarm.paced(quantile(rates, 0.5) / 2, TILES, PACED_MS)]), 0.99));
      if (name === 'sqlite') figures.ack_p50_full_ms = round(quantile(latencies(done), 0.5));
      figures[`ack_p99_full${suffix}_ms`] = round(quantile(latencies(done), 0.99));
    }
    swarm.close();
    const books = await side.end<Books>();
    if (name === 'peer') continue;
    imbalance += Math.abs(Number(books.sum)) + books.wrongAccounts;
    transfers += books.transfers;
  }
  const { completions_per_s_pg: ours, completions_per_s_peer: theirs } = figures;
  if (ours !== undefined && theirs !== undefined) figures.ratio_best_peer = round(ours / theirs, 3);
  return transfers > 0 ? { ...figures, ledger_imbalance: imbalance, transfers } : figures;
}

/** Contributors that wait, and come back. */
async function crowd(folder: string, start: Start): Promise<Record<string, number>> {
  const side = start('process.ts', folder, String(MANY));
  const ready = await side.line<Ready>();
  const swarm = await Swarm.open(MANY, (index) => Contributor.open(ready.port, ready.identities[index]!));
  side.kill();
  swarm.close();
  const beganMs = performance.now();
  const again = start('process.ts', folder, '0', '', String(ready.port));
  const back = await Promise.all(ready.identities.map((identity) => Contributor.comeBack(ready.port, identity)));
  const seconds = (performance.now() - beganMs) / 1000;
  await delay(SETTLE_MS);
  const idle = again.megabytes;
  for (const contributor of back) contributor.close();
  await again.line<Ready>();
  again.kill();
  return { idle_10k_mb: round(idle), reconnect_10k_s: round(seconds, 2) };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
