import type { Chain, Status } from './chain.ts';
import { BatchTooLarge } from './chain.ts';
import type { Attempt, Journal, OpenBatch, Share, Withdrawal } from './journal.ts';
import { readMemo, writeMemo } from './memo.ts';
import { type Order, refusalOf, type SignedOrder } from './order.ts';

/*
 * Pays withdrawals out, each once. What is to happen is in the journal before it happens, so a process that is killed anywhere goes on where it
 * was; what a node says is believed only where a lie cannot pay anybody twice:
 *
 * - Bytes are on disk before they leave. As long as they may land, the same bytes are sent again, and nothing else is signed for that batch.
 * - Another attempt is signed only when the finalised height is past the last valid one of all attempts, asked in this order: height, statuses,
 *   marker. What had landed by then would be final, and show.
 * - All attempts of a batch make the same marker account, so the chain itself takes one of them at most. It outlives every lie about a status.
 * - A batch is changed only by leaving out a payment that made it fail; that payment comes again alone once the batch is over.
 * - At the start, memos on the chain tell what an older journal does not know.
 */

export interface MachineOptions {
  readonly journal: Journal;
  readonly chain: Chain;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** A fresh marker: at most 32 visible ASCII characters that nobody can guess. */
  readonly marker: () => string;
  /** What every order must name: a signature that was meant for another site, chain or token pays nothing here. */
  readonly expected: Pick<Order, 'origin' | 'chain' | 'mint'>;
  /** Base units that may leave within 24 hours: what a stolen coordinator or key can take at most before somebody looks. */
  readonly dayTokensMax: bigint;
  readonly log: (fields: object, message: string) => void;
}

const DAY_MS = 86_400_000;
/** In one transaction; fewer where they do not fit. */
const PAYMENTS_MAX = 11;
/** Of those that wait, the oldest. */
const LOOKED_AT_MAX = 200;
/** Under way at a time: a landing takes some 13 s to be final. */
const OPEN_MAX = 8;
/** A payment that makes its batch fail so often is given up, and its credits go back. */
const TRIES_MAX = 3;
const MEMOS_PAGE = 200;
const MEMO_MARK = 'memos';
/** The block height until which another journal's transactions may land. */
const QUIET_MARK = 'quiet until';
const QUIET_OVER = 'over';

/** Why nothing is paid although something waits; null: nothing stands in the way. */
export type Waiting = 'the hot wallet is short of tokens' | 'the day’s limit is reached' | null;

export class Machine {
  readonly #options: MachineOptions;
  #waiting: Waiting = null;

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  get waiting(): Waiting {
    return this.#waiting;
  }

  /** Takes orders, in whatever order and as often as they come. An order that its wallet did not sign ends here. */
  take(orders: readonly SignedOrder[]): void {
    const { journal, log } = this.#options;
    for (const order of orders) {
      if (journal.withdrawal(order.id)) continue;
      const refusal = this.#foreign(order) ?? refusalOf(order);
      if (refusal === null) journal.take(order);
      else {
        log({ withdrawal: order.id, refusal }, 'an order was refused');
        journal.refuse(order, refusal);
      }
    }
  }

  #foreign(order: Order): string | null {
    const { expected } = this.#options;
    const wrong = (['origin', 'chain', 'mint'] as const).find((field) => order[field] !== expected[field]);
    return wrong === undefined ? null : `${wrong}: ${order[wrong]}, not ${expected[wrong]}`;
  }

  /**
   * After a start, before anything else: reads what the chain says was paid. A journal that is new, or `restored` from a copy, does not know what
   * is under way either: nothing is composed until all that may be has landed or expired.
   */
  async recover(restored = false): Promise<void> {
    const { journal, chain } = this.#options;
    if (restored || journal.mark(QUIET_MARK) === null) journal.setMark(QUIET_MARK, (await chain.lifetime()).lastValidBlockHeight.toString());
    await this.#readMemos();
  }

  async #readMemos(): Promise<void> {
    const { journal, chain } = this.#options;
    for (;;) {
      const page = await chain.memos(journal.mark(MEMO_MARK), MEMOS_PAGE);
      for (const { signature, memo } of page)
        for (const { id, opensAccount } of (memo !== null && readMemo(memo)?.payments) || [])
          if (!this.#isOpen(id)) journal.recover(id, signature, opensAccount);
      const last = page.at(-1);
      if (last) journal.setMark(MEMO_MARK, last.signature);
      if (page.length < MEMOS_PAGE) return;
    }
  }

  /** What is in an open batch is found by its own status. */
  #isOpen(id: string): boolean {
    const state = this.#options.journal.withdrawal(id)?.state;
    return state === 'batched' || state === 'aside';
  }

  /** One look at everything. Rejects when the node is away; then the next one goes on. `epoch` is what new batches carry. */
  async tick(epoch: { readonly epoch: number; readonly root: string }): Promise<void> {
    for (const batch of this.#options.journal.openBatches()) await this.#advance(batch);
    await this.#compose(epoch);
  }

  async #advance(batch: OpenBatch): Promise<void> {
    const { journal, chain } = this.#options;
    const live = batch.attempts.filter(({ state }) => state === 'signed' || state === 'sent');
    // Before the statuses: what could land until this height is decided, and is told by what comes after.
    const height = await chain.finalisedHeight();
    const statuses = await chain.statuses(batch.attempts.map(({ signature }) => signature));
    const landed = batch.attempts.find((_attempt, index) => statuses[index]?.kind === 'finalised');
    // One word for it is not enough: what is taken for paid is not paid again.
    if (landed) return (await chain.marker(batch.marker)) === 'ours' ? journal.land(batch.marker, landed, TRIES_MAX) : undefined;
    if (this.#noteFailures(batch, live, statuses)) return;
    if (statuses.some(({ kind }) => kind === 'seen')) return;
    const waiting = live.filter(({ signature }) => statuses[batch.attempts.findIndex((attempt) => attempt.signature === signature)]?.kind === 'unknown');
    if (waiting.some(({ lastValidBlockHeight }) => height <= lastValidBlockHeight)) return this.#send(waiting);
    const marker = batch.attempts.length === 0 ? 'absent' : await chain.marker(batch.marker);
    if (marker === 'ours') return this.#landUnseen(batch);
    for (const { signature } of waiting) journal.setAttempt(signature, 'expired');
    if (marker === 'absent' && batch.shares.length > 0) return this.#attempt(batch);
    // Its payments come again under another marker: not before nothing under this one can land, whatever was said of a failure.
    if (batch.attempts.every(({ lastValidBlockHeight }) => height > lastValidBlockHeight)) journal.fail(batch.marker, TRIES_MAX);
  }

  /** Leaves out payments that made an attempt fail. True when there were any: the batch is another one now. */
  #noteFailures(batch: OpenBatch, live: readonly Attempt[], statuses: readonly Status[]): boolean {
    const { journal, log } = this.#options;
    let changed = false;
    for (const attempt of live) {
      const status = statuses[batch.attempts.indexOf(attempt)];
      if (status?.kind !== 'failed') continue;
      log({ batch: batch.marker, signature: attempt.signature, reason: status.reason }, 'a batch failed on the chain');
      journal.setAttempt(attempt.signature, 'failed');
      const share = status.payment === null ? undefined : attempt.shares[status.payment];
      if (share) journal.setAside(batch.marker, share.id);
      changed = true;
    }
    return changed;
  }

  /** The marker is there, and the node does not say of which attempt. If all pay the same it does not matter; else its status has to show. */
  #landUnseen({ marker, attempts }: OpenBatch): void {
    const { journal, log } = this.#options;
    const texts = new Set(attempts.map(({ shares }) => shares.map(({ id, amount }) => `${id} ${amount}`).join()));
    const newest = attempts.at(-1);
    if (texts.size === 1 && newest) journal.land(marker, newest, TRIES_MAX);
    else log({ batch: marker }, 'a batch has landed, and the node does not tell which of its attempts');
  }

  /** The newest are sent again: nodes forget, and a block may have been full. */
  async #send(attempts: readonly Attempt[]): Promise<void> {
    const { journal, chain, log } = this.#options;
    for (const { signature, wire, state } of attempts) {
      if (state === 'signed') journal.setAttempt(signature, 'sent');
      await chain.send(wire).catch((error: unknown) => log({ signature, error: String(error) }, 'a transaction was not taken'));
    }
  }

  async #attempt(batch: OpenBatch): Promise<void> {
    const { journal, chain, log } = this.#options;
    const { marker, shares } = batch;
    const lifetime = await chain.lifetime();
    const { wire, signature } = await chain.sign({ marker, memo: memoOf(batch, shares), payments: shares }, lifetime);
    const outcome = await chain.simulate(wire);
    if (!outcome.ok) {
      log({ batch: marker, reason: outcome.reason }, 'a batch would fail');
      const share = outcome.payment === null ? undefined : shares[outcome.payment];
      if (share) journal.setAside(marker, share.id);
      return;
    }
    journal.addAttempt(marker, { signature, wire, lastValidBlockHeight: lifetime.lastValidBlockHeight, shares });
    await this.#send([{ signature, wire, lastValidBlockHeight: lifetime.lastValidBlockHeight, shares, state: 'signed' }]);
  }

  async #compose(epoch: { readonly epoch: number; readonly root: string }): Promise<void> {
    const { journal, clock } = this.#options;
    this.#waiting = null;
    if (journal.waiting(1).length === 0 || !(await this.#isQuietOver())) return;
    for (let open = journal.openBatches().length; open < OPEN_MAX; open++) {
      const affordable = await this.#affordable(journal.waiting(LOOKED_AT_MAX));
      const alone = affordable.find(({ tries }) => tries > 0);
      const together = alone ? [alone] : affordable.slice(0, PAYMENTS_MAX);
      if (together.length === 0) return;
      const shares = await this.#fitting(await this.#sharesOf(together), epoch);
      const marker = this.#options.marker();
      journal.openBatch(marker, epoch, shares, clock());
      await this.#advance({ marker, ...epoch, shares, attempts: [] });
    }
  }

  async #isQuietOver(): Promise<boolean> {
    const { journal, chain } = this.#options;
    const until = journal.mark(QUIET_MARK);
    if (until === QUIET_OVER) return true;
    if (until === null || (await chain.finalisedHeight()) <= BigInt(until)) return false;
    await this.#readMemos();
    journal.setMark(QUIET_MARK, QUIET_OVER);
    return false;
  }

  #sharesOf(withdrawals: readonly Withdrawal[]): Promise<Share[]> {
    return Promise.all(
      withdrawals.map(async ({ order: { id, wallet, tokens, openingTokens } }): Promise<Share> => {
        const opensAccount = !(await this.#options.chain.hasTokenAccount(wallet));
        return { id, to: wallet, amount: opensAccount ? tokens - openingTokens : tokens, opensAccount };
      }),
    );
  }

  /** As many of the first as one transaction holds. */
  async #fitting(shares: readonly Share[], epoch: { readonly epoch: number; readonly root: string }): Promise<Share[]> {
    const { chain } = this.#options;
    const lifetime = await chain.lifetime();
    for (let count = shares.length; ; count--) {
      const some = shares.slice(0, count);
      try {
        await chain.sign({ marker: this.#options.marker(), memo: memoOf(epoch, some), payments: some }, lifetime);
        return some;
      } catch (error) {
        if (!(error instanceof BatchTooLarge) || count === 1) throw error;
      }
    }
  }

  /** Those that the hot wallet and the day’s limit allow, one of each wallet at a time. One that is too large now lets smaller ones pass. */
  async #affordable(waiting: readonly Withdrawal[]): Promise<Withdrawal[]> {
    const { journal, chain, clock, dayTokensMax } = this.#options;
    if (waiting.length === 0) return [];
    let left = (await chain.balance()).tokens - journal.tokensOpen();
    let day = dayTokensMax - journal.tokensSince(clock() - DAY_MS);
    // Two payments into one account that is not there yet would both open it, and both keep the price of it.
    const wallets = new Set(journal.openBatches().flatMap(({ shares }) => shares.map(({ to }) => to)));
    return waiting.filter(({ order: { tokens, wallet } }) => {
      if (tokens > left) this.#waiting = 'the hot wallet is short of tokens';
      else if (tokens > day) this.#waiting = 'the day’s limit is reached';
      if (tokens > left || tokens > day || wallets.has(wallet)) return false;
      wallets.add(wallet);
      left -= tokens;
      day -= tokens;
      return true;
    });
  }
}

const memoOf = ({ epoch, root }: { readonly epoch: number; readonly root: string }, payments: readonly Share[]): string => writeMemo({ epoch, root, payments });
