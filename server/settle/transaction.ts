import {
  type Address,
  address,
  appendTransactionMessageInstructions,
  blockhash,
  createAddressWithSeed,
  createTransactionMessage,
  getCompiledTransactionMessageDecoder,
  getSignatureFromTransaction,
  getTransactionDecoder,
  getTransactionEncoder,
  getTransactionMessageSize,
  type Instruction,
  type KeyPairSigner,
  pipe,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from '@solana/kit';
import { getAddMemoInstruction, LEGACY_MEMO_PROGRAM_ADDRESS_V3 } from '@solana-program/memo';
import { getCreateAccountWithSeedInstruction } from '@solana-program/system';
import {
  ASSOCIATED_TOKEN_PROGRAM_ADDRESS,
  findAssociatedTokenPda,
  getCreateAssociatedTokenIdempotentInstruction,
  getTransferCheckedInstruction,
  TOKEN_PROGRAM_ADDRESS,
} from '@solana-program/token';
import { type Batch, BatchTooLarge, type Lifetime, type Payment, type Signed } from './chain.ts';

/** What the network carries in one packet: 1280 bytes of IPv6 less its headers. */
export const TRANSACTION_BYTES_MAX = 1232;
/** Below it the network takes an empty account away again. */
const MARKER_LAMPORTS = 890_880n;
const MARKER_BYTES_MAX = 32;

/** How many payments surely fit in one transaction, whatever their addresses and amounts, beside a memo of that size. */
export const paymentsFit = { memoBytes: 190, whereAccountsExist: 11, whereAccountsOpen: 6 } as const;

/** The token that is paid out: what `TransferChecked` compares. */
export interface Token {
  readonly mint: Address;
  readonly decimals: number;
}

export const tokenAccountOf = async (owner: Address, mint: Address): Promise<Address> =>
  (await findAssociatedTokenPda({ owner, mint, tokenProgram: TOKEN_PROGRAM_ADDRESS }))[0];

/** Only a transaction that the hot wallet signed can make an account here that belongs to the hot wallet's address. */
export const markerAddress = (hot: Address, seed: string): Promise<Address> => createAddressWithSeed({ baseAddress: hot, programAddress: hot, seed });

async function paymentInstructions(hot: KeyPairSigner, source: Address, token: Token, payment: Payment): Promise<Instruction[]> {
  const owner = address(payment.to);
  const destination = await tokenAccountOf(owner, token.mint);
  const transfer = getTransferCheckedInstruction({
    source,
    mint: token.mint,
    destination,
    authority: hot,
    amount: payment.amount,
    decimals: token.decimals,
  });
  if (!payment.opensAccount) return [transfer];
  return [getCreateAssociatedTokenIdempotentInstruction({ payer: hot, ata: destination, owner, mint: token.mint }), transfer];
}

/**
 * One transaction: the marker, the memo, then for each payment its account (where it opens one) and its transfer. The same arguments give the same bytes,
 * as Ed25519 draws nothing. A legacy message: version 0 has two bytes more and nothing that is used here. Throws `BatchTooLarge`.
 */
export async function signBatch(hot: KeyPairSigner, token: Token, batch: Batch, lifetime: Lifetime): Promise<Signed> {
  if (!/^[\x21-\x7e]{1,32}$/.test(batch.marker)) throw new RangeError(`marker: 1 to ${MARKER_BYTES_MAX} ASCII characters, got "${batch.marker}"`);
  const source = await tokenAccountOf(hot.address, token.mint);
  const marker = getCreateAccountWithSeedInstruction({
    payer: hot,
    newAccount: await markerAddress(hot.address, batch.marker),
    base: hot.address,
    seed: batch.marker,
    amount: MARKER_LAMPORTS,
    space: 0,
    programAddress: hot.address,
  });
  // Nodes index memos of this version; the newest they do not know yet.
  const memo = getAddMemoInstruction({ memo: batch.memo }, { programAddress: LEGACY_MEMO_PROGRAM_ADDRESS_V3 });
  const payments = await Promise.all(batch.payments.map((payment) => paymentInstructions(hot, source, token, payment)));
  const message = pipe(
    createTransactionMessage({ version: 'legacy' }),
    (empty) => setTransactionMessageFeePayerSigner(hot, empty),
    (paid) =>
      setTransactionMessageLifetimeUsingBlockhash({ blockhash: blockhash(lifetime.blockhash), lastValidBlockHeight: lifetime.lastValidBlockHeight }, paid),
    (lasting) => appendTransactionMessageInstructions([marker, memo, ...payments.flat()], lasting),
  );
  const sizeBytes = getTransactionMessageSize(message);
  if (sizeBytes > TRANSACTION_BYTES_MAX)
    throw new BatchTooLarge(`batch: ${sizeBytes} bytes with ${batch.payments.length} payments, at most ${TRANSACTION_BYTES_MAX}`);
  const signed = await signTransactionMessageWithSigners(message);
  return { wire: new Uint8Array(getTransactionEncoder().encode(signed)), signature: getSignatureFromTransaction(signed) };
}

/** Who pays for a transaction, and which program each of its instructions calls. */
export interface Outline {
  readonly feePayer: Address;
  readonly programs: readonly Address[];
}

/** Of bytes as they lie on the chain. Throws where they are no transaction. */
export function outlineOf(wire: Uint8Array): Outline {
  const message = getCompiledTransactionMessageDecoder().decode(getTransactionDecoder().decode(wire).messageBytes);
  if (message.version === 1) throw new Error('transaction: version 1 is none of ours');
  return {
    feePayer: message.staticAccounts[0]!,
    // A program never comes from a lookup table.
    programs: message.instructions.map(({ programAddressIndex }) => message.staticAccounts[programAddressIndex]!),
  };
}

/** Which payment an instruction of a batch belongs to; null: none, it is the marker or the memo. Each payment ends with one call of the token program. */
export function paymentOf(programs: readonly Address[], instruction: number): number | null {
  const program = programs[instruction];
  if (program !== TOKEN_PROGRAM_ADDRESS && program !== ASSOCIATED_TOKEN_PROGRAM_ADDRESS) return null;
  return programs.slice(0, instruction).filter((before) => before === TOKEN_PROGRAM_ADDRESS).length;
}
