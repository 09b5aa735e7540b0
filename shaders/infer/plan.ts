import { limits } from '../../shared/limits.ts';
import { InputError } from '../../shared/workload.ts';
import { piecesOf } from './grid.ts';
import { modelLimits } from './limits.ts';
import type { Anatomy } from './onnx/anatomy.ts';
import type { InferParams, InferPrepared } from './params.ts';

/** How many inputs go together: in a call of the model, and in a tile. */

/** A slow GPU does some 5e10 multiplications in a second, less of the small ones. */
const TILE_MULTIPLICATIONS_MAX = 5e10;
/** Tiny models wait for the GPU more than they compute: a few milliseconds a call. */
const TILE_INPUTS_MAX = 512;
/** So that several contributors share a small batch. */
const TILES_WANTED = 16;
const CALL_INPUTS_MAX = 32;
/** A call cannot be interrupted, and the referee may have to repeat all its sizes. */
const CALL_MULTIPLICATIONS_MAX = 4e9;
const RESULT_HEADER_BYTES = 16;

/** Throws `InputError` for a model that is too large for the GPUs that are expected. */
export function requireFeasible({ multiplications, memory }: Anatomy): void {
  const refuse = (what: string, limit: number): never => {
    throw new InputError('model', what, `at most ${limit}`);
  };
  const { multiplicationsMax, tensorBytesMax, memoryBytesMax } = modelLimits;
  if (multiplications > multiplicationsMax) refuse(`The model multiplies ${multiplications} times for one input.`, multiplicationsMax);
  const largest = Math.max(memory.largest, memory.largestWeight);
  if (largest > tensorBytesMax) refuse(`The model has a tensor of ${largest} bytes.`, tensorBytesMax);
  const needed = memory.weights + memory.alive;
  if (needed > memoryBytesMax) refuse(`The model needs ${needed} bytes for its weights and the tensors of one input.`, memoryBytesMax);
}

/** Inputs of one call, a power of two. */
export function batchMaxOf({ multiplications, memory }: Anatomy): number {
  const { tensorBytesMax, memoryBytesMax } = modelLimits;
  const fits = (inputs: number): boolean =>
    inputs * multiplications <= CALL_MULTIPLICATIONS_MAX &&
    inputs * memory.largest <= tensorBytesMax &&
    memory.weights + inputs * memory.alive <= memoryBytesMax;
  let most = 1;
  while (most < CALL_INPUTS_MAX && fits(2 * most)) most *= 2;
  return most;
}

export function perTileOf(params: InferParams, prepared: Pick<InferPrepared, 'count' | 'output' | 'drawn' | 'work'>): number {
  const { pieces, words } = piecesOf({ params, prepared });
  const fitting = Math.floor((limits.resultBytesMax - RESULT_HEADER_BYTES) / (4 * pieces * words));
  const quick = Math.floor(TILE_MULTIPLICATIONS_MAX / Math.max(1, prepared.work.multiplications));
  return Math.max(1, Math.min(fitting, quick, TILE_INPUTS_MAX, Math.ceil(prepared.count / TILES_WANTED)));
}
