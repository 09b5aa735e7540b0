import { limits } from '../../../shared/limits.ts';
import type { TileRef } from '../../../shared/model.ts';
import { type Layout, pathOf, type Rect } from './layout.ts';

const COVERS_MAX = 256;

/** A rectangle above the picture that plays one animation and goes. */
export interface Cover {
  readonly id: number;
  readonly kind: 'arrival' | 'refusal';
  readonly rect: Rect;
}

const keyOf = ({ pass, tile }: TileRef): string => `${pass}:${tile}`;

/** What is drawn above the picture: tiles in work, one's own, the running one, and short animations. */
export class Outlines {
  readonly #layout: Layout;
  readonly #leases = new Map<string, { readonly rect: Rect; readonly untilMs: number }>();
  readonly #ownTiles = new Set<number>();
  #covered = 0;
  #leased = $state('');
  #own = $state('');
  #running = $state('');
  #covers = $state.raw<readonly Cover[]>([]);

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** SVG paths. */
  get leased(): string {
    return this.#leased;
  }
  get own(): string {
    return this.#own;
  }
  get running(): string {
    return this.#running;
  }
  get covers(): readonly Cover[] {
    return this.#covers;
  }

  /** Nothing tells when a lease runs out unused, so an outline goes with the longest deadline. */
  lease(at: TileRef, nowMs: number): void {
    this.#leases.set(keyOf(at), { rect: this.#layout.region(at), untilMs: nowMs + limits.leaseDeadlineMsMax });
    this.#drawLeases(nowMs);
  }

  release(at: TileRef, nowMs: number): void {
    if (this.#leases.delete(keyOf(at))) this.#drawLeases(nowMs);
  }

  markOwn(at: TileRef): void {
    if (this.#ownTiles.has(at.tile)) return;
    this.#ownTiles.add(at.tile);
    this.#own += pathOf([this.#layout.region(at)]);
  }

  markRunning(at: TileRef | null): void {
    this.#running = at ? pathOf([this.#layout.region(at)]) : '';
  }

  cover(kind: Cover['kind'], at: TileRef): void {
    if (this.#covers.length >= COVERS_MAX) return;
    this.#covered++;
    this.#covers = [...this.#covers, { id: this.#covered, kind, rect: this.#layout.region(at) }];
  }

  uncover(id: number): void {
    this.#covers = this.#covers.filter((cover) => cover.id !== id);
  }

  #drawLeases(nowMs: number): void {
    for (const [key, { untilMs }] of this.#leases) if (untilMs < nowMs) this.#leases.delete(key);
    this.#leased = pathOf([...this.#leases.values()].map(({ rect }) => rect));
  }
}
