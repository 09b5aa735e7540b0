import { type JobContext, type PartMask, type TileRef, withoutParts } from '../../../shared/model.ts';
import type { Look, Painter, TileGrid, WorkloadSpec, WorkloadView } from '../../../shared/workload.ts';
import { type Layout, layoutOf, type Rect } from './layout.ts';
import { Outlines } from './outlines.svelte.ts';

/** Longest stretch of painting inside one animation frame; a frame has 16 ms and the page needs some of them too. */
const FRAME_BUDGET_MS = 6;
const MAP_EDGE_MAX = 1024;

interface Pending {
  readonly at: TileRef;
  readonly parts: PartMask;
  /** Null in a map, where only the place counts. */
  readonly result: Uint8Array | null;
  readonly painted: () => void;
}

export interface MosaicOptions {
  /** Which frame is shown; the first when left out. */
  readonly frame?: number;
  /** Kept from an earlier mosaic of the same job; new ones otherwise. */
  readonly outlines?: Outlines;
  /** A result came of which some parts are painted and others are not: only a new mosaic can show it. */
  readonly spoiled?: () => void;
}

/**
 * The picture of one job, or one frame of it, as its tiles arrive, painted in batches per animation frame, only where something changed.
 * Where nothing can be painted (no picture, or one too large for a tab) it is a map of the tiles that are done.
 */
export class Mosaic {
  readonly layout: Layout;
  readonly outlines: Outlines;
  readonly #painter: Painter | null;
  readonly #spoiled: (() => void) | undefined;
  /** By running number: which parts are in the picture. Parts may come twice, early from one's own GPU and again in an accepted total. */
  readonly #painted: Uint32Array;
  readonly #arrived: Uint8Array;
  #isEmpty = true;
  /** Tiles of the frame that are drawn anew after a change of the look: where to go on, and how many are left. */
  readonly #sweep = { next: 0, left: 0 };
  #queue: Pending[] = [];
  #context: CanvasRenderingContext2D | null = null;
  #image: CanvasImageSource | null = null;
  #frame = 0;

  constructor(spec: WorkloadSpec, job: JobContext, grid: TileGrid, view: WorkloadView<unknown, unknown> | null, options: MosaicOptions = {}) {
    this.layout = layoutOf(spec, job, grid);
    this.outlines = options.outlines ?? new Outlines(this.layout);
    this.outlines.frame = options.frame ?? 0;
    this.#spoiled = options.spoiled;
    this.#painted = new Uint32Array(grid.passes * grid.tiles);
    this.#arrived = new Uint8Array(grid.tiles);
    this.#painter = this.layout.paints && view ? view.createPainter(job, this.outlines.frame) : null;
  }

  /** Whether results of this tile show here: others need not be fetched. Passes that the job got since are for the next mosaic. */
  shows(at: TileRef): boolean {
    if (at.pass >= this.layout.passes) return false;
    return this.#painter ? this.#painter.shows(at) : this.layout.region(at).frame === this.outlines.frame;
  }

  attach(canvas: HTMLCanvasElement): void {
    canvas.width = Math.max(1, Math.round(this.layout.width * this.#scale));
    canvas.height = Math.max(1, Math.round(this.layout.height * this.#scale));
    this.#context = canvas.getContext('2d');
    if (this.#image) this.showImage(this.#image);
    else if (this.#painter && !this.#isEmpty) this.#drawAll();
    else for (const [number, parts] of this.#painted.entries()) if (parts !== 0) this.#drawCell(this.layout.region(this.#refOf(number)));
  }

  /** How results look from now on. What is there is drawn anew, some tiles in every animation frame. */
  setLook(look: Look): void {
    this.#painter?.setLook(look);
    if (this.#painter) this.#drawAll();
  }

  /** Resolves when the parts are on the canvas, so that whoever fetches does not run ahead of the screen. */
  add(at: TileRef, parts: PartMask, result: Uint8Array | null): Promise<void> {
    return new Promise((painted) => {
      this.#queue.push({ at, parts, result, painted });
      this.#schedule();
    });
  }

  /** The finished picture, in place of thousands of results. */
  showImage(image: CanvasImageSource): void {
    this.#image = image;
    const canvas = this.#context?.canvas;
    if (canvas) this.#context?.drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    for (const { painted } of this.#queue) painted();
    this.#queue = [];
  }

  /** Canvas pixels per picture pixel. */
  get #scale(): number {
    return this.#painter ? 1 : Math.min(1, MAP_EDGE_MAX / Math.max(this.layout.width, this.layout.height));
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const until = performance.now() + FRAME_BUDGET_MS;
    let done = 0;
    for (const pending of this.#queue) {
      if (done > 0 && performance.now() > until) break;
      this.#paintOne(pending);
      pending.painted();
      done++;
    }
    this.#queue.splice(0, done);
    this.#drawSome(until);
    if (this.#queue.length > 0 || this.#sweep.left > 0) this.#schedule();
  }

  /** While a slider moves this comes again and again: every tile gets its turn, because it goes on where it was. */
  #drawAll(): void {
    this.#sweep.left = this.layout.tiles / this.layout.frames;
    this.#schedule();
  }

  #drawSome(until: number): void {
    const { tiles, frames } = this.layout;
    const count = tiles / frames;
    while (this.#sweep.left > 0 && performance.now() <= until) {
      this.#draw(this.layout.region({ pass: 0, tile: this.outlines.frame * count + (this.#sweep.next++ % count) }));
      this.#sweep.left--;
    }
  }

  #refOf(number: number): TileRef {
    return { pass: Math.floor(number / this.layout.tiles), tile: number % this.layout.tiles };
  }

  #paintOne({ at, parts, result }: Pending): void {
    this.outlines.release(at, performance.now());
    if (this.layout.region(at).frame !== this.outlines.frame) return;
    const number = at.pass * this.layout.tiles + at.tile;
    const before = (this.#painted[number] ?? 0) as PartMask;
    const fresh = withoutParts(parts, before);
    if (fresh === 0) return;
    // A total cannot be taken apart, and the painter cannot subtract.
    if (this.#painter && fresh !== parts) {
      this.#spoiled?.();
      return;
    }
    this.#painted[number] = before | fresh;
    this.#isEmpty = false;
    if (this.#painter && result) this.#draw(this.#painter.add(at, parts, result));
    else if (!this.#painter && before === 0) this.#drawCell(this.layout.region(at));
    if (this.#arrived[at.tile] === 0) this.outlines.cover('arrival', at);
    this.#arrived[at.tile] = 1;
  }

  #draw({ x, y, width, height }: Rect): void {
    if (!this.#painter || !this.#context || width < 1 || height < 1) return;
    this.#context.putImageData(new ImageData(this.#painter.pixels(x, y, width, height), width, height), x, y);
  }

  /** One pass of one tile in a map: the more passes, the more solid. */
  #drawCell({ x, y, width, height }: Rect): void {
    if (!this.#context) return;
    const scale = this.#scale;
    this.#context.fillStyle = getComputedStyle(this.#context.canvas).color;
    this.#context.globalAlpha = 1 / this.layout.passes;
    this.#context.fillRect(x * scale, y * scale, width * scale, height * scale);
  }
}
