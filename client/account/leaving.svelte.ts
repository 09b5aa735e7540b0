import { ApiError, api, asApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';

/** Everything of ours in this browser: the contributor's secret, choices, uploads to go on with. */
function forgetBrowser(): void {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith('tessera.')) localStorage.removeItem(key);
  } catch {
    // Storage is switched off: nothing was kept.
  }
}

/** Deleting one's data: what is given up with it, the yes, and what came of it. */
export class Leaving {
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);
  understood = $state(false);
  /** Real credits are given up. */
  forfeits = $state(false);

  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  /** Credits that are no test credits, in micro-credits: to spend, and vesting. */
  get left(): { readonly spendable: bigint; readonly vesting: bigint } {
    const balance = session.account?.balances.find(({ unit }) => unit === 'credit');
    return { spendable: session.creditMicroCredits ?? 0n, vesting: BigInt(balance?.vestingMicroCredits ?? '0') };
  }
  /** Asked for where there are any, or the coordinator knows of some: a site's share is in no balance here. */
  get asksForfeit(): boolean {
    return this.left.spendable + this.left.vesting > 0n || this.#error?.field === 'forfeit';
  }
  get valid(): boolean {
    return this.understood && (this.forfeits || !this.asksForfeit);
  }

  /** Asks anew the next time. */
  close(): void {
    this.#error = null;
    this.understood = false;
    this.forfeits = false;
  }

  async confirm(): Promise<void> {
    if (!this.valid || this.#busy) return;
    this.#busy = true;
    this.#error = null;
    try {
      await api.deleteAccount(this.forfeits).catch((error: unknown) => {
        // Asked before, and the answer was lost.
        if (!(error instanceof ApiError && error.code === 'signed_out')) throw error;
      });
      forgetBrowser();
      session.forget();
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }
}
