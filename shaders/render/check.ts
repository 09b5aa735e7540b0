import { radiancePart } from '../../shared/formats.ts';
import { partsOf, type TileRef } from '../../shared/model.ts';
import type { AuditCheck, PartialResult, Sync } from '../../shared/workload.ts';
import { isFeaturePass, placeOf } from './grid.ts';
import { boundsOf } from './nearTie.ts';

export { passesWanted } from './noise.ts';

import type { RenderJob, RenderParams, RenderPrepared } from './params.ts';
import { addSamples, loadScene, type Scene, stepsOf } from './reference.ts';
import { ELEMENT_WORDS, STEPS_PER_MICRO_UNIT, spec } from './spec.ts';

/**
 * The truth about rendered tiles. An element is one pixel of one part, in row order of the tile: four sums of `radiancePart`.
 * What is wrong, and what it was measured on: README.md.
 */

const WORDS = ELEMENT_WORDS;

/**
 * A step of the sum, or this share of it where that is more: bright sums have fewer f32 digits than steps, and curved mirrors magnify
 * the last bit of a division by 2^10. README.md has the measurement behind it.
 */
const SHARE = 2 ** -10;

/** What may differ by one unit of distance in a sum of `steps`. */
const unitOf = (steps: number): number => Math.max(1, steps * SHARE);

/**
 * The same for a sum of squares: q*q moves by 2 q when luminance q moves by one, no sample's q exceeds the root of the whole sum, a
 * step is 2^-12 and the sum counts in 1/64; a square's own rounding may fall the other way.
 */
function squaresUnitOf(squares: number): number {
  const perStep = (2 * 2 ** radiancePart.stepLog2 * Math.sqrt(squares * radiancePart.squareStep)) / radiancePart.squareStep;
  return 1 + Math.max(perStep, 2 * squares * SHARE);
}

type Check = Sync<AuditCheck<RenderParams, RenderPrepared, Scene>>;

/** Throws when the input is missing, `FormatError` when it is damaged. */
export const load: Check['load'] = (_job, inputs) => {
  const { scene } = inputs;
  if (!scene) throw new Error('the job has no input named scene');
  return loadScene(new Uint8Array(scene));
};

function requireElement(value: Uint32Array): void {
  if (value.length !== WORDS) throw new RangeError(`an element has ${WORDS} words, not ${value.length}`);
}

/** Throws `RangeError` when an element is not one of the job's. */
export const recompute: Check['recompute'] = (scene, job, elements) => {
  const out = new Uint32Array(elements.length * WORDS);
  elements.forEach((element, index) => {
    addSamples(scene, job, placeOf(job, element), out, index * WORDS);
  });
  return out;
};

/**
 * The largest of the sums; of light, squares count in whole units, because they differ by rounding alone where no channel does.
 * Throws `RangeError` unless both have the words of one element.
 */
export const distance = (job: RenderJob, { pass }: TileRef, a: Uint32Array, b: Uint32Array): number => {
  requireElement(a);
  requireElement(b);
  const apart = (word: number, unit: (steps: number) => number): number => Math.abs(a[word]! - b[word]!) / unit(Math.max(a[word]!, b[word]!));
  const furthest = Math.max(apart(0, unitOf), apart(1, unitOf), apart(2, unitOf));
  return Math.max(furthest, isFeaturePass(job.params, pass) ? apart(3, unitOf) : Math.floor(apart(3, squaresUnitOf)));
};

/** Throws `RangeError` when the element is not one of the job's or the claim has not the words of one. */
export const explains: Check['explains'] = (scene, job, element, claimed) => {
  requireElement(claimed);
  for (const { low, high } of boundsOf(scene, job, placeOf(job, element))) {
    const nearest = claimed.map((word, at) => Math.min(Math.max(word, low[at]!), high[at]!));
    if (distance(job, element, nearest, claimed) <= spec.tolerance.allowed) return true;
  }
  return false;
};

/** Throws `RangeError` when the element is not one of the job's. */
export const cost: NonNullable<Check['cost']> = (scene, job, element) => stepsOf(scene, job, placeOf(job, element)) / STEPS_PER_MICRO_UNIT;

export const render: Check['render'] = (scene, job, tile, parts) =>
  partsOf(parts).map((part): PartialResult => {
    const elements = Array.from({ length: spec.elements(job, tile) }, (_, element) => ({ ...tile, part, element }));
    return { part, bytes: new Uint8Array(recompute(scene, job, elements).buffer as ArrayBuffer) };
  });
