import { createHmac, hash as digest } from 'node:crypto';
import { domainBytes, encodeLeaseBody, fromHex, hashDomains, type LeaseBody } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import { type Auditor, type BlobHash, countParts, type Evidence, type TileRef } from '../../shared/model.ts';
import type { Tolerance, VerifyKeys } from '../../shared/workload.ts';
import type { StoredResult } from '../store/store.ts';
import { drawElements, type Sample } from './draw.ts';
import type { Standing } from './reputation.ts';
import type { DrawRound, Job, MacKey } from './state.ts';

/**
 * Policy over evidence. Pure: it never looks at a result's bytes, only at numbers about them.
 *
 * How much is enough. A contributor that makes a share `a` of a result wrong passes a draw of k elements with (1 - a)^k, so
 * whatever `a` it chooses, at most 1/(e k) of the result is expected to be wrong and accepted. Of contributors whose record
 * holds V elements, at most `ASSUMED_LIARS` are assumed to begin lying with a result of S elements; spread over what they
 * have delivered honestly, the expected wrong share is
 *
 *   errorBound = ASSUMED_LIARS x S / (V + S) / (e k)
 *
 * and k is chosen to keep that under the job's target. So a record does not buy trust: it only insures the next result.
 */

/** Share of contributors assumed to be about to lie. */
const ASSUMED_LIARS = 0.2;
/** An element that a random contributor confirmed counts for this much: it may collude. The coordinator and trusted contributors count fully. */
const WEIGHT: Readonly<Record<Auditor, number>> = { cpu: 1, trusted: 1, contributor: 1 - 2 * ASSUMED_LIARS };
/** However long a record is; of a result of few elements, each of them much work, this share. */
const DRAWN_MIN = 128;
const DRAWN_SHARE_MIN = 1 / 16;
/** The draw after one that found something nobody could explain. */
const SECOND_DRAW_FACTOR = 4;
const SECOND_DRAW_MIN = 256;
/** Chance that an honest result is refuted by one check, an upper bound; see `allowedMisses`. */
const FALSE_REFUTATION = 1e-9;

/** Commit: fixes what was handed in under this lease before anybody knows what will be looked at. */
export function commitmentOf(lease: LeaseBody, hash: BlobHash, root: Uint8Array): Uint8Array {
  return digest('sha256', domainBytes(hashDomains.commitment, encodeLeaseBody(lease), fromHex(hash), root), 'buffer');
}

/** Everything random about checking a result, from the secret, its commitment and its nonce. `purpose` separates independent draws. */
export function drawDigest(drawKey: MacKey, result: Pick<StoredResult, 'commitment' | 'nonce'>, purpose: DrawRound | `auditors/${string}`): Uint8Array {
  return createHmac('sha256', drawKey)
    .update(domainBytes(hashDomains.draw, result.commitment, result.nonce, new TextEncoder().encode(purpose)))
    .digest();
}

/** What verifying a whole result is drawn from, fixed by its commitment; and what all results of its job share. */
export const verifyKeys = (drawKey: MacKey, result: Pick<StoredResult, 'job' | 'commitment' | 'nonce'>): VerifyKeys => ({
  job: createHmac('sha256', drawKey)
    .update(domainBytes(hashDomains.draw, new TextEncoder().encode(result.job)))
    .digest(),
  result: drawDigest(drawKey, result, 'first'),
});

/** Draw: the elements that are looked at. The same again after a restart. */
export const sampleOf = (drawKey: MacKey, job: Job, result: StoredResult): Sample =>
  drawElements(result.parts, job.spec.elements(job.context, result.at), drawDigest(drawKey, result, result.round), result.drawn);

/** Elements of all parts of a result. */
export const sizeOf = (job: Job, { at, parts }: Pick<StoredResult, 'at' | 'parts'>): number => job.spec.elements(job.context, at) * countParts(parts);

/** Elements to draw of a result of `size` elements. `auditors`: whose word will mostly count. */
export function drawCount(target: number, standing: Standing, size: number, auditors: Auditor): number {
  const wanted = (ASSUMED_LIARS * size) / (standing.verified + size) / (Math.E * target);
  const least = Math.min(DRAWN_MIN, Math.ceil(size * DRAWN_SHARE_MIN));
  return Math.min(size, limits.auditElementsMax, Math.max(least, Math.ceil(wanted / WEIGHT[auditors])));
}

export const secondDrawCount = (drawn: number, size: number): number =>
  Math.min(size, limits.auditElementsMax, Math.max(SECOND_DRAW_MIN, SECOND_DRAW_FACTOR * drawn));

/** Most elements of one result that the coordinator recomputes itself. */
export const cpuElementsMax = (job: Job, at: TileRef): number => Math.max(1, Math.floor(limits.auditCpuMsMax / job.spec.auditMs(job.context, at)));

/** Bound on the expected share of wrong elements in a result that passed; see above. */
export function errorBound(standing: Standing, size: number, evidence: readonly Evidence[]): number {
  const certain = evidence.reduce((sum, { by, drawn }) => sum + WEIGHT[by] * drawn, 0);
  if (certain >= size) return 0;
  return Math.min(1, ((ASSUMED_LIARS * size) / (standing.verified + size)) * (certain === 0 ? 1 : 1 / (Math.E * certain)));
}

/**
 * The largest number of elements that nothing explains which an honest result may show among `drawn`: the smallest d for
 * which a binomial variable of (drawn, rate) exceeds d with a chance of at most 1e-9.
 */
export function allowedMisses(drawn: number, rate: number): number {
  const p = Math.min(0.5, rate);
  if (p === 0 || drawn === 0) return 0;
  let term = drawn * Math.log1p(-p);
  let below = Math.exp(term);
  for (let d = 0; d < drawn; d++) {
    if (1 - below <= FALSE_REFUTATION) return d;
    term += Math.log((drawn - d) / (d + 1)) + Math.log(p) - Math.log1p(-p);
    below += Math.exp(term);
  }
  return drawn;
}

interface Found {
  readonly drawn: number;
  readonly unexplained: number;
}

export const totalOf = (evidence: readonly Found[]): Found =>
  evidence.reduce((sum, { drawn, unexplained }) => ({ drawn: sum.drawn + drawn, unexplained: sum.unexplained + unexplained }), { drawn: 0, unexplained: 0 });

/** A lie beyond doubt: more wrong elements than honest devices show. */
export const isProvenWrong = ({ drawn, unexplained }: Found, { unexplainedRate }: Tolerance): boolean => unexplained > allowedMisses(drawn, unexplainedRate);

export const tileNumber = (tiles: number, { pass, tile }: TileRef): number => pass * tiles + tile;
