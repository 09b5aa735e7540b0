import { encodeResult } from '../../shared/formats.ts';
import { limits, MIB } from '../../shared/limits.ts';
import { maskOf, type PartMask } from '../../shared/model.ts';
import type { HandedIn, Lease } from '../../shared/protocol.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { Refused } from './api.ts';
import { type Blobs, sha256 } from './blobs.ts';
import { Bell, type Clock, unlessAborted } from './clock.ts';
import { type Connection, wireBytes } from './connection.ts';

/** A slow tile is handed in piece by piece, so that a closed tab loses no more than this. */
const GATHER_MS_MAX = 1500;
/** Results on their way at once: hides the round trip of a fast GPU's small tiles. */
const IN_FLIGHT_MAX = 6;
/** Beyond either of these the GPU waits for the network: what cannot be delivered need not be computed. */
const QUEUED_MAX = 48;
const QUEUED_BYTES_MAX = 32 * MIB;

interface Gathering {
  readonly lease: Lease;
  readonly partBytes: number;
  parts: PartialResult[];
  done: PartMask;
  computeMs: number;
  sinceMs: number;
}

interface Finished {
  readonly lease: Lease;
  readonly parts: PartMask;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly computeMs: number;
  readonly cancel: AbortController;
}

export interface HandInDeps {
  readonly connection: Pick<Connection, 'call'>;
  readonly blobs: Pick<Blobs, 'put'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Reserves room for leases to ask for with a hand-in. `unask` gives back what an unanswered message reserved. */
  readonly ask: () => number;
  readonly unask: (asked: number) => void;
  readonly stored: (lease: Lease, parts: PartMask, answer: HandedIn, asked: number) => void;
  /** Not stored, and not tried again. */
  readonly refused: (lease: Lease, parts: PartMask, error: Refused) => void;
}

/**
 * Collects finished parts and delivers them. A result is kept and repeated, over reconnects and restarts of the
 * coordinator, until it was acknowledged as stored or refused.
 */
export class HandIns {
  readonly #deps: HandInDeps;
  readonly #gathering = new Map<string, Gathering>();
  readonly #waiting: Finished[] = [];
  readonly #flying = new Set<Finished>();
  readonly #changed = new Bell();
  #bytes = 0;

  constructor(deps: HandInDeps) {
    this.#deps = deps;
  }

  get pending(): number {
    return this.#waiting.length + this.#flying.size;
  }

  /** Takes a finished part. Hands in once the lease is done, or more than 1.5 s after the last hand-in of this tile. */
  add(lease: Lease, part: PartialResult, partBytes: number, computeMs: number): void {
    const now = this.#deps.clock.now();
    let gathering = this.#gathering.get(lease.token);
    if (!gathering) {
      gathering = { lease, partBytes, parts: [], done: 0 as PartMask, computeMs: 0, sinceMs: now };
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
    for (const result of [...this.#waiting, ...this.#flying]) {
      if (tokens.has(result.lease.token)) result.cancel.abort(new Error('the lease was taken back'));
    }
    this.#pump();
  }

  /** Resolves when there is room for another tile's results. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.pending >= QUEUED_MAX || this.#bytes >= QUEUED_BYTES_MAX) await this.#changed.wait(signal);
  }

  /** Resolves when everything has been acknowledged. */
  async delivered(signal: AbortSignal): Promise<void> {
    while (this.pending > 0) await this.#changed.wait(signal);
  }

  #seal(gathering: Gathering): void {
    const { lease, parts, partBytes, computeMs } = gathering;
    if (parts.length === 0) return;
    const bytes = encodeResult(parts, partBytes);
    this.#waiting.push({ lease, parts: maskOf(parts.map(({ part }) => part)), bytes, computeMs, cancel: new AbortController() });
    this.#bytes += bytes.byteLength;
    gathering.parts = [];
    gathering.computeMs = 0;
    gathering.sinceMs = this.#deps.clock.now();
    this.#pump();
  }

  #pump(): void {
    while (this.#flying.size < IN_FLIGHT_MAX) {
      const result = this.#waiting.shift();
      if (!result) return;
      this.#flying.add(result);
      void this.#deliver(result).finally(() => {
        this.#flying.delete(result);
        this.#bytes -= result.bytes.byteLength;
        this.#changed.notify();
        this.#pump();
      });
    }
  }

  async #deliver(result: Finished): Promise<void> {
    const { connection, blobs, signal, ask, unask, stored, refused } = this.#deps;
    const { lease, parts, bytes, computeMs } = result;
    const either = AbortSignal.any([signal, result.cancel.signal]);
    let asked = 0;
    try {
      const hash = await unlessAborted(sha256(bytes), either);
      const isSmall = bytes.byteLength <= limits.inlineResultBytesMax;
      if (!isSmall) await blobs.put(hash, bytes, lease.token, either);
      const inline = isSmall ? wireBytes(bytes) : null;
      const message = () => {
        unask(asked);
        asked = ask();
        return { token: lease.token, parts, hash, inline, computeMs, leasesMax: asked };
      };
      stored(lease, parts, await connection.call('handIn', message, either), asked);
    } catch (error) {
      if (!(error instanceof Refused) && !either.aborted) throw error;
      unask(asked);
      if (error instanceof Refused) refused(lease, parts, error);
    }
  }
}
