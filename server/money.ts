import { MICRO, type MicroCredits } from '../shared/credits.ts';
import { fromBase64Url, toBase64Url, toHex } from '../shared/formats.ts';
import { limits, MINUTE_MS } from '../shared/limits.ts';
import type { OwnerId } from '../shared/model.ts';
import {
  type EarningsProof,
  type MoneyView,
  type PayoutTerms,
  SETTLE_ORDERS_MAX,
  type SettleAnswer,
  type SettleReport,
  type WithdrawalAsked,
  type WithdrawalView,
} from '../shared/money-schemas.ts';
import { atCap } from './caps.ts';
import type { Config } from './config.ts';
import { earnedAccount } from './core/ledger.ts';
import { proofOf, writeEpoch } from './earnings.ts';
import { newWithdrawalId, walletOwner } from './ids.ts';
import type { Screening } from './screening.ts';
import { orderInput, orderText, refusalOf } from './settle/order.ts';
import { type Claim, RequestRepeated } from './store/idempotency.ts';
import type { StoredWithdrawal, WithdrawalEnd } from './store/money.ts';
import { AMOUNT_MAX } from './store/postings.ts';
import { InsufficientCredits, type Store, type Transfer } from './store/store.ts';

export interface MoneyDeps {
  readonly store: Store;
  /** Null: credits are never money here. */
  readonly payouts: Config['payouts'];
  readonly screening: Screening;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** A refusal in the words of `ErrorCode`. */
export class MoneyError extends Error {
  override readonly name = 'MoneyError';
  readonly code: 'bad_input' | 'forbidden' | 'not_found' | 'conflict' | 'too_many' | 'busy';
  readonly field: string | undefined;
  readonly limit: string | undefined;

  constructor(code: MoneyError['code'], message: string, field?: string, limit?: string) {
    super(message);
    this.code = code;
    this.field = field;
    this.limit = limit;
  }
}

/** Who asks for money, and from where. */
export interface Asking {
  readonly owner: OwnerId;
  readonly wallet: string | null;
  readonly sessionHash: Uint8Array;
  /** As the browser sees this coordinator. */
  readonly origin: string;
  /** For the operator's screening: the address it comes from, and the country that his proxy names. */
  readonly ip: string;
  readonly country: string | null;
  readonly claim: Claim | null;
}

const NONCE_BYTES = 16;
/** The settle process reports every two seconds. */
const AWAY_MS = MINUTE_MS;
/** Of one owner, that wait for a signature or for their payout: more would only be dust. */
const OPEN_MAX = 5;
const LISTED_MAX = 100;
/** While something is to be paid. Each changes nobody's money, and costs a row. */
const EPOCH_MS = MINUTE_MS;

interface Heard {
  readonly report: SettleReport;
  readonly atMs: number;
}

/** Credits that are money: deposits, withdrawals, and what proves them. What is on the chain is the settle process's alone. */
export class Money {
  readonly #deps: MoneyDeps;
  #heard: Heard | null = null;
  /** When what is earned was last compared with the newest epoch. */
  #comparedMs = 0;

  constructor(deps: MoneyDeps) {
    this.#deps = deps;
  }

  view(): MoneyView {
    const { payouts, clock } = this.#deps;
    if (payouts === null) return { payouts: 'off', terms: null };
    const heard = this.#heard;
    if (!heard) return { payouts: 'away', terms: null };
    const { chain, mint, decimals, treasury, waiting } = heard.report;
    const terms = {
      ...{ chain, mint, tokenName: payouts.tokenName, decimals, treasury, waiting },
      minimumMicroCredits: payouts.minimum.toString(),
      openingMicroCredits: payouts.opening.toString(),
      maximumMicroCredits: maximumOf(heard.report).toString(),
    };
    return { payouts: clock() - heard.atMs > AWAY_MS ? 'away' : 'on', terms };
  }

  /** Makes a withdrawal and the text that its wallet has to sign. Nothing is held yet. */
  async ask(microCredits: MicroCredits, asking: Asking): Promise<WithdrawalAsked> {
    const { store, clock, randomBytes } = this.#deps;
    const { wallet, owner } = asking;
    const terms = this.#terms();
    if (wallet === null) throw new MoneyError('forbidden', 'Sign in with the wallet that is to be paid first.');
    const tokens = tokensOf(microCredits, terms);
    const available = await store.ledger.balance(earnedAccount(owner), 'credit');
    if (available < microCredits) throw new InsufficientCredits(microCredits, available);
    await this.#screen({ purpose: 'withdrawal', wallet, microCredits, ip: asking.ip, country: asking.country });
    const now = clock();
    const expiresMs = now + limits.challengeMsMax;
    const order = {
      ...{ id: newWithdrawalId(randomBytes), wallet, tokens, openingTokens: tokensOfWhole(BigInt(terms.openingMicroCredits), terms.decimals) },
      ...{ mint: terms.mint, chain: terms.chain, origin: asking.origin, nonce: toHex(randomBytes(NONCE_BYTES)) },
      ...{ issuedAt: new Date(now).toISOString(), expiresAt: new Date(expiresMs).toISOString() },
    };
    const withdrawal: StoredWithdrawal = {
      ...{ id: order.id, owner, state: 'asked', microCredits, order, sessionHash: asking.sessionHash, signature: null, transaction: null },
      ...{ paidTokens: null, reason: null, createdMs: now, expiresMs, endedMs: null },
    };
    await store.money.expire(now);
    const isAsked = await store.money.ask(withdrawal, OPEN_MAX, asking.claim).catch((error: unknown) => {
      if (error instanceof RequestRepeated) throw new MoneyError('conflict', 'This request was sent twice at once. Ask again for the answer of the first.');
      throw error;
    });
    if (!isAsked)
      throw new MoneyError('too_many', `At most ${OPEN_MAX} withdrawals may be open at a time. Wait until one is paid, or five minutes for unsigned ones.`);
    return askedView(withdrawal);
  }

  /** One that was asked for before and whose answer was lost. */
  async asked(id: string, owner: OwnerId): Promise<WithdrawalAsked> {
    return askedView(await this.#own(id, owner));
  }

  /** The wallet's answer. Whatever comes of it, there is no second one. */
  async confirm(
    id: string,
    { signedMessage, signature }: { signedMessage: string; signature: string },
    asking: Pick<Asking, 'owner' | 'sessionHash'>,
  ): Promise<WithdrawalView> {
    const { store, clock } = this.#deps;
    const { owner } = asking;
    await this.#own(id, owner);
    const withdrawal = await store.money.takeAsked(id, owner);
    if (!withdrawal) throw new MoneyError('conflict', 'This withdrawal was answered before, or is too old. Ask for it again.', 'id');
    if (Buffer.compare(withdrawal.sessionHash, asking.sessionHash) !== 0)
      throw new MoneyError('forbidden', 'This withdrawal was asked for in another session. Ask for it again.', 'id');
    if (withdrawal.expiresMs <= clock())
      throw atCap('challengeMsMax', new MoneyError('forbidden', 'This withdrawal was not signed in time. Ask for it again.', 'id'));
    if (!Buffer.from(orderText(withdrawal.order), 'utf8').equals(fromBase64Url(signedMessage)))
      throw new MoneyError('forbidden', 'The wallet signed another text than it was asked to.', 'signedMessage');
    const refusal = refusalOf({ ...withdrawal.order, signature });
    if (refusal !== null) throw new MoneyError('forbidden', `The signature is not one of this wallet (${refusal}).`, 'signature');
    await store.money.confirm(id, toBase64Url(fromBase64Url(signature)), holdOf(withdrawal, clock()));
    return viewOf(await this.#own(id, owner));
  }

  async list(owner: OwnerId): Promise<WithdrawalView[]> {
    return (await this.#deps.store.money.withdrawalsOf(owner, LISTED_MAX)).map(viewOf);
  }

  /** What a wallet had earned at the newest epoch that a payout carries; before there was one, at the newest of all. */
  async proof(wallet: string): Promise<EarningsProof | null> {
    const { money } = this.#deps.store;
    const epoch = (await money.carriedEpoch()) ?? (await money.newestEpoch());
    return epoch ? proofOf(epoch, wallet) : null;
  }

  /** What the settle process tells is written down; what it is told is all there is to pay. Repeated as often as anybody likes. */
  async sync(report: SettleReport): Promise<SettleAnswer> {
    const { store, clock } = this.#deps;
    if (this.#deps.payouts === null) throw new MoneyError('conflict', 'Payouts are off here: PAYOUTS is not on.');
    if (report.decimals > DECIMALS_MAX) throw new MoneyError('bad_input', 'The token has too many decimals.', 'decimals', `at most ${DECIMALS_MAX}`);
    const told: string[] = [];
    for (const ended of report.ended) if (await this.#end(ended)) told.push(ended.id);
    for (const deposit of report.deposits) await this.#deposit(deposit, report);
    this.#heard = { report, atMs: clock() };
    const pending = await store.money.pending(SETTLE_ORDERS_MAX);
    const epoch = pending.length > 0 ? await this.#epoch() : await store.money.newestEpoch();
    const orders = pending.map(({ order, signature }) => ({
      ...order,
      tokens: order.tokens.toString(),
      openingTokens: order.openingTokens.toString(),
      signature: signature ?? '',
    }));
    return { orders, epoch: epoch?.number ?? 0, root: epoch?.root ?? '-', told };
  }

  async #epoch(): ReturnType<Store['money']['newestEpoch']> {
    const { store, clock } = this.#deps;
    const newest = await store.money.newestEpoch();
    if (newest && clock() - Math.max(newest.atMs, this.#comparedMs) < EPOCH_MS) return newest;
    this.#comparedMs = clock();
    return writeEpoch(store.money, await store.secret('earnings'), clock());
  }

  /** Whether it is in the books now. */
  async #end({ id, outcome }: SettleReport['ended'][number]): Promise<boolean> {
    const { store, clock, log } = this.#deps;
    const withdrawal = await store.money.withdrawal(id);
    if (!withdrawal || !['pending', 'paid', 'failed'].includes(withdrawal.state)) {
      log.error({ withdrawal: id, outcome }, 'a withdrawal has ended that these books do not have');
      return false;
    }
    const state = outcome.kind;
    if (withdrawal.state !== 'pending') {
      if (withdrawal.state !== state) log.error({ withdrawal: id, was: withdrawal.state, is: state }, 'a withdrawal has ended twice, not alike');
      return true;
    }
    const atMs = clock();
    const paid = outcome.kind === 'paid' ? { transaction: outcome.signature, paidTokens: BigInt(outcome.tokens), epoch: outcome.epoch } : null;
    const end: WithdrawalEnd = {
      ...{ id, state, atMs, transaction: paid?.transaction ?? null, paidTokens: paid?.paidTokens ?? null, epoch: paid?.epoch ?? null },
      reason: outcome.kind === 'failed' ? outcome.reason : null,
      transfers: endOf(withdrawal, paid?.paidTokens ?? null, atMs),
    };
    await store.money.end(end);
    log.info({ withdrawal: id, state }, 'a withdrawal has ended');
    return true;
  }

  /** Tokens of a wallet become credits of its account, once; those that nobody can be asked about wait for the operator. */
  async #deposit({ signature, from, amount }: SettleReport['deposits'][number], { decimals }: SettleReport): Promise<void> {
    const { store, clock } = this.#deps;
    const tokens = BigInt(amount);
    const micro = (tokens * MICRO) / 10n ** BigInt(decimals);
    const allowed = from !== null && (await this.#isAllowed({ purpose: 'deposit', wallet: from, microCredits: micro, ip: null, country: null }));
    await store.money.post(depositOf({ signature, owner: allowed ? walletOwner(from) : null, tokens, micro, decimals, atMs: clock() }));
  }

  #terms(): PayoutTerms {
    const { payouts, terms } = this.view();
    if (payouts === 'off') throw new MoneyError('conflict', 'This coordinator pays nothing out: credits here are not money.');
    if (payouts === 'away' || !terms) throw new MoneyError('busy', 'The process that pays out is away. Try again in a minute; nothing was held.');
    return terms;
  }

  async #screen(about: Parameters<Screening>[0]): Promise<void> {
    if (!(await this.#isAllowed(about)))
      throw new MoneyError('forbidden', 'The operator of this coordinator does not pay out to this wallet or region.', 'wallet');
  }

  /** A check that breaks down allows nothing. */
  async #isAllowed(about: Parameters<Screening>[0]): Promise<boolean> {
    try {
      return (await this.#deps.screening(about)) === true;
    } catch (error) {
      this.#deps.log.error({ error: String(error), purpose: about.purpose }, 'the operator’s screening failed');
      return false;
    }
  }

  async #own(id: string, owner: OwnerId): Promise<StoredWithdrawal> {
    const withdrawal = await this.#deps.store.money.withdrawal(id);
    if (withdrawal?.owner !== owner) throw new MoneyError('not_found', 'There is no such withdrawal.', 'id');
    return withdrawal;
  }
}

const DECIMALS_MAX = 12;
const U64_MAX = 2n ** 64n - 1n;

/** The settle process pays no more than this in a day, and no larger number fits the books. */
function maximumOf({ dayTokensMax, decimals }: SettleReport): MicroCredits {
  const day = (BigInt(dayTokensMax) * MICRO) / 10n ** BigInt(decimals);
  return day < AMOUNT_MAX ? day : AMOUNT_MAX;
}

/** Base units, rounded down: nothing is promised that was not taken. */
const tokensOfWhole = (microCredits: MicroCredits, decimals: number): bigint => (microCredits * 10n ** BigInt(decimals)) / MICRO;

/** A credit is one token. Refuses what no transfer could say exactly. */
function tokensOf(microCredits: MicroCredits, terms: PayoutTerms): bigint {
  const [least, most] = [BigInt(terms.minimumMicroCredits), BigInt(terms.maximumMicroCredits)];
  const refuse = (message: string, limit: string): MoneyError => new MoneyError('bad_input', message, 'microCredits', limit);
  if (microCredits < least) throw refuse('That is less than is worth a payout.', `at least ${least} micro-credits`);
  if (microCredits > most) throw refuse('That is more than can be paid out at once.', `at most ${most} micro-credits`);
  const scale = 10n ** BigInt(terms.decimals);
  if ((microCredits * scale) % MICRO !== 0n) throw refuse('The token has fewer decimals than that.', `multiples of ${MICRO / scale} micro-credits`);
  const tokens = tokensOfWhole(microCredits, terms.decimals);
  if (tokens > U64_MAX) throw refuse('No account of the token can hold that.', `at most ${U64_MAX} base units`);
  return tokens;
}

const holdOf = ({ id, owner, microCredits }: StoredWithdrawal, atMs: number): Transfer => ({
  ...{ id: `withdraw/${id}`, unit: 'credit', debit: earnedAccount(owner), credit: 'operator/exchange', microCredits, phase: 'pending' },
  ...{ kind: 'withdrawal', job: null, at: null, atMs },
});

/** Null: nothing was paid, and what was held goes back. */
function endOf(withdrawal: StoredWithdrawal, paidTokens: bigint | null, atMs: number): Transfer[] {
  const hold = holdOf(withdrawal, atMs);
  if (paidTokens === null) return [{ ...hold, id: `${hold.id}/void`, phase: 'void', pending: hold.id }];
  return [
    { ...hold, id: `${hold.id}/post`, phase: 'post', pending: hold.id },
    {
      ...{ id: `payout/${withdrawal.id}`, unit: 'token', debit: 'chain/hot', credit: 'chain/outside', microCredits: paidTokens },
      ...{ kind: 'payout', job: null, at: null, atMs },
    },
  ];
}

interface Received {
  readonly signature: string;
  /** Null: nobody's. */
  readonly owner: OwnerId | null;
  readonly tokens: bigint;
  readonly micro: MicroCredits;
  readonly decimals: number;
  readonly atMs: number;
}

/** What is less than a micro-credit is the operator's residue, by name. */
function depositOf({ signature, owner, tokens, micro, decimals, atMs }: Received): Transfer[] {
  const common = { kind: 'receipt', job: null, at: null, atMs } as const;
  const received = { ...common, unit: 'token', debit: 'chain/outside' } as const;
  if (owner === null) return [{ ...received, id: `unclaimed/${signature}`, credit: 'operator/unclaimed', microCredits: tokens }];
  const whole = tokensOfWhole(micro, decimals);
  const transfers: Transfer[] = [
    { ...received, id: `receipt/${signature}`, credit: 'chain/treasury', microCredits: whole },
    { ...received, id: `residue/${signature}`, credit: 'operator/residue', microCredits: tokens - whole },
    { ...common, kind: 'deposit', id: `deposit/${signature}`, unit: 'credit', debit: 'operator/exchange', credit: `${owner}/deposited`, microCredits: micro },
  ];
  return transfers.filter(({ microCredits }) => microCredits > 0n);
}

function viewOf({ id, state, microCredits, order, transaction, paidTokens, reason, createdMs, endedMs }: StoredWithdrawal): WithdrawalView {
  return {
    ...{ id, state, wallet: order.wallet, microCredits: microCredits.toString(), tokens: order.tokens.toString() },
    ...{ paidTokens: paidTokens?.toString() ?? null, signature: transaction, reason, chain: order.chain, createdMs, endedMs },
  };
}

const askedView = (withdrawal: StoredWithdrawal): WithdrawalAsked => ({
  withdrawal: viewOf(withdrawal),
  challenge: { nonce: withdrawal.order.nonce, text: orderText(withdrawal.order), input: orderInput(withdrawal.order) },
});
