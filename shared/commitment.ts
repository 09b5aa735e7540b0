import { sha256 } from '@noble/hashes/sha2.js';
import { domainBytes, FormatError, hashDomains, wordsOf } from './formats.ts';
import { type PartMask, partsOf } from './model.ts';

/**
 * Commit, then open. A contributor commits to every part of its result with one hash, is told only then which elements
 * will be looked at, and opens those columns: all parts of an element at once, so that what it opens must also add up to
 * the total that it handed in. The salt is the lease's: nobody can commit by somebody else's hash.
 *
 * A Merkle tree (R. C. Merkle, 1987; leaves and nodes hashed apart as in RFC 6962) over leaves of four columns:
 *   leaf: SHA-256(0 · salt · u32 leaf · 4 elements x parts ascending x words, u32 each; what lies behind the last element is 0)
 *   node: SHA-256(1 · left · right); the last node of an odd row moves up as it is.
 *
 * Opening v1: u32 magic 'TSO1' · u32 leaves · the leaves ascending · hashes of the missing siblings, row by row, left to right.
 */
const OPENING_MAGIC = 0x314f5354;
const LEAF_ELEMENTS = 4;
const HASH_BYTES = 32;

export interface Shape {
  readonly parts: PartMask;
  readonly elements: number;
  /** u32 words of one element of one part. */
  readonly words: number;
}

/** The salt of every hash under this lease. */
export const saltOf = (token: string): Uint8Array => sha256(domainBytes(hashDomains.salt, new TextEncoder().encode(token)));

/** One call over one buffer: 1024 leaves of 4 parts take 6.4 ms so, and 7.6 ms by four updates of a hash object (2-core Xeon). */
function leafHash(salt: Uint8Array, leaf: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + salt.byteLength + data.byteLength);
  bytes.set(salt, 1);
  new DataView(bytes.buffer).setUint32(1 + salt.byteLength, leaf, true);
  bytes.set(data, 5 + salt.byteLength);
  return sha256(bytes);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * HASH_BYTES);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_BYTES);
  return sha256(bytes);
}

const leafBytes = ({ parts, words }: Shape): number => LEAF_ELEMENTS * partsOf(parts).length * words * 4;

/** Ascending leaves that hold these elements. */
const leavesOf = (elements: readonly number[]): number[] => [...new Set(elements.map((element) => Math.floor(element / LEAF_ELEMENTS)))].sort((a, b) => a - b);

/** What a contributor keeps of a result until it has a verdict. */
export interface Committed {
  readonly root: Uint8Array;
  /** The opening of these elements. */
  open(elements: readonly number[]): Uint8Array<ArrayBuffer>;
}

/** Hashes the parts of a result. `parts` hold every part of the shape once, each elements x words u32. Throws `FormatError`. */
export function commitParts(salt: Uint8Array, shape: Shape, parts: readonly { readonly part: number; readonly bytes: Uint8Array }[]): Committed {
  const { elements, words } = shape;
  const columns = parts.toSorted((a, b) => a.part - b.part).map(({ bytes }) => wordsOf(bytes, elements * words));
  const leafData = (leaf: number): Uint8Array => {
    const data = new Uint32Array(leafBytes(shape) / 4);
    const end = Math.min(elements, (leaf + 1) * LEAF_ELEMENTS);
    let at = 0;
    for (let element = leaf * LEAF_ELEMENTS; element < end; element++)
      for (const column of columns) {
        data.set(column.subarray(element * words, (element + 1) * words), at);
        at += words;
      }
    return new Uint8Array(data.buffer);
  };
  // A row is one array: a node of its own costs 250 bytes for its 32.
  const rowOf = (count: number, hash: (index: number) => Uint8Array): Uint8Array => {
    const row = new Uint8Array(count * HASH_BYTES);
    for (let index = 0; index < count; index++) row.set(hash(index), index * HASH_BYTES);
    return row;
  };
  const nodeOf = (row: Uint8Array, index: number): Uint8Array => row.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  const widthOf = (row: Uint8Array): number => row.byteLength / HASH_BYTES;
  const rows = [rowOf(Math.ceil(elements / LEAF_ELEMENTS), (leaf) => leafHash(salt, leaf, leafData(leaf)))];
  for (let row = rows[0]!; widthOf(row) > 1; rows.push(row)) {
    const below = row;
    row = rowOf(Math.ceil(widthOf(below) / 2), (index) => {
      const left = nodeOf(below, index * 2);
      return index * 2 + 1 < widthOf(below) ? nodeHash(left, nodeOf(below, index * 2 + 1)) : left;
    });
  }
  return {
    root: rows.at(-1)!.slice(0, HASH_BYTES),
    open(wanted) {
      const leaves = leavesOf(wanted);
      const siblings: Uint8Array[] = [];
      let known = leaves;
      for (const row of rows) {
        const has = new Set(known);
        for (const index of known) if ((index ^ 1) < widthOf(row) && !has.has(index ^ 1)) siblings.push(nodeOf(row, index ^ 1));
        known = [...new Set(known.map((index) => index >> 1))];
      }
      const size = leafBytes(shape);
      const out = new Uint8Array(8 + leaves.length * size + siblings.length * HASH_BYTES);
      new Uint32Array(out.buffer, 0, 2).set([OPENING_MAGIC, leaves.length]);
      for (const [index, leaf] of leaves.entries()) out.set(leafData(leaf), 8 + index * size);
      for (const [index, hash] of siblings.entries()) out.set(hash, 8 + leaves.length * size + index * HASH_BYTES);
      return out;
    },
  };
}

/** Most bytes that an opening of this shape can have. */
export const openingBytesMax = (shape: Shape): number => 8 + Math.ceil(shape.elements / LEAF_ELEMENTS) * (leafBytes(shape) + HASH_BYTES);

/** The words of one opened element of one part. */
export type Opened = (part: number, element: number) => Uint32Array;

/**
 * Checks an opening of `wanted` elements against the root it was committed with. Throws `FormatError` when it is damaged,
 * opens other leaves, or does not lead to the root.
 */
export function readOpening(bytes: Uint8Array, salt: Uint8Array, root: Uint8Array, shape: Shape, wanted: readonly number[]): Opened {
  const leaves = leavesOf(wanted);
  const size = leafBytes(shape);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 8 + leaves.length * size || view.getUint32(0, true) !== OPENING_MAGIC || view.getUint32(4, true) !== leaves.length)
    throw new FormatError('the opening does not hold the elements that were asked for');
  const dataOf = (index: number): Uint8Array => bytes.subarray(8 + index * size, 8 + (index + 1) * size);
  let at = 8 + leaves.length * size;
  const take = (): Uint8Array => {
    if (at + HASH_BYTES > bytes.byteLength) throw new FormatError('the opening ends before its hashes do');
    at += HASH_BYTES;
    return bytes.subarray(at - HASH_BYTES, at);
  };
  let known = new Map(leaves.map((leaf, index) => [leaf, leafHash(salt, leaf, dataOf(index))]));
  for (let width = Math.ceil(shape.elements / LEAF_ELEMENTS); width > 1; width = Math.ceil(width / 2)) {
    // Siblings come in the order in which the opening names them: by the index of the node they complete.
    const above = new Map<number, Uint8Array>();
    for (const [index, hash] of known) {
      if (above.has(index >> 1)) continue;
      const sibling = index ^ 1;
      if (sibling >= width) above.set(index >> 1, hash);
      else {
        const other = known.get(sibling) ?? take();
        above.set(index >> 1, index % 2 === 0 ? nodeHash(hash, other) : nodeHash(other, hash));
      }
    }
    known = above;
  }
  const found = known.get(0);
  if (at !== bytes.byteLength || !found || !found.every((byte, index) => byte === root[index]))
    throw new FormatError('the opening does not match what was committed');
  const places = new Map(leaves.map((leaf, index) => [leaf, index]));
  const order = new Map(partsOf(shape.parts).map((part, index) => [part, index]));
  return (part, element) => {
    const [index, column] = [places.get(Math.floor(element / LEAF_ELEMENTS)), order.get(part)];
    if (index === undefined || column === undefined || element >= shape.elements) throw new FormatError(`element ${element} of part ${part} was not opened`);
    const start = ((element % LEAF_ELEMENTS) * order.size + column) * shape.words * 4;
    return wordsOf(dataOf(index).subarray(start, start + shape.words * 4), shape.words);
  };
}
