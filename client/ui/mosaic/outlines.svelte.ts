import { limits } from '../../../shared/limits.ts';
import { type PartMask, type TileRef, withoutParts } from '../../../shared/model.ts';
import { type Layout, pathOf, type Rect } from './layout.ts';

const COVERS_MAX = 256;

/** A rectangle above the picture that plays one animation and goes. */
export interface Cover {
  readonly id: number;
  readonly kind: 'arrival' | 'refusal';
  readonly rect: Rect;
}

const keyOf = ({ pass, tile }: TileRef): string => `${pass}:${tile}`;

interface Wrong {
  readonly at: TileRef;
  /** Not computed again yet. */
  readonly parts: PartMask;
  readonly drill: boolean;
}

/**
 * What is drawn above the picture: tiles in work, one's own, the running one, those that were proven wrong, and short animations. All
 * frames are remembered, one is drawn.
 */
export class Outlines {
  readonly #layout: Layout;
  readonly #leases = new Map<string, { readonly at: TileRef; readonly untilMs: number }>();
  readonly #ownTiles = new Map<number, TileRef>();
  readonly #wrong = new Map<string, Wrong>();
  #runningTile: TileRef | null = null;
  #pickedTile: TileRef | null = null;
  #covered = 0;
  #frame = $state(0);
  #leased = $state('');
  #own = $state('');
  #running = $state('');
  #refuted = $state('');
  #drill = $state('');
  #picked = $state('');
  #covers = $state.raw<readonly Cover[]>([]);

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** The frame that is drawn, from 0. */
  get frame(): number {
    return this.#frame;
  }
  set frame(frame: number) {
    if (frame === this.#frame) return;
    this.#frame = frame;
    this.#covers = [];
    this.#own = this.#pathOf(this.#ownTiles.values());
    this.#running = this.#pathOf([this.#runningTile]);
    this.#picked = this.#pathOf([this.#pickedTile]);
    this.#leased = this.#pathOf([...this.#leases.values()].map(({ at }) => at));
    this.#drawWrong();
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
  /** Proven wrong and not computed again yet: in earnest, and in the operator's drill. */
  get refuted(): string {
    return this.#refuted;
  }
  get drill(): string {
    return this.#drill;
  }
  /** The tile that the viewer looks at. */
  get picked(): string {
    return this.#picked;
  }
  get covers(): readonly Cover[] {
    return this.#covers;
  }

  /** Nothing tells when a lease runs out unused, so an outline goes with the longest deadline. */
  lease(at: TileRef, nowMs: number): void {
    this.#leases.set(keyOf(at), { at, untilMs: nowMs + limits.leaseDeadlineMsMax });
    this.#drawLeases(nowMs);
  }

  release(at: TileRef, nowMs: number): void {
    if (this.#leases.delete(keyOf(at))) this.#drawLeases(nowMs);
  }

  markOwn(at: TileRef): void {
    if (this.#ownTiles.has(at.tile)) return;
    this.#ownTiles.set(at.tile, at);
    this.#own += this.#pathOf([at]);
  }

  markRunning(at: TileRef | null): void {
    this.#runningTile = at;
    this.#running = this.#pathOf([at]);
  }

  markPicked(tile: number | null): void {
    this.#pickedTile = tile === null ? null : { pass: 0, tile };
    this.#picked = this.#pathOf([this.#pickedTile]);
  }

  /** Red until `mend` says that these parts are there again. */
  markWrong(at: TileRef, parts: PartMask, drill: boolean): void {
    const before = this.#wrong.get(keyOf(at));
    this.#wrong.set(keyOf(at), { at, parts: ((before?.parts ?? 0) | parts) as PartMask, drill: drill && before?.drill !== false });
    this.#drawWrong();
  }

  mend(at: TileRef, parts: PartMask): void {
    const wrong = this.#wrong.get(keyOf(at));
    if (!wrong) return;
    const left = withoutParts(wrong.parts, parts);
    if (left === 0) this.#wrong.delete(keyOf(at));
    else this.#wrong.set(keyOf(at), { ...wrong, parts: left });
    this.#drawWrong();
  }

  cover(kind: Cover['kind'], at: TileRef): void {
    const rect = this.#layout.region(at);
    if (this.#covers.length >= COVERS_MAX || rect.frame !== this.#frame) return;
    this.#covered++;
    this.#covers = [...this.#covers, { id: this.#covered, kind, rect }];
  }

  uncover(id: number): void {
    this.#covers = this.#covers.filter((cover) => cover.id !== id);
  }

  /** Of those tiles that are in the frame. */
  #pathOf(tiles: Iterable<TileRef | null>): string {
    return pathOf([...tiles].flatMap((at) => (at ? this.#layout.region(at) : [])).filter(({ frame }) => frame === this.#frame));
  }

  #drawWrong(): void {
    const path = (drill: boolean): string => this.#pathOf([...this.#wrong.values()].filter((wrong) => wrong.drill === drill).map(({ at }) => at));
    this.#refuted = path(false);
    this.#drill = path(true);
  }

  #drawLeases(nowMs: number): void {
    for (const [key, { untilMs }] of this.#leases) if (untilMs < nowMs) this.#leases.delete(key);
    this.#leased = this.#pathOf([...this.#leases.values()].map(({ at }) => at));
  }
}
