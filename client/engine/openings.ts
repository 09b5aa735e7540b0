import { MIB } from '../../shared/limits.ts';
import type { ResultId } from '../../shared/model.ts';
import type { OpenRequest, VerdictMessage } from '../../shared/protocol.ts';
import { Refused } from './api.ts';
import { type Blobs, sha256 } from './blobs.ts';
import { type Clock, unlessAborted } from './clock.ts';
import type { Connection } from './connection.ts';
import { Deliveries, type Delivery } from './deliveries.ts';
import type { HandIns, Sealed } from './handin.ts';

/** Parts of results without a verdict: 256 of 64 x 64 pixels in 4 parts. The hash trees over them come on top. */
const HELD_BYTES_MAX = 64 * MIB;
/** In one message, see `giveBack` in shared/schemas.ts. */
const UNOPENED_MAX = 1000;

interface Opening extends Delivery {
  readonly result: ResultId;
  readonly sealed: Sealed;
  readonly elements: readonly number[];
}

interface Held {
  readonly sealed: Sealed;
  /** On its way, or waiting for its turn. */
  opening: Opening | null;
}

export interface OpeningDeps {
  readonly connection: Pick<Connection, 'call'>;
  readonly blobs: Pick<Blobs, 'attach'>;
  readonly handIns: Pick<HandIns, 'settled'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly signal: AbortSignal;
  readonly heldBytesMax?: number;
}

/**
 * Opens what was committed. The parts of a stored result are kept until its verdict, and the columns that are asked for are
 * delivered, over reconnects and restarts, until that is acknowledged or refused. Once opened, a result is asked for more only
 * in case of doubt: beyond the memory for that, the oldest ones are forgotten, and given back when they are asked for after all.
 */
export class Openings {
  readonly #deps: OpeningDeps;
  /** Oldest first. */
  readonly #held = new Map<ResultId, Held>();
  readonly #deliveries: Deliveries<Opening>;
  #bytes = 0;

  constructor(deps: OpeningDeps) {
    this.#deps = deps;
    this.#deliveries = new Deliveries(deps.clock, (opening) => this.#deliver(opening));
  }

  /** Of everything that is held, in bytes. */
  get heldBytes(): number {
    return this.#bytes;
  }

  /** Keeps a result that was stored and opens what the answer asked for. One that is taken as it is needs no keeping. */
  stored(result: ResultId, sealed: Sealed, elements: readonly number[]): void {
    if (elements.length === 0) return;
    const held = { sealed, opening: null };
    this.#held.set(result, held);
    this.#bytes += sealed.sizeBytes;
    this.#open(result, held, elements);
    this.#makeRoom();
  }

  /** Opens more of results that are held, and gives back those that are not. */
  wanted(requests: readonly OpenRequest[]): void {
    const unknown = requests.filter(({ result }) => !this.#held.has(result)).map(({ result }) => result);
    for (const { result, elements } of requests) {
      const held = this.#held.get(result);
      if (held) this.#open(result, held, elements);
    }
    // Rejects when the engine has ended.
    if (unknown.length > 0) void this.#giveBackUnlessStored(unknown).catch(() => undefined);
  }

  /** Forgets what has its verdict. */
  judged({ job, at, parts }: VerdictMessage): void {
    for (const [result, { sealed }] of this.#held) {
      const { lease } = sealed;
      if (lease.job === job && lease.at.pass === at.pass && lease.at.tile === at.tile && sealed.parts === parts) this.#forget(result);
    }
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#deliveries.room(signal);
  }

  /** Resolves when everything that was asked for is opened. */
  delivered(signal: AbortSignal): Promise<void> {
    return this.#deliveries.delivered(signal);
  }

  #open(result: ResultId, held: Held, elements: readonly number[]): void {
    // After a reconnect the coordinator names what it waits for, and that may be on its way.
    if (held.opening && held.opening.elements.join() === elements.join()) return;
    held.opening?.cancel.abort(new Error('other elements are asked for'));
    held.opening = { result, sealed: held.sealed, elements, sizeBytes: held.sealed.sizeBytes, cancel: new AbortController() };
    this.#deliveries.add(held.opening);
  }

  async #deliver(opening: Opening): Promise<void> {
    const { connection, blobs, signal } = this.#deps;
    const { result, sealed, elements, cancel } = opening;
    const either = AbortSignal.any([signal, cancel.signal]);
    try {
      either.throwIfAborted();
      const bytes = sealed.committed.open(elements);
      const hash = await unlessAborted(sha256(bytes), either);
      const inline = await blobs.attach(hash, bytes, sealed.lease.token, either);
      await connection.call('open', () => ({ result, hash, inline }), either);
      const held = this.#held.get(result);
      if (held?.opening === opening) held.opening = null;
      this.#makeRoom();
    } catch (error) {
      if (!(error instanceof Refused) && !either.aborted) throw error;
      if (!(error instanceof Refused)) return;
      this.#forget(result);
      // Nobody has to wait for it until its time is over.
      await this.#giveBack([result]).catch(() => undefined);
    }
  }

  /** A hand-in whose answer was lost is on the coordinator's disk under an id that is known here only after it was repeated. */
  async #giveBackUnlessStored(results: readonly ResultId[]): Promise<void> {
    await this.#deps.handIns.settled(this.#deps.signal);
    const gone = results.filter((result) => !this.#held.has(result));
    if (gone.length > 0) await this.#giveBack(gone);
  }

  async #giveBack(results: readonly ResultId[]): Promise<void> {
    const { connection, signal } = this.#deps;
    for (let from = 0; from < results.length; from += UNOPENED_MAX) {
      const unopened = results.slice(from, from + UNOPENED_MAX);
      await connection.call('giveBack', () => ({ tokens: [], unopened }), signal);
    }
  }

  #makeRoom(): void {
    const bytesMax = this.#deps.heldBytesMax ?? HELD_BYTES_MAX;
    for (const [result, { opening }] of this.#held) {
      if (this.#bytes <= bytesMax) return;
      // What has not been opened is few: `room` holds up the GPU.
      if (opening === null) this.#forget(result);
    }
  }

  #forget(result: ResultId): void {
    const held = this.#held.get(result);
    if (!held) return;
    this.#held.delete(result);
    this.#bytes -= held.sealed.sizeBytes;
    held.opening?.cancel.abort(new Error('nothing of this result is wanted any more'));
  }
}
