import { createKeyPairSignerFromPrivateKeyBytes, generateKeyPairSigner } from '@solana/kit';
import { describe, expect, test } from 'vitest';
import { type Batch, BatchTooLarge, type Payment } from './chain.ts';
import { markerAddress, outlineOf, paymentOf, paymentsFit, signBatch, TRANSACTION_BYTES_MAX } from './transaction.ts';

const hot = await createKeyPairSignerFromPrivateKeyBytes(new Uint8Array(32).fill(7));
const token = { mint: (await generateKeyPairSigner()).address, decimals: 6 };
const lifetime = { blockhash: (await generateKeyPairSigner()).address as string, lastValidBlockHeight: 150n };

const payments = (count: number, opensAccount: boolean): Promise<Payment[]> =>
  Promise.all(Array.from({ length: count }, async () => ({ to: (await generateKeyPairSigner()).address, amount: 2n ** 64n - 1n, opensAccount })));
const sign = (batch: Partial<Batch>) =>
  signBatch(hot, token, { marker: 'm'.repeat(32), memo: 'x'.repeat(paymentsFit.memoBytes), payments: [], ...batch }, lifetime);

describe('what fits', () => {
  test.each([
    [paymentsFit.whereAccountsExist, false],
    [paymentsFit.whereAccountsOpen, true],
  ])('%i payments, opening accounts: %s', async (count, opensAccount) => {
    expect((await sign({ payments: await payments(count, opensAccount) })).wire.length).toBeLessThanOrEqual(TRANSACTION_BYTES_MAX);
    await expect(sign({ payments: await payments(count + 1, opensAccount) })).rejects.toThrow(BatchTooLarge);
  });
  test('to the byte', async () => {
    const some = await payments(3, true);
    const { wire } = await sign({ payments: some });
    const memo = 'x'.repeat(paymentsFit.memoBytes + TRANSACTION_BYTES_MAX - wire.length);
    expect((await sign({ payments: some, memo })).wire).toHaveLength(TRANSACTION_BYTES_MAX);
    await expect(sign({ payments: some, memo: `${memo}x` })).rejects.toThrow(/1233 bytes with 3 payments, at most 1232/);
  });
});

test('the same arguments give the same bytes, another blockhash another signature', async () => {
  const batch = { marker: 'm1', memo: 'memo', payments: await payments(2, true) };
  const once = await sign(batch);
  expect(await sign(batch)).toEqual(once);
  const other = await signBatch(hot, token, batch, { ...lifetime, blockhash: token.mint });
  expect(other.signature).not.toBe(once.signature);
});

test.each(['', 'x'.repeat(33), 'ä', 'a b'])('the marker "%s" is refused', (marker) => expect(sign({ marker })).rejects.toThrow(/marker: 1 to 32/));

test('each marker has its own address', async () => {
  expect(await markerAddress(hot.address, 'a')).not.toBe(await markerAddress(hot.address, 'b'));
  expect(await markerAddress(hot.address, 'a')).not.toBe(await markerAddress(token.mint, 'a'));
});

test('instructions lead to their payments', async () => {
  const [a, b, c] = await payments(3, true);
  const { wire } = await sign({ payments: [a!, { ...b!, opensAccount: false }, c!] });
  const { feePayer, programs } = outlineOf(wire);
  expect(feePayer).toBe(hot.address);
  expect(programs.map((_, index) => paymentOf(programs, index))).toEqual([null, null, 0, 0, 1, 2, 2]);
  expect(paymentOf(programs, 99)).toBeNull();
});
