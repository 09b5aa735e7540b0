import { io, type Socket } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import { limits } from '../../shared/limits.ts';
import { type Ack, type ContributorCommands, type ContributorFacts, namespaces, type Reply, type Welcome } from '../../shared/protocol.ts';
import type { ErrorBody, ErrorCode, Hello } from '../../shared/schemas.ts';
import { Refused } from './api.ts';
import { Bell, type Clock, jitteredMs, unlessAborted } from './clock.ts';
import { Gathering, isGathered } from './gathering.ts';

/**
 * The engine's line to the coordinator. It comes back by itself, says hello each time before anything else is sent, and
 * repeats every command until it has been answered: delivery is at most once, so commands are idempotent.
 */

export type Command = Exclude<keyof ContributorCommands, 'hello' | 'many'>;
export type MessageOf<C extends keyof ContributorCommands> = Parameters<ContributorCommands[C]>[0];
export type AnswerOf<C extends keyof ContributorCommands> = Parameters<ContributorCommands[C]>[1] extends Reply<infer T> ? T : never;

export interface ConnectionEvents {
  readonly welcome: (welcome: Welcome) => void;
  readonly offline: () => void;
  /** A command was answered after so long. */
  readonly answered: (ms: number) => void;
  /** The coordinator will not have us: the connection is closed for good. */
  readonly refused: (error: Refused) => void;
  /** The coordinator hung up deliberately: another connection of this contributor took over. */
  readonly replaced: () => void;
  readonly facts: { readonly [F in keyof ContributorFacts]: ContributorFacts[F] };
}

export interface ConnectionTiming {
  /** An answer that takes longer is taken for lost. The coordinator answers a hand-in once it is on disk. */
  readonly ackMsMax: number;
  readonly retryMsFirst: number;
  readonly retryMsMost: number;
}
export const connectionTiming: ConnectionTiming = { ackMsMax: 15_000, retryMsFirst: 250, retryMsMost: 10_000 };

/** Refusals that pass by themselves. */
const passing: ReadonlySet<ErrorCode> = new Set(['busy', 'internal', 'too_many']);

const refusedBy = ({ error }: ErrorBody): Refused => new Refused(error.code, error.message, error.field, error.limit);

export class Connection {
  readonly #socket: Socket<ContributorFacts, ContributorCommands>;
  readonly #hello: () => Hello;
  readonly #events: ConnectionEvents;
  readonly #timing: ConnectionTiming;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  readonly #welcomed = new Bell();
  readonly #gathering = new Gathering((command, message) => this.#send(command, message));
  /** A greeting that a disconnect or another connect overtook is void. */
  #greeting = 0;
  #greetingsFailed = 0;
  #ready = false;

  constructor(origin: string, hello: () => Hello, events: ConnectionEvents, clock: Clock, timing: ConnectionTiming = connectionTiming) {
    this.#hello = hello;
    this.#events = events;
    this.#timing = timing;
    this.#clock = clock;
    this.#socket = io(origin + namespaces.contribute, {
      transports: ['websocket'],
      parser: msgpack,
      forceNew: true,
      autoConnect: false,
      reconnectionDelay: timing.retryMsFirst,
      reconnectionDelayMax: timing.retryMsMost,
      // The widest there is: delays between nothing and twice the doubling one, see `jitteredMs`.
      randomizationFactor: 1,
    });
    this.#listen();
  }

  get online(): boolean {
    return this.#ready;
  }

  open(): void {
    this.#socket.connect();
  }

  close(): void {
    this.#closed.abort(new Error('the connection was closed'));
    this.#ready = false;
    this.#socket.disconnect();
  }

  /**
   * Sent as soon as there is a welcomed connection, and again until answered; `message` is asked for each time it is sent.
   * Rejects with `Refused`, or with the signal's reason.
   */
  async call<C extends Command>(command: C, message: () => MessageOf<C>, signal: AbortSignal): Promise<AnswerOf<C>> {
    const either = AbortSignal.any([signal, this.#closed.signal]);
    for (let attempt = 0; ; attempt++) {
      while (!this.#ready) await this.#welcomed.wait(either);
      either.throwIfAborted();
      const ack = await unlessAborted(this.#emit(command, message()), either);
      if (ack && 'data' in ack) return ack.data;
      if (ack && !passing.has(ack.error.code)) throw refusedBy(ack);
      await this.#clock.sleep(this.#retryMs(attempt, ack), either);
    }
  }

  /** No less than the refusal says, and spread over as much again: all who were refused would else come back together. */
  #retryMs(attempt: number, ack: ErrorBody | null): number {
    const leastMs = Math.min(limits.retryMsMax, ack?.error.retryMs ?? 0);
    return leastMs + Math.max(Math.random() * leastMs, jitteredMs(attempt, this.#timing.retryMsFirst, this.#timing.retryMsMost));
  }

  /** Null when no answer came: the connection broke, or the coordinator is stuck. */
  #emit<C extends keyof ContributorCommands>(command: C, message: MessageOf<C>): Promise<Ack<AnswerOf<C>> | null> {
    // What is gathered is told by its name, which TypeScript cannot follow.
    const answer = isGathered(command) ? this.#gathering.add([command, message as MessageOf<typeof command>]) : this.#send(command, message);
    return answer as Promise<Ack<AnswerOf<C>> | null>;
  }

  async #send(command: string, message: unknown): Promise<Ack<unknown> | null> {
    // `emitWithAck` cannot follow a command that is a parameter.
    const socket = this.#socket as unknown as Socket;
    const sentMs = this.#clock.now();
    try {
      const ack = (await socket.timeout(this.#timing.ackMsMax).emitWithAck(command, message)) as Ack<unknown>;
      this.#events.answered(this.#clock.now() - sentMs);
      return ack;
    } catch {
      return null;
    }
  }

  #listen(): void {
    const { facts, offline, replaced } = this.#events;
    this.#socket.on('connect', () => void this.#greet());
    this.#socket.on('disconnect', (cause) => {
      this.#greeting++;
      if (this.#closed.signal.aborted) return;
      this.#ready = false;
      offline();
      // A coordinator that goes down closes the transport; this one is meant for us.
      if (cause === 'io server disconnect') replaced();
    });
    this.#socket.on('verdicts', facts.verdicts);
    this.#socket.on('work:available', facts['work:available']);
    this.#socket.on('open:wanted', facts['open:wanted']);
    this.#socket.on('leases:void', facts['leases:void']);
    this.#socket.on('consent:ended', facts['consent:ended']);
  }

  /** Hello is said once a connection: one that was not answered well is replaced. */
  async #greet(): Promise<void> {
    const greeting = ++this.#greeting;
    const ack = await this.#emit('hello', this.#hello());
    if (greeting !== this.#greeting || this.#closed.signal.aborted) return;
    if (ack && 'data' in ack) {
      this.#greetingsFailed = 0;
      this.#ready = true;
      this.#events.welcome(ack.data);
      this.#welcomed.notify();
    } else if (ack && !passing.has(ack.error.code)) {
      this.close();
      this.#events.refused(refusedBy(ack));
    } else {
      this.#socket.disconnect();
      const delayMs = this.#retryMs(this.#greetingsFailed++, ack);
      // Rejects when the connection was closed meanwhile: then there is nothing left to do.
      await this.#clock.sleep(delayMs, this.#closed.signal).then(
        () => this.#socket.connect(),
        () => undefined,
      );
    }
  }
}

/**
 * Bytes in the form that the msgpack parser sends as binary: a Buffer in Node, an ArrayBuffer of exactly these bytes in a
 * browser (there it would send a Uint8Array as an object with a key for every index).
 */
export function wireBytes(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  if (typeof Buffer !== 'undefined') return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as unknown as Uint8Array;
}

/** Bytes as the msgpack parser hands them over: a Buffer in Node, an ArrayBuffer in a browser, whatever the type says. */
export const bytesOfWire = (bytes: Uint8Array | ArrayBuffer): Uint8Array => (bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes);
