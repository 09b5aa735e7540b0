import {
  type Address,
  type CompiledTransactionMessage,
  type CompiledTransactionMessageWithLifetime,
  getBase58Decoder,
  getCompiledTransactionMessageDecoder,
  getSignatureFromTransaction,
  getTransactionDecoder,
  type Signature,
} from '@solana/kit';
import { SUPPORTED_MEMO_PROGRAM_ADDRESSES } from '@solana-program/memo';

/** What a transaction's bytes say. */
export interface Message {
  readonly signature: Signature;
  readonly signatures: readonly Signature[];
  readonly version: 'legacy' | 0;
  readonly header: { readonly numRequiredSignatures: number; readonly numReadonlySignedAccounts: number; readonly numReadonlyUnsignedAccounts: number };
  readonly accounts: readonly Address[];
  readonly writable: readonly Address[];
  readonly blockhash: string;
  readonly instructions: readonly { readonly programIdIndex: number; readonly accounts: readonly number[]; readonly data: Uint8Array }[];
  /** As nodes index it: each with its length in bytes before it. Null: none. */
  readonly memo: string | null;
}

type Compiled = Exclude<CompiledTransactionMessage & CompiledTransactionMessageWithLifetime, { version: 1 }>;

function writableOf({ header, staticAccounts }: Compiled): Address[] {
  const signers = header.numSignerAccounts;
  return staticAccounts.filter((_, index) =>
    index < signers ? index < signers - header.numReadonlySignerAccounts : index < staticAccounts.length - header.numReadonlyNonSignerAccounts,
  );
}

/** Throws where the bytes are no transaction, or one of which this chain cannot do everything. */
export function messageOf(wire: Uint8Array): Message {
  const transaction = getTransactionDecoder().decode(wire);
  const compiled = getCompiledTransactionMessageDecoder().decode(transaction.messageBytes);
  if (compiled.version === 1) throw new Error('transaction: version 1 is not supported here');
  if ('addressTableLookups' in compiled && compiled.addressTableLookups?.length) throw new Error('transaction: lookup tables are not supported here');
  const { header, staticAccounts: accounts } = compiled;
  const instructions = compiled.instructions.map(({ programAddressIndex, accountIndices, data }) => ({
    programIdIndex: programAddressIndex,
    accounts: accountIndices ?? [],
    data: new Uint8Array(data ?? []),
  }));
  const memos = instructions
    .filter(({ programIdIndex }) => SUPPORTED_MEMO_PROGRAM_ADDRESSES.slice(0, 2).some((program) => program === accounts[programIdIndex]))
    .map(({ data }) => `[${data.length}] ${new TextDecoder().decode(data)}`);
  return {
    signature: getSignatureFromTransaction(transaction),
    signatures: Object.values(transaction.signatures).map((bytes) => getBase58Decoder().decode(bytes ?? new Uint8Array(64)) as Signature),
    version: compiled.version,
    header: {
      numRequiredSignatures: header.numSignerAccounts,
      numReadonlySignedAccounts: header.numReadonlySignerAccounts,
      numReadonlyUnsignedAccounts: header.numReadonlyNonSignerAccounts,
    },
    accounts,
    writable: writableOf(compiled),
    blockhash: compiled.lifetimeToken,
    instructions,
    memo: memos.length > 0 ? memos.join('; ') : null,
  };
}
