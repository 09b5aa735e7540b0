import type { ElementRef, TileRef } from '../../shared/model.ts';
import type { TileGrid } from '../../shared/workload.ts';
import type { InferJob, InferParams, InferPrepared } from './params.ts';
import { settingsOf } from './params.ts';

/**
 * How a job falls apart: the batch into tiles of neighbouring inputs, one pass, one part. What becomes of an input are words; where those are many, an
 * element is a piece of them, so that an auditor's answer fits into a message.
 */

/** 24 KiB; an auditor's answer may have 48. */
const PIECE_WORDS_MAX = 6144;

/** Words of a label: its class, and the bits of its score. */
export const LABEL_WORDS = 2;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Labels of an input that are handed in: one more than are shown, so that the last shown has one to be compared with. */
export const labelsOf = (params: InferParams, { output }: Pick<InferPrepared, 'output'>): number => Math.min(settingsOf(params).k + 1, sizeOf(output.shape));

/** What becomes of one input, without padding. */
export function wordsOfInput(params: InferParams, { output, drawn }: Pick<InferPrepared, 'output' | 'drawn'>): number {
  if (params.kind === 'labels') return LABEL_WORDS * labelsOf(params, { output });
  return drawn ? drawn.width * drawn.height : sizeOf(output.shape);
}

/** Elements that an input becomes, and words of each; the last may be padded with zeros. */
export function piecesOf({ params, prepared }: { readonly params: InferParams; readonly prepared: Pick<InferPrepared, 'output' | 'drawn'> }): {
  readonly pieces: number;
  readonly words: number;
} {
  const words = wordsOfInput(params, prepared);
  const pieces = Math.ceil(words / PIECE_WORDS_MAX);
  return { pieces, words: Math.ceil(words / pieces) };
}

export const gridOf = (_params: InferParams, { count, perTile }: InferPrepared): TileGrid => ({ passes: 1, tiles: Math.ceil(count / perTile) });

/** Inputs [first, end) of a tile. */
export function inputsOf({ count, perTile }: InferPrepared, { tile }: TileRef): { readonly first: number; readonly end: number } {
  return { first: tile * perTile, end: Math.min(count, (tile + 1) * perTile) };
}

/** Which piece of which input an element is. Throws `RangeError` for an element that the job does not have. */
export function placeOf(job: InferJob, { pass, tile, part, element }: ElementRef): { readonly input: number; readonly piece: number } {
  const below = (value: number, bound: number): boolean => Number.isInteger(value) && value >= 0 && value < bound;
  const { pieces } = piecesOf(job);
  const { first, end } = inputsOf(job.prepared, { pass, tile });
  if (pass !== 0 || part !== 0 || !below(tile, gridOf(job.params, job.prepared).tiles) || !below(element, (end - first) * pieces))
    throw new RangeError(`the job has no element ${element} of part ${part}, tile ${tile}, pass ${pass}`);
  return { input: first + Math.floor(element / pieces), piece: element % pieces };
}

/**
 * The groups in which the inputs [first, end) of a tile go through the model, at most `size` at a time. A group of n begins at a multiple of n from
 * the first of the tile, and n is a power of two, so of each size an input is in one group only.
 */
export function groupAt(first: number, next: number, end: number, size: number): number {
  let group = 1;
  while (group * 2 <= Math.min(size, end - next) && (next - first) % (group * 2) === 0) group *= 2;
  return group;
}
