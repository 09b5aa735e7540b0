import { InputError } from '../../shared/workload.ts';
import { sizeOf } from './grid.ts';
import { batchLimits } from './limits.ts';
import type { InferPrepared, InferSettings, PictureLayout } from './params.ts';

/** What is to be made of the output of a model, as far as it can be. */
export type Outcome = Pick<InferPrepared, 'drawn' | 'softmax' | 'probabilities' | 'classes'> & { readonly report: readonly string[] };

const CLASSES_MAX = 100_000;
/** The sum of scores that are a softmax already. */
const SUM_ERROR_MAX = 1e-3;

/** Throws `InputError`. */
export function outcomeOf(settings: InferSettings, shape: readonly number[], outputs: readonly Float32Array[], labels: Uint8Array | undefined): Outcome {
  const size = sizeOf(shape);
  if (size === 0) throw new InputError('output', 'The output has no values.', 'at least one');
  if (size > batchLimits.outputWordsMax)
    throw new InputError('output', `Of one input the model makes ${shape.join(' x ')} = ${size} values.`, `at most ${batchLimits.outputWordsMax}`);
  if (settings.kind === 'arrays') return { drawn: null, softmax: false, probabilities: false, classes: null, report: [] };
  if (settings.kind === 'images') return { drawn: drawnOf(shape), softmax: false, probabilities: false, classes: null, report: [] };
  if (shape.filter((each) => each !== 1).length > 1 || size > CLASSES_MAX)
    throw new InputError('output', `The output is ${shape.join(' x ')} for one input.`, `one score for each of at most ${CLASSES_MAX} classes`);
  const isNormal = outputs.every((output) => isShare(output) && Math.abs(output.reduce((sum, value) => sum + value, 0) - 1) <= SUM_ERROR_MAX);
  const softmax = settings.scores === 'softmax' || (settings.scores === 'auto' && !isNormal);
  return { drawn: null, softmax, probabilities: softmax || outputs.every(isShare), ...classesOf(labels, size) };
}

const isShare = (output: Float32Array): boolean => output.every((value) => value >= 0 && value <= 1);

function drawnOf(shape: readonly number[]): PictureLayout {
  const isChannels = (size: number | undefined): size is 1 | 3 => size === 1 || size === 3;
  const [first, second, third] = shape;
  if (shape.length === 2) return { channels: 1, planar: true, height: first!, width: second! };
  if (shape.length === 3 && isChannels(first)) return { channels: first, planar: true, height: second!, width: third! };
  if (shape.length === 3 && isChannels(third)) return { channels: third, planar: false, height: first!, width: second! };
  throw new InputError(
    'output',
    `The output is ${shape.join(' x ') || 'one value'} for one input, which is no picture.`,
    '3 x height x width, height x width x 3, or one channel',
  );
}

/** Names of the classes, one a line. */
function classesOf(file: Uint8Array | undefined, count: number): Pick<Outcome, 'classes' | 'report'> {
  if (!file) return { classes: null, report: [] };
  if (file.byteLength > batchLimits.labelsFileBytesMax)
    throw new InputError('labels', `The file has ${file.byteLength} bytes.`, `at most ${batchLimits.labelsFileBytesMax}`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file);
  } catch {
    throw new InputError('labels', 'The file is no text.', 'UTF-8, one name a line');
  }
  const lines = text
    .replace(/\s+$/, '')
    .split(/\r?\n/)
    .map((line) => line.trim().slice(0, batchLimits.nameCharsMax));
  if (lines.length !== count) throw new InputError('labels', `The file has ${lines.length} lines, the model ${count} classes.`, `${count} lines`);
  return told(lines)
    ? { classes: lines, report: [] }
    : { classes: null, report: ['The names of the classes are too long together to be told with every job; classes have numbers.'] };
}

/** Whether names are few and short enough to go with a job. */
export const told = (names: readonly string[]): boolean => names.reduce((sum, { length }) => sum + length + 3, 0) <= batchLimits.namesCharsMax;
