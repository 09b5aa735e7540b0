import type { Rect } from './layout.ts';

/** Picture pixels that the frame shows across at the closest. */
const PIXELS_ACROSS_MIN = 16;
const STEP = 1.5;

/**
 * What part of a picture is shown: the frame has the picture's own proportions, so one number, the zoom, and the upper left corner tell it. All
 * places are shares of the picture, 0 to 1. At zoom 1 the whole picture is shown.
 */
export class Viewport {
  readonly zoomMax: number;
  #zoom = $state(1);
  #left = $state(0);
  #top = $state(0);

  /** `width`, `height`: of the picture in pixels. */
  constructor({ width, height }: { readonly width: number; readonly height: number }) {
    this.zoomMax = Math.max(1, Math.max(width, height) / PIXELS_ACROSS_MIN);
  }

  get zoom(): number {
    return this.#zoom;
  }
  get isFit(): boolean {
    return this.#zoom === 1;
  }
  get isClosest(): boolean {
    return this.#zoom >= this.zoomMax;
  }

  /** Shares of the picture. */
  get shown(): Rect {
    return { x: this.#left, y: this.#top, width: 1 / this.#zoom, height: 1 / this.#zoom };
  }

  /** The place in the picture at a place of the frame; both as shares. */
  at(x: number, y: number): { x: number; y: number } {
    return { x: this.#left + x / this.#zoom, y: this.#top + y / this.#zoom };
  }

  /** What lies at (x, y) of the frame stays there. */
  zoomBy(factor: number, x = 0.5, y = 0.5): void {
    const fixed = this.at(x, y);
    this.#zoom = Math.min(this.zoomMax, Math.max(1, this.#zoom * factor));
    this.#moveTo(fixed.x - x / this.#zoom, fixed.y - y / this.#zoom);
  }

  closer(): void {
    this.zoomBy(STEP);
  }

  farther(): void {
    this.zoomBy(1 / STEP);
  }

  /** Moves the picture by shares of the frame. */
  panBy(x: number, y: number): void {
    this.#moveTo(this.#left - x / this.#zoom, this.#top - y / this.#zoom);
  }

  fit(): void {
    this.#zoom = 1;
    this.#moveTo(0, 0);
  }

  #moveTo(left: number, top: number): void {
    const most = 1 - 1 / this.#zoom;
    this.#left = Math.min(most, Math.max(0, left));
    this.#top = Math.min(most, Math.max(0, top));
  }
}
