import type { EarningsProof } from '../../shared/money-schemas.ts';
import { type ApiError, asApiError } from '../net/api.ts';
import { moneyApi } from '../net/money-api.ts';

/** A proof, and what this browser found when it computed everything anew. */
export interface Checked {
  /** Null: no epoch has this wallet yet. */
  readonly proof: EarningsProof | null;
  readonly problems: readonly string[];
}

/** What was promised to a wallet, checked in this browser when somebody asks. */
export class EarningsCheck {
  readonly #wallet: string;
  #checked = $state.raw<Checked | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  constructor(wallet: string) {
    this.#wallet = wallet;
  }

  /** Null until somebody asked. */
  get checked(): Checked | null {
    return this.#checked;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  async check(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#error = null;
    try {
      const proof = await moneyApi.earnings();
      this.#checked = { proof, problems: proof ? await this.#problems(proof) : [] };
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }

  async #problems(proof: EarningsProof): Promise<string[]> {
    // SHA-256 by noble: WebCrypto is missing on plain http. Few ever press the button.
    const [{ sha256 }, { earningsProblems }, statement] = await Promise.all([
      import('@noble/hashes/sha2.js'),
      import('./earnings-proof.ts'),
      moneyApi.statementCsv(),
    ]);
    return earningsProblems(proof, this.#wallet, statement, sha256);
  }
}
