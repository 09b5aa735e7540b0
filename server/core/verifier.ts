import { createHash, createHmac } from 'node:crypto';
import { domainBytes, encodeLeaseBody, fromHex, hashDomains, type LeaseBody } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import { type BlobHash, countParts, type Evidence, type TileRef } from '../../shared/model.ts';
import type { Tolerance } from '../../shared/workload.ts';
import type { StoredResult } from '../store/store.ts';
import type { Job, MacKey } from './state.ts';

/** Policy over evidence. Pure: it never looks at a result's bytes, only at numbers about them. */

/** Chance that an honest result is refuted by one check, an upper bound; see `allowedMisses`. */
const FALSE_REFUTATION = 1e-9;

/** When no second contributor is there, an audit this many times as large stands in for the replica. */
const FALLBACK_AUDIT_FACTOR = 4;
const FALLBACK_AUDIT_ELEMENTS = 64;
const AUDIT_ELEMENTS_MIN = 4;

/** Commit: fixes what was handed in under this lease before anybody knows what will be looked at. */
export function commitmentOf(lease: LeaseBody, hash: BlobHash): Uint8Array {
  return createHash('sha256')
    .update(domainBytes(hashDomains.commitment, encodeLeaseBody(lease), fromHex(hash)))
    .digest();
}

/** Draw: everything random about checking a result, from the secret, its commitment and its nonce. `round` separates independent draws. */
export function drawDigest(drawKey: MacKey, result: Pick<StoredResult, 'commitment' | 'nonce'>, round: 'replica' | 'audit' | 'larger audit'): Uint8Array {
  return createHmac('sha256', drawKey)
    .update(domainBytes(hashDomains.draw, result.commitment, result.nonce, new TextEncoder().encode(round)))
    .digest();
}

export function wantsReplica(drawKey: MacKey, result: StoredResult, share: number): boolean {
  const digest = drawDigest(drawKey, result, 'replica');
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0, true) < share * 2 ** 32;
}

/** How many elements an audit draws: the job's order in proportion to the parts handed in, within the CPU budget of a tile. */
export function auditCount(job: Job, result: StoredResult, larger: boolean): number {
  const { at, parts } = result;
  const share = countParts(parts) / job.spec.parts(job.context, at);
  const ordered = larger ? FALLBACK_AUDIT_FACTOR * Math.max(job.stored.checks.auditElements, FALLBACK_AUDIT_ELEMENTS) : job.stored.checks.auditElements;
  const budget = (limits.auditCpuMsPerTileMax * share) / job.spec.auditMs(job.context, at);
  const all = job.spec.elements(job.context, at) * countParts(parts);
  return Math.min(all, limits.auditElementsMax, Math.max(AUDIT_ELEMENTS_MIN, Math.floor(Math.min(Math.ceil(ordered * share), budget))));
}

/**
 * The largest number of differing elements that an honest result may show among `drawn`: the smallest d for which a
 * binomial variable of (drawn, honest rate) exceeds d with a chance of at most 1e-9. So one diverging path, or a few in a
 * whole tile, never refute anybody.
 */
export function allowedMisses(drawn: number, honestMissRate: number): number {
  const p = Math.min(0.5, honestMissRate);
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

export const auditPasses = (evidence: Evidence, { honestMissRate }: Tolerance): boolean => evidence.differing <= allowedMisses(evidence.drawn, honestMissRate);

/** Two honest results may each have diverged: twice the rate, plus one step of slack in every element. */
export const replicaAgrees = (evidence: Evidence, { honestMissRate }: Tolerance): boolean =>
  evidence.differing <= allowedMisses(evidence.drawn, 2 * honestMissRate);

/** Of the disputed elements, who is right in fewer than half is wrong. Looking only where two disagree, an honest one still matches the referee almost everywhere. */
export const refereeRefutes = (evidence: Evidence): boolean => evidence.differing * 2 > evidence.drawn;

export const tileNumber = (tiles: number, { pass, tile }: TileRef): number => pass * tiles + tile;
