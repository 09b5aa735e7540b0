import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { resultBytes } from '../../shared/formats.ts';
import type { EngineIdentity } from './api.ts';
import type { ContributorData, RoundReport } from './testing/contributor.worker.ts';
import { openLink } from './testing/link.ts';
import type { SimulatedWork } from './testing/simulated.ts';

const UP_BITS_PER_S = 20e6;
const DOWN_BITS_PER_S = 100e6;
const NEWCOMER_MS = 60_000;
const ROUND_MS = 12_000;
const ROUNDS = 5;

/** A tile of 64 x 64 pixels of four words in four parts, which goes as a blob of its own, and one of 32 x 32, which travels in its message. */
const large = { parts: 4, elements: 4096, words: 4, partMs: 250 };
const small = { parts: 4, elements: 1024, words: 4, partMs: 12.5 };

interface Line {
  readonly figure: string;
  readonly rttMs: number;
  readonly tile: Omit<SimulatedWork, 'id' | 'unitsPerPart'>;
  /** Of its first minute. */
  readonly newcomer?: string;
}
const lines: readonly Line[] = [
  { figure: 'gpu_busy_share_0', rttMs: 0, tile: large, newcomer: 'gpu_busy_share_newcomer_0' },
  { figure: 'gpu_busy_share_50', rttMs: 50, tile: large },
  { figure: 'gpu_busy_share_150', rttMs: 150, tile: large },
  { figure: 'gpu_busy_share_300', rttMs: 300, tile: large, newcomer: 'gpu_busy_share_newcomer_300' },
  { figure: 'gpu_busy_share_0_small', rttMs: 0, tile: small },
  { figure: 'gpu_busy_share_300_small', rttMs: 300, tile: small, newcomer: 'gpu_busy_share_newcomer_300_small' },
];

/**
 * Share of the time in which a contributor's GPU has something to do: the real engine against the real coordinator (its sockets, blob routes,
 * core and SQLite store, in a process of its own) over an emulated line. Every contributor has a thread, a line and a job of its own, all at
 * the same time, so that a round of one is a round of all. The GPU is simulated: it takes 1 s a tile, in slices that are handed in as
 * kernels do, and counts as busy exactly while something handed in is not done. It could be gamed by computing what nobody leased or by
 * handing in nothing; so tiles handed in are counted too, and must be what a GPU of that busy share makes. The first minute, in which a
 * contributor is a newcomer that may hold no more than it has proven to deserve, is a figure of its own.
 */
export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-engine-bench-'));
  const works = lines.map(({ tile }, index): SimulatedWork => ({ id: `w${index}`, unitsPerPart: tile.partMs * 1000, ...tile }));
  const server = join(import.meta.dirname, '../../server/bench/engine.ts');
  const child = spawn(process.execPath, [server, folder, JSON.stringify(works)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ends: (() => unknown)[] = [];
  try {
    const { port, identities } = JSON.parse(String((await said.next()).value)) as { port: number; identities: EngineIdentity[] };
    const contributors = await Promise.all(
      lines.map(async ({ rttMs }, index) => {
        const link = await openLink({ port, rttMs, upBitsPerS: UP_BITS_PER_S, downBitsPerS: DOWN_BITS_PER_S });
        const contributor = new Contributor({ origin: link.origin, identity: identities[index]!, work: works[index]! });
        ends.push(() => contributor.end(), link.close);
        return contributor;
      }),
    );
    const rounds: RoundReport[][] = [];
    for (const ms of [NEWCOMER_MS, ...Array.from({ length: ROUNDS }, () => ROUND_MS)]) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      rounds.push(await Promise.all(contributors.map((contributor) => contributor.round())));
    }
    for (const end of ends.splice(0)) await end();
    child.kill('SIGTERM');
    const books = JSON.parse(String((await said.next()).value)) as { sum: string; wrongAccounts: number };
    await once(child, 'exit');
    return report(rounds, Number(books.sum) + books.wrongAccounts);
  } finally {
    for (const end of ends) await end();
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

/** A thread that contributes. */
class Contributor {
  readonly #worker: Worker;
  readonly #failed: Promise<never>;

  constructor(data: ContributorData) {
    this.#worker = new Worker(join(import.meta.dirname, 'testing/contributor.worker.ts'), { workerData: data });
    this.#failed = once(this.#worker, 'error').then(([error]) => Promise.reject(error));
    this.#failed.catch(() => undefined);
  }

  /** Of the time since the last one, or since it began. */
  async round(): Promise<RoundReport> {
    const answer = once(this.#worker, 'message').then(([message]) => message as RoundReport);
    this.#worker.postMessage('round');
    return Promise.race([answer, this.#failed]);
  }

  end(): Promise<unknown> {
    return this.#worker.terminate();
  }
}

const rounded = (value: number): number => Number(value.toFixed(4));

function report(rounds: readonly (readonly RoundReport[])[], imbalance: number) {
  const [newcomers, ...established] = rounds;
  const figures: Record<string, number> = {};
  const notes: string[] = [];
  for (const [index, { figure, newcomer, tile }] of lines.entries()) {
    const shares = established.map((round) => round[index]!.busyShare).sort((a, b) => a - b);
    figures[figure] = rounded(shares[Math.floor(shares.length / 2)]!);
    if (newcomer !== undefined) figures[newcomer] = rounded(newcomers![index]!.busyShare);
    const tiles = established.at(-1)![index]!.tiles - newcomers![index]!.tiles;
    const tileMs = tile.parts * tile.partMs;
    const earned = (tiles * tileMs) / (ROUNDS * ROUND_MS);
    const lateMs = Math.max(...established.map((round) => round[index]!.lateMs));
    notes.push(
      `${figure}: ${rounded(shares[0]!)} to ${rounded(shares.at(-1)!)}; ${tiles} tiles of ${tileMs} ms handed in, worth a share of ${rounded(earned)}; timers late by ${Math.round(lateMs)} ms (99 %).`,
    );
    const busy = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    // A tile or two are on their way at either end.
    const slack = (3 * tileMs + 2000) / (ROUNDS * ROUND_MS);
    if (earned < busy - slack) throw new Error(`${figure}: the GPU was busy with what nobody got: ${notes.at(-1)}`);
  }
  return {
    suite: 'engine',
    figures: { ...figures, ledger_imbalance: imbalance },
    notes: [
      `After a newcomer's minute ${ROUNDS} rounds of ${ROUND_MS / 1000} s, of all lines at the same time; the median, and here the least and the most:`,
      ...notes,
      `${UP_BITS_PER_S / 1e6} Mbit/s up, ${DOWN_BITS_PER_S / 1e6} down; each direction half of the round trip; opening a connection costs one; slow start and loss are not emulated.`,
      `A tile of 1 s: ${resultBytes(large.elements, large.words)} bytes by PUT; of 50 ms: ${resultBytes(small.elements, small.words)} bytes in the message; openings beside them. Newcomer: from the start of the engine, its connecting included.`,
      'Simulated: the GPU. Left out: recomputing drawn elements, audits by others, inputs.',
    ],
  };
}
