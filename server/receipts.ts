import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { MicroCredits } from '../shared/credits.ts';
import { fromBase64Url, toHex } from '../shared/formats.ts';
import type { BlobHash, Evidence, ResultId } from '../shared/model.ts';
import { type Receipt, type ReceiptLeaf, sealReceipt } from '../shared/receipt.ts';
import { aliasOf } from './core/ending.ts';
import type { StoredJob, StoredResult } from './store/store.ts';

/** An Ed25519 key (RFC 8032) that signs receipts. */
export interface ReceiptKey {
  /** 64 hex digits. */
  readonly publicKey: string;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** DER of a PKCS #8 private key up to its 32 bytes (RFC 8410): Node takes no bare seed. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The key of a seed of 32 bytes. */
export function receiptKey(seed: Uint8Array): ReceiptKey {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  if (x === undefined) throw new Error('the receipt key has no public half');
  return { publicKey: toHex(fromBase64Url(x)), sign: (bytes) => sign(null, bytes, key) };
}

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const auditors = ['cpu', 'trusted', 'contributor'] as const;

/** Sums by auditor, in a fixed order; auditors that looked at nothing are left out. */
function evidenceSums(evidence: readonly Evidence[]): ReceiptLeaf['evidence'] {
  return auditors.flatMap((by) => {
    const sums = { by, drawn: 0, differing: 0, unexplained: 0 };
    for (const { drawn, differing, unexplained } of evidence.filter((found) => found.by === by)) {
      sums.drawn += drawn;
      sums.differing += differing;
      sums.unexplained += unexplained;
    }
    return sums.drawn > 0 ? [sums] : [];
  });
}

/**
 * The signed receipt of a finished job over its accepted `results`. `paid`: what each was paid less what was taken back, 0
 * where it is not named; `outputs`: the assembled files. Equal arguments give equal bytes.
 */
export function buildReceipt(
  job: StoredJob,
  results: readonly StoredResult[],
  paid: ReadonlyMap<ResultId, MicroCredits>,
  outputs: readonly { readonly id: string; readonly hash: BlobHash }[],
  key: ReceiptKey,
  issuedMs: number,
): Receipt {
  if (job.status !== 'done' || job.endedMs === null || job.summary === null) throw new RangeError(`job ${job.id} is not done`);
  const leaves = results.map((result) => ({
    pass: result.at.pass,
    tile: result.at.tile,
    parts: result.parts,
    hash: result.hash,
    contributor: aliasOf(result.contributor),
    evidence: evidenceSums(result.evidence),
    errorBound: result.errorBound,
    microCredits: (paid.get(result.id) ?? 0n).toString(),
  }));
  const content = {
    job: job.id,
    title: job.title,
    workload: job.workload,
    workloadVersion: job.version,
    seed: job.seed,
    unit: job.unit,
    targetError: job.checks.targetError,
    createdMs: job.createdMs,
    endedMs: job.endedMs,
    issuedMs,
    parts: job.summary.parts.total,
    outputs: outputs.map(({ id, hash }) => ({ id, hash })),
    leaves,
  };
  return sealReceipt(content, sha256, key);
}
