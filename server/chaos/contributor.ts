import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { commitParts, saltOf } from '../../shared/commitment.ts';
import { encodeResult, toHex } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { BlobHash, ResultId } from '../../shared/model.ts';
import { type Ack, type HandedIn, type Lease, namespaces, type OpenRequest, PROTOCOL_VERSION, type Welcome, type Work } from '../../shared/protocol.ts';
import type { Rng } from '../../shared/rng.ts';
import { ELEMENTS, WORDS } from './shape.ts';

export interface Identity {
  readonly id: string;
  readonly secret: string;
  readonly consent: string;
}

/** What may happen to a message, as shares of one; and how long one that is late waits at most. */
export interface Faults {
  readonly dropped: number;
  readonly doubled: number;
  readonly late: number;
  readonly lateMsMax: number;
}

/** An answer that takes longer is taken for lost, and the message is sent again. */
const ANSWER_MS_MAX = 2500;
const BACK_MS_MAX = 400;

type Made = ReturnType<typeof commitParts> & { readonly result: Uint8Array };

/**
 * A contributor that computes nothing, over lines that lose, double and delay messages, to whichever coordinator the balancer chooses. It
 * remembers what was acknowledged, and repeats everything until it is answered, as the engine does.
 */
export class ChaosContributor {
  readonly acknowledged = new Set<ResultId>();
  readonly refusals = new Map<string, number>();
  readonly #identity: Identity;
  readonly #ports: readonly number[];
  readonly #faults: Faults;
  readonly #rng: Rng;
  readonly #leases: Lease[] = [];
  /** What is not judged yet may have to be opened, again too. */
  readonly #made = new Map<ResultId, Made>();
  #socket: Socket | undefined;
  #ready: Promise<void> = Promise.resolve();
  #ends = false;

  constructor(identity: Identity, ports: readonly number[], faults: Faults, rng: Rng) {
    this.#identity = identity;
    this.#ports = ports;
    this.#faults = faults;
    this.#rng = rng;
  }

  stop(): void {
    this.#ends = true;
    this.#socket?.disconnect();
  }

  async run(): Promise<void> {
    this.#connect();
    await Promise.all([this.#lane(), this.#lane()]);
  }

  #connect(): void {
    const port = this.#ports[Math.floor(this.#rng.unit() * this.#ports.length)]!;
    const socket = io(`http://127.0.0.1:${port}${namespaces.contribute}`, { transports: ['websocket'], parser, reconnection: false, forceNew: true });
    this.#socket = socket;
    this.#ready = new Promise((resolve) => {
      socket.once('connect', () => void this.#hello(socket).then((isWelcome) => (isWelcome ? resolve() : socket.disconnect())));
    });
    const again = (): void => {
      if (this.#socket !== socket || this.#ends) return;
      this.#socket = undefined;
      // Full jitter.
      setTimeout(() => this.#connect(), this.#rng.unit() * BACK_MS_MAX);
    };
    socket.once('disconnect', again);
    socket.once('connect_error', again);
    socket.on('open:wanted', (request: OpenRequest) => void this.#open(request));
    socket.on('verdicts', () => undefined);
  }

  async #hello(socket: Socket): Promise<boolean> {
    const { id, secret, consent } = this.#identity;
    const device = { vendor: 'chaos', architecture: '', backend: 'none', description: '', software: true };
    const hello = { protocol: PROTOCOL_VERSION, contributor: id, secret, consent, device, downloadBytesMax: limits.downloadBytesDefault };
    const ack = (await socket
      .timeout(ANSWER_MS_MAX)
      .emitWithAck('hello', hello)
      .catch(() => undefined)) as Ack<Welcome> | undefined;
    if (!ack || 'error' in ack) return false;
    for (const request of ack.data.open) void this.#open(request);
    return true;
  }

  /** Until it is answered with anything but a refusal that passes. Null when it is refused for good, or all is over. */
  async #ask<T>(command: string, message: object): Promise<T | null> {
    while (!this.#ends) {
      const ack = (await this.#send(command, message)) as Ack<T> | undefined;
      if (ack && 'data' in ack) return ack.data;
      const code = ack?.error.code ?? 'lost';
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
      if (ack && code !== 'busy' && code !== 'internal' && code !== 'too_many' && ack.error.message !== 'Say hello first.') return null;
      await wait(20 + this.#rng.unit() * 200);
    }
    return null;
  }

  async #send(command: string, message: object): Promise<unknown> {
    const { dropped, doubled, late, lateMsMax } = this.#faults;
    await Promise.race([this.#ready, wait(ANSWER_MS_MAX)]);
    if (this.#rng.unit() < late) await wait(this.#rng.unit() * lateMsMax);
    const socket = this.#socket;
    if (!socket?.connected || this.#rng.unit() < dropped) return undefined;
    const emit = (): Promise<unknown> => socket.timeout(ANSWER_MS_MAX).emitWithAck(command, message);
    if (this.#rng.unit() < doubled) void emit().catch(() => undefined);
    return emit().catch(() => undefined);
  }

  async #lane(): Promise<void> {
    while (!this.#ends) {
      const lease = this.#leases.pop();
      if (lease) await this.#complete(lease);
      else {
        const work = await this.#ask<Work>('work', { leasesMax: 4 });
        this.#leases.push(...(work?.leases ?? []));
        if (this.#leases.length === 0) await wait(50);
      }
    }
  }

  async #complete({ token, parts }: Lease): Promise<void> {
    const bytes = new Uint8Array(ELEMENTS * WORDS * 4);
    bytes.set(createHash('sha256').update(token).digest());
    const parted = [{ part: 0, bytes }];
    const committed = commitParts(saltOf(token), { parts, elements: ELEMENTS, words: WORDS }, parted);
    const result = encodeResult(parted, ELEMENTS, WORDS);
    const message = { token, parts, root: toHex(committed.root), ...inlineOf(result), computeMs: 1, leasesMax: 0 };
    const answer = await this.#ask<HandedIn>('handIn', message);
    if (answer === null) return;
    this.acknowledged.add(answer.result);
    this.#made.set(answer.result, { ...committed, result });
    if (answer.open.length > 0) await this.#open({ result: answer.result, elements: answer.open });
  }

  async #open({ result, elements }: OpenRequest): Promise<void> {
    const made = this.#made.get(result);
    if (made) await this.#ask('open', { result, ...inlineOf(made.open(elements)) });
    // Its answer was lost, and so it does not know it: the hand-in will be repeated.
  }
}

const inlineOf = (bytes: Uint8Array) => ({ hash: createHash('sha256').update(bytes).digest('hex') as BlobHash, inline: Buffer.from(bytes) });
