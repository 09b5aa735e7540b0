import type { Address, TransactionError } from '@solana/kit';
import { paymentOf } from './transaction.ts';

/**
 * Errors by which the token program (and the system program that it calls) says that the payer is at fault: without the funds, not the owner, wrong about the
 * decimals. No payee can bring them about.
 */
const OURS: ReadonlySet<number> = new Set([1, 4, 18]);

/** Index of the payment that made a batch fail; null: none of them. */
export function blamed(error: TransactionError, programs: readonly Address[]): number | null {
  if (typeof error === 'string' || !('InstructionError' in error)) return null;
  const [instruction, why] = error.InstructionError;
  if (typeof why === 'object' && OURS.has(Number(why.Custom))) return null;
  return paymentOf(programs, Number(instruction));
}

/** For the log: "instruction 3: Custom 17", "BlockhashNotFound". */
export function reasonOf(error: TransactionError): string {
  if (typeof error === 'string') return error;
  if (!('InstructionError' in error)) return JSON.stringify(error, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
  const [instruction, why] = error.InstructionError;
  return `instruction ${instruction}: ${typeof why === 'string' ? why : `Custom ${why.Custom}`}`;
}
