import { InputError } from '../../shared/workload.ts';
import { CpuSession } from './cpu.ts';
import type { Feeder } from './feeds.ts';
import { sizeOf } from './grid.ts';
import { VALUE_MIN } from './limits.ts';
import { shaken } from './onnx/shaken.ts';
import type { InferPrepared } from './params.ts';

/** A model is tried on a few of its inputs, on the CPU, before anybody pays: whether it runs, what it gives, and whether that can be checked. */

export interface Trial {
  readonly output: InferPrepared['output'];
  /** Of some inputs, each on its own. */
  readonly outputs: readonly Float32Array[];
  readonly cpuMs: number;
  /** Whether inputs may go through the model together: it takes several, and they do not influence each other. */
  readonly takesMany: boolean;
  readonly report: readonly string[];
}

const INPUTS_MAX = 4;
/** A model that takes longer is tried on fewer. */
const SLOW_MS = 1000;
/** Of how large outputs are: more than rounding does, less than another input would. */
const SAME_SHARE = 1e-3;
/** Beyond this, what a change of the last bits of weights does is no rounding any more. */
const CHAOS_SHARE = 2 ** -7;

const SMALL = 'For the inputs that were tried the model gives hardly more than 0. That is checked to 6e-8, no finer.';

/** What ONNX Runtime said, without the place in its sources. */
export function refusalOf(error: unknown): InputError {
  const said = error instanceof Error ? error.message : String(error);
  if (/bad_alloc/.test(said)) return new InputError('model', 'The model needs too much memory for one input.', '2 GiB, all tensors together');
  const message = said
    .replace(/^.*ERROR_MESSAGE:\s*/s, '')
    .replace(/\s+/g, ' ')
    .replace(/\S*\/onnxruntime\/\S+:\d+ /g, '');
  return new InputError('model', `ONNX Runtime cannot run the model: ${message.slice(0, 300)}`, 'a model that ONNX Runtime 1.30 runs on the CPU');
}

/** How large values are, by the root of the mean square. */
const rmsOf = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));

/** Difference of two outputs, as a share of how large the first is. */
function difference(a: Float32Array, b: Float32Array): number {
  const apart = rmsOf(a.map((value, at) => value - b[at]!));
  return apart / Math.max(rmsOf(a), VALUE_MIN);
}

/** `takesOne`: the model says so. Throws `InputError`. */
export async function trial(bytes: Uint8Array, outputs: readonly string[], which: number, feeder: Feeder, count: number, takesOne: boolean): Promise<Trial> {
  const name = outputs[which];
  if (name === undefined) throw new InputError('output', `The model has no output ${which}.`, outputs.length > 1 ? `0 to ${outputs.length - 1}` : '0');
  const session = await CpuSession.open(bytes).catch((error: unknown) => {
    throw refusalOf(error);
  });
  try {
    const alone = await runAlone(session, name, feeder, count);
    const together = takesOne ? null : await runTogether(session, name, feeder, alone.inputs, alone.outputs);
    await requireCalm(bytes, name, feeder, alone.inputs[0]!, alone.outputs[0]!);
    const isSmall = alone.outputs.every((output) => rmsOf(output) < VALUE_MIN);
    const report = [...(together === null ? [] : [together]), ...(isSmall ? [SMALL] : [])];
    return { output: { name, shape: alone.shape }, outputs: alone.outputs, cpuMs: alone.cpuMs, takesMany: !takesOne && together === null, report };
  } finally {
    await session.release();
  }
}

interface Alone {
  readonly inputs: readonly number[];
  readonly outputs: readonly Float32Array[];
  readonly shape: readonly number[];
  readonly cpuMs: number;
}

async function runAlone(session: CpuSession, name: string, feeder: Feeder, count: number): Promise<Alone> {
  const first = await runOne(session, name, feeder, 0);
  // Only now everything is compiled and allocated.
  const startMs = performance.now();
  await runOne(session, name, feeder, 0);
  const cpuMs = Number(Math.max(0.01, performance.now() - startMs).toPrecision(3));
  const some = Math.min(count, cpuMs > SLOW_MS ? 2 : INPUTS_MAX);
  const inputs = Array.from({ length: some }, (_, index) => Math.floor((index * count) / some));
  const outputs = [first.values];
  for (const input of inputs.slice(1)) {
    const { values, shape } = await runOne(session, name, feeder, input);
    if (shape.join() !== first.shape.join())
      throw new InputError(
        'model',
        `The model gives ${first.shape.join(' x ')} for input 0 and ${shape.join(' x ')} for input ${input}.`,
        'outputs of one size',
      );
    outputs.push(values);
  }
  return { inputs, outputs, shape: first.shape, cpuMs };
}

async function runOne(
  session: CpuSession,
  name: string,
  feeder: Feeder,
  input: number,
): Promise<{ readonly values: Float32Array; readonly shape: readonly number[] }> {
  const { [name]: made } = await session.run(feeder.feed([input]), [name]).catch((error: unknown) => {
    throw refusalOf(error);
  });
  if (!made || !(made.data instanceof Float32Array)) throw new InputError('output', `The output ${name} is of type ${made?.type}.`, 'float32');
  const [batch, ...shape] = made.dims;
  if (batch !== 1)
    throw new InputError('model', `Of one input the model makes ${name} of ${made.dims.join(' x ') || 'one value'}.`, '1 x ..., the batch first');
  const bad = made.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new InputError('model', `The model gives ${made.data[bad]} for input ${input}.`, 'finite numbers');
  return { values: made.data, shape };
}

/** Null when inputs do not mind each other, else why they have to go alone. */
async function runTogether(
  session: CpuSession,
  name: string,
  feeder: Feeder,
  inputs: readonly number[],
  alone: readonly Float32Array[],
): Promise<string | null> {
  // Of one input two are made.
  const group = inputs.length > 1 ? inputs : [inputs[0]!, inputs[0]!];
  let output: Float32Array;
  try {
    output = await session.floats(feeder.feed(group), name);
  } catch {
    return 'The model takes one input at a time, although its batch is open: that is slower.';
  }
  const each = alone[0]!.length;
  const agree =
    output.length === each * group.length &&
    group.every((_, index) => difference(alone[index] ?? alone[0]!, output.subarray(index * each, (index + 1) * each)) <= SAME_SHARE);
  return agree ? null : 'Inputs influence each other when they go through the model together, so each goes alone: that is slower.';
}

async function requireCalm(bytes: Uint8Array, name: string, feeder: Feeder, input: number, output: Float32Array): Promise<void> {
  const session = await CpuSession.open(shaken(bytes, 1));
  try {
    const moved = difference(output, await session.floats(feeder.feed([input]), name));
    if (!(moved <= CHAOS_SHARE))
      throw new InputError(
        'model',
        `Changing the last bits of the model’s weights changes what it gives by ${(100 * moved).toPrecision(2)} %: no two devices would agree.`,
        `at most ${100 * CHAOS_SHARE} %`,
      );
  } finally {
    await session.release();
  }
}

/** How large values are along the axis that tells them apart best: of boxes and scores those with the scores. At most so many numbers are told. */
const SCALE_ENTRIES_MAX = 256;
/** Where they differ by less, one number says it. */
const SCALE_CONTRAST_MIN = 4;
/** Smaller ones are rounded as the others are. */
const SCALE_SHARE_MIN = 2 ** -10;

export function scaleOf(shape: readonly number[], outputs: readonly Float32Array[]): InferPrepared['scale'] {
  const whole = Math.max(VALUE_MIN, rmsOf(Float32Array.from(outputs, rmsOf)));
  let best = { axis: 0, rms: [whole], contrast: SCALE_CONTRAST_MIN };
  for (const [axis, size] of shape.entries()) {
    if (size > SCALE_ENTRIES_MAX) continue;
    const stride = sizeOf(shape.slice(axis + 1));
    const squares = new Float64Array(size);
    for (const output of outputs) for (const [at, value] of output.entries()) squares[Math.floor(at / stride) % size]! += value * value;
    const values = (outputs.length * outputs[0]!.length) / size;
    const rms = Array.from(squares, (sum) => Math.max(Math.sqrt(sum / values), SCALE_SHARE_MIN * whole, VALUE_MIN));
    const contrast = Math.max(...rms) / Math.max(Math.min(...rms), Number.MIN_VALUE);
    if (contrast > best.contrast) best = { axis, rms, contrast };
  }
  return { axis: best.axis, rms: best.rms.map((value) => Number(value.toPrecision(4))) };
}
