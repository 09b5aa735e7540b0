import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../shared/formats.ts';
import { type BlobHash, fullMask, type JobId, maskOf } from '../../../shared/model.ts';
import { merkleRoot, type Receipt, type ReceiptLeaf, sealReceipt, signedBytes } from '../../../shared/receipt.ts';
import { totalsOf } from './receipt-state.svelte.ts';
import { verifyReceipt } from './verify.ts';

const secret = new Uint8Array(32).fill(7);
const keyOf = (seed: Uint8Array) => ({ publicKey: toHex(ed25519.getPublicKey(seed)), sign: (bytes: Uint8Array) => ed25519.sign(bytes, seed) });
const key = keyOf(secret);
const hash = 'cd'.repeat(32) as BlobHash;

const leaf = (tile: number, parts: readonly number[], over: Partial<ReceiptLeaf> = {}): Omit<ReceiptLeaf, 'digest'> => ({
  pass: 0,
  tile,
  parts: maskOf(parts),
  hash,
  contributor: 'a1b2c3',
  evidence: [{ by: 'cpu', drawn: 64, differing: 1, unexplained: 0 }],
  errorBound: 1e-4,
  microCredits: '20',
  ...over,
});

const build = (by = key, leaves = [leaf(0, [0, 1]), leaf(1, [1], { errorBound: 4e-4 }), leaf(1, [0])]): Receipt =>
  sealReceipt(
    {
      job: 'j_AAAAAAAAAAAAAAAA' as JobId,
      title: 'Küche',
      workload: 'example',
      workloadVersion: 2,
      seed: 1,
      unit: 'test',
      targetError: 1e-4,
      createdMs: 1000,
      endedMs: 2000.5,
      issuedMs: 3000,
      parts: 4,
      outputs: [{ id: 'png', hash }],
      leaves,
    },
    sha256,
    by,
  );
const problems = (change: (receipt: Receipt) => void, expectedKeys?: readonly string[]): readonly string[] | undefined => {
  const copy = structuredClone(build());
  change(copy);
  return verifyReceipt(copy, expectedKeys)?.problems;
};

/** What somebody who cannot sign does after a change: everything but the signature fits again. */
const cover = (receipt: Receipt): void => {
  const again = build(key, receipt.leaves);
  Object.assign(receipt, { leaves: again.leaves, root: again.root });
};

describe('verifyReceipt', () => {
  it('finds nothing wrong with what was signed, after a way through JSON', () => {
    expect(verifyReceipt(JSON.parse(JSON.stringify(build())), [key.publicKey])?.problems).toEqual([]);
  });

  it('names the tile that was changed', () => {
    expect(problems((receipt) => Object.assign(receipt.leaves[0]!, { microCredits: '21' }))).toEqual([
      'What it says of pass 0, tile 0 is not what was signed.',
    ]);
    expect(problems((receipt) => Object.assign(receipt.leaves[2]!.evidence[0]!, { unexplained: 1 }))).toEqual([
      'What it says of pass 0, tile 1 is not what was signed.',
    ]);
  });

  it('finds a change out that was covered up to the root', () => {
    const found = problems((receipt) => {
      Object.assign(receipt.leaves[0]!, { contributor: 'ffffff' });
      cover(receipt);
    });
    expect(found).toEqual([expect.stringContaining('signature does not fit')]);
  });

  it('refuses leaves in another order, twice, or missing', () => {
    expect(problems((receipt) => receipt.leaves.reverse())).toContainEqual(expect.stringContaining('do not lead to its root'));
    expect(problems((receipt) => receipt.leaves.reverse())).toContainEqual(expect.stringContaining('behind a later one'));
    expect(problems((receipt) => receipt.leaves.push(receipt.leaves[0]!))).toContain('Parts of pass 0, tile 0 are in it twice.');
    expect(problems((receipt) => receipt.leaves.pop())).toContain('It holds 3 parts, and the job has 4.');
  });

  it('refuses a changed root, head, file or signature', () => {
    for (const change of [
      (receipt: Receipt) => Object.assign(receipt, { root: '00'.repeat(32) }),
      (receipt: Receipt) => Object.assign(receipt, { title: 'Other' }),
      (receipt: Receipt) => Object.assign(receipt.outputs[0]!, { hash: '00'.repeat(32) }),
      (receipt: Receipt) => Object.assign(receipt, { signature: '00'.repeat(64) }),
    ])
      expect(problems(change)).toContainEqual(expect.stringContaining('signature does not fit'));
  });

  it('refuses a foreign key when the right one is known', () => {
    const foreign = build(keyOf(new Uint8Array(32).fill(8)));
    expect(verifyReceipt(foreign)?.problems).toEqual([]);
    expect(verifyReceipt(foreign, [key.publicKey, foreign.publicKey])?.problems).toEqual([]);
    expect(verifyReceipt(foreign, [key.publicKey])?.problems).toEqual(['It is signed with another key than the one that was expected.']);
  });

  it('believes no key of small order, which signs anything', () => {
    const found = problems((receipt) => Object.assign(receipt, { publicKey: `01${'00'.repeat(31)}`, signature: `01${'00'.repeat(63)}` }));
    expect(found).toEqual([expect.stringContaining('signature does not fit')]);
  });

  it('takes nothing for a receipt that has another form', () => {
    expect(verifyReceipt({ ...build(), version: 2 })).toBeNull();
    expect(verifyReceipt({ ...build(), leaves: [] })).toBeNull();
    expect(verifyReceipt({ ...build(), extra: 1 })).toBeNull();
    expect(verifyReceipt(null)).toBeNull();
  });
});

it('keeps leaves and nodes apart: a node is no leaf', () => {
  const digests = build().leaves.map(({ digest }) => digest);
  const whole = merkleRoot(digests, sha256);
  const upper = merkleRoot(digests.slice(0, 2), sha256);
  expect(merkleRoot([upper, digests[2]!], sha256)).toBe(whole);
  // The same root from fewer leaves: only the number of leaves in the signed head tells them apart.
  const receipt = build();
  expect(signedBytes({ ...receipt, leaves: receipt.leaves.slice(1) }, whole)).not.toEqual(signedBytes(receipt, whole));
});

it('sums up a receipt by parts', () => {
  const totals = totalsOf(build());
  expect(totals).toMatchObject({ drawn: 192, microCredits: 60n });
  expect(totals.errorBound).toBeCloseTo(1.75e-4, 10);
  expect(build().leaves[0]?.parts).toBe(fullMask(2));
});
