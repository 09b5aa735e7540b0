import type { SlicePolicy } from '../../shared/workload.ts';

/**
 * Work is dispatched in slices short enough to keep the GPU's owner comfortable: the controller adapts how many invocations fit
 * into the budget, work *= clamp(target / measured, 0.5, 1.5).
 */
export class SliceController {
  readonly #least: number;
  readonly #most: number;
  #work: number;

  /** `first`: invocations of the first slice, small enough for the slowest device. */
  constructor(first: number, least: number, most: number) {
    this.#work = first;
    this.#least = least;
    this.#most = most;
  }

  /** Invocations that the next slice may hold. */
  get work(): number {
    return this.#work;
  }

  /** Learns from a slice of `work` invocations. One that was cut short by the end of a tile says nothing about growing. */
  report(work: number, measuredMs: number, targetMs: number): void {
    const ratio = Math.min(1.5, Math.max(0.5, targetMs / Math.max(measuredMs, 0.001)));
    if (work < this.#work && ratio > 1) return;
    this.#work = Math.min(this.#most, Math.max(this.#least, Math.round(work * ratio)));
  }
}

/**
 * The promise's value, or a rejection with `signal.reason` as soon as the signal is aborted. A rejection of the promise that comes
 * later is heard by nobody, and is not reported as unhandled.
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    // The abort goes first: of two that are settled, a race takes the first.
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Units of work with consecutive numbers, such as paths: [first, end). */
export interface WorkRange {
  readonly first: number;
  readonly end: number;
}

export interface Slicing<T> {
  readonly controller: SliceController;
  readonly policy: SlicePolicy;
  readonly signal: AbortSignal;
  /** Hands a slice to the GPU, at once and in order. The promise: what it has finished, once it is done. */
  readonly submit: (slice: WorkRange) => Promise<T>;
}

/**
 * Hands in the ranges slice by slice, as many at a time as the policy allows, and yields what each has finished. When it ends, also early
 * or by an abort, nothing of it is on the GPU any more.
 */
export async function* inSlices<T>(ranges: readonly WorkRange[], { controller, policy, signal, submit }: Slicing<T>): AsyncGenerator<T> {
  const left = [...ranges];
  const underWay: { readonly work: number; readonly submittedMs: number; readonly done: Promise<T> }[] = [];
  const submitNext = (): void => {
    const { first, end } = left.shift()!;
    const next = Math.min(end, first + controller.work);
    if (next < end) left.unshift({ first: next, end });
    const done = submit({ first, end: next });
    // Afterwards: what encoding takes is the script's time, not the GPU's.
    const slice = { work: next - first, submittedMs: performance.now(), done };
    // Of two that fail together, as on a lost device, only the first is waited for.
    slice.done.catch(() => undefined);
    underWay.push(slice);
  };
  let freeMs = 0;
  try {
    while (left.length > 0 || underWay.length > 0) {
      signal.throwIfAborted();
      while (left.length > 0 && underWay.length < policy.inFlight()) submitNext();
      const { work, submittedMs, done } = underWay.shift()!;
      const finished = await done;
      const doneMs = performance.now();
      // One that was handed in while another ran began when that was done.
      const measuredMs = doneMs - Math.max(submittedMs, freeMs);
      freeMs = doneMs;
      controller.report(work, measuredMs, policy.budgetMs());
      yield finished;
      await unlessAborted(policy.between(measuredMs, underWay.length), signal);
    }
  } finally {
    await Promise.allSettled(underWay.map(({ done }) => done));
  }
}
