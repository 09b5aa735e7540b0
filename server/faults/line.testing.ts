import parser from 'socket.io-msgpack-parser';
import type { Rng } from '../../shared/rng.ts';
import type { Bus } from '../bus.ts';
import { type Delays, type Host, late } from './host.testing.ts';
import { sleep } from './time.testing.ts';

/** What may happen to a message, as shares of one. */
export interface LineFaults extends Delays {
  readonly dropped: number;
  readonly doubled: number;
  /** The connection breaks, and whatever is on it is lost: also an answer to what has been done. */
  readonly cut: number;
}

/** A pull of the plug is noticed after so long. */
const NOTICED_MS_MAX = 500;

/** Through the codec of the real sockets: nobody shares an object with anybody, and bytes arrive as they do there. */
function carried<Message>(message: Message): Message {
  let arrived: unknown;
  const decoder = new parser.Decoder();
  decoder.on('decoded', ({ data }: { data: unknown[] }) => {
    arrived = data[0];
  });
  const [packet] = new parser.Encoder().encode({ type: EVENT, nsp: '/', data: [message] }) as unknown as [ArrayBuffer];
  decoder.add(packet);
  return arrived as Message;
}

/** A type of packet. */
const EVENT = 2;

type Listener = (this: Line, ...args: unknown[]) => unknown;

/** One connection between a contributor and a coordinator, as both see it. The server's end has what `serveContributors` uses of a `Socket`. */
export class Line {
  readonly id: string;
  readonly data: Record<string, unknown> = {};
  readonly handshake: { readonly headers: object; readonly address: string };
  readonly nsp: { readonly server: unknown };
  readonly #host: Host;
  readonly #rng: Rng;
  readonly #faults: LineFaults;
  readonly #listeners = new Map<string, Listener>();
  readonly #fact: (name: string, message: unknown) => void;
  readonly #cut = Promise.withResolvers<undefined>();
  #isOpen = true;

  constructor(id: string, host: Host, server: unknown, address: string, rng: Rng, faults: LineFaults, fact: (name: string, message: unknown) => void) {
    this.id = id;
    this.#host = host;
    this.nsp = { server };
    this.handshake = { headers: {}, address };
    this.#rng = rng;
    this.#faults = faults;
    this.#fact = fact;
  }

  /** As a `Socket` says it. */
  get connected(): boolean {
    return this.#isOpen;
  }

  /** Resolves when the contributor knows that the line is dead. */
  get ended(): Promise<undefined> {
    return this.#cut.promise;
  }

  on(name: string, listener: Listener): this {
    this.#listeners.set(name, listener);
    return this;
  }

  /** From the coordinator. */
  emit(name: string, message: unknown): void {
    const sent = carried(message);
    void this.#host.trip().then(async () => {
      await late(this.#faults, this.#rng);
      if (this.#isOpen) this.#fact(name, sent);
    });
  }

  /** By the coordinator, which knows it at once. */
  disconnect(): void {
    if (!this.#isOpen) return;
    this.#close();
    this.#listeners.get('disconnect')?.call(this);
  }

  /** From the contributor. Undefined when no answer will come, which is known when the line has ended, or never. */
  async ask(command: string, message: unknown): Promise<unknown> {
    const { dropped, doubled, cut } = this.#faults;
    const [isDropped, isDoubled, isCut] = [this.#rng.unit() < dropped, this.#rng.unit() < doubled, this.#rng.unit() < cut];
    const isHeard = this.#rng.unit() < 0.5;
    if (isCut && !isHeard) this.cut();
    if (isDropped || !this.#isOpen) return undefined;
    if (isDoubled) void this.#deliver(command, message);
    const answer = this.#deliver(command, message);
    if (isCut) this.cut();
    return Promise.race([answer, this.ended]);
  }

  async #deliver(command: string, message: unknown): Promise<unknown> {
    const sent = carried(message);
    await late(this.#faults, this.#rng);
    await this.#host.trip();
    const ack = await new Promise((resolve) => this.#listeners.get(command)?.call(this, sent, resolve));
    const answer = carried(ack);
    await this.#host.trip();
    await late(this.#faults, this.#rng);
    return this.#isOpen ? answer : undefined;
  }

  /** Both ends notice it, each in its time. */
  cut(): void {
    if (!this.#isOpen) return;
    this.#close();
    void this.#host.trip().then(async () => {
      await sleep(this.#rng.unit() * NOTICED_MS_MAX);
      this.#listeners.get('disconnect')?.call(this);
    });
  }

  #close(): void {
    this.#isOpen = false;
    setTimeout(() => this.#cut.resolve(undefined), this.#rng.unit() * NOTICED_MS_MAX);
  }
}

/** As the real one does. */
const ANSWER_MS_MAX = 5000;
/** So long whoever has died is still waited for. */
const MISSED_MS = 3000;

/** What coordinators tell and ask each other at once, over lines that lose and delay. */
export class Space {
  readonly #rng: Rng;
  readonly #faults: LineFaults;
  readonly #members = new Map<Host, Map<string, (message: never) => unknown>>();

  constructor(rng: Rng, faults: LineFaults) {
    this.#rng = rng;
    this.#faults = faults;
  }

  bus(host: Host): Bus {
    const heard = new Map<string, (message: never) => unknown>();
    this.#members.set(host, heard);
    return {
      tell: (topic, message) => {
        for (const to of this.#others(host)) void this.#deliver(host, to, topic, structuredClone(message));
      },
      ask: async (topic, message) => {
        const answers: unknown[] = [];
        const asked = this.#others(host).map(async (to) => {
          const answer = await this.#deliver(host, to, topic, structuredClone(message));
          await to.trip();
          await late(this.#faults, this.#rng);
          if (answer !== undefined && answer !== null) answers.push(structuredClone(answer));
        });
        await Promise.race([Promise.all(asked), sleep(ANSWER_MS_MAX)]);
        await host.trip();
        return [...answers];
      },
      on: (topic, hear) => void heard.set(topic, hear),
      close: async () => undefined,
    };
  }

  /** It has died: the others notice it after a while. */
  leave(host: Host): void {
    setTimeout(() => this.#members.delete(host), MISSED_MS);
  }

  #others(host: Host): Host[] {
    return [...this.#members.keys()].filter((other) => other !== host);
  }

  /** A message that is lost is never answered. */
  async #deliver(from: Host, to: Host, topic: string, message: unknown): Promise<unknown> {
    await from.trip();
    await late(this.#faults, this.#rng);
    await to.trip();
    if (this.#rng.unit() < this.#faults.dropped) await new Promise(() => undefined);
    try {
      return await this.#members.get(to)?.get(topic)?.(message as never);
    } catch {
      return undefined;
    }
  }
}
