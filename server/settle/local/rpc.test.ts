import {
  address,
  createSolanaRpc,
  generateKeyPairSigner,
  getBase64Decoder,
  getBase64Encoder,
  lamports,
  type Signature,
  SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
} from '@solana/kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signBatch, tokenAccountOf } from '../transaction.ts';
import { Faults } from './faults.ts';
import { LOCAL_DECIMALS, type LocalNet, openLocalNet } from './fixture.ts';
import { LocalChain } from './world.ts';

let net: LocalNet;
beforeAll(async () => {
  net = await openLocalNet();
});
afterAll(() => net.close());

async function post(body: string): Promise<{ status: number; code: number }> {
  const response = await fetch(net.url, { method: 'POST', body });
  const { error } = (await response.json()) as { error: { code: number } };
  return { status: response.status, code: error.code };
}
const ask = (method: string, params: unknown = []): Promise<{ status: number; code: number }> =>
  post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
const nobody = '11111111111111111111111111111112';

describe('foreign input', () => {
  test.each([
    ['what is no JSON', '{', -32700],
    ['what is no question', '[]', -32600],
    ['a question without a method', '{"id":1}', -32600],
    ['parameters that are no list', '{"method":"getSlot","params":5}', -32602],
    ['more than 64 KiB', `{"method":"getSlot","x":"${'x'.repeat(65_536)}"}`, -32600],
  ])('%s', async (_, body, code) => expect(await post(body)).toEqual({ status: 200, code }));
  test.each([
    ['getBlock', [1], -32601],
    ['toString', [], -32601],
    ['getSlot', [{ commitment: 'later' }], -32602],
    ['getBalance', ['0OIl'], -32602],
    ['getSignatureStatuses', [Array(257).fill('x')], -32602],
    ['getSignaturesForAddress', [nobody, { limit: 1001 }], -32602],
    ['getSignaturesForAddress', [nobody, { commitment: 'processed' }], -32602],
    ['getTokenAccountBalance', [nobody], -32602],
    ['requestAirdrop', [nobody, 0.5], -32602],
    ['getMinimumBalanceForRentExemption', [-1], -32602],
    ['sendTransaction', ['AAAA', { encoding: 'base64' }], -32602],
    ['sendTransaction', ['abc'], -32602],
    ['simulateTransaction', [null, { encoding: 'base64' }], -32602],
  ])('%s %j', async (method, params, code) => expect(await ask(method, params)).toEqual({ status: 200, code }));
  test('the process stays up', async () => expect(await createSolanaRpc(net.url).getHealth().send()).toBe('ok'));
});

test('kit reads what it asks for', async () => {
  const rpc = createSolanaRpc(net.url);
  const { value: lifetime } = await rpc.getLatestBlockhash({ commitment: 'confirmed' }).send();
  const height = await rpc.getBlockHeight({ commitment: 'confirmed' }).send();
  expect(lifetime.lastValidBlockHeight).toBe(height + 150n);
  expect(await rpc.getSlot({ commitment: 'processed' }).send()).toBeGreaterThan(await rpc.getSlot({ commitment: 'finalized' }).send());
  expect(await rpc.getGenesisHash().send()).toBe(net.chain.genesisHash);
  expect(await rpc.getMinimumBalanceForRentExemption(165n).send()).toBe(2_039_280n);
  const to = (await generateKeyPairSigner()).address;
  const signature = await rpc.requestAirdrop(to, lamports(1_500_000n)).send();
  expect((await rpc.getBalance(to, { commitment: 'processed' }).send()).value).toBe(1_500_000n);
  expect((await rpc.getBalance(to, { commitment: 'finalized' }).send()).value).toBe(0n);
  net.chain.finalise();
  const account = await tokenAccountOf(net.hot.address, net.mint);
  expect((await rpc.getTokenAccountBalance(account).send()).value).toMatchObject({
    amount: '1000000000000',
    decimals: LOCAL_DECIMALS,
    uiAmountString: '1000000',
  });
  const { value: accounts } = await rpc.getMultipleAccounts([to, address(nobody)], { encoding: 'base64' }).send();
  expect(accounts).toMatchObject([{ lamports: 1_500_000n, owner: '11111111111111111111111111111111', space: 0n }, null]);
  const json = await rpc.getTransaction(signature, { encoding: 'json', maxSupportedTransactionVersion: 0 }).send();
  expect(json).toMatchObject({ version: 'legacy', meta: { err: null, fee: 5000n }, transaction: { signatures: [signature] } });
  const raw = await rpc.getTransaction(signature, { encoding: 'base64', maxSupportedTransactionVersion: 0 }).send();
  expect(new Uint8Array(getBase64Encoder().encode(raw!.transaction[0]))).toEqual(net.chain.transaction(signature)!.wire);
});

test('statuses older than a blockhash lives are found by a search only', async () => {
  const rpc = createSolanaRpc(net.url);
  const { message } = await net.chain.airdrop(address(nobody), 1_000_000n);
  net.chain.advance(151);
  const ask = async (searchTransactionHistory: boolean) => (await rpc.getSignatureStatuses([message.signature], { searchTransactionHistory }).send()).value[0];
  expect(await ask(false)).toBeNull();
  expect(await ask(true)).toMatchObject({ confirmationStatus: 'finalized', confirmations: null, err: null });
});

test('with a preflight a node says why it will not land', async () => {
  const rpc = createSolanaRpc(net.url);
  const batch = { marker: 'old', memo: 'old', payments: [] };
  const token = { mint: net.mint, decimals: LOCAL_DECIMALS };
  const { wire } = await signBatch(net.hot, token, batch, { blockhash: nobody, lastValidBlockHeight: 1n });
  const base64 = getBase64Decoder().decode(wire) as Parameters<typeof rpc.sendTransaction>[0];
  const refused = { context: { __code: SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE } };
  await expect(rpc.sendTransaction(base64, { encoding: 'base64' }).send()).rejects.toMatchObject(refused);
  const signature = await rpc.sendTransaction(base64, { encoding: 'base64', skipPreflight: true }).send();
  expect(net.chain.transaction(signature)).toBeNull();
});

describe('the chain itself', () => {
  test('refuses a signature that has landed, one that is wrong, and what is too large', async () => {
    const { wire } = await signBatch(
      net.hot,
      { mint: net.mint, decimals: LOCAL_DECIMALS },
      { marker: 'once', memo: '', payments: [] },
      net.chain.lifetime('confirmed'),
    );
    const forged = new Uint8Array(wire);
    forged[1]! ^= 1;
    expect(net.chain.submit(forged)).toEqual({ kind: 'refused', reason: 'SignatureFailure' });
    expect(net.chain.submit(wire).kind).toBe('landed');
    expect(net.chain.submit(wire)).toEqual({ kind: 'refused', reason: 'AlreadyProcessed' });
    expect(net.chain.submit(new Uint8Array(1233))).toEqual({ kind: 'refused', reason: 'TooLarge' });
  });
  test('a failed transaction costs its fee and changes nothing else', async () => {
    const token = { mint: net.mint, decimals: LOCAL_DECIMALS };
    const batch = { marker: 'failing', memo: '', payments: [{ to: nobody, amount: 1n, opensAccount: false }] };
    const { wire } = await signBatch(net.hot, token, batch, net.chain.lifetime('confirmed'));
    const before = net.chain.account(net.hot.address)!.lamports;
    expect(net.chain.submit(wire)).toMatchObject({ kind: 'landed', landed: { error: { InstructionError: [2, 'InvalidAccountData'] } } });
    expect(before - net.chain.account(net.hot.address)!.lamports).toBe(5000n);
  });
  test('what was final stays what it was, whatever happens since', async () => {
    const owner = (await generateKeyPairSigner()).address;
    for (const amount of [1n, 10n, 100n]) {
      await net.chain.mintTo(net.mint, owner, amount);
      net.chain.advance(20);
    }
    const [processed, final] = await Promise.all(
      (['processed', 'finalized'] as const).map((commitment) => net.chain.tokenBalance(net.mint, owner, commitment)),
    );
    expect([processed, final]).toEqual([111n, 11n]);
  });
  test('makes blocks by itself, where it is told to', async () => {
    const chain = await LocalChain.open({ blockMs: 5, finalisedBehind: 2 });
    const { message } = await chain.airdrop(address(nobody), 1_000_000n);
    await expect.poll(() => chain.commitmentOf(chain.transaction(message.signature as Signature)!)).toBe('finalized');
    chain.close();
  });
});

test('the same seed gives the same faults', () => {
  const struck = (seed: number): boolean[] => {
    const faults = new Faults(seed);
    faults.chances.drop = 0.5;
    return Array.from({ length: 64 }, () => faults.strikes('drop'));
  };
  expect(struck(1)).toEqual(struck(1));
  expect(struck(1)).not.toEqual(struck(2));
});
