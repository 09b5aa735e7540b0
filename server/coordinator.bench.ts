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
const SETTLE_MS = 3000;

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
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'bench', script), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
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
 * Peer: graphile-worker with its local queue and batching on, behind the same sockets, on the same PostgreSQL, with the same bytes (`bench/peer.ts`).
 */
export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-bench-'));
  const database = await startPostgres({ fsync: true, flags: ['-c', 'shared_buffers=256MB', '-c', 'max_wal_size=4GB'] });
  const sides: Side[] = [];
  const side = (...args: ConstructorParameters<typeof Side>): Side => {
    sides.push(new Side(...args));
    return sides.at(-1)!;
  };
  try {
    for (const name of ['ours', 'peer']) await query(postgresUrl(database.port, 'postgres'), `create database ${name}`);
    const rates = await compare(folder, database.port, side);
    const many = await crowd(join(folder, 'many'), side);
    return {
      suite: 'coordinator',
      figures: { ...rates, ...many },
      notes: [
        `${SOCKETS} sockets from a second process; at full load ${LANES} messages of up to ${TILES} hand-ins or openings are always on their way, from one socket after the other. ${ROUNDS} rounds of ${ROUND_MS / 1000} s, in turns: SQLite, PostgreSQL, the peer; median, least and most.`,
        'One completion: a 64-byte inline result and its opening, acknowledged after their commits (synchronous=FULL; fsync=on), verdict, standing and pay, told to its contributor. Vesting runs beside it.',
        'ack_*: from sending a message of hand-ins to its answer. Without `full`: at half the measured load.',
        'The peer, graphile-worker 0.18, stores the bytes and completes its job; it leases nothing by speed, checks nothing and pays nobody.',
        `idle_10k_mb: resident memory of the coordinator with ${MANY} contributors that have come back and wait. reconnect_10k_s: from the start of the process after kill -9 until all of them have been welcomed, each coming back with full jitter as the engine does.`,
      ],
    };
  } finally {
    for (const each of sides) each.kill();
    await database.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

type Start = (...args: ConstructorParameters<typeof Side>) => Side;

async function compare(folder: string, port: number, start: Start): Promise<Record<string, number>> {
  const ours = { sqlite: start('process.ts', folder, String(SOCKETS)), pg: start('process.ts', folder, String(SOCKETS), postgresUrl(port, 'ours')) };
  const peer = start('peer.ts', postgresUrl(port, 'peer'));
  const swarmOf = async (side: Side): Promise<Swarm> => {
    const ready = await side.line<Ready>();
    return Swarm.open(SOCKETS, (index) => Contributor.open(ready.port, ready.identities[index]!));
  };
  const { port: peerPort } = await peer.line<Ready>();
  const swarms = { sqlite: await swarmOf(ours.sqlite), pg: await swarmOf(ours.pg), peer: await Swarm.open(SOCKETS, () => Worker.open(peerPort)) };
  for (const swarm of Object.values(swarms)) await swarm.full(LANES, TILES, WARM_UP_MS);

  const names = ['sqlite', 'pg', 'peer'] as const;
  const done: Record<(typeof names)[number], Done[]> = { sqlite: [], pg: [], peer: [] };
  for (let round = 0; round < ROUNDS; round++) for (const name of names) done[name].push(await swarms[name].full(LANES, TILES, ROUND_MS));
  const rate = (name: (typeof names)[number], share = 0.5): number =>
    quantile(
      done[name].map(({ perSecond }) => perSecond),
      share,
    );
  const latencies = (rounds: readonly Done[]): number[] => rounds.flatMap((each) => each.latencies);
  const paced = { sqlite: await swarms.sqlite.paced(rate('sqlite') / 2, TILES, PACED_MS), pg: await swarms.pg.paced(rate('pg') / 2, TILES, PACED_MS) };
  for (const swarm of Object.values(swarms)) swarm.close();
  const books = [await ours.sqlite.end<Books>(), await ours.pg.end<Books>()];
  await peer.end();
  return {
    ...Object.fromEntries(
      names.flatMap((name) => [
        [`completions_per_s_${name}`, Math.round(rate(name))],
        [`completions_per_s_${name}_min`, Math.round(rate(name, 0))],
        [`completions_per_s_${name}_max`, Math.round(rate(name, 1))],
      ]),
    ),
    ratio_best_peer: round(rate('pg') / rate('peer'), 3),
    ack_p99_ms: round(quantile(latencies([paced.sqlite]), 0.99)),
    ack_p99_pg_ms: round(quantile(latencies([paced.pg]), 0.99)),
    ack_p50_full_ms: round(quantile(latencies(done.sqlite), 0.5)),
    ack_p99_full_ms: round(quantile(latencies(done.sqlite), 0.99)),
    ack_p99_full_pg_ms: round(quantile(latencies(done.pg), 0.99)),
    ledger_imbalance: books.reduce((sum, { sum: imbalance, wrongAccounts }) => sum + Math.abs(Number(imbalance)) + wrongAccounts, 0),
    transfers: books.reduce((sum, { transfers }) => sum + transfers, 0),
  };
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
