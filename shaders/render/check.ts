import { encodeResult, radiancePart } from '../../shared/formats.ts';
import { hasPart, type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import type { WorkloadCheck } from '../../shared/workload.ts';
import { drawElements } from '../common/draw.ts';
import { openResult } from '../common/result.ts';
import { addSamples, loadScene, type Scene } from './reference.ts';
import { type RenderJob, type RenderParams, type RenderPrepared, sampleRange, spec, tileRect } from './spec.ts';

/** Evidence about rendered tiles. An element is one pixel of one part, in row order of the tile: four sums of `radiancePart`. */

const CHANNELS = radiancePart.pixelBytes / 4;

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

/** Distance of two elements: the largest of the channels, and of the squares in whole units, because they differ by rounding alone where no channel does. */
function distanceOf(a: Uint32Array, atA: number, b: Uint32Array, atB: number): number {
  let distance = 0;
  for (let channel = 0; channel < 3; channel++) {
    const [stepsA, stepsB] = [a[atA + channel]!, b[atB + channel]!];
    distance = Math.max(distance, Math.abs(stepsA - stepsB) / unitOf(Math.max(stepsA, stepsB)));
  }
  const [squaresA, squaresB] = [a[atA + 3]!, b[atB + 3]!];
  return Math.max(distance, Math.floor(Math.abs(squaresA - squaresB) / squaresUnitOf(Math.max(squaresA, squaresB))));
}

/** Recomputes one element into `out[at]`. */
function recompute(scene: Scene, job: RenderJob, tile: TileRef, part: number, element: number, out: Uint32Array, at: number): void {
  const rect = tileRect(job.params, tile.tile);
  const { first, end } = sampleRange(job.params, tile.pass, part);
  addSamples(scene, job, rect.x + (element % rect.width), rect.y + Math.floor(element / rect.width), first, end, out, at);
}

/** Counts distances and keeps the worst. */
class Tally {
  drawn = 0;
  differing = 0;
  worst = 0;

  /** Whether the element differs. */
  add(distance: number): boolean {
    this.drawn++;
    this.worst = Math.max(this.worst, distance);
    const differs = distance > spec.tolerance.allowed;
    if (differs) this.differing++;
    return differs;
  }
}

type Check = WorkloadCheck<RenderParams, RenderPrepared, Scene>;

/** Throws when the input is missing, `FormatError` when it is damaged. */
export const load: Check['load'] = (_job, inputs) => {
  const { scene } = inputs;
  if (!scene) throw new Error('the job has no input named scene');
  return loadScene(new Uint8Array(scene));
};

export const draw: Check['draw'] = (job, tile, parts, digest, count) => drawElements(parts, spec.elements(job, tile), digest, count);

/** Throws `FormatError` when the result is damaged or lacks a drawn part. */
export const audit: Check['audit'] = (scene, job, tile, result, sample) => {
  const opened = openResult(result, spec.partBytes(job, tile));
  const tally = new Tally();
  const truth = new Uint32Array(CHANNELS);
  sample.elements.forEach((element, index) => {
    const part = sample.parts[index]!;
    truth.fill(0);
    recompute(scene, job, tile, part, element, truth, 0);
    tally.add(distanceOf(opened.words(part), element * CHANNELS, truth, 0));
  });
  return { kind: 'audit', drawn: tally.drawn, differing: tally.differing, worst: tally.worst };
};

/** Throws `FormatError` when one of the results is damaged. */
export const compare: Check['compare'] = (job, tile, a, b, most) => {
  const [first, second] = [openResult(a, spec.partBytes(job, tile)), openResult(b, spec.partBytes(job, tile))];
  const tally = new Tally();
  const parts: number[] = [];
  const elements: number[] = [];
  for (const part of partsOf((first.parts & second.parts) as PartMask)) {
    const [wordsA, wordsB] = [first.words(part), second.words(part)];
    for (let element = 0; element < spec.elements(job, tile); element++) {
      if (!tally.add(distanceOf(wordsA, element * CHANNELS, wordsB, element * CHANNELS)) || elements.length >= most) continue;
      parts.push(part);
      elements.push(element);
    }
  }
  return { evidence: { kind: 'replica', drawn: tally.drawn, differing: tally.differing, worst: tally.worst }, sample: { parts, elements } };
};

export const render: Check['render'] = (scene, job, tile, parts) => {
  const finished = [];
  for (let part = 0; part < spec.parts(job, tile); part++) {
    if (!hasPart(parts, part)) continue;
    const sums = new Uint32Array(spec.elements(job, tile) * CHANNELS);
    for (let element = 0; element < spec.elements(job, tile); element++) recompute(scene, job, tile, part, element, sums, element * CHANNELS);
    finished.push({ part, bytes: new Uint8Array(sums.buffer) });
  }
  return encodeResult(finished, spec.partBytes(job, tile));
};
