/** A frame that took this much longer than the display's own interval was late. */
const LATE_RATIO = 1.5;
/** Frames of one verdict: half a second on most displays. */
const FRAMES = 30;
/** 55 of 60 frames a second may be as few as are on time. */
const LATE_SHARE_MAX = 0.08;
const SHRINK = 0.7;
const GROW_MS = 0.5;
/** Near to what was too long the last time: as slowly as this, so that trying costs no more than a few late frames in a hundred. */
const TRY_MS = 0.02;
const NEAR_SHARE = 0.9;
/** What was too long is forgotten by and by: twice as long may be tried again after 18 s. */
const FORGET_RATIO = 1.02;
/** A display at 30 Hz is slower than any that is sold; a pause of the page is no frame. */
const INTERVAL_MS_MAX = 250;
/** 144 Hz. */
const INTERVAL_MS_MIN = 1000 / 144;

/** A click waits for the slice under way, so none is longer than 8 ms while the page is seen. */
export const visibleSliceMs = { first: 6, least: 1, most: 8 } as const;
export const HIDDEN_SLICE_MS = 40;

/**
 * How long slices may be, from the page's own frame times: shorter at once when frames are late, longer little by little while none is
 * (additive increase, multiplicative decrease, and slow near to where frames were late before).
 */
export class FramePacer {
  #sliceMs: number = visibleSliceMs.first;
  /** The display's own interval: the least that a tenth of frames stays below. */
  #baseMs = 1000 / 60;
  #intervals: number[] = [];
  /** The slice that was too long the last time. */
  #tooLongMs = Number.POSITIVE_INFINITY;

  get sliceMs(): number {
    return this.#sliceMs;
  }

  /** Takes the time since the last frame, in milliseconds; true when the slice has changed. */
  frame(intervalMs: number): boolean {
    if (!(intervalMs > 0 && intervalMs < INTERVAL_MS_MAX)) return false;
    this.#intervals.push(intervalMs);
    if (this.#intervals.length < FRAMES) return false;
    const sorted = this.#intervals.toSorted((a, b) => a - b);
    this.#intervals = [];
    this.#baseMs = Math.max(INTERVAL_MS_MIN, Math.min(this.#baseMs, sorted[Math.floor(FRAMES / 10)] as number));
    const late = sorted.filter((ms) => ms > LATE_RATIO * this.#baseMs).length / FRAMES;
    const before = this.#sliceMs;
    if (late > LATE_SHARE_MAX) this.#shrink();
    else if (late === 0) this.#grow();
    return this.#sliceMs !== before;
  }

  #shrink(): void {
    this.#tooLongMs = this.#sliceMs;
    this.#sliceMs = Math.max(visibleSliceMs.least, this.#sliceMs * SHRINK);
  }

  #grow(): void {
    this.#tooLongMs *= FORGET_RATIO;
    const isNear = this.#sliceMs + GROW_MS > NEAR_SHARE * this.#tooLongMs;
    this.#sliceMs = Math.min(visibleSliceMs.most, this.#sliceMs + (isNear ? TRY_MS : GROW_MS));
  }
}

/**
 * Calls `changed` with the slice that suits the page now: while it is seen by its frames, while hidden a longer one. Returns the end of it.
 * `isPaced`: false where shorter slices do not help, because kernels and pages share the processor, not the GPU.
 */
export function watchFrames(changed: (sliceMs: number) => void, isPaced: () => boolean): () => void {
  const pacer = new FramePacer();
  let frame = 0;
  let lastMs = 0;
  const look = (nowMs: number): void => {
    if (lastMs > 0 && isPaced() && pacer.frame(nowMs - lastMs)) changed(pacer.sliceMs);
    lastMs = nowMs;
    frame = requestAnimationFrame(look);
  };
  const follow = (): void => {
    cancelAnimationFrame(frame);
    lastMs = 0;
    const isSeen = document.visibilityState === 'visible';
    if (isSeen) frame = requestAnimationFrame(look);
    const seenMs = isPaced() ? pacer.sliceMs : visibleSliceMs.most;
    changed(isSeen ? seenMs : HIDDEN_SLICE_MS);
  };
  document.addEventListener('visibilitychange', follow);
  follow();
  return () => {
    document.removeEventListener('visibilitychange', follow);
    cancelAnimationFrame(frame);
  };
}
