import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from '@solana/kit';
import { getTransferSolInstruction } from '@solana-program/system';
import { AuthorityType, getCloseAccountInstruction, getFreezeAccountInstruction, getSetAuthorityInstruction } from '@solana-program/token';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Batch, Chain, Lifetime, Payment } from './chain.ts';
import { TOKEN_2022_PROGRAM_ADDRESS } from './local/balances.ts';
import { LOCAL_DECIMALS, type LocalNet, openLocalNet } from './local/fixture.ts';
import { holder, landing, optionsOf, pay, wallet } from './solana.testing.ts';
import { openSolana } from './solana.ts';
import { markerAddress, tokenAccountOf } from './transaction.ts';

let net: LocalNet;
let chain: Chain;

beforeEach(async () => {
  net = await openLocalNet();
  ({ chain } = await openSolana(optionsOf(net)));
});
afterEach(() => net.close());

const batchOf = (...payments: Payment[]): Batch => ({ marker: 'batch-1', memo: 'memo of batch-1', payments });

async function sent(batch: Batch, lifetime?: Lifetime): Promise<string> {
  const { wire, signature } = await chain.sign(batch, lifetime ?? (await chain.lifetime()));
  await chain.send(wire);
  return signature;
}
const statusOf = async (signature: string) => (await chain.statuses([signature]))[0]!;
const held = (owner: Address) => net.chain.tokenBalance(net.mint, owner);

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

test('a node that stays silent is given up', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const timeOut = AbortSignal.timeout.bind(AbortSignal);
  const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => timeOut(ms / 1000));
  try {
    await expect(openSolana({ ...optionsOf(net), rpcUrl: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` })).rejects.toThrow(/time/i);
    expect(spy).toHaveBeenCalledWith(15_000);
  } finally {
    spy.mockRestore();
    silent.closeAllConnections();
    silent.close();
  }
});

test('a token account that its wallet has given away is not its own, and opening it anew fails', async () => {
  const owner = await holder(net);
  const owned = await tokenAccountOf(owner.address, net.mint);
  net.chain.finalise();
  expect(await chain.hasTokenAccount(owner.address)).toBe(true);
  await landing(net, [getSetAuthorityInstruction({ owned, owner, authorityType: AuthorityType.AccountOwner, newAuthority: await wallet() })]);
  net.chain.finalise();
  expect(await chain.hasTokenAccount(owner.address)).toBe(false);
  const { wire } = await chain.sign(batchOf(pay(owner.address, 1n, true)), await chain.lifetime());
  expect(await chain.simulate(wire)).toMatchObject({ ok: false, payment: 0 });
});

describe('a batch', () => {
  test('lands, pays each, and is first seen, then finalised', async () => {
    const [has, hasNot] = [await holder(net, 5n), await wallet()];
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
    const to = await holder(net);
    const { wire } = await chain.sign(batchOf(pay(to.address, 10n)), await chain.lifetime());
    await chain.send(wire);
    net.chain.advance(3);
    await chain.send(wire);
    expect(await held(to.address)).toBe(10n);
    expect(await chain.simulate(wire)).toEqual({ ok: false, payment: null, reason: 'AlreadyProcessed' });
  });
  test('the same marker under another blockhash fails', async () => {
    const to = await holder(net);
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
    const to = await holder(net);
    const batch = batchOf(pay(to.address, 10n));
    await net.chain.airdrop(await markerAddress(net.hot.address, batch.marker), 1_000_000n);
    const signature = await sent(batch);
    net.chain.finalise();
    expect(await chain.marker(batch.marker)).toBe('blocked');
    expect(await statusOf(signature)).toMatchObject({ kind: 'failed', payment: null });
    expect(await held(to.address)).toBe(0n);
  });
  test('lands up to its last height, and not beyond', async () => {
    const to = await holder(net);
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
    const signature = await sent(batchOf(pay((await holder(net)).address, 1n)));
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
    return landing(net, [getFreezeAccountInstruction({ account, mint: net.mint, owner: net.chain.faucet })]);
  };

  test('the payment whose account was closed', async () => {
    const [a, b] = [await holder(net), await holder(net)];
    await landing(net, [getCloseAccountInstruction({ account: await tokenAccountOf(b.address, net.mint), destination: a.address, owner: b })]);
    expect(await failureOf(batchOf(pay(await wallet(), 1n, true), pay(a.address, 1n), pay(b.address, 1n)))).toMatchObject({ payment: 2 });
  });
  test('the payment whose account was frozen', async () => {
    const [a, b] = [await holder(net), await holder(net)];
    await freeze(a.address);
    expect(await failureOf(batchOf(pay(a.address, 1n), pay(b.address, 1n)))).toMatchObject({ payment: 0, reason: 'instruction 2: Custom 17' });
  });
  test('none of them, where the hot wallet is short of tokens', async () => {
    const { tokens } = await chain.balance();
    expect(await failureOf(batchOf(pay((await holder(net)).address, 1n), pay((await holder(net)).address, tokens)))).toMatchObject({ payment: null });
  });
  test('none of them, where the hot wallet is short of lamports', async () => {
    const { lamports } = await chain.balance();
    await landing(net, [getTransferSolInstruction({ source: net.hot, destination: await wallet(), amount: lamports - 3_000_000n })]);
    expect(await failureOf(batchOf(pay((await holder(net)).address, 1n), pay(await wallet(), 1n, true)))).toMatchObject({ payment: null });
  });
  test('none of them, where the account of the hot wallet is frozen', async () => {
    await freeze(net.hot.address);
    net.chain.finalise();
    expect(await failureOf(batchOf(pay((await holder(net)).address, 1n)))).toEqual({ ok: false, payment: null, reason: 'instruction 2: Custom 17' });
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
    // Its words are left out where NODE_ENV says production, as builds have it.
    const away = { context: { statusCode: 503 } };
    await expect(chain.lifetime()).rejects.toMatchObject(away);
    await expect(chain.deposits(null, 10)).rejects.toMatchObject(away);
    net.faults.chances.refuse = 0;
    expect((await chain.lifetime()).lastValidBlockHeight).toBeGreaterThan(0n);
  });
});
