import { LABEL_WORDS, labelsOf, piecesOf, sizeOf, wordsOfInput } from './grid.ts';
import type { InferParams, InferPrepared } from './params.ts';
import { settingsOf } from './params.ts';

/** What is handed in of what a model gives for one input, and the other way. */

type Job = { readonly params: InferParams; readonly prepared: InferPrepared };

/** Scores from 0 to 1 of logits, in f64. */
export function softmax(logits: Float32Array): Float64Array {
  const most = logits.reduce((max, value) => Math.max(max, value), -Infinity);
  const powers = Float64Array.from(logits, (value) => Math.exp(value - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** Scores by class. */
export const scoresOf = ({ prepared }: Pick<Job, 'prepared'>, output: Float32Array): Float64Array | Float32Array =>
  prepared.softmax ? softmax(output) : output;

const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);
export const floatsOf = (words: Uint32Array): Float32Array => new Float32Array(words.buffer, words.byteOffset, words.length);

/** The best classes, the best first; of equal scores the lower number first. A score that is not a number is the least. */
function labels(job: Job, output: Float32Array, out: Uint32Array): void {
  const scores = scoresOf(job, output);
  const rank = (value: number): number => (Number.isNaN(value) ? -Infinity : value);
  const order = Array.from(scores, (_, index) => index).sort((a, b) => rank(scores[b]!) - rank(scores[a]!) || a - b);
  const count = labelsOf(job.params, job.prepared);
  const values = new Float32Array(1);
  for (let place = 0; place < count; place++) {
    values[0] = scores[order[place]!]!;
    out[place * LABEL_WORDS] = order[place]!;
    out[place * LABEL_WORDS + 1] = bitsOf(values)[0]!;
  }
}

/** Factor and summand that bring values of a picture to 0 to 255. */
export function levels({ params }: Pick<Job, 'params'>): { readonly factor: number; readonly summand: number } {
  const { range } = settingsOf(params);
  if (range === 'bytes') return { factor: 1, summand: 0 };
  return range === 'unit' ? { factor: 255, summand: 0 } : { factor: 127.5, summand: 127.5 };
}

/** Where the value of a channel of a pixel lies in the output. A picture of one channel has it three times. */
export function channelIndex({ prepared }: Pick<Job, 'prepared'>, pixel: number, channel: number): number {
  const { width, height, channels, planar } = prepared.drawn!;
  const own = channels === 1 ? 0 : channel;
  return planar ? own * width * height + pixel : pixel * channels + own;
}

const byteOf = (value: number): number => (value >= 0 ? Math.min(255, Math.round(value)) : 0);

function pixels(job: Job, output: Float32Array, out: Uint32Array): void {
  const { width, height } = job.prepared.drawn!;
  const { factor, summand } = levels(job);
  for (let pixel = 0; pixel < width * height; pixel++) {
    let word = 0xff000000;
    for (let channel = 0; channel < 3; channel++) word |= byteOf(output[channelIndex(job, pixel, channel)]! * factor + summand) << (8 * channel);
    out[pixel] = word >>> 0;
  }
}

/** The words of one input, padded to whole elements: labels; RGBA8, red in the low byte; or f32 bits. Throws when the model gave another number of values than it did before. */
export function wordsOfOutput(job: Job, output: Float32Array): Uint32Array<ArrayBuffer> {
  const { output: wanted } = job.prepared;
  if (output.length !== sizeOf(wanted.shape)) throw new Error(`the model gave ${output.length} values for an input, expected ${sizeOf(wanted.shape)}`);
  const { pieces, words } = piecesOf(job);
  const out = new Uint32Array(pieces * words);
  if (job.params.kind === 'labels') labels(job, output, out);
  else if (job.params.kind === 'images') pixels(job, output, out);
  else out.set(bitsOf(output));
  return out;
}

/** Of the words of a tile, those of its `index`-th input, without padding. */
export function ofInput(job: Job, words: Uint32Array, index: number): Uint32Array {
  const { pieces, words: each } = piecesOf(job);
  return words.subarray(index * pieces * each, index * pieces * each + wordsOfInput(job.params, job.prepared));
}
