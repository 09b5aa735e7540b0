import { limits, SECOND_MS } from '../../shared/limits.ts';

/** What a line may stand still for, or a job take to open, on top of what a round trip usually takes, without the GPU running dry. */
const MARGIN_MS_MIN = SECOND_MS;
/** One is begun while the next is asked for. */
const TILES_MIN = 2;
/** Weights of the newest measurement. Of round trips as in TCP (Jacobson, "Congestion Avoidance and Control", SIGCOMM 1988). */
const MEAN_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
const DEVIATIONS = 4;
const TILE_GAIN = 0.3;

/**
 * How many tiles to hold that are not begun: so many that the GPU is busy until what is asked for when the next one is handed in has
 * arrived and its job is open. Grows with the round trip and its jitter, shrinks with the time that a tile takes; more would only keep
 * tiles from others.
 * The coordinator grants by what it knows itself, and never more than is asked for.
 */
export class Lookahead {
  #tripMs = 0;
  #deviationMs = 0;
  #tileMs = 0;
  #openMs = 0;

  /** A question was answered after `ms`. */
  answered(ms: number): void {
    if (this.#tripMs === 0) [this.#tripMs, this.#deviationMs] = [ms, ms / 2];
    this.#deviationMs += DEVIATION_GAIN * (Math.abs(ms - this.#tripMs) - this.#deviationMs);
    this.#tripMs += MEAN_GAIN * (ms - this.#tripMs);
  }

  /** A tile took `ms`, rests included. */
  ran(ms: number): void {
    if (ms <= 0) return;
    this.#tileMs = this.#tileMs === 0 ? ms : this.#tileMs + TILE_GAIN * (ms - this.#tileMs);
  }

  /** A job, with its inputs and its kernels, took `ms` to open: the next one may be among the tiles that are held. Believed at once when it is long. */
  opened(ms: number): void {
    this.#openMs = Math.max(ms, (this.#openMs + ms) / 2);
  }

  /** As many as may be before anything is known: then the coordinator alone decides. */
  get tiles(): number {
    const most = limits.leasesPerContributorMax;
    if (this.#tileMs === 0) return most;
    const coverMs = this.#tripMs + DEVIATIONS * this.#deviationMs + Math.max(MARGIN_MS_MIN, this.#openMs);
    return Math.min(most, Math.max(TILES_MIN, 1 + Math.ceil(coverMs / this.#tileMs)));
  }
}
