import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { toBase64Url } from '../../shared/formats.ts';
import { SETTLE_DEPOSITS_MAX, SETTLE_ORDERS_MAX, type SettleAnswer, type SettleReport, settleAnswer } from '../../shared/money-schemas.ts';
import type { Chain, Deposit } from './chain.ts';
import type { SettleConfig } from './config.ts';
import { Journal } from './journal.ts';
import { Machine } from './machine.ts';
import { openSolana } from './solana.ts';

/*
 * The process that pays: it alone has the hot key, and listens to nobody. Every round it tells the coordinator all that ended and arrived, hears all
 * that is to be paid, and looks at everything once. Both sides are told the same things until they have written them down.
 */

const DEPOSIT_MARK = 'deposits';
const ANSWER_MS_MAX = 15_000;
const MARKER_BYTES = 18;

export interface SettlerOptions extends SettleConfig {
  readonly log: (fields: object, message: string) => void;
}

export class Settler {
  readonly #options: SettlerOptions;
  readonly #chain: Chain;
  readonly #decimals: number;
  readonly #journal: Journal;
  readonly #machine: Machine;
  readonly #stopping = new AbortController();
  #epoch = { epoch: 0, root: '-' };
  #recovered = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: SettlerOptions, chain: Chain, decimals: number, journal: Journal) {
    this.#options = options;
    this.#chain = chain;
    this.#decimals = decimals;
    this.#journal = journal;
    const { dayTokensMax, log, origin, mint } = options;
    const expected = { origin, mint, chain: options.chain };
    this.#machine = new Machine({ journal, chain, clock: Date.now, marker: () => `b_${toBase64Url(randomBytes(MARKER_BYTES))}`, expected, dayTokensMax, log });
  }

  /** Throws where another process has the journal, or the token is none that can be paid. */
  static async start(options: SettlerOptions): Promise<Settler> {
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    const journal = Journal.open(join(options.dir, 'settle.sqlite'));
    try {
      const { chain, decimals } = await openSolana(options);
      const settler = new Settler(options, chain, decimals, journal);
      settler.#running = settler.#run();
      return settler;
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#journal.close();
  }

  async #run(): Promise<void> {
    const { roundMs, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#round().catch((error: unknown) => log({ error: String(error) }, 'a round could not be finished'));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, roundMs);
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async #round(): Promise<void> {
    const { log, restored } = this.#options;
    if (!this.#recovered) {
      await this.#machine.recover(restored);
      this.#recovered = true;
    }
    // What is under way goes on without the coordinator.
    await this.#talk().catch((error: unknown) => log({ error: String(error) }, 'the coordinator is away'));
    await this.#machine.tick(this.#epoch);
  }

  async #talk(): Promise<void> {
    const ended = this.#journal.untold(SETTLE_ORDERS_MAX);
    const deposits = await this.#chain.deposits(this.#journal.mark(DEPOSIT_MARK), SETTLE_DEPOSITS_MAX);
    const { tokens } = await this.#chain.balance();
    const answer = await this.#ask(this.#report(ended, deposits, tokens));
    this.#journal.told(answer.told);
    const last = deposits.at(-1);
    if (last) this.#journal.setMark(DEPOSIT_MARK, last.signature);
    this.#epoch = { epoch: answer.epoch, root: answer.root };
    this.#machine.take(answer.orders.map((order) => ({ ...order, tokens: BigInt(order.tokens), openingTokens: BigInt(order.openingTokens) })));
  }

  #report(ended: ReturnType<Journal['untold']>, deposits: readonly Deposit[], hotTokens: bigint): SettleReport {
    const { chain, mint, treasury, dayTokensMax } = this.#options;
    return {
      ...{ chain, mint, decimals: this.#decimals, treasury, hotTokens: hotTokens.toString(), dayTokensMax: dayTokensMax.toString() },
      waiting: this.#machine.waiting,
      ended: ended.map(({ id, outcome }) => ({ id, outcome: outcome.kind === 'paid' ? { ...outcome, tokens: outcome.tokens.toString() } : outcome })),
      deposits: deposits.map(({ signature, from, amount }) => ({ signature, from, amount: amount.toString() })),
    };
  }

  async #ask(report: SettleReport): Promise<SettleAnswer> {
    const { coordinatorUrl, token } = this.#options;
    const response = await fetch(new URL('/api/settle', coordinatorUrl), {
      method: 'POST',
      headers: { authorization: `Settle ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(report),
      // It is ours, and elsewhere nobody may have the token.
      redirect: 'error',
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
    });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(`the coordinator answered ${response.status}: ${JSON.stringify(body).slice(0, 300)}`);
    if (!Value.Check(settleAnswer, body)) throw new Error('the coordinator answered something else than expected');
    return body;
  }
}
