import { WalletAccountError, WalletConnectionError, WalletSignInError } from '@solana/wallet-adapter-base';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PayoutTerms, WithdrawalAsked, WithdrawalView } from '../../shared/money-schemas.ts';
import { session } from '../net/session.svelte.ts';
import { amountProblem, explorerUrl, stateWords, tokensOf, tokenWords, typedAmount, wholeAmount, withdrawalProblem } from './withdrawal-words.ts';
import { Withdrawals } from './withdrawals.svelte.ts';

const signing = vi.hoisted(() => ({ sign: async (): Promise<{ signedMessage: string; signature: string }> => ({ signedMessage: 'AQ', signature: 'Ag' }) }));
vi.mock('./wallet.svelte.ts', () => ({ wallet: { sign: () => signing.sign() } }));

const CREDIT = 1_000_000n;
const terms: PayoutTerms = {
  ...{ chain: 'solana:mainnet', mint: 'M'.repeat(32), tokenName: 'USDX', decimals: 6, treasury: 'T'.repeat(32) },
  ...{ minimumMicroCredits: '5000000', openingMicroCredits: '500000', maximumMicroCredits: '100000000', waiting: null },
};
const row = (own: Partial<WithdrawalView> = {}): WithdrawalView => ({
  ...{ id: 'w_AAAAAAAAAAAAAAAA', state: 'pending', wallet: 'A', microCredits: '7000000', tokens: '7000000', paidTokens: null },
  ...{ signature: null, reason: null, chain: 'solana:mainnet', createdMs: 0, endedMs: null, ...own },
});

describe('an amount', () => {
  const problem = (text: string, own: Partial<PayoutTerms> = {}) => amountProblem(text, { ...terms, ...own }, 50n * CREDIT);

  it('is between the limits, which are named, and no more than there is', () => {
    for (const good of ['', ' ', '5', '12.5', '50', '5.000001']) expect(problem(good), good).toBeUndefined();
    expect(problem('4.999999')).toBe('At least 5.00 credits.');
    expect(problem('100.000001')).toBe('At most 100.00 credits at once.');
    expect(problem('50.000001')).toContain('At most 50.00 credits: that is all you have earned');
    for (const bad of ['-5', 'much', '1,5', '5.0000001']) expect(problem(bad), bad).toBeTruthy();
  });

  it('has no more decimals than the token', () => {
    expect(problem('5.25', { decimals: 2 })).toBeUndefined();
    expect(problem('5.251', { decimals: 2 })).toBe('At most 2 decimals: USDX has no more.');
    expect(problem('5.000001', { decimals: 9 })).toBeUndefined();
  });

  it('may be all of it, in steps of the token, up to the most', () => {
    expect(wholeAmount(terms, 7_123_456n)).toBe(7_123_456n);
    expect(wholeAmount({ ...terms, decimals: 2 }, 7_123_456n)).toBe(7_120_000n);
    expect(wholeAmount(terms, 200n * CREDIT)).toBe(100n * CREDIT);
  });

  it('arrives in the token, exactly', () => {
    const arrives = (micro: bigint, decimals: number) => tokenWords(tokensOf(micro, { decimals }), { ...terms, decimals });
    expect([arrives(7_120_000n, 6), arrives(7n * CREDIT, 9), arrives(7n * CREDIT, 0), arrives(1n, 6)]).toEqual([
      '7.12 USDX',
      '7 USDX',
      '7 USDX',
      '0.000001 USDX',
    ]);
    expect([typedAmount('7.12'), typedAmount('x')]).toEqual([7_120_000n, null]);
  });
});

describe('the words of a withdrawal', () => {
  const words = (own: Partial<WithdrawalView>, now = 0) => stateWords(row(own), terms, now);

  it('say how it stands', () => {
    expect(words({})).toBe('Waiting for payout.');
    expect(words({ state: 'paid', paidTokens: '7000000' })).toBe('Paid: 7 USDX.');
    expect(words({ state: 'paid', paidTokens: '6500000' })).toContain('6.5 USDX. 0.5 USDX were kept');
    expect(words({ state: 'failed', reason: 'The account is frozen.' })).toBe('Given back. The account is frozen.');
    expect(words({ state: 'refused' })).toContain('Nothing was held.');
    expect(words({ state: 'asked' })).toContain('Waiting for your wallet');
    expect(words({ state: 'asked' }, 300_001)).toContain('not signed in time');
    expect(stateWords(row({ state: 'paid', paidTokens: '1' }), null, 0)).toBe('Paid.');
  });

  it('link to the explorer for the chains that it knows', () => {
    expect(explorerUrl('solana:mainnet', 'S1')).toBe('https://explorer.solana.com/tx/S1');
    expect(explorerUrl('solana:devnet', 'S1')).toBe('https://explorer.solana.com/tx/S1?cluster=devnet');
    expect(explorerUrl('solana:localnet', 'S1')).toBeNull();
  });

  it.each([
    [new WalletSignInError('User rejected the request.'), 'The wallet did not sign', 'User rejected the request. Nothing is held.'],
    [new WalletSignInError(''), 'The wallet did not sign', 'It gave no reason. Nothing is held.'],
    [new WalletConnectionError('The wallet is locked.'), 'The wallet did not connect', 'The wallet is locked. Nothing is held.'],
    [new WalletAccountError('It shows B.'), 'The wallet answered for another account', 'It shows B. Nothing is held.'],
  ])('say that nothing is held: %s', (error, title, detail) => expect(withdrawalProblem(error)).toEqual({ title, detail }));
});

interface Asked {
  readonly path: string;
  readonly key: string | undefined;
  readonly body: unknown;
}
const asked: Asked[] = [];
const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
let list: WithdrawalView[];
/** What is answered in place of a yes, by path; null: no answer at all. */
let refusals: Record<string, { status: number; body: object } | null>;
let expiresMs: number;

const challengeOf = (): WithdrawalAsked =>
  ({
    withdrawal: row({ state: 'asked' }),
    challenge: { nonce: 'n', text: 't', input: { expirationTime: new Date(expiresMs).toISOString() } },
  }) as unknown as WithdrawalAsked;

const CONFIRM = '/api/account/withdrawals/w_AAAAAAAAAAAAAAAA/confirm';
function answer(method: string, path: string): object {
  if (path === '/api/session') return { owner: 'o', wallet: 'A', balances: [], jobs: 0 };
  if (method === 'GET') return { withdrawals: list };
  if (path !== CONFIRM) return challengeOf();
  list = [row()];
  return row();
}

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  list = [];
  refusals = {};
  expiresMs = Date.now() + 300_000;
  page.visibilityState = 'visible';
  vi.stubGlobal('document', page);
  vi.stubGlobal('fetch', async (path: string, { method = 'GET', body, headers = {} }: { method?: string; body?: string; headers?: Record<string, string> }) => {
    asked.push({ path, key: headers['idempotency-key'], body: body && JSON.parse(body) });
    const refusal = method === 'POST' ? refusals[path] : undefined;
    if (refusal === null) throw new TypeError('Failed to fetch');
    return refusal ? new Response(JSON.stringify(refusal.body), { status: refusal.status }) : new Response(JSON.stringify(answer(method, path)));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});
const ASK = '/api/account/withdrawals';
const asks = () => asked.filter(({ path, body }) => path === ASK && body !== undefined);
const confirms = () => asked.filter(({ path }) => path === CONFIRM);

describe('withdrawing', () => {
  it('asks, has the wallet sign, confirms, and shows what waits', async () => {
    const withdrawals = new Withdrawals();
    withdrawals.amount = '7';
    const done = withdrawals.withdraw(7n * CREDIT);
    expect(withdrawals.busy).toBe('asking');
    await done;
    expect(asks()).toEqual([{ path: ASK, key: expect.stringMatching(/^[0-9a-f]{8}-/), body: { microCredits: '7000000' } }]);
    expect(confirms()[0]!.body).toEqual({ signedMessage: 'AQ', signature: 'Ag' });
    expect([withdrawals.list, withdrawals.amount, withdrawals.busy, withdrawals.problem]).toEqual([[row()], '', null, null]);
    await withdrawals.withdraw(7n * CREDIT);
    expect(asks()[1]!.key).not.toBe(asks()[0]!.key);
  });

  it('keeps its key while no answer came, and takes another after a refusal', async () => {
    const withdrawals = new Withdrawals();
    refusals[ASK] = null;
    await withdrawals.withdraw(7n * CREDIT);
    expect(withdrawals.problem).toEqual({ title: 'Not connected', detail: expect.stringMatching(/Nothing is held\.$/) });
    refusals[ASK] = { status: 422, body: { code: 'bad_input', detail: 'Too little.', field: 'microCredits', limit: 'at least 5 credits' } };
    await withdrawals.withdraw(7n * CREDIT);
    expect(withdrawals.problem?.detail).toBe('Too little. Accepted: at least 5 credits. Nothing is held.');
    delete refusals[ASK];
    await withdrawals.withdraw(7n * CREDIT);
    const [first, second, third] = asks().map(({ key }) => key);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  it('takes another key for another amount', async () => {
    const withdrawals = new Withdrawals();
    refusals[ASK] = null;
    await withdrawals.withdraw(7n * CREDIT);
    await withdrawals.withdraw(8n * CREDIT);
    expect(new Set(asks().map(({ key }) => key)).size).toBe(2);
  });

  it('confirms nothing that the wallet did not sign, and has it sign the same again while there is time', async () => {
    const withdrawals = new Withdrawals();
    const sign = vi.spyOn(signing, 'sign').mockRejectedValueOnce(new WalletSignInError('User rejected the request.'));
    await withdrawals.withdraw(7n * CREDIT);
    expect(withdrawals.problem).toEqual({ title: 'The wallet did not sign', detail: 'User rejected the request. Nothing is held.' });
    expect(confirms()).toEqual([]);
    await withdrawals.withdraw(7n * CREDIT);
    expect([asks().length, confirms().length, sign.mock.calls.length]).toEqual([1, 1, 2]);
  });

  it('asks anew for what is about to expire', async () => {
    const withdrawals = new Withdrawals();
    vi.spyOn(signing, 'sign').mockRejectedValueOnce(new WalletSignInError('No.'));
    await withdrawals.withdraw(7n * CREDIT);
    vi.setSystemTime(expiresMs - 20_000);
    await withdrawals.withdraw(7n * CREDIT);
    expect(new Set(asks().map(({ key }) => key)).size).toBe(2);
  });

  it('says why it was not confirmed', async () => {
    const withdrawals = new Withdrawals();
    refusals[CONFIRM] = { status: 403, body: { code: 'forbidden', detail: 'This withdrawal was not signed in time. Ask for it again.' } };
    await withdrawals.withdraw(7n * CREDIT);
    expect(withdrawals.problem).toEqual({
      title: 'Nothing was withdrawn',
      detail: 'This withdrawal was not signed in time. Ask for it again. Nothing is held.',
    });
  });

  it('claims nothing where the answer to the signature was lost: the list tells', async () => {
    const withdrawals = new Withdrawals();
    refusals[CONFIRM] = null;
    list = [row()];
    await withdrawals.withdraw(7n * CREDIT);
    expect(withdrawals.problem?.title).toBe('No answer came');
    expect(withdrawals.list).toEqual([row()]);
  });
});

describe('the list', () => {
  const looks = () => asked.filter(({ path, body }) => path === ASK && body === undefined).length;

  it('is looked at every three seconds while something waits and the page is seen', async () => {
    list = [row()];
    const refresh = vi.spyOn(session, 'refresh').mockResolvedValue();
    const withdrawals = new Withdrawals();
    const stop = withdrawals.follow();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(looks()).toBe(3);
    page.visibilityState = 'hidden';
    await vi.advanceTimersByTimeAsync(9_000);
    expect(looks()).toBe(3);
    page.visibilityState = 'visible';
    page.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(0);
    expect(looks()).toBe(4);
    expect(refresh).not.toHaveBeenCalled();
    list = [row({ state: 'paid', paidTokens: '7000000' })];
    await vi.advanceTimersByTimeAsync(12_000);
    expect(looks()).toBe(5);
    expect(refresh).toHaveBeenCalledTimes(1);
    stop();
    list = [row()];
    await withdrawals.load();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(looks()).toBe(6);
  });
});
