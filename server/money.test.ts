import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { earningsLeaf, rootFrom } from '../shared/earnings.ts';
import { fromBase64Url, toHex } from '../shared/formats.ts';
import type { OwnerId } from '../shared/model.ts';
import type { EarningsProof, MoneyView } from '../shared/money-schemas.ts';
import { addressOf, CREDIT, Earner, exampleReport, type MoneyTest, SETTLE_TOKEN, withMoney } from './money.testing.ts';
import { refusalOf } from './settle/order.ts';
import { encodeBase58, TestWallet } from './solana.testing.ts';
import { exampleTransfer } from './store/testing.ts';

const earned = ({ store }: MoneyTest, { owner }: Earner) => store.ledger.balance(`${owner}/earned`, 'credit');
const signatureOf = (fill: number): string => encodeBase58(new Uint8Array(64).fill(fill));

async function expectRightBooks({ store }: MoneyTest): Promise<void> {
  for (const books of await store.ledger.audit()) expect(books).toMatchObject({ sum: 0n, wrongAccounts: 0 });
}

test('asked, signed, handed over, paid: each step once, in the books and in the list', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    const asked = await ada.withdraw(12n * CREDIT);
    expect(asked.status).toBe(201);
    expect(asked.body.challenge.text).toContain(
      `Withdraw 12000000 base units of the token ${addressOf(7)} to this wallet, as withdrawal ${asked.body.withdrawal.id}.`,
    );
    expect(asked.body.challenge.text).toContain('Chain ID: solana:localnet');
    expect((await test.sync()).orders).toEqual([]);
    expect(await earned(test, ada)).toBe(20n * CREDIT);

    expect((await ada.confirm(asked.body)).body).toMatchObject({ state: 'pending', tokens: '12000000' });
    expect(await earned(test, ada)).toBe(8n * CREDIT);
    const { orders, epoch, root } = await test.sync();
    expect(orders).toHaveLength(1);
    const [order] = orders;
    if (!order) throw new Error('unreachable');
    expect(refusalOf({ ...order, tokens: BigInt(order.tokens), openingTokens: BigInt(order.openingTokens) })).toBeNull();
    // Told as long as it is not paid, and no more than that.
    expect((await test.sync()).orders).toEqual(orders);

    const outcome = { kind: 'paid', signature: signatureOf(1), tokens: '11500000', epoch } as const;
    expect(await test.sync({ ended: [{ id: order.id, outcome }] })).toMatchObject({ told: [order.id], orders: [] });
    expect(await test.sync({ ended: [{ id: order.id, outcome }] })).toMatchObject({ told: [order.id] });
    expect(await ada.list()).toMatchObject([{ state: 'paid', paidTokens: '11500000', signature: signatureOf(1), microCredits: '12000000' }]);
    expect(await test.store.ledger.balance('chain/outside', 'token')).toBe(11_500_000n);
    expect(await test.store.ledger.balance('operator/exchange', 'credit')).toBe(-8n * CREDIT);
    await expectRightBooks(test);

    const { proof } = (await ada.ask<{ proof: EarningsProof }>('GET', '/api/account/earnings')).body;
    expect(proof).toMatchObject({
      root,
      epoch,
      wallet: ada.wallet.address,
      creditsMicroCredits: '20000000',
      debitsMicroCredits: '0',
      transactions: [signatureOf(1)],
    });
    const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
    const leaf = {
      epoch: proof.epoch,
      wallet: proof.wallet,
      credits: proof.creditsMicroCredits,
      debits: proof.debitsMicroCredits,
      salt: fromBase64Url(proof.salt),
    };
    const siblings = proof.siblings.map((sibling) => (sibling === null ? null : fromBase64Url(sibling)));
    expect(rootFrom(earningsLeaf(leaf, sha256), proof.index, siblings, sha256)).toBe(toHex(fromBase64Url(root)));
    expect(rootFrom(earningsLeaf({ ...leaf, credits: '20000001' }, sha256), proof.index, siblings, sha256)).not.toBe(toHex(fromBase64Url(root)));
  }));

test('one that cannot be paid gives its credits back, once, and may be asked for again', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 10n * CREDIT);
    const { body } = await ada.withdraw(10n * CREDIT);
    await ada.confirm(body);
    const ended = [{ id: body.withdrawal.id, outcome: { kind: 'failed' as const, reason: 'frozen' } }];
    await test.sync({ ended });
    await test.sync({ ended });
    // A settle process that contradicts itself moves nothing, and is heard of.
    await test.sync({ ended: [{ id: body.withdrawal.id, outcome: { kind: 'paid', signature: signatureOf(1), tokens: '1', epoch: 0 } }] });
    expect(test.errors).toHaveLength(1);
    expect(await earned(test, ada)).toBe(10n * CREDIT);
    expect(await ada.list()).toMatchObject([{ state: 'failed', reason: 'frozen', signature: null }]);
    expect((await ada.withdraw(10n * CREDIT)).status).toBe(201);
    await expectRightBooks(test);
  }));

test('fifty withdrawals at once take what is there, and no more', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    const { owner, wallet } = ada;
    const asking = { owner, wallet: wallet.address, sessionHash: new Uint8Array(32), origin: 'http://localhost', ip: '::1', country: null, claim: null };
    const outcomes = async <T>(promises: readonly Promise<T>[]) => {
      const settled = await Promise.allSettled(promises);
      const done = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      const reasons = settled.flatMap((each) =>
        each.status === 'rejected' ? [(each.reason as { code?: string; name: string }).code ?? each.reason.name] : [],
      );
      return { done, reasons: reasons.toSorted() };
    };
    // Over HTTP the cap on tries would come first.
    const asked = await outcomes(Array.from({ length: 50 }, () => test.money.ask(6n * CREDIT, asking)));
    expect(asked.reasons).toEqual(Array(45).fill('too_many'));
    const twice = asked.done.flatMap(({ withdrawal, challenge }) => {
      const { signedMessage, signature } = wallet.answer('', challenge.text);
      return [0, 1].map(() => test.money.confirm(withdrawal.id, { signedMessage, signature }, asking));
    });
    const confirmed = await outcomes(twice);
    // Three are covered; the other answers to each came second, or found too little.
    expect(confirmed.done).toHaveLength(3);
    expect(confirmed.reasons).toEqual([...Array(2).fill('InsufficientCredits'), ...Array(5).fill('conflict')]);
    expect(await earned(test, ada)).toBe(2n * CREDIT);
    expect((await test.sync()).orders).toHaveLength(3);
    await expectRightBooks(test);
  }));

test('one idempotency key is one withdrawal, and refuses another body', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    const key = { 'idempotency-key': 'a-key' };
    const [first, again] = [await ada.withdraw(6n * CREDIT, key), await ada.withdraw(6n * CREDIT, key)];
    expect(again.body).toEqual(first.body);
    const other = await ada.withdraw(7n * CREDIT, key);
    expect(other).toMatchObject({ status: 422, body: { field: 'Idempotency-Key' } });
    expect(await ada.list()).toHaveLength(1);
  }));

test.each([
  '-1',
  '0',
  '0.5',
  '1e9',
  '18446744073709551616',
  '99999999999999999999',
  '',
  ' 6000000',
  '05000000',
  '0x5',
  '4999999',
  '1000000001',
  '73000000000000000',
])('an amount of %j micro-credits is refused with its limit', (amount) =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    const { status, body } = await ada.withdraw(amount);
    expect(status).toBe(400);
    expect(body).toMatchObject({ field: 'microCredits', limit: expect.any(String) });
    expect(await ada.list()).toEqual([]);
  }),
);

test('what a token cannot say exactly is refused; larger tokens are counted in their own units', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    await test.sync({ decimals: 2 });
    expect((await ada.withdraw(6n * CREDIT + 1n)).body).toMatchObject({ field: 'microCredits', limit: 'multiples of 10000 micro-credits' });
    expect((await ada.withdraw(6n * CREDIT)).body).toMatchObject({ withdrawal: { tokens: '600' } });
    await test.sync({ decimals: 9, dayTokensMax: '1000000000000' });
    expect((await ada.withdraw(6n * CREDIT + 1n)).body).toMatchObject({ withdrawal: { tokens: '6000001000' } });
    await expect(test.sync({ decimals: 13 })).rejects.toThrow('too many decimals');
  }));

test('more than was earned is refused: neither test credits, nor what was paid in, nor what vests can leave', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 6n * CREDIT);
    const give = (id: string, unit: 'test' | 'credit', account: 'grant' | 'earned' | 'deposited') =>
      exampleTransfer({
        id,
        unit,
        debit: unit === 'test' ? 'operator/issuance' : 'operator/exchange',
        credit: `${ada.owner}/${account}`,
        microCredits: 100n * CREDIT,
      });
    // Also test credits that a second account of one's own earned on one's own job.
    const transfers = [give('a', 'test', 'grant'), give('b', 'test', 'earned'), give('c', 'credit', 'deposited')];
    await test.store.commit(transfers.map((transfer) => ({ kind: 'transfer', transfer })));
    expect(await ada.withdraw(7n * CREDIT)).toMatchObject({ status: 402, body: { limit: '6.00 available' } });
    expect((await ada.withdraw(6n * CREDIT)).status).toBe(201);
  }));

test('only the wallet that is paid can sign, only the text it was asked for, only once, only in time, only in the session that asked', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 100n * CREDIT);
    const eve = await Earner.enter(test, 1n);
    const refused = async (attack: (asked: Awaited<ReturnType<Earner['withdraw']>>['body']) => ReturnType<Earner['confirm']>, field: string) => {
      const { body } = await ada.withdraw(6n * CREDIT);
      expect(await attack(body)).toMatchObject({ status: 403, body: { field } });
      // The one chance is gone.
      expect(await ada.confirm(body)).toMatchObject({ status: 409 });
    };
    await refused((asked) => ada.confirm(asked, { wallet: new TestWallet() }), 'signature');
    for (const [from, to] of [
      ['6000000 base units', '9000000 base units'],
      [ada.wallet.address, eve.wallet.address],
      ['localhost:8080', 'evil.example'],
      ['localhost:8080', 'localhost:8081'],
      ['solana:localnet', 'solana:mainnet'],
      [addressOf(7), addressOf(9)],
      ['00:05:00.000Z', '23:05:00.000Z'],
    ] as const)
      await refused((asked) => ada.confirm(asked, { text: asked.challenge.text.replaceAll(from, to) }), 'signedMessage');
    await refused((asked) => ada.confirm(asked, { text: `${asked.challenge.text}\n` }), 'signedMessage');
    await refused((asked) => {
      test.now.ms += 300_001;
      return ada.confirm(asked);
    }, 'id');
    await test.sync();
    await refused(async (asked) => {
      await ada.signIn();
      return ada.confirm(asked);
    }, 'id');
    // Somebody else is not told that there is such a withdrawal, and takes no chance away.
    const { body } = await ada.withdraw(6n * CREDIT);
    expect(await eve.confirm(body, { wallet: ada.wallet })).toMatchObject({ status: 404 });
    expect(await ada.confirm(body)).toMatchObject({ status: 200 });
    expect((await test.sync()).orders.map(({ wallet }) => wallet)).toEqual([ada.wallet.address]);
    expect(await earned(test, ada)).toBe(94n * CREDIT);
  }));

test('a device, an API key and a page of another origin withdraw nothing', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    const key = (
      await ada.ask<{ secret: string }>('POST', '/api/keys', { name: 'all', scopes: ['account:read', 'jobs:write', 'jobs:read'], budgetMicroCredits: null })
    ).body;
    const bearer = { authorization: `Bearer ${key.secret}`, cookie: '' };
    expect((await ada.withdraw(6n * CREDIT, bearer)).status).toBeGreaterThanOrEqual(401);
    expect((await ada.withdraw(6n * CREDIT, { origin: 'https://evil.example' })).status).toBe(403);
    await ada.ask('POST', '/api/account/sign-out', {});
    expect(await ada.withdraw(6n * CREDIT)).toMatchObject({ status: 403 });
  }));

test('off, away and screened: nothing is asked for, and the reason is told', async () => {
  await withMoney(
    async (test) => {
      const ada = await Earner.enter(test, 20n * CREDIT);
      expect((await ada.ask<MoneyView>('GET', '/api/money')).body).toEqual({ payouts: 'off', terms: null });
      expect(await ada.withdraw(6n * CREDIT)).toMatchObject({ status: 409, body: { detail: expect.stringContaining('not money') } });
      expect((await ada.ask('POST', '/api/settle', exampleReport(), { authorization: `Settle ${SETTLE_TOKEN}` })).status).toBe(401);
    },
    { off: true },
  );
  const asked: object[] = [];
  const screening = (about: object): boolean => {
    asked.push(about);
    if (asked.length === 3) throw new Error('the list is away');
    return asked.length < 2;
  };
  await withMoney(
    async (test) => {
      const ada = await Earner.enter(test, 20n * CREDIT);
      expect((await ada.withdraw(6n * CREDIT)).status).toBe(201);
      expect(asked).toMatchObject([{ purpose: 'withdrawal', wallet: ada.wallet.address, microCredits: 6n * CREDIT, country: null }]);
      expect(await ada.withdraw(6n * CREDIT)).toMatchObject({ status: 403, body: { field: 'wallet' } });
      expect(await ada.withdraw(6n * CREDIT)).toMatchObject({ status: 403, body: { field: 'wallet' } });
      test.now.ms += 60_001;
      expect((await ada.ask<MoneyView>('GET', '/api/money')).body.payouts).toBe('away');
      expect(await ada.withdraw(6n * CREDIT)).toMatchObject({ status: 503 });
    },
    { screening },
  );
});

test('only the settle process reports, and what it reports is checked', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    const report = (own: object, authorization?: string) => ada.ask('POST', '/api/settle', { ...exampleReport(), ...own }, { authorization });
    for (const wrong of [undefined, 'Settle', `Settle ${'t'.repeat(40)}`, `Bearer ${SETTLE_TOKEN}`]) expect((await report({}, wrong)).status).toBe(401);
    const right = `Settle ${SETTLE_TOKEN}`;
    expect((await report({}, right)).status).toBe(200);
    for (const own of [
      { decimals: -1 },
      { hotTokens: '-1' },
      { deposits: [{ signature: 'x', from: null, amount: '1' }] },
      { ended: [{ id: 'w_1', outcome: null }] },
      { more: 1 },
    ])
      expect((await report(own, right)).status).toBe(400);
    const unknown = { id: `w_${'A'.repeat(16)}`, outcome: { kind: 'failed', reason: '' } } as const;
    expect((await test.sync({ ended: [unknown] })).told).toEqual([]);
  }));

test('a deposit is credited once, to the wallet it came from; its residue is named, and nobody’s is nobody’s', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, CREDIT);
    const deposits = [
      { signature: signatureOf(1), from: ada.wallet.address, amount: '2500000999' },
      { signature: signatureOf(2), from: null, amount: '7' },
      { signature: signatureOf(3), from: ada.wallet.address, amount: '999' },
    ];
    for (let round = 0; round < 3; round++) await test.sync({ decimals: 9, deposits });
    const { ledger } = test.store;
    expect(await ledger.balance(`${ada.owner}/deposited`, 'credit')).toBe(2_500_000n);
    expect(await ledger.balance('chain/treasury', 'token')).toBe(2_500_000_000n);
    expect(await ledger.balance('operator/residue', 'token')).toBe(999n + 999n);
    expect(await ledger.balance('operator/unclaimed', 'token')).toBe(7n);
    const statement = await ledger.statement(ada.owner, { limit: 10 });
    expect(statement.map(({ transfer, account }) => [transfer.kind, account])).toEqual([
      ['deposit', 'deposited'],
      ['grant', 'earned'],
    ]);
    await expectRightBooks(test);
  }));

test('epochs cover every wallet, and a new one is made only when something has changed', () =>
  withMoney(async (test) => {
    const earners: Earner[] = [];
    for (let index = 0; index < 5; index++) earners.push(await Earner.enter(test, BigInt(index + 6) * CREDIT));
    const [ada] = earners;
    if (!ada) throw new Error('unreachable');
    await ada.confirm((await ada.withdraw(6n * CREDIT)).body);
    const { epoch, root } = await test.sync();
    test.now.ms += 60_000;
    expect(await test.sync()).toMatchObject({ epoch, root });
    for (const { wallet } of earners) expect((await test.money.proof(wallet.address))?.root).toBe(root);
    expect(await test.money.proof(addressOf(3))).toBeNull();
    const transfer = exampleTransfer({ id: 'more', unit: 'credit', debit: 'operator/exchange', credit: `${ada.owner}/earned` });
    await test.store.commit([{ kind: 'transfer', transfer }]);
    // Not at once: each costs a row for every wallet.
    expect((await test.sync()).epoch).toBe(epoch);
    test.now.ms += 60_001;
    const next = await test.sync();
    expect(next.epoch).toBe(epoch + 1);
    expect(next.root).not.toBe(root);
  }));

test('the statement as a file: tiles with their job, withdrawals, numbers as numbers and no formulas', () =>
  withMoney(async (test) => {
    const ada = await Earner.enter(test, 20n * CREDIT);
    await ada.confirm((await ada.withdraw(6n * CREDIT)).body);
    const transfer = exampleTransfer({ id: '=cmd|"x"!A1', unit: 'credit', debit: 'operator/exchange', credit: `${ada.owner as OwnerId}/earned` });
    await test.store.commit([{ kind: 'transfer', transfer }]);
    const { text, headers } = await ada.ask('GET', '/api/account/statement.csv');
    expect(headers['content-type']).toBe('text/csv; charset=utf-8');
    const lines = text.trimEnd().split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^time,transfer,kind,phase,account,unit,credits,job/);
    expect(lines[1]).toContain(`"'=cmd|""x""!A1"`);
    expect(lines[2]).toMatch(/,withdrawal,pending,earned,credit,-6\.00,/);
    expect(lines[3]).toMatch(/,grant,,earned,credit,20\.00,/);
  }));
