import { type Instruction, signature } from '@solana/kit';
import { getAddMemoInstruction, LEGACY_MEMO_PROGRAM_ADDRESS_V3 } from '@solana-program/memo';
import { getTransferSolInstruction } from '@solana-program/system';
import { getBurnInstruction } from '@solana-program/token';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Batch, Chain } from './chain.ts';
import { type Entry, Reader } from './history.ts';
import { type LocalNet, openLocalNet } from './local/fixture.ts';
import { holder, landing, moving, optionsOf, pay } from './solana.testing.ts';
import { openSolana } from './solana.ts';
import { tokenAccountOf } from './transaction.ts';

let net: LocalNet;
let chain: Chain;

beforeEach(async () => {
  net = await openLocalNet();
  ({ chain } = await openSolana(optionsOf(net)));
});
afterEach(() => net.close());

describe('deposits', () => {
  test('one, once it is final', async () => {
    const giver = await holder(net, 100n);
    const signature = await landing(net, [await moving(net, giver, 40n)]);
    net.chain.advance(31);
    expect(await chain.deposits(null, 10)).toEqual([]);
    net.chain.advance();
    const deposit = { signature, from: giver.address, amount: 40n };
    expect(await chain.deposits(null, 10)).toEqual([deposit]);
    expect(await chain.deposits(signature, 10)).toEqual([]);
    // Whoever asks again from the beginning is told again.
    expect(await chain.deposits(null, 10)).toEqual([deposit]);
  });
  test('several, oldest first, a few at a time', async () => {
    const giver = await holder(net, 1000n);
    const signatures: string[] = [];
    for (let amount = 1n; amount <= 7n; amount++) {
      signatures.push(await landing(net, [await moving(net, giver, amount)]));
      net.chain.advance();
    }
    net.chain.finalise();
    const all: string[] = [];
    for (let some = await chain.deposits(null, 3); some.length > 0; some = await chain.deposits(all.at(-1)!, 3))
      all.push(...some.map(({ signature }) => signature));
    expect(all).toEqual(signatures);
    expect((await chain.deposits(signatures[4]!, 10)).map(({ amount }) => amount)).toEqual([6n, 7n]);
  });
  test('over many pages of a node', async () => {
    await net.close();
    net = await openLocalNet({ pageMax: 2 });
    ({ chain } = await openSolana(optionsOf(net)));
    const giver = await holder(net, 1000n);
    for (let amount = 1n; amount <= 7n; amount++) await landing(net, [await moving(net, giver, amount)]);
    net.chain.finalise();
    expect((await chain.deposits(null, 100)).map(({ amount }) => amount)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  });
  test('of two owners in one transaction: from nobody', async () => {
    const [a, b] = [await holder(net, 10n), await holder(net, 10n)];
    const signature = await landing(net, [await moving(net, a, 3n), await moving(net, b, 4n)]);
    net.chain.finalise();
    expect(await chain.deposits(null, 10)).toEqual([{ signature, from: null, amount: 7n }]);
  });
  test('what was minted is from nobody, and what passes through another is from its giver', async () => {
    const [a, b] = [await holder(net, 10n), await holder(net, 10n)];
    await net.chain.mintTo(net.mint, net.treasury.address, 5n);
    await landing(net, [await moving(net, a, 3n, net.mint, b.address), await moving(net, b, 3n)]);
    net.chain.finalise();
    expect((await chain.deposits(null, 10)).map(({ from, amount }) => [from, amount])).toEqual([
      [null, 5n],
      [a.address, 3n],
    ]);
  });
  test('failed ones, other tokens, and what brings nothing are none', async () => {
    const other = await net.chain.createMint(6);
    const giver = await holder(net, 10n);
    await net.chain.mintTo(other, giver.address, 10n);
    await net.chain.mintTo(other, net.treasury.address, 10n);
    const failed = await net.chain.transact([await moving(net, giver, 11n)]);
    expect(failed).toMatchObject({ kind: 'landed', landed: { error: { InstructionError: [0, { Custom: 1 }] } } });
    await landing(net, [await moving(net, giver, 5n, other)]);
    await landing(net, [await moving(net, giver, 0n)]);
    const account = await tokenAccountOf(net.treasury.address, net.mint);
    await landing(net, [await moving(net, giver, 5n), getBurnInstruction({ account, mint: net.mint, authority: net.treasury, amount: 5n })]);
    net.chain.finalise();
    expect(await chain.deposits(null, 10)).toEqual([]);
    const stranger = await holder(net);
    await net.chain.mintTo(other, stranger.address, 2n);
    const signature = await landing(net, [await moving(net, giver, 2n), await moving(net, stranger, 2n, other)]);
    net.chain.finalise();
    expect(await chain.deposits(null, 10)).toEqual([{ signature, from: giver.address, amount: 2n }]);
  });
  test('after one that the node does not know: it is said, not guessed', async () => {
    const signature = await landing(net, [await moving(net, await holder(net, 10n), 2n)], net.hot);
    await expect(chain.deposits(signature, 10)).rejects.toThrow(/does not know/);
    net.chain.finalise();
    expect(await chain.deposits(signature, 10)).toEqual([]);
  });
  test('a rejected question loses none', async () => {
    const giver = await holder(net, 10n);
    await landing(net, [await moving(net, giver, 1n)]);
    await landing(net, [await moving(net, giver, 2n)]);
    net.chain.finalise();
    net.faults.chances.refuse = 0.3;
    const told: bigint[] = [];
    for (let tries = 0, after: string | null = null; told.length < 2 && tries < 100; tries++)
      for (const { signature, amount } of await chain.deposits(after, 1).catch(() => [])) {
        told.push(amount);
        after = signature;
      }
    expect(told).toEqual([1n, 2n]);
    expect(net.faults.struck.refuse).toBeGreaterThan(0);
  });
});

describe('memos', () => {
  async function sent(batch: Batch): Promise<string> {
    const { wire, signature } = await chain.sign(batch, await chain.lifetime());
    await chain.send(wire);
    return signature;
  }
  const memoOf = (memo: string): Instruction => getAddMemoInstruction({ memo }, { programAddress: LEGACY_MEMO_PROGRAM_ADDRESS_V3 });

  test('of what landed, oldest first', async () => {
    const start = (await chain.memos(null, 100)).at(-1)!.signature;
    const to = await holder(net);
    const first = await sent({ marker: 'a', memo: 'first: ü', payments: [pay(to.address, 1n)] });
    const failing = await sent({ marker: 'a', memo: 'in vain', payments: [pay(to.address, 1n)] });
    const second = await sent({ marker: 'b', memo: '[2] second', payments: [pay(to.address, 1n)] });
    net.chain.finalise();
    expect((await chain.statuses([failing]))[0]!.kind).toBe('failed');
    expect(await chain.memos(start, 100)).toEqual([
      { signature: first, memo: 'first: ü' },
      { signature: second, memo: '[2] second' },
    ]);
    expect(await chain.memos(start, 1)).toEqual([{ signature: first, memo: 'first: ü' }]);
    expect(await chain.memos(first, 1)).toEqual([{ signature: second, memo: '[2] second' }]);
  });
  test("a stranger's memo that names the hot wallet is not its word", async () => {
    const start = (await chain.memos(null, 100)).at(-1)!.signature;
    const signature = await landing(net, [memoOf('paid'), getTransferSolInstruction({ source: net.chain.faucet, destination: net.hot.address, amount: 1n })]);
    net.chain.finalise();
    expect(await chain.memos(start, 100)).toEqual([{ signature, memo: null }]);
  });
});

test('what was nothing is not looked at again', async () => {
  const entries: Entry[] = Array.from({ length: 6 }, (_, index) => ({ signature: signature(`${'1'.repeat(63)}${index + 1}`), memo: null }));
  const looked: string[] = [];
  const reader = new Reader(
    async (after) => entries.slice(entries.findIndex((entry) => entry.signature === after) + 1),
    async (entry) => {
      looked.push(entry.signature.slice(-1));
      return entry.signature.endsWith('3') || entry.signature.endsWith('6') ? entry : null;
    },
  );
  const [, , third, , , sixth] = entries;
  expect(await reader.take(null, 1)).toEqual([third]);
  expect(await reader.take(third!.signature, 1)).toEqual([sixth]);
  expect(await reader.take(sixth!.signature, 1)).toEqual([]);
  entries.push({ ...entries[0]!, signature: signature(`${'1'.repeat(63)}7`) });
  for (let asked = 0; asked < 2; asked++) expect(await reader.take(sixth!.signature, 1)).toEqual([]);
  expect(looked).toEqual(['1', '2', '3', '4', '5', '6', '7']);
});
