import type { Place } from './grid.ts';
import type { RenderJob } from './params.ts';
import { addSample, type Scene, traceVariant } from './reference.ts';

/**
 * How far an element's truth lies from a decision. A path whose radiance stays the same however it is rounded is firm. One that jumps,
 * because it nearly misses an edge or nearly takes the other lobe, may be anything between what it jumps to; an honest device can claim
 * that and no more.
 */

/**
 * Variants of every path. One tips a decision as honest devices do with probability 1/4 or more (rounding.ts); only where a ray slips
 * between two triangles it takes both to miss, and was seen in 1 of 10: 32 overlook 1 in 30 of those.
 */
const VARIANTS_OF_ALL = 32;
/** Variants of the paths that have jumped, to learn how far: between curved mirrors one wrong digit becomes a thousand, and ways part rarely. */
const VARIANTS_OF_OPEN = 256;
/** Bounds are handed out after so many variants each, so that an explanation found early ends the search. */
const VARIANTS_OF_ROUND = 16;
/** A path counts as firm while its radiance stays within this share of it, a hundredth of what the tolerance forgives in a sum. */
const FIRM_SHARE = 1e-5;

/** The least and the most that each of an element's sums may be. */
export interface Bounds {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

/** Bounds on an element, again and again, wider every time as more variants have been traced. */
export function* boundsOf(scene: Scene, job: RenderJob, place: Place): Generator<Bounds> {
  const paths = Array.from({ length: place.end - place.first }, (_, index) => new PathBounds(scene, job, place, place.first + index));
  for (let from = 0; from < VARIANTS_OF_OPEN; from += VARIANTS_OF_ROUND) {
    const tried = from < VARIANTS_OF_ALL ? paths : paths.filter((path) => path.isOpen);
    if (tried.length === 0) return;
    for (const path of tried) path.widen(from + 1, from + VARIANTS_OF_ROUND);
    const bounds = { low: new Uint32Array(4), high: new Uint32Array(4) };
    for (const path of paths) path.addTo(bounds);
    yield bounds;
  }
}

/** What one path brings in all variants so far. */
class PathBounds {
  readonly #trace: (variant: number, out: Float32Array) => void;
  readonly #job: RenderJob;
  readonly #place: Place;
  readonly #sample: number;
  readonly #low = new Float32Array(4);
  readonly #high = new Float32Array(4);

  constructor(scene: Scene, job: RenderJob, place: Place, sample: number) {
    this.#trace = (variant, out) => traceVariant(scene, job, place, sample, variant, out);
    this.#job = job;
    this.#place = place;
    this.#sample = sample;
    this.#trace(0, this.#low);
    this.#high.set(this.#low);
  }

  get isOpen(): boolean {
    return this.#low.some((low, word) => this.#high[word]! - low > FIRM_SHARE * this.#high[word]!);
  }

  /** Traces variants [first, last]. */
  widen(first: number, last: number): void {
    const values = new Float32Array(4);
    for (let variant = first; variant <= last; variant++) {
      this.#trace(variant, values);
      for (let word = 0; word < 4; word++) {
        this.#low[word] = Math.min(this.#low[word]!, values[word]!);
        this.#high[word] = Math.max(this.#high[word]!, values[word]!);
      }
    }
  }

  /** Rounding to steps and squaring keep the order, so the bounds of the values give those of the sums. */
  addTo({ low, high }: Bounds): void {
    addSample(this.#job, this.#place, this.#sample, this.#low, low, 0);
    addSample(this.#job, this.#place, this.#sample, this.#high, high, 0);
  }
}
