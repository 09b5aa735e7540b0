import { createHash, createHmac } from 'node:crypto';
import { earningsLeaf, earningsTree, rootFrom, type Sha256, siblingsOf } from '../shared/earnings.ts';
import { fromBase64Url, fromHex, toBase64Url } from '../shared/formats.ts';
import type { EarningsProof } from '../shared/money-schemas.ts';
import type { Epoch, Leaf, MoneyStore, SealedLeaf } from './store/money.ts';

/** Epochs: what all wallets had earned and spent at some moment, under one root that payouts carry. See `shared/earnings.ts`. */

const SALT_BYTES = 16;
/** Older ones prove nothing that newer ones do not: totals only grow. */
const EPOCHS_KEPT = 50;

const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();

const isSealed = (leaf: Leaf | SealedLeaf): leaf is SealedLeaf => leaf.length === 1;

function hashOf(epoch: number, leaf: Leaf | SealedLeaf): Uint8Array {
  if (isSealed(leaf)) return fromBase64Url(leaf[0]);
  const [wallet, credits, debits, salt] = leaf;
  return earningsLeaf({ epoch, wallet, credits, debits, salt: fromBase64Url(salt) }, sha256);
}

const hashesOf = ({ number, leaves }: Pick<Epoch, 'number' | 'leaves'>): Uint8Array[] => leaves.map((leaf) => hashOf(number, leaf));

/** The same leaves, with nothing left of this wallet's but the hash: the root stays, and with it what all others can prove. */
export const withoutWallet = ({ number, leaves }: Pick<Epoch, 'number' | 'leaves'>, wallet: string): Epoch['leaves'] =>
  leaves.map((leaf) => (!isSealed(leaf) && leaf[0] === wallet ? [toBase64Url(hashOf(number, leaf))] : leaf));

/** Writes down what is earned now, unless nothing has changed since the newest epoch. Undefined while no wallet has earned anything. */
export async function writeEpoch(store: MoneyStore, key: Uint8Array, atMs: number): Promise<Epoch | undefined> {
  const [earned, newest] = await Promise.all([store.earnings(), store.newestEpoch()]);
  if (earned.length === 0) return undefined;
  const isSame =
    earned.length === newest?.leaves.length &&
    earned.every(({ wallet, credits, debits }, index) => {
      const leaf = newest.leaves[index]!;
      return !isSealed(leaf) && leaf[0] === wallet && leaf[1] === credits.toString() && leaf[2] === debits.toString();
    });
  if (isSame) return newest;
  const number = (newest?.number ?? 0) + 1;
  const saltOf = (wallet: string): string => toBase64Url(createHmac('sha256', key).update(`${number} ${wallet}`).digest().subarray(0, SALT_BYTES));
  const leaves = earned.map(({ wallet, credits, debits }) => [wallet, credits.toString(), debits.toString(), saltOf(wallet)] as const);
  const root = toBase64Url(earningsTree(hashesOf({ number, leaves }), sha256).at(-1)![0]!);
  await store.addEpoch({ number, root, leaves, atMs }, EPOCHS_KEPT);
  return { number, root, leaves, atMs, transactions: [] };
}

/** A wallet's own leaf of an epoch; null where it had earned nothing by then. */
export function proofOf(epoch: Epoch, wallet: string): EarningsProof | null {
  const index = epoch.leaves.findIndex((each) => !isSealed(each) && each[0] === wallet);
  const leaf = epoch.leaves[index];
  if (!leaf || isSealed(leaf)) return null;
  const hashes = hashesOf(epoch);
  const siblings = siblingsOf(earningsTree(hashes, sha256), index);
  const root = toBase64Url(fromHex(rootFrom(hashes[index]!, index, siblings, sha256)));
  if (root !== epoch.root) throw new Error(`epoch ${epoch.number}: its leaves lead to another root`);
  const [, creditsMicroCredits, debitsMicroCredits, salt] = leaf;
  return {
    epoch: epoch.number,
    atMs: epoch.atMs,
    wallet,
    creditsMicroCredits,
    debitsMicroCredits,
    salt,
    index,
    wallets: epoch.leaves.length,
    siblings: siblings.map((sibling) => sibling && toBase64Url(sibling)),
    root,
    transactions: [...epoch.transactions],
  };
}
