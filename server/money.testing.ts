import { randomBytes } from 'node:crypto';
import { MICRO } from '../shared/credits.ts';
import type { OwnerId } from '../shared/model.ts';
import type { SettleAnswer, SettleReport, WithdrawalAsked, WithdrawalView } from '../shared/money-schemas.ts';
import type { Challenge } from '../shared/schemas.ts';
import type { Config } from './config.ts';
import { moneyRoutes, settleRoutes } from './http/money.ts';
import { type Reply, type TestApp, Visitor, withApp } from './http/testing.ts';
import { Money } from './money.ts';
import type { Screening } from './screening.ts';
import { encodeBase58, TestWallet } from './solana.testing.ts';
import { exampleTransfer } from './store/testing.ts';

/** The HTTP edge with money: a settle process that says what tests have it say, and visitors who are signed in and have earned. */

export const CREDIT = MICRO;
export const SETTLE_TOKEN = 's'.repeat(40);
export const payouts: NonNullable<Config['payouts']> = {
  settleToken: SETTLE_TOKEN,
  tokenName: 'USDX',
  minimum: 5n * CREDIT,
  opening: CREDIT / 2n,
  holdbackMs: 0,
  screeningPath: '/nowhere',
};

export const addressOf = (fill: number): string => encodeBase58(new Uint8Array(32).fill(fill));

export const exampleReport = (own: Partial<SettleReport> = {}): SettleReport => ({
  chain: 'solana:localnet',
  mint: addressOf(7),
  decimals: 6,
  treasury: addressOf(8),
  hotTokens: '1000000000',
  dayTokensMax: '1000000000',
  waiting: null,
  ended: [],
  deposits: [],
  ...own,
});

export interface MoneyTest extends TestApp {
  readonly money: Money;
  readonly errors: object[];
  sync(own?: Partial<SettleReport>): Promise<SettleAnswer>;
}

export const withMoney = <T>(
  run: (test: MoneyTest) => Promise<T>,
  { screening = () => true, off = false }: { readonly screening?: Screening; readonly off?: boolean } = {},
): Promise<T> =>
  withApp(
    async (test) => {
      const { app, store, now, config } = test;
      const errors: object[] = [];
      const log = { info: () => undefined, error: (fields: object) => void errors.push(fields) };
      const money = new Money({ store, payouts: config.payouts, screening, clock: () => now.ms, randomBytes, log });
      await app.register(moneyRoutes({ money, store, config, sessions: app.sessions }));
      await app.register(settleRoutes({ money, config }));
      const sync = (own: Partial<SettleReport> = {}): Promise<SettleAnswer> => money.sync(exampleReport(own));
      if (!off) await sync();
      return run({ ...test, money, errors, sync });
    },
    { config: { payouts: off ? null : payouts } },
  );

let grants = 0;

/** A visitor signed in with a wallet of his own, who has earned this much. */
export class Earner extends Visitor {
  readonly wallet = new TestWallet();
  readonly owner = `wallet:${this.wallet.address}` as OwnerId;

  static async enter(test: TestApp, microCredits: bigint): Promise<Earner> {
    const earner = new Earner(test);
    await earner.start();
    await earner.signIn();
    const transfer = exampleTransfer({ id: `earn/${grants++}`, unit: 'credit', debit: 'operator/exchange', credit: `${earner.owner}/earned`, microCredits });
    await test.store.commit([{ kind: 'transfer', transfer }]);
    return earner;
  }

  async signIn(wallet = this.wallet): Promise<void> {
    const { body } = await this.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address });
    await this.ask('POST', '/api/account/sign-in', wallet.answer(body.nonce, body.text));
  }

  withdraw(microCredits: bigint | string, headers: Record<string, string> = {}): Promise<Reply<WithdrawalAsked>> {
    return this.ask<WithdrawalAsked>('POST', '/api/account/withdrawals', { microCredits: String(microCredits) }, headers);
  }

  /** As its wallet would sign it, unless the test says otherwise. */
  confirm({ withdrawal, challenge }: WithdrawalAsked, { text = challenge.text, wallet = this.wallet } = {}): Promise<Reply<WithdrawalView>> {
    const { signedMessage, signature } = wallet.answer('', text);
    return this.ask<WithdrawalView>('POST', `/api/account/withdrawals/${withdrawal.id}/confirm`, { signedMessage, signature });
  }

  async list(): Promise<WithdrawalView[]> {
    return (await this.ask<{ withdrawals: WithdrawalView[] }>('GET', '/api/account/withdrawals')).body.withdrawals;
  }
}
