import { concatBytes, domainBytes, toHex } from './formats.ts';

/**
 * An epoch is one root over what every wallet has earned and spent in all. It goes into the memo of payouts, where the operator cannot change it
 * any more; whoever knows his own leaf checks it against that without trusting the coordinator. It proves what was promised, not that it is there.
 *
 *   leaf   SHA-256(0 · domainBytes('tessera/earnings/v1', UTF-8 of JSON [epoch, wallet, credits, debits], salt))
 *   node   SHA-256(1 · left · right); the last node of an odd row moves up as it is (as in receipts, RFC 6962's prefixes)
 *
 * The salt of 16 bytes is the leaf's own: siblings tell nothing of what others earned.
 */
const DOMAIN = 'tessera/earnings/v1';

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export interface EarningsLeaf {
  readonly epoch: number;
  /** Base58. */
  readonly wallet: string;
  /** Micro-credits that were ever posted to its earnings, and from them. Decimal. */
  readonly credits: string;
  readonly debits: string;
  readonly salt: Uint8Array;
}

/** From the leaf up; null where the node had no sibling. */
export type Siblings = readonly (Uint8Array | null)[];

export const earningsLeaf = ({ epoch, wallet, credits, debits, salt }: EarningsLeaf, sha256: Sha256): Uint8Array =>
  sha256(concatBytes(Uint8Array.of(0), domainBytes(DOMAIN, new TextEncoder().encode(JSON.stringify([epoch, wallet, credits, debits])), salt)));

const node = (left: Uint8Array, right: Uint8Array, sha256: Sha256): Uint8Array => sha256(concatBytes(Uint8Array.of(1), left, right));

/** The rows of the tree, leaves first. At least one leaf. */
export function earningsTree(leaves: readonly Uint8Array[], sha256: Sha256): readonly (readonly Uint8Array[])[] {
  if (leaves.length === 0) throw new RangeError('a tree needs a leaf');
  const rows = [leaves];
  for (let row = leaves; row.length > 1; rows.push(row)) {
    const below = row;
    row = Array.from({ length: Math.ceil(below.length / 2) }, (_, index) => {
      const [left, right] = [below[2 * index]!, below[2 * index + 1]];
      return right ? node(left, right, sha256) : left;
    });
  }
  return rows;
}

/** What leads from a leaf to the root. */
export function siblingsOf(rows: readonly (readonly Uint8Array[])[], index: number): Siblings {
  return rows.slice(0, -1).map((row, depth) => row[(index >> depth) ^ 1] ?? null);
}

/** Hex of the root that a leaf at this index leads to. */
export function rootFrom(leaf: Uint8Array, index: number, siblings: Siblings, sha256: Sha256): string {
  let hash = leaf;
  for (const [depth, sibling] of siblings.entries()) if (sibling) hash = (index >> depth) % 2 === 0 ? node(hash, sibling, sha256) : node(sibling, hash, sha256);
  return toHex(hash);
}
