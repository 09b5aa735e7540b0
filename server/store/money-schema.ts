import type { Generated } from 'kysely';
import type { OwnerId } from '../../shared/model.ts';
import type { StoredWithdrawal } from './money.ts';

export interface WithdrawalsTable {
  seq: Generated<number>;
  id: string;
  owner: OwnerId;
  state: StoredWithdrawal['state'];
  /** Micro-credits. */
  amount: bigint;
  /** `Order`, amounts in decimal. */
  order_json: string;
  session_hash: Uint8Array;
  signature: string | null;
  transaction_signature: string | null;
  paid_tokens: string | null;
  reason: string | null;
  created_ms: number;
  expires_ms: number;
  ended_ms: number | null;
}

export interface EpochsTable {
  number: number;
  root: string;
  /** `Leaf` or `SealedLeaf`, in the order of the tree. */
  leaves_json: string;
  at_ms: number;
}

export interface EpochTransactionsTable {
  epoch: number;
  signature: string;
}
