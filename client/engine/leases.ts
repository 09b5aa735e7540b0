import { limits } from '../../shared/limits.ts';
import { type JobId, type PartMask, withoutParts } from '../../shared/model.ts';
import type { Lease } from '../../shared/protocol.ts';

interface Held {
  readonly lease: Lease;
  /** Parts that are not stored yet. */
  left: PartMask;
  /** Other leases of the same tile: done when this one is. */
  readonly twins: Lease[];
}

/** The leases of this engine: those not begun, in order, and all that are not done. */
export class Leases {
  readonly #held = new Map<string, Held>();
  #queue: Lease[] = [];
  /** Asked for and not answered. */
  #asked = 0;

  /** Not begun, in the order they came. */
  get queue(): readonly Lease[] {
    return this.#queue;
  }

  get asked(): number {
    return this.#asked;
  }

  get tokens(): string[] {
    return [...this.#held.values()].flatMap(({ lease, twins }) => [lease.token, ...twins.map(({ token }) => token)]);
  }

  holds(lease: Lease): boolean {
    return this.#held.has(lease.token);
  }

  /** Room for leases that are about to be asked for: up to `ahead` that are not begun, with those that are asked for already. */
  reserve(ahead: number): number {
    const room = Math.min(limits.leasesPerContributorMax - this.tokens.length, ahead - this.#queue.length);
    const wanted = Math.max(0, room - this.#asked);
    this.#asked += wanted;
    return wanted;
  }

  unreserve(asked: number): void {
    this.#asked -= asked;
  }

  /**
   * A coordinator that restarted knows nothing of a tile at work, and may grant it again: such a twin is not computed, but
   * goes back once the tile is stored.
   */
  add(lease: Lease): void {
    const original = [...this.#held.values()].find(({ lease: { job, at } }) => job === lease.job && at.pass === lease.at.pass && at.tile === lease.at.tile);
    if (original) {
      original.twins.push(lease);
      return;
    }
    this.#held.set(lease.token, { lease, left: lease.parts, twins: [] });
    this.#queue.push(lease);
  }

  begin(lease: Lease): void {
    this.#queue = this.#queue.filter((other) => other !== lease);
  }

  /** Begun, and to be begun again. */
  requeue(lease: Lease): void {
    if (this.holds(lease)) this.#queue = [lease, ...this.#queue.filter((other) => other !== lease)];
  }

  /** Takes stored parts off. When that was the last of it, the lease is held no longer, and its twins are returned; otherwise null. */
  settle(lease: Lease, parts: PartMask): readonly Lease[] | null {
    const held = this.#held.get(lease.token);
    if (!held) return null;
    held.left = withoutParts(held.left, parts);
    return held.left === 0 ? this.remove(lease.token).slice(1) : null;
  }

  /** Holds a lease no longer. Returns it and its twins; nothing when it was not held. */
  remove(token: string): readonly Lease[] {
    for (const { twins } of this.#held.values()) {
      const at = twins.findIndex((twin) => twin.token === token);
      if (at >= 0) return twins.splice(at, 1);
    }
    const held = this.#held.get(token);
    if (!held) return [];
    this.#held.delete(token);
    this.#queue = this.#queue.filter((lease) => lease.token !== token);
    return [held.lease, ...held.twins];
  }

  /** Holds what was not begun no longer: all of it, or of one job. Returns it. */
  removeQueue(job?: JobId): readonly Lease[] {
    return this.#queue.filter((lease) => job === undefined || lease.job === job).flatMap(({ token }) => this.remove(token));
  }
}
