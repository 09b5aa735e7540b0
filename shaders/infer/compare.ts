import type { ElementRef } from '../../shared/model.ts';
import type { AuditCheck } from '../../shared/workload.ts';
import { LABEL_WORDS, labelsOf, piecesOf, sizeOf } from './grid.ts';
import { channelIndex, floatsOf, levels, scoresOf } from './outcome.ts';
import type { InferJob, InferParams, InferPrepared } from './params.ts';

/** How far apart two values of an element are, and how far a claim is from an output of the model that rounding may have moved. */

/** Of a value or of how large values are there, and of a score from 0 to 1. Measured: README.md, "What wrong means". */
export const SHARE = 2 ** -13;

interface Label {
  readonly index: number;
  readonly score: number;
}

/** Null for what no model gives: an unknown class, one twice, an order that its scores deny. */
function readLabels(job: InferJob, words: Uint32Array): Label[] | null {
  const scores = floatsOf(words);
  const labels = Array.from({ length: labelsOf(job.params, job.prepared) }, (_, place) => ({
    index: words[place * LABEL_WORDS]!,
    score: scores[place * LABEL_WORDS + 1]!,
  }));
  const classes = sizeOf(job.prepared.output.shape);
  const isOrdered = labels.every(({ index, score }, place) => index < classes && (place === 0 || !(score > labels[place - 1]!.score)));
  return isOrdered && new Set(labels.map(({ index }) => index)).size === labels.length ? labels : null;
}

/** Apart in units, where one unit is `unit`. Of values that are no numbers only the same are alike. */
function apart(a: number, b: number, unit: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const far = Math.abs(a - b) / unit;
  return Number.isNaN(far) ? Infinity : far;
}

/** Scores that are no probabilities are measured by their size. */
const scoreUnit = (...scores: readonly number[]): number => SHARE * Math.max(1, ...scores.map(Math.abs));

/**
 * The largest of the differences of scores: by place, and by class. A class that only one of them names has, for the other, at most the least score
 * that it names.
 */
function labelsApart(a: readonly Label[], b: readonly Label[]): number {
  let most = 0;
  for (const [place, { score }] of a.entries()) most = Math.max(most, apart(score, b[place]!.score, scoreUnit(score, b[place]!.score)));
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const least = other.at(-1)!.score;
    for (const { index, score } of one) {
      const same = other.find((label) => label.index === index);
      const there = same ? same.score : Math.min(score, least);
      most = Math.max(most, apart(score, there, scoreUnit(score, there)));
    }
  }
  return most;
}

/** How large values are at a place of the output. */
function sizeAt({ output, scale }: InferPrepared, place: number): number {
  const stride = sizeOf(output.shape.slice(scale.axis + 1));
  return scale.rms[Math.floor(place / stride) % scale.rms.length] ?? 0;
}

function valuesApart(job: InferJob, first: number, a: Float32Array, b: Float32Array): number {
  let most = 0;
  for (let at = 0; at < a.length; at++) {
    const unit = SHARE * Math.max(Math.abs(a[at]!), Math.abs(b[at]!), sizeAt(job.prepared, first + at));
    most = Math.max(most, apart(a[at]!, b[at]!, unit));
  }
  return most;
}

function pixelsApart(a: Uint32Array, b: Uint32Array): number {
  let most = 0;
  for (let at = 0; at < a.length; at++)
    for (let shift = 0; shift < 32; shift += 8) most = Math.max(most, Math.abs(((a[at]! >>> shift) & 255) - ((b[at]! >>> shift) & 255)));
  return most;
}

/** Throws `RangeError` unless both have the words of one element. */
export const distance: AuditCheck<InferParams, InferPrepared>['distance'] = (job, { element }, a, b) => {
  const { pieces, words } = piecesOf(job);
  for (const { length } of [a, b]) if (length !== words) throw new RangeError(`an element has ${words} words, not ${length}`);
  if (job.params.kind === 'images') return pixelsApart(a, b);
  if (job.params.kind === 'arrays') return valuesApart(job, (element % pieces) * words, floatsOf(a), floatsOf(b));
  const [one, other] = [readLabels(job, a), readLabels(job, b)];
  if (one && other) return labelsApart(one, other);
  return a.every((word, at) => word === b[at]) ? 0 : Infinity;
};

/** What the model gives for one input, by the referee, and how far each value of it may have been moved by rounding. */
export interface Bounds {
  readonly truth: Float32Array;
  readonly spread: Float32Array;
}

/** Whether a claim lies within bounds, widened by what is allowed anyway. */
export function isWithin(job: InferJob, { element }: ElementRef, claimed: Uint32Array, bounds: Bounds): boolean {
  if (job.params.kind === 'labels') return labelsWithin(job, claimed, bounds);
  const { pieces, words } = piecesOf(job);
  const first = (element % pieces) * words;
  return job.params.kind === 'images' ? pixelsWithin(job, first, claimed, bounds) : valuesWithin(job, first, floatsOf(claimed), bounds);
}

function valuesWithin({ prepared }: InferJob, first: number, claimed: Float32Array, { truth, spread }: Bounds): boolean {
  // What pads the last piece is zero.
  return claimed.every((claim, at) => {
    const [value, moved] = [truth[first + at] ?? 0, spread[first + at] ?? 0];
    const unit = SHARE * Math.max(Math.abs(value), first + at < truth.length ? sizeAt(prepared, first + at) : 0);
    return Object.is(claim, value) || Math.abs(claim - value) <= unit + moved;
  });
}

function pixelsWithin(job: InferJob, first: number, claimed: Uint32Array, { truth, spread }: Bounds): boolean {
  const { width, height } = job.prepared.drawn!;
  const { factor, summand } = levels(job);
  return claimed.every((word, at) => {
    const pixel = first + at;
    if (pixel >= width * height) return word === 0;
    if (word >>> 24 !== 255) return false;
    return [0, 1, 2].every((channel) => {
      const index = channelIndex(job, pixel, channel);
      const level = Math.min(255, Math.max(0, truth[index]! * factor + summand));
      return !(Math.abs(((word >>> (8 * channel)) & 255) - level) > 1.5 + spread[index]! * factor);
    });
  });
}

function labelsWithin(job: InferJob, claimed: Uint32Array, { truth, spread }: Bounds): boolean {
  const labels = readLabels(job, claimed);
  if (!labels) return false;
  const scores = scoresOf(job, truth);
  const most = spread.reduce((max, value) => Math.max(max, value), 0);
  // Where logits move by at most d, a score p of their softmax moves by at most p (1 - p) 2 d.
  const moved = (index: number): number => (job.prepared.softmax ? 2 * scores[index]! * (1 - scores[index]!) * most : spread[index]!);
  const named = new Set(labels.map(({ index }) => index));
  const least = labels.at(-1)!.score;
  const holds = labels.every(({ index, score }) => Math.abs(score - scores[index]!) <= scoreUnit(score, scores[index]!) + moved(index));
  return holds && scores.every((score, index) => named.has(index) || score <= least + scoreUnit(score, least) + moved(index));
}
