import type { Static } from 'typebox';
import type { JobContext } from '../../shared/model.ts';
import type { params } from './form.ts';
import type { ElementType } from './onnx/model.ts';

/** What was ordered, with all that was left out, and the facts that `prepare.ts` finds out about it. */

export type InferParams = Static<typeof params>;
export type InferSettings = Required<InferParams>;

export const defaults: InferSettings = {
  kind: 'labels',
  source: 'images',
  k: 5,
  scores: 'auto',
  output: 0,
  range: 'unit',
  width: 0,
  height: 0,
  fit: 'crop',
  colors: 'rgb',
  normalize: 'unit',
  meanRed: 0,
  meanGreen: 0,
  meanBlue: 0,
  deviationRed: 1,
  deviationGreen: 1,
  deviationBlue: 1,
};

export const settingsOf = (given: InferParams): InferSettings => ({ ...defaults, ...given });

/** One input of the model: a block of the blob `batch`, its rows one after the other, one for each input of the batch. */
export interface Feed {
  readonly name: string;
  readonly type: ElementType;
  /** Of one input, without the batch. */
  readonly shape: readonly number[];
  /** Where its rows begin, in bytes. */
  readonly first: number;
  /** `values`: as the model takes them, little-endian. `pixels`: bytes, rows from the top, channels of a pixel side by side. */
  readonly rows: 'values' | 'pixels';
}

/** How a picture's channels lie in a tensor of three dimensions. */
export interface PictureLayout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Channel after channel, or all channels of a pixel side by side. */
  readonly planar: boolean;
}

/** Small facts about a model and its batch that every face needs; the model is the input blob `model`, the packed inputs are `batch`. */
export interface InferPrepared {
  /** Inputs of the batch. */
  readonly count: number;
  readonly feeds: readonly Feed[];
  /** Of the pictures that go in, where pictures do. */
  readonly pictures: PictureLayout | null;
  /** The output that is wanted: its name, and its shape for one input. */
  readonly output: { readonly name: string; readonly shape: readonly number[] };
  /** Of the pictures that come out, where pictures do. */
  readonly drawn: PictureLayout | null;
  /** Of labels: whether scores are made of the output by a softmax, and whether they are probabilities. */
  readonly softmax: boolean;
  readonly probabilities: boolean;
  /** Most inputs in one call of the model: a power of two. */
  readonly batchMax: number;
  /** Inputs of a tile, but for the last. */
  readonly perTile: number;
  /** For one input: multiplications of layers with weights, and values of all tensors that are made. */
  readonly work: { readonly multiplications: number; readonly values: number };
  /** Bytes: of weights; of the largest tensor for one input, and of weights; of what is alive at a time for one input. */
  readonly memory: { readonly weights: number; readonly largestWeight: number; readonly largest: number; readonly alive: number };
  /** What one input takes one core of the coordinator that prepared this. */
  readonly cpuMs: number;
  /**
   * Of arrays: how large their values typically are (root of the mean square), for every place along the `axis` of the output's shape that tells
   * them apart best.
   */
  readonly scale: { readonly axis: number; readonly rms: readonly number[] };
  /** File names of inputs, and names of classes; null where there are none or they are too long together. */
  readonly names: readonly string[] | null;
  readonly classes: readonly string[] | null;
}

export type InferJob = JobContext<InferParams, InferPrepared>;

export const inputName = ({ prepared }: InferJob, input: number): string => prepared.names?.[input] ?? String(input);
export const className = ({ prepared }: InferJob, index: number): string => prepared.classes?.[index] ?? `class ${index}`;
