import { type Address, generateKeyPairSigner, type Instruction, type KeyPairSigner } from '@solana/kit';
import { getAddMemoInstruction, LEGACY_MEMO_PROGRAM_ADDRESS_V3 } from '@solana-program/memo';
import { getTransferSolInstruction } from '@solana-program/system';
import { getBurnInstruction, getCloseAccountInstruction, getFreezeAccountInstruction, getTransferInstruction } from '@solana-program/token';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Batch, Chain, Lifetime, Payment } from './chain.ts';
import { TOKEN_2022_PROGRAM_ADDRESS } from './local/balances.ts';
import { LOCAL_DECIMALS, type LocalNet, openLocalNet } from './local/fixture.ts';
import { openSolana } from './solana.ts';
import { markerAddress, tokenAccountOf } from './transaction.ts';

let net: LocalNet;
let chain: Chain;

const optionsOf = ({ url, hotKey, mint, treasury }: LocalNet) => ({ rpcUrl: url, hotKey, mint: mint as string, treasury: treasury.address as string });

beforeEach(async () => {
  net = await openLocalNet();
  ({ chain } = await openSolana(optionsOf(net)));
});
afterEach(() => net.close());

const wallet = async (): Promise<Address> => (await generateKeyPairSigner()).address;
/** A wallet that has its token account. */
async function holder(amount = 0n, mint = net.mint): Promise<KeyPairSigner> {
  const signer = await generateKeyPairSigner();
  await net.chain.mintTo(mint, signer.address, amount);
  return signer;
}
const pay = (to: string, amount: bigint, opensAccount = false): Payment => ({ to, amount, opensAccount });
const batchOf = (...payments: Payment[]): Batch => ({ marker: 'batch-1', memo: 'memo of batch-1', payments });

async function sent(batch: Batch, lifetime?: Lifetime): Promise<string> {
  const { wire, signature } = await chain.sign(batch, lifetime ?? (await chain.lifetime()));
  await chain.send(wire);
  return signature;
}
const statusOf = async (signature: string) => (await chain.statuses([signature]))[0]!;
const held = (owner: Address) => net.chain.tokenBalance(net.mint, owner);

async function landing(instructions: Instruction[], payer?: KeyPairSigner): Promise<string> {
  const submission = await net.chain.transact(instructions, payer);
  if (submission.kind === 'refused' || submission.landed.error)
    throw new Error(`did not land: ${JSON.stringify(submission, (_, v) => (typeof v === 'bigint' ? `${v}` : v))}`);
  return submission.landed.message.signature;
}
async function moving(from: KeyPairSigner, amount: bigint, mint = net.mint, to = net.treasury.address): Promise<Instruction> {
  const [source, destination] = await Promise.all([tokenAccountOf(from.address, mint), tokenAccountOf(to, mint)]);
  return getTransferInstruction({ source, destination, authority: from, amount });
}

describe('opening', () => {
  test('tells the digits of the token and the hot wallet, from 32 bytes of key or 64', async () => {
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', net.hot.keyPair.publicKey));
    for (const hotKey of [net.hotKey, new Uint8Array([...net.hotKey, ...publicKey])])
      expect(await openSolana({ ...optionsOf(net), hotKey })).toMatchObject({ decimals: LOCAL_DECIMALS, hotAddress: net.hot.address });
    await expect(openSolana({ ...optionsOf(net), hotKey: new Uint8Array(33) })).rejects.toThrow('hotKey: 32 or 64 bytes, got 33');
  });
  test('a token of Token-2022 is refused, and what is no token', async () => {
    const other = await net.chain.createMint(6, TOKEN_2022_PROGRAM_ADDRESS);
    const account = await tokenAccountOf(net.hot.address, net.mint);
    net.chain.finalise();
    await expect(openSolana({ ...optionsOf(net), mint: other })).rejects.toThrow(/not Token-2022/);
    await expect(openSolana({ ...optionsOf(net), mint: account })).rejects.toThrow(/no mint, which has 82 bytes; it has 165/);
    await expect(openSolana({ ...optionsOf(net), mint: await wallet() })).rejects.toThrow(/no such account/);
  });
});

describe('a batch', () => {
  test('lands, pays each, and is first seen, then finalised', async () => {
    const [has, hasNot] = [await holder(5n), await wallet()];
    const before = await chain.balance();
    const batch = batchOf(pay(has.address, 70n), pay(hasNot, 30n, true));
    expect(await chain.marker(batch.marker)).toBe('absent');
    const { wire, signature } = await chain.sign(batch, await chain.lifetime());
    expect(await chain.simulate(wire)).toEqual({ ok: true });
    expect(await statusOf(signature)).toEqual({ kind: 'unknown' });
    await chain.send(wire);
    expect(await Promise.all([held(has.address), held(hasNot)])).toEqual([75n, 30n]);
    expect(await statusOf(signature)).toEqual({ kind: 'seen' });
    net.chain.advance(31);
    expect([await statusOf(signature), await chain.marker(batch.marker), await chain.balance()]).toEqual([{ kind: 'seen' }, 'absent', before]);
    net.chain.advance();
    expect(await statusOf(signature)).toEqual({ kind: 'finalised', slot: net.chain.transaction(signature)!.slot });
    expect(await chain.marker(batch.marker)).toBe('ours');
    const after = await chain.balance();
    expect(before.tokens - after.tokens).toBe(100n);
    // One signature, the marker and one new token account.
    expect(before.lamports - after.lamports).toBe(5000n + 890_880n + 2_039_280n);
    expect([await chain.hasTokenAccount(hasNot), await chain.hasTokenAccount(await wallet())]).toEqual([true, false]);
  });
  test('the same bytes twice land once', async () => {
    const to = await holder();
    const { wire } = await chain.sign(batchOf(pay(to.address, 10n)), await chain.lifetime());
    await chain.send(wire);
    net.chain.advance(3);
    await chain.send(wire);
    expect(await held(to.address)).toBe(10n);
    expect(await chain.simulate(wire)).toEqual({ ok: false, payment: null, reason: 'AlreadyProcessed' });
  });
  test('the same marker under another blockhash fails', async () => {
    const to = await holder();
    const batch = batchOf(pay(to.address, 10n));
    const first = await sent(batch);
    net.chain.advance(2);
    const second = await sent(batch);
    expect(second).not.toBe(first);
    net.chain.finalise();
    expect(await statusOf(second)).toMatchObject({ kind: 'failed', payment: null, reason: 'instruction 0: Custom 0' });
    expect(await chain.marker(batch.marker)).toBe('ours');
    expect(await held(to.address)).toBe(10n);
  });
  test('money at the marker blocks it', async () => {
    const to = await holder();
    const batch = batchOf(pay(to.address, 10n));
    await net.chain.airdrop(await markerAddress(net.hot.address, batch.marker), 1_000_000n);
    const signature = await sent(batch);
    net.chain.finalise();
    expect(await chain.marker(batch.marker)).toBe('blocked');
    expect(await statusOf(signature)).toMatchObject({ kind: 'failed', payment: null });
    expect(await held(to.address)).toBe(0n);
  });
  test('lands up to its last height, and not beyond', async () => {
    const to = await holder();
    const lifetime = await chain.lifetime();
    net.chain.advance(Number(lifetime.lastValidBlockHeight - net.chain.height()));
    await sent({ ...batchOf(pay(to.address, 1n)), marker: 'in-time' }, lifetime);
    net.chain.advance();
    const late = await sent({ ...batchOf(pay(to.address, 2n)), marker: 'late' }, lifetime);
    net.chain.finalise();
    expect(await held(to.address)).toBe(1n);
    expect(await statusOf(late)).toEqual({ kind: 'unknown' });
    expect(await chain.finalisedHeight()).toBeGreaterThan(lifetime.lastValidBlockHeight);
  });
  test('many statuses are asked for in parts', async () => {
    const signature = await sent(batchOf(pay((await holder()).address, 1n)));
    const statuses = await chain.statuses([
      ...Array.from({ length: 300 }, (_, index) => net.chain.history(net.mint, 'processed')[index % 2]!.message.signature),
      signature,
    ]);
    expect(statuses).toHaveLength(301);
    expect(statuses.every(({ kind }) => kind === 'seen')).toBe(true);
  });
});

describe('a failure names', () => {
  /** Both ways to learn of it. */
  async function failureOf(batch: Batch) {
    const { wire, signature } = await chain.sign(batch, await chain.lifetime());
    const simulated = await chain.simulate(wire);
    await chain.send(wire);
    net.chain.finalise();
    const status = await statusOf(signature);
    if (simulated.ok || status.kind !== 'failed') throw new Error(`did not fail: ${status.kind}`);
    expect(status).toMatchObject({ payment: simulated.payment, reason: simulated.reason });
    return simulated;
  }
  const freeze = async (owner: Address): Promise<string> => {
    const account = await tokenAccountOf(owner, net.mint);
    return landing([getFreezeAccountInstruction({ account, mint: net.mint, owner: net.chain.faucet })]);
  };

  test('the payment whose account was closed', async () => {
    const [a, b] = [await holder(), await holder()];
    await landing([getCloseAccountInstruction({ account: await tokenAccountOf(b.address, net.mint), destination: a.address, owner: b })]);
    expect(await failureOf(batchOf(pay(await wallet(), 1n, true), pay(a.address, 1n), pay(b.address, 1n)))).toMatchObject({ payment: 2 });
  });
  test('the payment whose account was frozen', async () => {
    const [a, b] = [await holder(), await holder()];
    await freeze(a.address);
    expect(await failureOf(batchOf(pay(a.address, 1n), pay(b.address, 1n)))).toMatchObject({ payment: 0, reason: 'instruction 2: Custom 17' });
  });
  test('none of them, where the hot wallet is short of tokens', async () => {
    const { tokens } = await chain.balance();
    expect(await failureOf(batchOf(pay((await holder()).address, 1n), pay((await holder()).address, tokens)))).toMatchObject({ payment: null });
  });
  test('none of them, where the hot wallet is short of lamports', async () => {
    const { lamports } = await chain.balance();
    await landing([getTransferSolInstruction({ source: net.hot, destination: await wallet(), amount: lamports - 3_000_000n })]);
    expect(await failureOf(batchOf(pay((await holder()).address, 1n), pay(await wallet(), 1n, true)))).toMatchObject({ payment: null });
  });
  test('none of them, where the account of the hot wallet is frozen', async () => {
    await freeze(net.hot.address);
    net.chain.finalise();
    expect(await failureOf(batchOf(pay((await holder()).address, 1n)))).toEqual({ ok: false, payment: null, reason: 'instruction 2: Custom 17' });
  });
});

describe('faults', () => {
  test('dropped: taken, and never heard of again', async () => {
    net.faults.next.drop = 1;
    const { wire, signature } = await chain.sign(batchOf(pay(await wallet(), 1n, true)), await chain.lifetime());
    await chain.send(wire);
    net.chain.finalise();
    expect(await statusOf(signature)).toEqual({ kind: 'unknown' });
    await chain.send(wire);
    expect(await statusOf(signature)).toEqual({ kind: 'seen' });
  });
  test('executed, and the connection cut', async () => {
    net.faults.next.landThenTimeOut = 1;
    const { wire, signature } = await chain.sign(batchOf(pay(await wallet(), 1n, true)), await chain.lifetime());
    await expect(chain.send(wire)).rejects.toThrow();
    expect(await statusOf(signature)).toEqual({ kind: 'seen' });
  });
  test('landed, and its status hidden for a while', async () => {
    const signature = await sent(batchOf(pay(await wallet(), 1n, true)));
    net.chain.finalise();
    net.faults.next.hideStatuses = 2;
    const kinds = [await statusOf(signature), await statusOf(signature), await statusOf(signature)].map(({ kind }) => kind);
    expect(kinds).toEqual(['unknown', 'unknown', 'finalised']);
  });
  test('executed blocks later', async () => {
    net.faults.next.reorder = 1;
    const signature = await sent(batchOf(pay(await wallet(), 1n, true)));
    net.chain.advance(net.faults.laterBlocks - 1);
    expect(await statusOf(signature)).toEqual({ kind: 'unknown' });
    net.chain.advance();
    expect(await statusOf(signature)).toEqual({ kind: 'seen' });
  });
  test('refused, whatever is asked', async () => {
    net.faults.chances.refuse = 1;
    await expect(chain.lifetime()).rejects.toThrow(/503/);
    await expect(chain.deposits(null, 10)).rejects.toThrow(/503/);
    net.faults.chances.refuse = 0;
    expect((await chain.lifetime()).lastValidBlockHeight).toBeGreaterThan(0n);
  });
});

describe('deposits', () => {
  test('one, once it is final', async () => {
    const giver = await holder(100n);
    const signature = await landing([await moving(giver, 40n)]);
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
    const giver = await holder(1000n);
    const signatures: string[] = [];
    for (let amount = 1n; amount <= 7n; amount++) {
      signatures.push(await landing([await moving(giver, amount)]));
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
    const giver = await holder(1000n);
    for (let amount = 1n; amount <= 7n; amount++) await landing([await moving(giver, amount)]);
    net.chain.finalise();
    expect((await chain.deposits(null, 100)).map(({ amount }) => amount)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  });
  test('of two owners in one transaction: from nobody', async () => {
    const [a, b] = [await holder(10n), await holder(10n)];
    const signature = await landing([await moving(a, 3n), await moving(b, 4n)]);
    net.chain.finalise();
    expect(await chain.deposits(null, 10)).toEqual([{ signature, from: null, amount: 7n }]);
  });
  test('what was minted is from nobody, and what passes through another is from its giver', async () => {
    const [a, b] = [await holder(10n), await holder(10n)];
    await net.chain.mintTo(net.mint, net.treasury.address, 5n);
    await landing([await moving(a, 3n, net.mint, b.address), await moving(b, 3n)]);
    net.chain.finalise();
    expect((await chain.deposits(null, 10)).map(({ from, amount }) => [from, amount])).toEqual([
      [null, 5n],
      [a.address, 3n],
    ]);
  });
  test('failed ones, other tokens, and what brings nothing are none', async () => {
    const other = await net.chain.createMint(6);
    const giver = await holder(10n);
    await net.chain.mintTo(other, giver.address, 10n);
    await net.chain.mintTo(other, net.treasury.address, 10n);
    const failed = await net.chain.transact([await moving(giver, 11n)]);
    expect(failed).toMatchObject({ kind: 'landed', landed: { error: { InstructionError: [0, { Custom: 1 }] } } });
    await landing([await moving(giver, 5n, other)]);
    await landing([await moving(giver, 0n)]);
    const account = await tokenAccountOf(net.treasury.address, net.mint);
    await landing([await moving(giver, 5n), getBurnInstruction({ account, mint: net.mint, authority: net.treasury, amount: 5n })]);
    net.chain.finalise();
    expect(await chain.deposits(null, 10)).toEqual([]);
    const signature = await landing([await moving(giver, 2n), await moving(giver, 2n, other)]);
    net.chain.finalise();
    expect(await chain.deposits(null, 10)).toEqual([{ signature, from: giver.address, amount: 2n }]);
  });
  test('after one that the node does not know: it is said, not guessed', async () => {
    const signature = await landing([await moving(await holder(10n), 2n)], net.hot);
    await expect(chain.deposits(signature, 10)).rejects.toThrow(/does not know/);
    net.chain.finalise();
    expect(await chain.deposits(signature, 10)).toEqual([]);
  });
  test('a rejected question loses none', async () => {
    const giver = await holder(10n);
    await landing([await moving(giver, 1n)]);
    await landing([await moving(giver, 2n)]);
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
  const memoOf = (memo: string): Instruction => getAddMemoInstruction({ memo }, { programAddress: LEGACY_MEMO_PROGRAM_ADDRESS_V3 });

  test('of what landed, oldest first', async () => {
    const start = (await chain.memos(null, 100)).at(-1)!.signature;
    const to = await holder();
    const first = await sent({ marker: 'a', memo: 'first: ü', payments: [pay(to.address, 1n)] });
    const failing = await sent({ marker: 'a', memo: 'in vain', payments: [pay(to.address, 1n)] });
    const second = await sent({ marker: 'b', memo: '[2] second', payments: [pay(to.address, 1n)] });
    net.chain.finalise();
    expect((await statusOf(failing)).kind).toBe('failed');
    expect(await chain.memos(start, 100)).toEqual([
      { signature: first, memo: 'first: ü' },
      { signature: second, memo: '[2] second' },
    ]);
    expect(await chain.memos(start, 1)).toEqual([{ signature: first, memo: 'first: ü' }]);
    expect(await chain.memos(first, 1)).toEqual([{ signature: second, memo: '[2] second' }]);
  });
  test("a stranger's memo that names the hot wallet is not its word", async () => {
    const start = (await chain.memos(null, 100)).at(-1)!.signature;
    const signature = await landing([memoOf('paid'), getTransferSolInstruction({ source: net.chain.faucet, destination: net.hot.address, amount: 1n })]);
    net.chain.finalise();
    expect(await chain.memos(start, 100)).toEqual([{ signature, memo: null }]);
  });
});
