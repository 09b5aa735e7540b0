import { type Committed, commitParts, type Shape, saltOf } from '../../shared/commitment.ts';
import { encodeResult, toHex } from '../../shared/formats.ts';
import { type BlobHash, hasPart, maskOf, type PartMask, withoutParts } from '../../shared/model.ts';
import type { HandedIn, Lease } from '../../shared/protocol.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { Refused } from './api.ts';
import { type Blobs, sha256 } from './blobs.ts';
import { type Clock, unlessAborted } from './clock.ts';
import type { Connection } from './connection.ts';
import { Deliveries, type Delivery } from './deliveries.ts';

/** A slow tile is handed in piece by piece, so that a closed tab loses no more than this. */
const GATHER_MS_MAX = 1500;

type TileSize = Omit<Shape, 'parts'>;

interface Gathering {
  readonly lease: Lease;
  readonly size: TileSize;
  parts: PartialResult[];
  done: PartMask;
  computeMs: number;
  sinceMs: number;
}

interface Finished extends Delivery {
  readonly lease: Lease;
  readonly shape: Shape;
  readonly parts: readonly PartialResult[];
  /** `encodeResult`. */
  readonly total: Uint8Array<ArrayBuffer>;
  readonly computeMs: number;
}

/** What has to be kept of a result to open it. */
export interface Sealed {
  readonly lease: Lease;
  readonly parts: PartMask;
  readonly committed: Committed;
  /** Of the parts that `committed` holds on to. */
  readonly sizeBytes: number;
}

export interface HandInDeps {
  readonly connection: Pick<Connection, 'call'>;
  readonly blobs: Pick<Blobs, 'attach'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Reserves room for leases to ask for with a hand-in. `unask` gives back what an unanswered message reserved. */
  readonly ask: () => number;
  readonly unask: (asked: number) => void;
  readonly stored: (sealed: Sealed, answer: HandedIn, asked: number) => void;
  /** Others have finished these parts of the lease; the rest is handed in again. */
  readonly overtaken: (lease: Lease, parts: PartMask) => void;
  /** Not stored, and not tried again. */
  readonly refused: (lease: Lease, error: Refused) => void;
}

/**
 * Collects finished parts, commits to them and delivers their total. A result is kept and repeated, over reconnects and
 * restarts of the coordinator, until it was acknowledged as stored or refused.
 */
export class HandIns {
  readonly #deps: HandInDeps;
  readonly #gathering = new Map<string, Gathering>();
  readonly #deliveries: Deliveries<Finished>;

  constructor(deps: HandInDeps) {
    this.#deps = deps;
    this.#deliveries = new Deliveries(deps.clock, (result) => this.#deliver(result));
  }

  /** Takes a finished part. Hands in once the lease is done, or more than 1.5 s after the last hand-in of this tile. */
  add(lease: Lease, part: PartialResult, size: TileSize, computeMs: number): void {
    const now = this.#deps.clock.now();
    let gathering = this.#gathering.get(lease.token);
    if (!gathering) {
      gathering = { lease, size, parts: [], done: 0 as PartMask, computeMs: 0, sinceMs: now };
      this.#gathering.set(lease.token, gathering);
    }
    gathering.parts.push(part);
    gathering.done = (gathering.done | (1 << part.part)) as PartMask;
    gathering.computeMs += computeMs;
    const complete = gathering.done === lease.parts;
    if (complete || now - gathering.sinceMs > GATHER_MS_MAX) this.#seal(gathering);
    if (complete) this.#gathering.delete(lease.token);
  }

  /** Parts of a lease that need not be computed again. */
  done(lease: Lease): PartMask {
    return this.#gathering.get(lease.token)?.done ?? (0 as PartMask);
  }

  /** Hands in what was gathered, of tiles that are not done too. */
  flush(): void {
    for (const gathering of this.#gathering.values()) this.#seal(gathering);
  }

  /** Hands in what was gathered of one lease; nothing more of it will come. */
  finish(lease: Lease): void {
    const gathering = this.#gathering.get(lease.token);
    if (gathering) this.#seal(gathering);
    this.#gathering.delete(lease.token);
  }

  /** Forgets leases that the coordinator has taken back. */
  drop(tokens: ReadonlySet<string>): void {
    for (const token of tokens) this.#gathering.delete(token);
    for (const { lease, cancel } of this.#deliveries.items) if (tokens.has(lease.token)) cancel.abort(new Error('the lease was taken back'));
  }

  /** Resolves when there is room for another tile's results. */
  room(signal: AbortSignal): Promise<void> {
    return this.#deliveries.room(signal);
  }

  /** Resolves when everything has been acknowledged. */
  delivered(signal: AbortSignal): Promise<void> {
    return this.#deliveries.delivered(signal);
  }

  /** Resolves when everything that is being handed in now has been acknowledged. */
  settled(signal: AbortSignal): Promise<void> {
    return this.#deliveries.settled(signal);
  }

  #seal(gathering: Gathering): void {
    const { lease, parts, size, computeMs } = gathering;
    if (parts.length === 0) return;
    gathering.parts = [];
    gathering.computeMs = 0;
    gathering.sinceMs = this.#deps.clock.now();
    this.#enqueue(lease, parts, size, computeMs);
  }

  #enqueue(lease: Lease, parts: readonly PartialResult[], { elements, words }: TileSize, computeMs: number): void {
    const shape = { parts: maskOf(parts.map(({ part }) => part)), elements, words };
    const total = encodeResult(parts, elements, words);
    this.#deliveries.add({ lease, shape, parts, total, computeMs, sizeBytes: total.byteLength + bytesOf(parts), cancel: new AbortController() });
  }

  async #deliver(result: Finished): Promise<void> {
    const { connection, blobs, signal, ask, unask, stored } = this.#deps;
    const { lease, shape, parts, total, computeMs, cancel } = result;
    const either = AbortSignal.any([signal, cancel.signal]);
    let asked = 0;
    try {
      const hash = await unlessAborted(sha256(total), either);
      // 6 to 12 ms for 4 parts of 64 x 64 x 16 bytes (2-core Xeon): after the wait above the kernel's next dispatch is on the GPU.
      const committed = commitParts(saltOf(lease.token), shape, parts);
      const root = toHex(committed.root) as BlobHash;
      const inline = await blobs.attach(hash, total, lease.token, either);
      const message = () => {
        unask(asked);
        asked = ask();
        return { token: lease.token, parts: shape.parts, root, hash, inline, computeMs, leasesMax: asked };
      };
      const answer = await connection.call('handIn', message, either);
      stored({ lease, parts: shape.parts, committed, sizeBytes: bytesOf(parts) }, answer, asked);
    } catch (error) {
      if (!(error instanceof Refused) && !either.aborted) throw error;
      unask(asked);
      if (error instanceof Refused) this.#refused(result, error);
    }
  }

  /** Where others were faster with some of the parts, the rest is sealed anew: a commitment is to all of its parts or none. */
  #refused({ lease, shape, parts, computeMs }: Finished, error: Refused): void {
    const wanted = wantedParts(error, shape.parts);
    if (wanted === 0) {
      this.#deps.refused(lease, error);
      return;
    }
    this.#deps.overtaken(lease, withoutParts(shape.parts, wanted));
    const left = parts.filter(({ part }) => hasPart(wanted, part));
    this.#enqueue(lease, left, shape, computeMs);
  }
}

const bytesOf = (parts: readonly PartialResult[]): number => parts.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);

/** The parts that a refusal says are still wanted, fewer than were handed in; 0 when it is about anything else. */
function wantedParts({ field, limit }: Refused, handedIn: PartMask): PartMask {
  const wanted = field === 'parts' ? Number(limit) & handedIn : 0;
  return (wanted === handedIn ? 0 : wanted) as PartMask;
}
