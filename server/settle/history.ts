import { type Address, signature as asSignature, type Rpc, type Signature, type SolanaRpcApi } from '@solana/kit';
import { final, limited } from './request.ts';

/** One transaction that named an address, and did not fail. */
export interface Entry {
  readonly signature: Signature;
  /** As the node has it: "[length] text". */
  readonly memo: string | null;
}

/** The usual question is about a few, the first one of all about everything: a node gives at most 1000. */
const FIRST_PAGE = 100;
const PAGE_MAX = 1000;

/**
 * Finalised transactions of an address, oldest first, after the one given. Nodes tell the newest first, so this goes back page by page until it has met that
 * one. Throws where it never does: a node that has forgotten, or one behind another, must not make us skip what lies between.
 */
export async function entriesAfter(rpc: Rpc<SolanaRpcApi>, address: Address, after: string | null): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let before: Signature | null = null; ; ) {
    const config = { ...final, limit: before ? PAGE_MAX : FIRST_PAGE, ...(before && { before }) };
    const page: Awaited<ReturnType<SolanaRpcApi['getSignaturesForAddress']>> = await rpc.getSignaturesForAddress(address, config).send(limited());
    for (const { signature, err, memo } of page) {
      if (signature === after) return entries.reverse();
      if (err === null) entries.push({ signature, memo });
    }
    const oldest = page.at(-1);
    if (!oldest) break;
    before = oldest.signature;
  }
  if (after !== null) throw new Error(`history of ${address}: the node does not know ${after} (any more), so what came after it is unknown`);
  return entries.reverse();
}

/**
 * Reads a history bit by bit. It remembers how far it looked, beyond the last thing found: else somebody's worthless transactions would be looked at again with
 * every question.
 */
export class Reader<T extends { readonly signature: string }> {
  readonly #list: (after: string | null) => Promise<Entry[]>;
  readonly #read: (entry: Entry) => Promise<T | null>;
  #asked: string | null = null;
  #reached: string | null = null;
  #rest: readonly Entry[] = [];

  constructor(list: (after: string | null) => Promise<Entry[]>, read: (entry: Entry) => Promise<T | null>) {
    this.#list = list;
    this.#read = read;
  }

  /** At most `limit`, oldest first. Where it rejects, nothing has moved. */
  async take(after: string | null, limit: number): Promise<T[]> {
    const known = after === this.#asked;
    let reached = known ? this.#reached : after;
    const rest = known && this.#rest.length > 0 ? this.#rest : await this.#list(reached);
    const found: T[] = [];
    let looked = 0;
    while (looked < rest.length && found.length < limit) {
      const entry = rest[looked++]!;
      const item = await this.#read(entry);
      if (item) found.push(item);
      reached = entry.signature;
    }
    this.#asked = found.at(-1)?.signature ?? after;
    this.#reached = reached;
    this.#rest = rest.slice(looked);
    return found;
  }
}

/** A finalised transaction, as far as it matters here. Throws where the node lists it but has it not. */
export async function transactionOf(rpc: Rpc<SolanaRpcApi>, signature: string) {
  // Version 1 needs no more of us than the others, and refusing it would let anybody stop the reading with one.
  const config = { ...final, encoding: 'json', maxSupportedTransactionVersion: 1 } as const;
  const found = await rpc.getTransaction(asSignature(signature), config).send(limited());
  if (!found?.meta) throw new Error(`transaction ${signature}: the node lists it and does not have it`);
  const { meta, transaction } = found;
  const { accountKeys, instructions } = transaction.message;
  const accounts = [...accountKeys, ...(meta.loadedAddresses?.writable ?? []), ...(meta.loadedAddresses?.readonly ?? [])];
  return {
    feePayer: accountKeys[0]!,
    accounts,
    programs: instructions.map(({ programIdIndex }) => accounts[programIdIndex]!),
    before: meta.preTokenBalances ?? [],
    after: meta.postTokenBalances ?? [],
  };
}
