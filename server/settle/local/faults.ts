import { Rng } from '../../../shared/rng.ts';

/**
 * What a node may do to who asks it. `drop`: takes a transaction and forgets it. `landThenTimeOut`: executes it and cuts the connection. `reorder`: executes
 * it some blocks later. `hideStatuses`: has not heard of any signature. `refuse`: answers anything with HTTP 503.
 */
export type FaultKind = 'drop' | 'landThenTimeOut' | 'reorder' | 'hideStatuses' | 'refuse';

/** Switched while the server runs. */
export class Faults {
  /** 0 is never, 1 always. */
  readonly chances: Record<FaultKind, number> = { drop: 0, landThenTimeOut: 0, reorder: 0, hideStatuses: 0, refuse: 0 };
  /** For so many requests to come, whatever the chance. */
  readonly next: Record<FaultKind, number> = { drop: 0, landThenTimeOut: 0, reorder: 0, hideStatuses: 0, refuse: 0 };
  laterBlocks = 4;
  /** How often each has struck. */
  readonly struck: Record<FaultKind, number> = { drop: 0, landThenTimeOut: 0, reorder: 0, hideStatuses: 0, refuse: 0 };
  readonly #rng: Rng;

  constructor(seed: number) {
    this.#rng = new Rng(seed);
  }

  strikes(kind: FaultKind): boolean {
    const isNext = this.next[kind] > 0;
    if (isNext) this.next[kind]--;
    if (!isNext && this.#rng.unit() >= this.chances[kind]) return false;
    this.struck[kind]++;
    return true;
  }
}
