import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { commitParts, saltOf } from '../shared/commitment.ts';
import { encodeResult, toHex } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import type { BlobHash } from '../shared/model.ts';
import { type Ack, type HandedIn, type Lease, namespaces, PROTOCOL_VERSION, type Welcome, type Work } from '../shared/protocol.ts';
import type { HandIn, Open } from '../shared/schemas.ts';
import { ELEMENTS, WORDS } from './bench/shape.ts';

const SOCKETS = 256;
const IN_FLIGHT_PER_SOCKET = 4;
const ROUNDS = 5;
const ROUND_MS = 4000;
const WARM_UP_MS = 2000;

interface Identity {
  readonly id: string;
  readonly secret: string;
  readonly consent: string;
}

/**
 * Completions a second of the real coordinator: sockets from a second process, SQLite with `synchronous=FULL`. One completion
 * is one tile of its own: a 76-byte inline result, handed in with its hash and its root, and its opening, both acknowledged
 * after their commits; then its verdict, standing and pay, and a second later the pay vests. Left out: recomputing drawn elements
 * (answered at once), blobs, audits by others. It could be gamed by batching many tiles into one message or one row, by
 * acknowledging before the commit, or by drawing nothing; here every tile is its own two messages, and the books are proved at the end.
 */
export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-bench-'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bench/process.ts'), folder, String(SOCKETS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  try {
    const ready = JSON.parse(String((await lines.next()).value)) as { port: number; identities: Identity[] };
    const clients = await Promise.all(ready.identities.map((identity) => Client.open(ready.port, identity)));
    for (const client of clients) client.start();
    await delay(WARM_UP_MS);
    const rates: number[] = [];
    const latencies: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const client of clients) client.latencies.length = 0;
      const started = performance.now();
      await delay(ROUND_MS);
      const done = clients.flatMap((client) => client.latencies);
      rates.push((done.length * 1000) / (performance.now() - started));
      latencies.push(...done);
    }
    for (const client of clients) client.stop();
    child.kill('SIGTERM');
    const books = JSON.parse(String((await lines.next()).value)) as { sum: string; wrongAccounts: number; transfers: number };
    await once(child, 'exit');
    return report(rates, latencies, books);
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

function report(rates: number[], latencies: number[], books: { sum: string; wrongAccounts: number; transfers: number }) {
  rates.sort((a, b) => a - b);
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): number => Number((latencies[Math.floor(share * (latencies.length - 1))] ?? 0).toFixed(2));
  return {
    suite: 'coordinator',
    figures: {
      completions_per_s_sqlite: Math.round(rates[Math.floor(rates.length / 2)] ?? 0),
      completions_per_s_sqlite_min: Math.round(rates[0] ?? 0),
      completions_per_s_sqlite_max: Math.round(rates.at(-1) ?? 0),
      ack_p50_full_ms: quantile(0.5),
      ack_p99_full_ms: quantile(0.99),
      ledger_imbalance: Number(books.sum) + books.wrongAccounts,
      transfers: books.transfers,
    },
    notes: [
      `${SOCKETS} sockets from a second process, ${IN_FLIGHT_PER_SOCKET} hand-ins in flight each, ${ROUNDS} rounds of ${ROUND_MS / 1000} s; median, min and max of the rounds.`,
      'One completion: a 76-byte inline result and its opening, each in its own message and acknowledged after the commit (synchronous=FULL), verdict, standing, pay, and its vesting.',
      'The latency is that of the hand-in. Left out: recomputing drawn elements, blobs, audits by others. No peer yet: graphile-worker comes with PostgreSQL.',
    ],
  };
}

/** The msgpack parser sends a Buffer as binary, and any other view with its whole memory. */
const inlineOf = (bytes: Uint8Array) => ({ hash: createHash('sha256').update(bytes).digest('hex') as BlobHash, inline: Buffer.from(bytes) });

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A contributor that computes nothing: leases, makes up bytes, hands in, measures. */
class Client {
  readonly latencies: number[] = [];
  readonly #socket: Socket;
  readonly #leases: Lease[] = [];
  #running = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(port: number, identity: Identity): Promise<Client> {
    const socket = io(`http://127.0.0.1:${port}${namespaces.contribute}`, { transports: ['websocket'], parser, reconnection: false, forceNew: true });
    const client = new Client(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    const device = { vendor: 'bench', architecture: '', backend: 'none', description: '', software: true };
    await client.#ask<Welcome>('hello', {
      protocol: PROTOCOL_VERSION,
      contributor: identity.id,
      secret: identity.secret,
      consent: identity.consent,
      device,
      downloadBytesMax: limits.downloadBytesDefault,
    });
    return client;
  }

  async #ask<T>(command: string, message: object): Promise<T> {
    const ack = (await this.#socket.emitWithAck(command, message)) as Ack<T>;
    if ('error' in ack) throw new Error(`${command}: ${ack.error.message}`);
    return ack.data;
  }

  start(): void {
    this.#running = true;
    for (let lane = 0; lane < IN_FLIGHT_PER_SOCKET; lane++) void this.#lane();
  }

  stop(): void {
    this.#running = false;
    this.#socket.disconnect();
  }

  async #lane(): Promise<void> {
    while (this.#running) {
      const lease = this.#leases.pop();
      try {
        if (lease) this.#take((await this.#complete(lease)).work);
        else {
          this.#take(await this.#ask<Work>('work', { leasesMax: 2 * IN_FLIGHT_PER_SOCKET }));
          if (this.#leases.length === 0) await delay(10);
        }
      } catch (error) {
        if (this.#running) throw error;
      }
    }
  }

  #take({ leases }: Work): void {
    this.#leases.push(...leases);
  }

  async #complete({ token, parts }: Lease): Promise<HandedIn> {
    const made = [{ part: 0, bytes: randomBytes(ELEMENTS * WORDS * 4) }];
    const { root, open } = commitParts(saltOf(token), { parts, elements: ELEMENTS, words: WORDS }, made);
    const message = {
      token,
      parts,
      root: toHex(root) as BlobHash,
      ...inlineOf(encodeResult(made, ELEMENTS, WORDS)),
      computeMs: 1,
      leasesMax: 2,
    } satisfies HandIn;
    const started = performance.now();
    const answer = await this.#ask<HandedIn>('handIn', message);
    const latency = performance.now() - started;
    if (answer.open.length > 0) await this.#ask('open', { result: answer.result, ...inlineOf(open(answer.open)) } satisfies Open);
    this.latencies.push(latency);
    return answer;
  }
}
