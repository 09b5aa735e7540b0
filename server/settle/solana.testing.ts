import { type Address, generateKeyPairSigner, type Instruction, type KeyPairSigner } from '@solana/kit';
import { getTransferInstruction } from '@solana-program/token';
import type { Payment } from './chain.ts';
import type { LocalNet } from './local/fixture.ts';
import type { SolanaOptions } from './solana.ts';
import { tokenAccountOf } from './transaction.ts';

/** What tests over a local chain do again and again. */

export const optionsOf = ({ url, hotKey, mint, treasury }: LocalNet): SolanaOptions => ({ rpcUrl: url, hotKey, mint, treasury: treasury.address });

export const pay = (to: string, amount: bigint, opensAccount = false): Payment => ({ to, amount, opensAccount });

/** The address of a wallet that has nothing. */
export const wallet = async (): Promise<Address> => (await generateKeyPairSigner()).address;

/** A wallet that has its token account. */
export async function holder({ chain, mint }: LocalNet, amount = 0n): Promise<KeyPairSigner> {
  const signer = await generateKeyPairSigner();
  await chain.mintTo(mint, signer.address, amount);
  return signer;
}

/** One transaction that must succeed; gives its signature. */
export async function landing({ chain }: LocalNet, instructions: readonly Instruction[], payer?: KeyPairSigner): Promise<string> {
  const submission = await chain.transact(instructions, payer);
  if (submission.kind === 'refused') throw new Error(`refused: ${submission.reason}`);
  if (submission.landed.error) throw new Error(`failed: ${submission.landed.logs.join('; ')}`);
  return submission.landed.message.signature;
}

/** Tokens from one owner's associated account to another's, the treasury's where none is named. */
export async function moving(net: LocalNet, from: KeyPairSigner, amount: bigint, mint = net.mint, to = net.treasury.address): Promise<Instruction> {
  const [source, destination] = await Promise.all([tokenAccountOf(from.address, mint), tokenAccountOf(to, mint)]);
  return getTransferInstruction({ source, destination, authority: from, amount });
}
