import type { Address, Instruction, KeyPairSigner } from '@solana/kit';
import { getCreateAccountInstruction } from '@solana-program/system';
import {
  getCreateAssociatedTokenIdempotentInstruction,
  getInitializeMint2Instruction,
  getMintSize,
  getMintToInstruction,
  TOKEN_PROGRAM_ADDRESS,
} from '@solana-program/token';
import { tokenAccountOf } from '../transaction.ts';

/** Makes a mint whose authorities are the payer's. */
export function mintInstructions(
  payer: KeyPairSigner,
  mint: KeyPairSigner,
  decimals: number,
  rentOf: (sizeBytes: bigint) => bigint,
  programAddress: Address = TOKEN_PROGRAM_ADDRESS,
): Instruction[] {
  const space = BigInt(getMintSize());
  return [
    getCreateAccountInstruction({ payer, newAccount: mint, lamports: rentOf(space), space, programAddress }),
    getInitializeMint2Instruction({ mint: mint.address, decimals, mintAuthority: payer.address, freezeAuthority: payer.address }, { programAddress }),
  ];
}

/** Of SPL Token only. */
export async function mintToInstructions(authority: KeyPairSigner, mint: Address, owner: Address, amount: bigint): Promise<Instruction[]> {
  const ata = await tokenAccountOf(owner, mint);
  return [
    getCreateAssociatedTokenIdempotentInstruction({ payer: authority, ata, owner, mint }),
    getMintToInstruction({ mint, token: ata, mintAuthority: authority, amount }),
  ];
}
