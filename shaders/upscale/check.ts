import { type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import type { AuditCheck, PartialResult, Sync } from '../../shared/workload.ts';
import { elementWords, patchRect } from './grid.ts';
import type { UpscaleJob, UpscaleParams, UpscalePrepared } from './params.ts';
import { type Loaded, patchWords, tileWords } from './reference.ts';

export { load } from './reference.ts';

/** The truth about enlarged pictures. What is wrong, and what it was measured on: README.md. */

type Check = Sync<AuditCheck<UpscaleParams, UpscalePrepared, Loaded>>;

function requireElement(job: UpscaleJob, value: Uint32Array): void {
  if (value.length !== elementWords(job)) throw new RangeError(`an element has ${elementWords(job)} words, not ${value.length}`);
}

/** Throws `RangeError` when an element is not one of the job's. */
export const recompute: Check['recompute'] = (loaded, job, elements) => {
  const words = elementWords(job);
  const out = new Uint32Array(elements.length * words);
  for (const [index, element] of elements.entries()) out.set(patchWords(loaded, job, patchRect(job, element)), index * words);
  return out;
};

/** The largest difference of any channel of any pixel, alpha among them. Throws `RangeError` unless both have the words of one element. */
export const distance = (job: UpscaleJob, _at: TileRef, a: Uint32Array, b: Uint32Array): number => {
  requireElement(job, a);
  requireElement(job, b);
  let furthest = 0;
  for (const [word, left] of a.entries())
    for (let shift = 0; shift < 32; shift += 8) furthest = Math.max(furthest, Math.abs(((left >>> shift) & 255) - ((b[word]! >>> shift) & 255)));
  return furthest;
};

/** Nothing does: rounding moves a channel by a step at most, which the tolerance allows. Throws `RangeError` like `recompute` and `distance`. */
export const explains: Check['explains'] = (_loaded, job, element, claimed) => {
  patchRect(job, element);
  requireElement(job, claimed);
  return false;
};

/** Whole tiles. */
export function render(loaded: Loaded, job: UpscaleJob, { tile }: TileRef, parts: PartMask): PartialResult[] {
  return partsOf(parts).map((part) => ({ part, bytes: new Uint8Array(tileWords(loaded, job, tile).buffer as ArrayBuffer) }));
}
