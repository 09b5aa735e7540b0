import { createHash, randomBytes } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { commitParts, saltOf } from '../../shared/commitment.ts';
import { encodeResult, toHex } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { type Ack, type HandedIn, type Lease, namespaces, PROTOCOL_VERSION, type VerdictMessage, type Welcome, type Work } from '../../shared/protocol.ts';
import type { HandIn, Many, Open } from '../../shared/schemas.ts';
import { ELEMENTS, WORDS } from './shape.ts';

export interface Identity {
  readonly id: string;
  readonly secret: string;
  readonly consent: string;
}

/** What a swarm did in some time. */
export interface Done {
  readonly perSecond: number;
  readonly completions: number;
  /** Of each message of hand-ins, in milliseconds. */
  readonly latencies: readonly number[];
}

const RETRY_MS = 20;
const CONNECTING_AT_ONCE = 64;
/** As the engine comes back (`connectionTiming`). */
const AGAIN_MS_FIRST = 250;
const AGAIN_MS_MOST = 10_000;

/** What the benchmark does with a connected contributor; the peer's is another one. */
export interface Member {
  /** Takes up to so many tiles and hands them in; answers how many, and how long the hand-in took. */
  complete(tiles: number): Promise<{ readonly tiles: number; readonly ms: number }>;
  /** Tiles that it was told are paid, so far. */
  readonly paid: number;
  close(): void;
}

/** Contributors that compute nothing, taking turns. */
export class Swarm {
  readonly #members: readonly Member[];
  readonly #idle: Member[];

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#idle = [...members];
  }

  static async open(count: number, open: (index: number) => Promise<Member>): Promise<Swarm> {
    const members: Member[] = [];
    for (let from = 0; from < count; from += CONNECTING_AT_ONCE)
      members.push(...(await Promise.all(Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - from) }, (_, index) => open(from + index)))));
    return new Swarm(members);
  }

  get #paid(): number {
    return this.#members.reduce((sum, { paid }) => sum + paid, 0);
  }

  /** `lanes` messages of `tiles` each are always on their way. */
  async full(lanes: number, tiles: number, ms: number): Promise<Done> {
    return this.#measure(ms, async (latencies, isOver) => {
      const lane = async (): Promise<void> => {
        while (!isOver()) await this.#turn(tiles, latencies);
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    });
  }

  /** So many tiles a second, in messages of `tiles`, whether they are answered in time or not. */
  async paced(perSecond: number, tiles: number, ms: number): Promise<Done> {
    return this.#measure(ms, async (latencies, isOver) => {
      const turns: Promise<void>[] = [];
      const beganMs = performance.now();
      while (!isOver()) {
        const due = ((performance.now() - beganMs) / 1000) * (perSecond / tiles);
        while (turns.length < due) turns.push(this.#turn(tiles, latencies));
        await delay(2);
      }
      await Promise.all(turns);
    });
  }

  async #turn(tiles: number, latencies: number[]): Promise<void> {
    let member = this.#idle.shift();
    for (; !member; member = this.#idle.shift()) await delay(1);
    const done = await member.complete(tiles);
    this.#idle.push(member);
    if (done.tiles > 0) latencies.push(done.ms);
    else await delay(RETRY_MS);
  }

  /** Counts what is paid from beginning to end, and what was acknowledged meanwhile. */
  async #measure(ms: number, run: (latencies: number[], isOver: () => boolean) => Promise<void>): Promise<Done> {
    const latencies: number[] = [];
    const [beganMs, before] = [performance.now(), this.#paid];
    let perSecond = 0;
    const over = delay(ms).then(() => {
      perSecond = ((this.#paid - before) * 1000) / (performance.now() - beganMs);
    });
    await run(latencies, () => performance.now() - beganMs >= ms);
    await over;
    return { perSecond, completions: this.#paid - before, latencies };
  }

  close(): void {
    for (const member of this.#members) member.close();
  }
}

export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A socket that is connected. */
export async function connected(port: number, namespace = ''): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${port}${namespace}`, { transports: ['websocket'], parser, reconnection: false, forceNew: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** The msgpack parser sends a Buffer as binary, and any other view with its whole memory. */
const inlineOf = (bytes: Uint8Array) => ({ hash: createHash('sha256').update(bytes).digest('hex') as BlobHash, inline: Buffer.from(bytes) });

const dataOf = <T>(ack: Ack<T>): T => {
  if ('error' in ack) throw new Error(ack.error.message);
  return ack.data;
};

/** A contributor of ours: leases, makes up bytes, hands in, opens what is drawn. */
export class Contributor implements Member {
  readonly #socket: Socket;
  paid = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('verdicts', (verdicts: VerdictMessage[]) => {
      this.paid += verdicts.filter(({ verdict }) => verdict === 'accepted').length;
    });
  }

  static async open(port: number, { id, secret, consent }: Identity): Promise<Contributor> {
    const contributor = new Contributor(await connected(port, namespaces.contribute));
    const device = { vendor: 'bench', architecture: '', backend: 'none', description: '', software: true };
    const hello = { protocol: PROTOCOL_VERSION, contributor: id, secret, consent, device, downloadBytesMax: limits.downloadBytesDefault };
    await contributor.#ask<Welcome>('hello', hello);
    return contributor;
  }

  /** Connects again and again, with full jitter as the engine does, until it is welcomed. */
  static async comeBack(port: number, identity: Identity): Promise<Contributor> {
    for (let attempt = 0; ; attempt++) {
      await delay(Math.random() * Math.min(AGAIN_MS_MOST, AGAIN_MS_FIRST * 2 ** attempt));
      const contributor = await Contributor.open(port, identity).catch(() => undefined);
      if (contributor) return contributor;
    }
  }

  async #ask<T>(command: string, message: unknown): Promise<T> {
    return dataOf((await this.#socket.emitWithAck(command, message)) as Ack<T>);
  }

  async complete(tiles: number): Promise<{ tiles: number; ms: number }> {
    // Nobody keeps a lease until its next turn, which may be later than its deadline.
    const { leases } = await this.#ask<Work>('work', { leasesMax: tiles });
    if (leases.length === 0) return { tiles: 0, ms: 0 };
    const made = leases.map(compute);
    const handIns = made.map(({ message }): Many[number] => ['handIn', { ...message, leasesMax: 0 }]);
    const beganMs = performance.now();
    const answers = (await this.#ask<Ack<HandedIn>[]>('many', handIns)).map(dataOf);
    const ms = performance.now() - beganMs;
    const openings = answers.flatMap(({ result, open }, index): Many => {
      return open.length === 0 ? [] : [['open', { result, ...inlineOf(made[index]!.open(open)) } satisfies Open]];
    });
    if (openings.length > 0) for (const ack of await this.#ask<Ack<null>[]>('many', openings)) dataOf(ack);
    return { tiles: leases.length, ms };
  }

  close(): void {
    this.#socket.disconnect();
  }
}

function compute({ token, parts }: Lease): { message: Omit<HandIn, 'leasesMax'>; open: (elements: readonly number[]) => Uint8Array } {
  const made = [{ part: 0, bytes: randomBytes(ELEMENTS * WORDS * 4) }];
  const { root, open } = commitParts(saltOf(token), { parts, elements: ELEMENTS, words: WORDS }, made);
  const message = { token, parts, root: toHex(root) as BlobHash, ...inlineOf(encodeResult(made, ELEMENTS, WORDS)), computeMs: 1 };
  return { message, open };
}

/** The same for the peer: the same bytes in the same sockets, without what it has not: leases, openings and verdicts. */
export class Worker implements Member {
  readonly #socket: Socket;
  readonly #jobs: string[] = [];
  paid = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<Worker> {
    return new Worker(await connected(port));
  }

  async complete(tiles: number): Promise<{ tiles: number; ms: number }> {
    if (this.#jobs.length === 0) this.#jobs.push(...((await this.#socket.emitWithAck('work', tiles)) as string[]));
    const results = this.#jobs.splice(0, tiles).map((id) => {
      const bytes = encodeResult([{ part: 0, bytes: randomBytes(ELEMENTS * WORDS * 4) }], ELEMENTS, WORDS);
      return { id, ...inlineOf(bytes) };
    });
    if (results.length === 0) return { tiles: 0, ms: 0 };
    const beganMs = performance.now();
    this.#jobs.push(...((await this.#socket.emitWithAck('handIn', results)) as string[]));
    this.paid += results.length;
    return { tiles: results.length, ms: performance.now() - beganMs };
  }

  close(): void {
    this.#socket.disconnect();
  }
}
