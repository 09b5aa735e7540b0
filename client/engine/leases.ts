import { limits } from '../../shared/limits.ts';
import { type PartMask, withoutParts } from '../../shared/model.ts';
import type { Lease } from '../../shared/protocol.ts';

interface Held {
  readonly lease: Lease;
  /** Parts that are not stored yet. */
  left: PartMask;
  /** Other leases of the same parts: done when this one is. */
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
   * goes back once the tile is stored. Other parts of a tile are other work: newcomers get them one by one.
   */
  add(lease: Lease): void {
    const isSame = ({ lease: { job, at }, left }: Held): boolean =>
      job === lease.job && at.pass === lease.at.pass && at.tile === lease.at.tile && (left & lease.parts) !== 0;
    const original = [...this.#held.values()].find(isSame);
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

  /** Of what was not begun, holds this no longer, or all of it. Returns it. */
  removeQueue(goes: (lease: Lease) => boolean = () => true): readonly Lease[] {
    return this.#queue.filter(goes).flatMap(({ token }) => this.remove(token));
  }
}
