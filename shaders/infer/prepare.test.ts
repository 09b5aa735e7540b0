import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../shared/formats.ts';
import { npyHeader } from '../common/tensors/npy.ts';
import { zipOf } from '../common/tensors/tensors.testing.ts';
import { Feeder } from './feeds.ts';
import type { InferParams } from './params.ts';
import { prepare } from './prepare.ts';
import { classifier, floats, layers, longs, mingler, modelOf, node, painter, port } from './testing/models.ts';

const wave = (at: number): number => Math.sin(1 + at * 12.9898);
const npy = (shape: readonly number[], value = wave): Uint8Array<ArrayBuffer> =>
  concatBytes(npyHeader('f32', shape), new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => value(at)).buffer));

const labels: InferParams = { kind: 'labels', source: 'arrays', k: 3 };
const arrays: InferParams = { kind: 'arrays', source: 'arrays' };
const pictures: InferParams = { kind: 'labels', source: 'images' };

const png = async (width: number, height: number, background: object): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toBuffer(),
  );

describe('a model and its batch', () => {
  it('of arrays become facts and blobs', async () => {
    const model = layers();
    const { prepared, inputs, report, facts } = await prepare(arrays, { model, inputs: npy([40, 32]) });
    expect(inputs.model).toBe(model);
    expect(inputs.batch).toHaveLength(40 * 32 * 4);
    expect(prepared).toMatchObject({
      count: 40,
      feeds: [{ name: 'x', type: 'float32', shape: [32], first: 0, rows: 'values' }],
      output: { name: 'y', shape: [32] },
      batchMax: 32,
      perTile: 3,
      work: { multiplications: 3 * 32 * 32, values: 6 * 32 },
      memory: { weights: 3 * 32 * 32 * 4, largestWeight: 32 * 32 * 4, largest: 128, alive: 256 },
    });
    expect(prepared.cpuMs).toBeGreaterThan(0);
    expect(report).toEqual([]);
    expect(facts).toEqual({ inputs: 40, layers: 6, weights: 3072, multiplications: 3072 });
  });

  it('count what a classifier multiplies', async () => {
    const { prepared } = await prepare(labels, { model: classifier(16), inputs: npy([2, 3, 16, 16]) });
    expect(prepared.work.multiplications).toBe(8 * 16 * 16 * 27 + 16 * 8 * 8 * 72 + 160);
    expect(prepared).toMatchObject({ softmax: true, probabilities: true, output: { shape: [10] } });
  });

  it('of pictures are brought to the size and the values that the model takes', async () => {
    const inputs = zipOf([
      { path: 'b/2.png', bytes: await png(40, 20, { r: 255, g: 0, b: 51 }) },
      { path: 'a/1.png', bytes: await png(16, 16, { r: 0, g: 0, b: 0 }) },
    ]);
    const params: InferParams = { ...pictures, normalize: 'signed' };
    const { prepared, inputs: blobs } = await prepare(params, { model: classifier(16), inputs });
    expect(prepared).toMatchObject({ count: 2, names: ['1.png', '2.png'], pictures: { width: 16, height: 16, channels: 3, planar: true } });
    expect(blobs.batch).toHaveLength(2 * 16 * 16 * 3);
    const at = (colors: 'rgb' | 'bgr') => {
      const { x } = new Feeder({ ...params, colors }, prepared, blobs.batch).feed([1]);
      return [0, 256, 512].map((place) => x!.data[place]);
    };
    expect(at('rgb')).toEqual([1, -1, Math.fround(2 * 0.2 - 1)]);
    expect(at('bgr')).toEqual([Math.fround(2 * 0.2 - 1), -1, 1]);
  });

  it('take a model with several inputs of several types from an .npz', async () => {
    const model = modelOf({
      node: [node('Gather', ['table', 'ids'], ['g']), node('Mul', ['g', 'x'], ['y'])],
      initializer: [floats('table', [4], [1, 2, 3, 4])],
      input: [port('ids', ['N', 2], 7), port('x', ['N', 2])],
      output: [port('y', ['N', 2])],
    });
    const ids = concatBytes(npyHeader('i64', [3, 2]), new Uint8Array(BigInt64Array.of(0n, 1n, 2n, 3n, 0n, 3n).buffer));
    const inputs = zipOf([
      { path: 'x.npy', bytes: npy([3, 2]) },
      { path: 'ids.npy', bytes: ids },
    ]);
    const { prepared, inputs: blobs } = await prepare(arrays, { model, inputs });
    expect(prepared.feeds).toMatchObject([
      { name: 'ids', type: 'int64', shape: [2], first: 0 },
      { name: 'x', type: 'float32', shape: [2], first: 48 },
    ]);
    expect([...new Feeder(arrays, prepared, blobs.batch).feed([1]).ids!.data]).toEqual([2n, 3n]);
  });

  it('go alone where inputs influence each other, or where the model takes no more', async () => {
    const alone = await prepare(arrays, { model: mingler(), inputs: npy([5, 4]) });
    expect(alone.prepared.batchMax).toBe(1);
    expect(alone.report).toEqual([expect.stringContaining('influence each other')]);
    const fixed = modelOf({
      node: [node('Reshape', ['x', 'shape'], ['y'])],
      initializer: [longs('shape', 1, 2, 2)],
      input: [port('x', ['N', 4])],
      output: [port('y', [1, 2, 2])],
    });
    const single = await prepare(arrays, { model: fixed, inputs: npy([5, 4]) });
    expect(single.prepared).toMatchObject({ batchMax: 1, output: { shape: [2, 2] } });
    expect(single.report).toEqual([expect.stringContaining('one input at a time')]);
    expect((await prepare(labels, { model: classifier(8, 1), inputs: npy([2, 3, 8, 8]) })).prepared.batchMax).toBe(1);
  });

  it('tell how large values are where that differs', async () => {
    const model = modelOf({
      node: [node('Mul', ['x', 'w'], ['y'])],
      initializer: [floats('w', [2], [1000, 1])],
      input: [port('x', ['N', 3, 2])],
      output: [port('y', ['N', 3, 2])],
    });
    const { scale } = (await prepare(arrays, { model, inputs: npy([1, 3, 2], () => 1) })).prepared;
    expect(scale).toEqual({ axis: 1, rms: [1000, 1] });
  });
});

it('values next to nothing are measured as if they were larger, which is said', async () => {
  const { prepared, report } = await prepare(arrays, { model: scaled(1e-9, 1e-12), inputs: npy([3, 2]) });
  expect(prepared.scale).toEqual({ axis: 0, rms: [4.883e-4] });
  expect(report).toEqual([expect.stringContaining('checked to 6e-8')]);
});

const scaled = (...factors: readonly number[]): Uint8Array =>
  modelOf({
    node: [node('Mul', ['x', 'w'], ['y'])],
    initializer: [floats('w', [factors.length], factors)],
    input: [port('x', ['N', factors.length])],
    output: [port('y', ['N', factors.length])],
  });

/** What is left of a sum when a million times as much was added and taken away: the last bits of weights. */
const chaotic = modelOf({
  node: [node('MatMul', ['x', 'w'], ['m']), node('Mul', ['m', 'big'], ['b']), node('Round', ['b'], ['r']), node('Sub', ['b', 'r'], ['y'])],
  initializer: [
    floats(
      'w',
      [4, 4],
      Array.from({ length: 16 }, (_, at) => wave(at)),
    ),
    floats('big', [1], [1e7]),
  ],
  input: [port('x', ['N', 4])],
  output: [port('y', ['N', 4])],
});

/** Four inputs become 3.2 GB. */
const bomb = modelOf({
  node: [node('Expand', ['x', 'shape'], ['e']), node('ReduceMean', ['e'], ['y'], [{ name: 'axes', type: 7, ints: [1] }])],
  initializer: [longs('shape', 1, 200_000_000, 4)],
  input: [port('x', ['N', 4])],
  output: [{ name: 'y' }],
});

const texts = (...lines: readonly string[]): Uint8Array => new TextEncoder().encode(lines.join('\n'));
const good = { model: layers(), inputs: npy([3, 32]) };

const refusals: readonly (readonly [string, InferParams, Record<string, Uint8Array>, string, string, string])[] = [
  ['no model', arrays, {}, 'model', 'no model', '.onnx'],
  ['no inputs', arrays, { model: layers() }, 'inputs', 'no inputs', '.npy'],
  ['inputs of another size', arrays, { model: layers(), inputs: npy([3, 31]) }, 'inputs', 'x is 3 x 31', 'N x 32'],
  ['inputs of another type', arrays, { model: layers(), inputs: concatBytes(npyHeader('f64', [1, 32]), new Uint8Array(256)) }, 'inputs', 'type f64', 'f32'],
  ['an empty batch', arrays, { model: layers(), inputs: npy([0, 32]) }, 'inputs', 'empty', 'at least one'],
  [
    'not a number',
    arrays,
    { model: layers(), inputs: npy([1, 32], (at) => (at === 5 ? Number.NaN : 0)) },
    'inputs',
    'Value 5 of the array for x is NaN',
    'finite',
  ],
  ['infinity in the output', arrays, { model: scaled(3e38, 3e38), inputs: npy([1, 2], () => 3e38) }, 'model', 'gives Infinity for input 0', 'finite'],
  ['a batch of four only', arrays, { model: classifier(8, 4), inputs: npy([4, 3, 8, 8]) }, 'model', 'takes 4 inputs at once', 'open, or 1'],
  ['another output', { ...arrays, output: 1 }, good, 'output', 'no output 1', '0'],
  ['pictures where arrays were said', arrays, { model: layers(), inputs: texts('hello') }, 'inputs', 'no array', '.npy'],
  ['arrays where pictures were said', pictures, { model: classifier(), inputs: zipOf([{ path: 'x.npy', bytes: npy([1]) }]) }, 'inputs', '.npy files', 'arrays'],
  ['pictures for a model of vectors', pictures, { model: layers(), inputs: zipOf([]) }, 'inputs', 'takes N x 32', 'N x 3 x height'],
  ['a width that the model has not', { ...pictures, width: 20 }, { model: classifier(), inputs: zipOf([]) }, 'width', 'width of 16', '16, or 0'],
  ['vectors as labels of pictures', { kind: 'images', source: 'arrays' }, good, 'output', 'is 32 for one input', '3 x height x width'],
  ['pictures as labels', { ...labels }, { model: painter(4), inputs: npy([1, 3, 4, 4]) }, 'output', '3 x 8 x 8', 'one score'],
  [
    'too few names',
    labels,
    { model: classifier(), inputs: npy([1, 3, 16, 16]), labels: texts('a', 'b') },
    'labels',
    '2 lines, the model 10 classes',
    '10 lines',
  ],
  ['names that are no text', labels, { model: classifier(), inputs: npy([1, 3, 16, 16]), labels: Uint8Array.of(0xff, 0xfe) }, 'labels', 'no text', 'UTF-8'],
  ['a model of noise', arrays, { model: chaotic, inputs: npy([1, 4]) }, 'model', 'no two devices would agree', '%'],
  ['too much memory', arrays, { model: bomb, inputs: npy([1, 4]) }, 'model', 'too much memory', '2 GiB'],
  [
    'what ONNX Runtime refuses',
    arrays,
    { model: modelOf({ node: [node('MatMul', ['x', 'nothing'], ['y'])], input: [port('x', ['N', 4])], output: [port('y', ['N', 4])] }), inputs: npy([1, 4]) },
    'model',
    'ONNX Runtime cannot run the model',
    'ONNX Runtime 1.30',
  ],
];

describe('refused with the field and the numbers', () => {
  it.each(refusals)('%s', async (_, params, files, field, message, limit) => {
    await expect(prepare(params, files)).rejects.toMatchObject({
      name: 'InputError',
      field,
      message: expect.stringContaining(message),
      limit: expect.stringContaining(limit),
    });
  });
});
