import { expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { encodeBase58, TestWallet } from '../solana.testing.ts';
import { FakeChain } from './chain.testing.ts';
import { Journal } from './journal.ts';
import { Machine } from './machine.ts';
import { readMemo, writeMemo } from './memo.ts';
import { type Order, orderText, refusalOf, type SignedOrder } from './order.ts';

const wallet = new TestWallet();
const order: Order = {
  id: 'w_AAAAAAAAAAAAAAAA',
  wallet: wallet.address,
  tokens: 100n,
  openingTokens: 2n,
  mint: encodeBase58(new Uint8Array(32).fill(7)),
  chain: 'solana:localnet',
  origin: 'http://localhost:8080',
  nonce: 'ab'.repeat(16),
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-01T00:05:00.000Z',
};
const sign = (own: Partial<Order> = {}, by = wallet): SignedOrder => {
  const signed = { ...order, ...own };
  return { ...signed, signature: by.answer('', orderText(signed)).signature };
};

test('what the wallet signed is paid; whatever is changed afterwards is not', () => {
  expect(refusalOf(sign())).toBeNull();
  const changes: Partial<Order>[] = [
    ...[
      { id: 'w_BAAAAAAAAAAAAAAA' },
      { wallet: new TestWallet().address },
      { tokens: 101n },
      { openingTokens: 1n },
      { mint: encodeBase58(new Uint8Array(32).fill(9)) },
    ],
    ...[{ chain: 'solana:mainnet' }, { origin: 'http://localhost:8081' }, { nonce: 'cd'.repeat(16) }, { expiresAt: '2026-01-02T00:05:00.000Z' }],
  ];
  for (const change of changes) expect(refusalOf({ ...sign(), ...change })).toMatch(/^signature: /);
  expect(refusalOf(sign({}, new TestWallet()))).toMatch(/^signature: /);
  expect(refusalOf({ ...sign(), signature: `${sign().signature}AA` })).toMatch(/^signature: /);
  expect(refusalOf(sign({ tokens: 2n }))).toMatch(/^tokens: /);
});

test('keys that anybody can sign for, and addresses that nobody can, are no wallets', () => {
  const smallOrder = encodeBase58(Uint8Array.from([1, ...new Array(31).fill(0)]));
  // y = 2 is the coordinate of no point.
  const offCurve = encodeBase58(Uint8Array.from([2, ...new Array(31).fill(0)]));
  for (const address of [smallOrder, offCurve, '1'.repeat(32), 'nobody']) expect(refusalOf(sign({ wallet: address }))).toMatch(/^wallet: /);
});

test('orders for another site, chain or token end where they came in, and nothing is paid', async () => {
  const chain = new FakeChain(new Rng(1));
  const journal = Journal.open(':memory:');
  const refusals: unknown[] = [];
  const { origin, mint } = order;
  const expected = { origin, mint, chain: order.chain };
  const log = (fields: object): void => void refusals.push(fields);
  const machine = new Machine({ journal, chain, expected, clock: () => 0, marker: () => `m${refusals.length}`, dayTokensMax: 1000n, log });
  const foreign = [{ origin: 'https://evil.example' }, { chain: 'solana:mainnet' }, { mint: encodeBase58(new Uint8Array(32).fill(9)) }];
  machine.take(foreign.map((own, index) => sign({ ...own, id: `w_${index}AAAAAAAAAAAAAAA` })));
  machine.take([{ ...sign({ id: 'w_3AAAAAAAAAAAAAAA' }), tokens: 999n }]);
  expect(refusals).toHaveLength(4);
  await machine.recover();
  chain.advance(400);
  for (let round = 0; round < 5; round++) await machine.tick({ epoch: 0, root: '-' });
  expect(chain.paid).toEqual([]);
  expect(journal.untold(10).map(({ outcome }) => outcome.kind)).toEqual(Array(4).fill('failed'));
});

test('the day’s limit and the hot wallet hold back what is too much, and let smaller ones pass', async () => {
  const chain = new FakeChain(new Rng(1));
  const journal = Journal.open(':memory:');
  const { origin, mint } = order;
  let now = 1_800_000_000_000;
  let markers = 0;
  const machine = new Machine({
    ...{
      journal,
      chain,
      expected: { origin, mint, chain: order.chain },
      clock: () => now,
      marker: () => `m${markers++}`,
      dayTokensMax: 250n,
      log: () => undefined,
    },
  });
  const owners = [new TestWallet(), new TestWallet(), new TestWallet(), new TestWallet()];
  const orders = owners.map((by, index) => sign({ id: `w_${index}AAAAAAAAAAAAAAA`, wallet: by.address, tokens: index === 1 ? 200n : 100n }, by));
  machine.take(orders);
  await machine.recover();
  const turn = async (): Promise<void> => {
    await machine.tick({ epoch: 0, root: '-' });
    chain.advance(200);
  };
  for (let round = 0; round < 6; round++) await turn();
  expect(chain.paid.map(({ amount }) => amount)).toEqual([98n, 98n]);
  expect(machine.waiting).toBe('the day’s limit is reached');
  now += 86_400_001;
  chain.tokens = 150n;
  for (let round = 0; round < 6; round++) await turn();
  expect(chain.paid.map(({ amount }) => amount)).toEqual([98n, 98n, 98n]);
  expect(machine.waiting).toBe('the hot wallet is short of tokens');
  chain.tokens = 1000n;
  now += 86_400_001;
  for (let round = 0; round < 6; round++) await turn();
  expect(chain.paid.map(({ amount }) => amount)).toEqual([98n, 98n, 98n, 198n]);
  expect(machine.waiting).toBeNull();
});

test('memos are read as they were written; anything else is nobody’s', () => {
  const memo = {
    epoch: 12,
    root: 'A'.repeat(43),
    payments: [
      { id: order.id, opensAccount: true },
      { id: 'w_-_-_-_-_-_-_-_-_', opensAccount: false },
    ],
  };
  expect(readMemo(writeMemo(memo))).toEqual(memo);
  expect(readMemo(writeMemo({ ...memo, root: '-' }))).toEqual({ ...memo, root: '-' });
  for (const text of [
    '',
    'tessera1 12 - ',
    'tessera1 -1 - AAAAAAAAAAAAAAAA',
    `tessera2 ${writeMemo(memo).slice(9)}`,
    `${writeMemo(memo)} `,
    `x${writeMemo(memo)}`,
  ])
    expect(readMemo(text)).toBeNull();
});
