import { countParts, type JobId } from '../../../shared/model.ts';
import type { Receipt } from '../../../shared/receipt.ts';
import { ApiError, api, asApiError } from '../../net/api.ts';
import { type Verdict, verifyReceipt } from './verify.ts';

/** The receipt of a job, and what this browser found when it computed everything anew. */
export class ReceiptState {
  readonly #job: JobId;
  #verdict = $state.raw<Verdict | null>(null);
  #error = $state.raw<ApiError | null>(null);

  constructor(job: JobId) {
    this.#job = job;
    void this.load();
  }

  /** Null until the first answer. */
  get verdict(): Verdict | null {
    return this.#verdict;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    this.#error = null;
    try {
      const [document, keys] = await Promise.all([api.receipt(this.#job), api.receiptKeys()]);
      this.#verdict = verifyReceipt(document, keys);
      if (!this.#verdict) throw new ApiError('internal', 'What the coordinator sent is no receipt that this page knows.');
    } catch (error) {
      this.#error = asApiError(error);
    }
  }
}

export interface Totals {
  /** Values computed again. */
  readonly drawn: number;
  /** Expected share of wrong values in the whole result, at most. */
  readonly errorBound: number;
  readonly microCredits: bigint;
}

export function totalsOf({ leaves }: Receipt): Totals {
  let [drawn, bound, parts, microCredits] = [0, 0, 0, 0n];
  for (const leaf of leaves) {
    drawn += leaf.evidence.reduce((sum, found) => sum + found.drawn, 0);
    bound += leaf.errorBound * countParts(leaf.parts);
    parts += countParts(leaf.parts);
    microCredits += BigInt(leaf.microCredits);
  }
  return { drawn, errorBound: bound / parts, microCredits };
}
