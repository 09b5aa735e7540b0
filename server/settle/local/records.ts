import { getBase58Decoder, getBase64Decoder, type TransactionError } from '@solana/kit';
import type { Landed, LocalChain } from './world.ts';

/** What has landed, in the words of a node. */

const resultOf = (error: TransactionError | null) => (error ? { Err: error } : { Ok: null });

export function statusOf(chain: LocalChain, landed: Landed) {
  const confirmationStatus = chain.commitmentOf(landed);
  return {
    slot: landed.slot,
    // Null once it cannot be undone.
    confirmations: confirmationStatus === 'finalized' ? null : chain.slot('processed') - landed.slot,
    confirmationStatus,
    err: landed.error,
    status: resultOf(landed.error),
  };
}

function messageJson({ message }: Landed) {
  const { header, accounts, blockhash, instructions, version } = message;
  return {
    header,
    accountKeys: accounts,
    recentBlockhash: blockhash,
    instructions: instructions.map(({ programIdIndex, accounts: named, data }) => ({
      ...{ programIdIndex, accounts: named, data: getBase58Decoder().decode(data), stackHeight: 1 },
    })),
    ...(version === 0 && { addressTableLookups: [] }),
  };
}

/** Inner instructions are not recorded: null, as by nodes that do not either. */
export function transactionJson(chain: LocalChain, landed: Landed, encoding: 'json' | 'base64') {
  const { message, wire, slot, timeMs, error, logs, computeUnits } = landed;
  const meta = {
    ...{ err: error, status: resultOf(error), fee: chain.feeOf(landed), computeUnitsConsumed: computeUnits, logMessages: logs },
    ...{ preBalances: landed.lamportsBefore, postBalances: landed.lamportsAfter },
    ...{ preTokenBalances: landed.tokensBefore, postTokenBalances: landed.tokensAfter },
    ...{ innerInstructions: null, rewards: [], loadedAddresses: { writable: [], readonly: [] } },
  };
  const transaction = encoding === 'json' ? { signatures: message.signatures, message: messageJson(landed) } : [getBase64Decoder().decode(wire), 'base64'];
  return { slot, blockTime: Math.floor(timeMs / 1000), version: message.version, meta, transaction };
}
