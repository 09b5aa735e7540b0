import { type Address, getTransactionDecoder, lamports, type TransactionError } from '@solana/kit';
import { SYSTEM_PROGRAM_ADDRESS } from '@solana-program/system';
import type { FailedTransactionMetadata, LiteSVM, TransactionMetadata } from 'litesvm';
import { instructionErrors, transactionErrors } from './errors.ts';

/** litesvm as this chain uses it: the virtual machine of validators with the programs of the network, and one present state. */

export interface Account {
  readonly lamports: bigint;
  readonly owner: Address;
  readonly data: Uint8Array;
  readonly executable: boolean;
}

export interface Execution {
  readonly error: TransactionError | null;
  readonly logs: readonly string[];
  readonly computeUnits: bigint;
}

type Native = typeof import('litesvm/dist/internal.js');

export class Engine {
  /** Everything native is held on to while in use: it is freed with the object that stands for it here. */
  readonly #svm: LiteSVM;
  readonly #native: Native;

  private constructor(svm: LiteSVM, native: Native) {
    this.#svm = svm;
    this.#native = native;
  }

  /** Loaded only here: an optional dependency. It knows one blockhash and its own duplicates only, so both checks are its user's. */
  static async open(): Promise<Engine> {
    const [{ LiteSVM }, native] = await Promise.all([import('litesvm'), import('litesvm/dist/internal.js')]);
    return new Engine(new LiteSVM().withBlockhashCheck(false).withTransactionHistory(0n), native);
  }

  /** The clock that programs see. */
  setSlot(slot: bigint): void {
    this.#svm.warpToSlot(slot);
  }

  account(address: Address): Account | null {
    const account = this.#svm.getAccount(address);
    // What has no lamports is no account to the network.
    if (!account.exists || account.lamports === 0n) return null;
    return { lamports: account.lamports, owner: account.programAddress, data: new Uint8Array(account.data), executable: account.executable };
  }

  /** Without its data, which programs have a lot of. */
  balance(address: Address): bigint {
    return this.#svm.getBalance(address) ?? 0n;
  }

  rentOf(sizeBytes: bigint): bigint {
    return this.#svm.minimumBalanceForRentExemption(sizeBytes);
  }

  /** Money from nowhere. */
  fund(address: Address, amount: bigint): void {
    this.#svm.setAccount({
      address,
      lamports: lamports(amount),
      data: new Uint8Array(),
      executable: false,
      programAddress: SYSTEM_PROGRAM_ADDRESS,
      space: 0n,
    });
  }

  execute(wire: Uint8Array): Execution {
    return this.#told(this.#svm.sendTransaction(getTransactionDecoder().decode(wire)));
  }

  /** Changes nothing. */
  simulate(wire: Uint8Array, verifiesSignatures: boolean): Execution {
    this.#svm.withSigverify(verifiesSignatures);
    try {
      const result = this.#svm.simulateTransaction(getTransactionDecoder().decode(wire));
      return this.#told(result instanceof this.#native.FailedTransactionMetadata ? result : result.meta());
    } finally {
      this.#svm.withSigverify(true);
    }
  }

  #told(result: TransactionMetadata | FailedTransactionMetadata): Execution {
    const failed = result instanceof this.#native.FailedTransactionMetadata;
    const meta = failed ? result.meta() : result;
    return { error: failed ? this.#errorOf(result) : null, logs: meta.logs(), computeUnits: meta.computeUnitsConsumed() };
  }

  /** In the words of a node. */
  #errorOf(failed: FailedTransactionMetadata): TransactionError {
    const native = this.#native;
    const error = failed.err();
    if (typeof error === 'number') return (transactionErrors[error] ?? `error ${error}`) as TransactionError;
    if (error instanceof native.TransactionErrorInstructionError) {
      const why = error.err();
      const named = typeof why === 'number' ? (instructionErrors[why] ?? `error ${why}`) : 'BorshIoError';
      return { InstructionError: [error.index, why instanceof native.InstructionErrorCustom ? { Custom: why.code } : named] } as TransactionError;
    }
    if (error instanceof native.TransactionErrorDuplicateInstruction) return { DuplicateInstruction: error.index };
    if (error instanceof native.TransactionErrorInsufficientFundsForRent) return { InsufficientFundsForRent: { account_index: error.accountIndex } };
    return { ProgramExecutionTemporarilyRestricted: { account_index: error.accountIndex } };
  }
}
