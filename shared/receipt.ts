import { type Static, Type } from 'typebox';
import { concatBytes, domainBytes, FormatError, fromHex, hashDomains, toHex } from './formats.ts';
import { countParts, hasPart, type PartMask, partsOf } from './model.ts';
import { blobHash, jobId } from './schemas.ts';

/**
 * A receipt tells for every accepted result of a job who made it, what was checked of it, what was paid for it, and the hash
 * of its bytes. It is signed, so that it can be verified without the coordinator: by the receipt page, and by
 * scripts/verify-receipt.mjs, which is written apart from this file on purpose.
 *
 * Receipt v1. All text is UTF-8, all JSON without spaces and with numbers as ECMAScript writes them (RFC 8785).
 *   leaf bytes   JSON of [job, pass, tile, parts, hash, contributor, [[by, drawn, differing, unexplained], ...], errorBound, microCredits]
 *   digest       SHA-256(0 · leaf bytes)
 *   root         Merkle tree (R. C. Merkle, 1987; RFC 6962's prefixes) over the digests, ascending by pass, tile, parts:
 *                node SHA-256(1 · left · right); the last node of an odd row moves up as it is
 *   head         JSON of [version, job, title, workload, workloadVersion, seed, unit, targetError, createdMs, endedMs, issuedMs, parts,
 *                number of leaves, [[output, hash], ...]]
 *   signature    Ed25519 (RFC 8032) over domainBytes('tessera/receipt/v1', head, root)
 */
const RECEIPT_VERSION = 1;

const closed = { additionalProperties: false } as const;
const hex = (bytes: number) => Type.String({ pattern: `^[0-9a-f]{${bytes * 2}}$` });
const whole = Type.Integer({ minimum: 0 });
const microCredits = Type.String({ pattern: '^[0-9]{1,30}$' });

export const receiptLeaf = Type.Object(
  {
    pass: whole,
    tile: whole,
    /** Bit i: part i. */
    parts: Type.Unsafe<PartMask>(Type.Integer({ minimum: 1, maximum: 2 ** 30 - 1 })),
    /** SHA-256 of the result's bytes, as `GET /api/jobs/:job/results/:id` has them. */
    hash: blobHash,
    /** A name derived from the contributor's id, the same as on the job's page. */
    contributor: Type.String(),
    /** Values recomputed, those that differed, and those that nothing explained, by who recomputed them. */
    evidence: Type.Array(
      Type.Object(
        {
          by: Type.Union([Type.Literal('cpu'), Type.Literal('trusted'), Type.Literal('contributor')]),
          drawn: whole,
          differing: whole,
          unexplained: whole,
        },
        closed,
      ),
    ),
    /** Expected share of wrong values in it, at most. */
    errorBound: Type.Number({ minimum: 0, maximum: 1 }),
    /** Paid for it, and not taken back until the receipt was issued. */
    microCredits,
    digest: hex(32),
  },
  closed,
);
export type ReceiptLeaf = Static<typeof receiptLeaf>;

export const receipt = Type.Object(
  {
    version: Type.Literal(RECEIPT_VERSION),
    job: jobId,
    title: Type.String(),
    workload: Type.String(),
    workloadVersion: whole,
    seed: whole,
    unit: Type.Union([Type.Literal('test'), Type.Literal('credit')]),
    targetError: Type.Number(),
    createdMs: Type.Number(),
    endedMs: Type.Number(),
    issuedMs: Type.Number(),
    /** Parts of the whole job. */
    parts: whole,
    /** The files that the results were assembled to. */
    outputs: Type.Array(Type.Object({ id: Type.String(), hash: blobHash }, closed)),
    leaves: Type.Array(receiptLeaf, { minItems: 1 }),
    root: hex(32),
    publicKey: hex(32),
    signature: hex(64),
  },
  closed,
);
export type Receipt = Static<typeof receipt>;

/** Everything but what follows from it. */
export type ReceiptContent = Omit<Receipt, 'version' | 'leaves' | 'root' | 'publicKey' | 'signature'> & {
  readonly leaves: readonly Omit<ReceiptLeaf, 'digest'>[];
};

/** SHA-256. The coordinator's own is ten times faster than one in JavaScript. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const json = (value: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(value));

function leafBytes(job: string, leaf: Omit<ReceiptLeaf, 'digest'>): Uint8Array {
  const evidence = leaf.evidence.map(({ by, drawn, differing, unexplained }) => [by, drawn, differing, unexplained]);
  return json([job, leaf.pass, leaf.tile, leaf.parts, leaf.hash, leaf.contributor, evidence, leaf.errorBound, leaf.microCredits]);
}

export const leafDigest = (job: string, leaf: Omit<ReceiptLeaf, 'digest'>, sha256: Sha256): string =>
  toHex(sha256(concatBytes(Uint8Array.of(0), leafBytes(job, leaf))));

/** Root of the tree over these leaf digests. Throws `FormatError` when there are none. */
export function merkleRoot(digests: readonly string[], sha256: Sha256): string {
  let row: Uint8Array[] = digests.map(fromHex);
  while (row.length > 1) {
    const below = row;
    row = Array.from({ length: Math.ceil(below.length / 2) }, (_, index) => {
      const [left, right] = [below[index * 2]!, below[index * 2 + 1]];
      return right ? sha256(concatBytes(Uint8Array.of(1), left, right)) : left;
    });
  }
  const [root] = row;
  if (!root) throw new FormatError('a receipt has at least one leaf');
  return toHex(root);
}

/** What the signature is over. */
export function signedBytes(content: Omit<ReceiptContent, 'leaves'> & { readonly leaves: readonly unknown[] }, root: string): Uint8Array<ArrayBuffer> {
  const { job, title, workload, workloadVersion, seed, unit, targetError, createdMs, endedMs, issuedMs, parts, leaves, outputs } = content;
  const files = outputs.map(({ id, hash }) => [id, hash]);
  const head = [RECEIPT_VERSION, job, title, workload, workloadVersion, seed, unit, targetError, createdMs, endedMs, issuedMs, parts, leaves.length, files];
  return domainBytes(hashDomains.receipt, json(head), fromHex(root));
}

export const leafOrder = (a: Omit<ReceiptLeaf, 'digest'>, b: Omit<ReceiptLeaf, 'digest'>): number =>
  a.pass - b.pass || a.tile - b.tile || partsOf(a.parts)[0]! - partsOf(b.parts)[0]!;

/** Everything a receipt says, as it is signed. */
export function sealReceipt(
  content: ReceiptContent,
  sha256: Sha256,
  key: { readonly publicKey: string; readonly sign: (bytes: Uint8Array) => Uint8Array },
): Receipt {
  const leaves = content.leaves.toSorted(leafOrder).map((leaf) => ({ ...leaf, digest: leafDigest(content.job, leaf, sha256) }));
  const root = merkleRoot(
    leaves.map(({ digest }) => digest),
    sha256,
  );
  return { version: RECEIPT_VERSION, ...content, leaves, root, publicKey: key.publicKey, signature: toHex(key.sign(signedBytes(content, root))) };
}

const nameOf = ({ pass, tile }: Pick<ReceiptLeaf, 'pass' | 'tile'>): string => `pass ${pass}, tile ${tile}`;

/**
 * What is wrong with a receipt that has its schema, in sentences; empty when nothing is. `verify` says whether a
 * signature over these bytes is the public key's; `expectedKeys` are those that one trusts, where one has any.
 */
export function receiptProblems(
  of: Receipt,
  sha256: Sha256,
  verify: (signature: Uint8Array, bytes: Uint8Array, publicKey: Uint8Array) => boolean,
  expectedKeys?: readonly string[],
): string[] {
  const changed = of.leaves.filter((leaf) => leafDigest(of.job, leaf, sha256) !== leaf.digest);
  const problems = changed.map((leaf) => `What it says of ${nameOf(leaf)} is not what was signed.`);
  problems.push(...tilingProblems(of));
  const root = merkleRoot(
    of.leaves.map(({ digest }) => digest),
    sha256,
  );
  if (root !== of.root) problems.push('The tiles do not lead to its root: one was changed, left out, added or moved.');
  if (!verify(fromHex(of.signature), signedBytes(of, of.root), fromHex(of.publicKey)))
    problems.push('The signature does not fit: the head or the root was changed, or another key signed it.');
  if (expectedKeys !== undefined && !expectedKeys.includes(of.publicKey)) problems.push('It is signed with another key than the one that was expected.');
  return problems;
}

/** Every part once, in order, and all of them. */
function tilingProblems({ leaves, parts }: Receipt): string[] {
  const problems: string[] = [];
  const seen = new Map<string, PartMask>();
  for (const [index, leaf] of leaves.entries()) {
    const name = nameOf(leaf);
    const before = seen.get(name) ?? (0 as PartMask);
    if (partsOf(leaf.parts).some((part) => hasPart(before, part))) problems.push(`Parts of ${name} are in it twice.`);
    seen.set(name, (before | leaf.parts) as PartMask);
    const previous = leaves[index - 1];
    if (previous && leafOrder(previous, leaf) > 0) problems.push(`${name} stands behind a later one.`);
  }
  const held = leaves.reduce((sum, leaf) => sum + countParts(leaf.parts), 0);
  if (held !== parts) problems.push(`It holds ${held} parts, and the job has ${parts}.`);
  return problems;
}
