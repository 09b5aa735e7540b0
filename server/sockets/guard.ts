import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'socket.io';
import { limits, SECOND_MS } from '../../shared/limits.ts';
import { atCap, type Cap, hit } from '../caps.ts';
import { Load, type Unready } from '../load.ts';
import type { Metrics } from '../metrics.ts';
import { rawAnswer } from '../raw-answer.ts';
import { Buckets } from './buckets.ts';
import { packMask, type Receiving } from './lean.ts';
import { addressOf, placeOf } from './network.ts';
import { Refusal } from './refusal.ts';

export interface GuardOptions {
  readonly load?: Load;
  readonly metrics?: Pick<Metrics, 'command'>;
  readonly trustProxy?: boolean;
  /** Headers of every answer that is no socket. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Why a request becomes no socket. */
interface NoSocket {
  readonly status: number;
  readonly text: string;
  readonly retryMs?: number;
}

const PLACE_RETRY_MS = 10 * SECOND_MS;
const HELLO_RETRY_MS = 2 * SECOND_MS;
const SWEEP_MS = SECOND_MS;
const loopback = /^(127\.|::1$|::ffff:127\.)/;
/** What begins something new; all other commands finish what was begun. */
const beginnings: ReadonlySet<string> = new Set(['hello', 'work', 'watch']);

/** What lies below a socket: neither library tells how much waits in it. */
interface Below {
  readonly writeBuffer: readonly { readonly data?: string | Uint8Array }[];
  readonly transport: { readonly writable: boolean; readonly socket: Receiving & { readonly bufferedAmount: number; terminate(): void } };
}

/** Keeps sockets within their caps: how many there are, how fast they greet, and how much waits for those that do not read. */
export class Guard {
  readonly load: Load;
  /** Of each socket. */
  readonly messages = new Buckets(limits.socketMessagesPerSecondMax, limits.socketMessagesAtOnceMax);
  readonly #options: GuardOptions;
  readonly #places = new Map<string, number>();
  readonly #hellos = new Buckets(limits.hellosPerAddressSecondMax, limits.hellosPerAddressAtOnceMax);
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.load = options.load ?? new Load();
  }

  get sockets(): number {
    return this.#count;
  }

  /** Null: it may become a socket, and is counted as one until its connection closes. */
  admit(request: IncomingMessage): NoSocket | null {
    const unready = this.load.refusal();
    if (unready) return { status: 503, text: unready.reason, retryMs: unready.retryMs };
    const place = this.#placeOf(request.socket.remoteAddress, request.headers);
    const ofPlace = (this.#places.get(place) ?? 0) + 1;
    const full = (cap: Cap, text: string): NoSocket => {
      hit(cap);
      return { status: 503, text, retryMs: PLACE_RETRY_MS };
    };
    if (this.#count >= limits.socketsMax) return full('socketsMax', 'Too many connections are open here.');
    if (ofPlace > limits.socketsPerAddressMax && !loopback.test(place)) return full('socketsPerAddressMax', 'Too many connections of this address are open.');
    this.#count++;
    this.#places.set(place, ofPlace);
    request.socket.on('close', () => {
      this.#count--;
      const left = (this.#places.get(place) ?? 1) - 1;
      if (left > 0) this.#places.set(place, left);
      else this.#places.delete(place);
    });
    return null;
  }

  /** Answers a request that becomes no socket, and closes its connection. */
  refuse(connection: Duplex, { status, text, retryMs }: NoSocket): void {
    connection.on('error', () => undefined);
    connection.end(rawAnswer(status, text, this.#options.headers ?? {}, retryMs));
  }

  /** Throws a `Refusal` when this command may not begin now. */
  begin(socket: Socket, command: string): void {
    if (!beginnings.has(command)) return;
    const unready = this.load.refusal();
    if (unready) throw new Refusal('busy', unready.reason, undefined, undefined, unready.retryMs);
    if (command !== 'hello') return;
    const { address, headers } = socket.handshake;
    const place = this.#placeOf(address, headers);
    if (loopback.test(place) || this.#hellos.take(place, performance.now())) return;
    throw atCap('hellosPerAddressSecondMax', new Refusal('too_many', 'Too many contributors greet from this address.', undefined, undefined, HELLO_RETRY_MS));
  }

  /** Why nothing new is given now. */
  unready(): Unready | null {
    return this.load.refusal();
  }

  answered(command: string, outcome: string, ms: number): void {
    this.#options.metrics?.command(command, outcome, ms);
  }

  /** Closes those for which too much waits. `clients`: all that are open. */
  watch(clients: () => Iterable<unknown>): void {
    this.#timer = setInterval(() => {
      this.#hellos.sweep(performance.now());
      this.messages.sweep(performance.now());
      for (const client of clients() as Iterable<Below>) {
        packMask(client.transport.socket);
        if (client.transport.writable || waitingBytes(client) <= limits.socketWaitingBytesMax) continue;
        hit('socketWaitingBytesMax');
        // Closing would wait for the other side to agree, and it does not read.
        client.transport.socket.terminate();
      }
    }, SWEEP_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #placeOf(address: string | undefined, headers: IncomingMessage['headers']): string {
    return placeOf(addressOf(address ?? '', headers['x-forwarded-for'], this.#options.trustProxy ?? false));
  }
}

function waitingBytes({ writeBuffer, transport }: Below): number {
  return writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), transport.socket.bufferedAmount);
}
