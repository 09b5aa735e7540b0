import { describe, expect, it } from 'vitest';
import { modelLimits } from '../limits.ts';
import { classifier, floats, int, layers, modelOf, node, port } from '../testing/models.ts';
import { readModel } from './model.ts';
import { encode } from './proto.ts';

const relu = node('Relu', ['x'], ['y']);
const io = { input: [port('x', ['N', 4])], output: [port('y', ['N', 4])] };
const plain = { node: [relu], ...io };
const weighing = (tensor: object) => modelOf({ node: [node('Add', ['x', 'w'], ['y'])], initializer: [tensor], ...io });

it('a model gives what it takes and makes, and views of its weights', () => {
  const bytes = classifier(16);
  const { inputs, outputs, nodes, weights, opset } = readModel(bytes);
  expect(inputs).toEqual([{ name: 'x', type: 'float32', dimensions: ['N', 3, 16, 16] }]);
  expect([outputs, opset, nodes.length]).toEqual([['y'], 17, 8]);
  expect(weights.get('w2')).toMatchObject({ dimensions: [16, 8, 3, 3], isFloat: true });
  expect(weights.get('w2')!.bytes[0]!.buffer).toBe(bytes.buffer);
});

it('an input with a weight of its name is a weight', () => {
  const { inputs } = readModel(modelOf({ ...plain, initializer: [floats('w', [1], [1])], input: [...io.input, port('w', [1])] }));
  expect(inputs.map(({ name }) => name)).toEqual(['x']);
});

const long = 'n'.repeat(300);
const cases: readonly (readonly [string, Uint8Array, string, string])[] = [
  ['nothing', new Uint8Array(), 'not a readable ONNX model: it has no graph', 'one .onnx'],
  ['text', new TextEncoder().encode('<html>nothing</html>'), 'not a readable ONNX model', 'one .onnx'],
  ['a cut file', layers().subarray(0, 900), 'not a readable ONNX model', 'one .onnx'],
  ['two graphs', new Uint8Array([...layers(), ...layers()]), 'no graph', 'one .onnx'],
  ['an old opset', modelOf(plain, { opset: 6 }), 'opset 6', '7 to 21'],
  ['a new opset', modelOf(plain, { opset: 99 }), 'opset 99', '7 to 21'],
  ['a new IR version', modelOf(plain, { irVersion: 12 }), 'IR version 12', '3 to 10'],
  ['functions', modelOf(plain, { functions: [new Uint8Array()] }), 'functions of its own', 'ai.onnx only'],
  ['a part for training', modelOf(plain, { trainingInfo: [new Uint8Array()] }), 'for training', 'for inference'],
  ['a loop', modelOf({ ...plain, node: [node('Loop', ['x'], ['y'])] }), 'operator Loop: it contains a graph', 'plain graph'],
  ['a graph in an attribute', modelOf({ ...plain, node: [node('Relu', ['x'], ['y'], [{ name: 'body', type: 5 }])] }), 'a graph of its own', 'plain graph'],
  ['random numbers', modelOf({ ...plain, node: [node('RandomNormalLike', ['x'], ['y'])] }), 'random numbers', 'plain graph'],
  ['an output of any size', modelOf({ ...plain, node: [node('NonZero', ['x'], ['y'])] }), 'how much it returns', 'plain graph'],
  ['an unknown operator', modelOf({ ...plain, node: [node('Frobnicate', ['x'], ['y'])] }), 'operator Frobnicate', 'Abs, Add'],
  ['a custom domain', modelOf({ ...plain, node: [{ ...relu, domain: 'com.microsoft' }] }), 'domain "com.microsoft"', 'domain ai.onnx'],
  ['batch statistics', modelOf({ ...plain, node: [node('BatchNormalization', ['x'], ['y'], [int('training_mode', 1)])] }), 'set to training', 'for inference'],
  ['a live dropout', modelOf({ ...plain, node: [node('Dropout', ['x', '', 't'], ['y'])] }), 'set to training', 'for inference'],
  ['a dropout at its end', modelOf({ ...plain, node: [node('Dropout', ['x'], ['y'])] }), 'ends with a Dropout', 'for inference'],
  ['a wave', modelOf({ ...plain, node: [node('Sin', ['x'], ['y'])] }), 'three digits only', 'plain graph'],
  [
    'a convolution in space',
    modelOf({ ...plain, node: [node('ConvTranspose', ['x', 'w'], ['y'])], initializer: [floats('w', [1, 1, 2, 2, 2], new Float32Array(8))] }),
    'over 3 dimensions',
    'at most 2',
  ],
  ['strings', modelOf({ ...plain, input: [port('x', ['N'], 8)] }), 'input "x" is of type string', 'float32, uint8, int32, int64'],
  ['half floats', weighing({ name: 'w', dims: [1], dataType: 10, rawData: new Uint8Array(2) }), 'weights "w" are of type float16', 'float32'],
  ['weights elsewhere', weighing({ name: 'w', dims: [1], dataType: 1, dataLocation: 1 }), 'lie in another file', 'one file'],
  ['a huge shape', weighing({ name: 'w', dims: [2 ** 31, 2 ** 31], dataType: 1 }), '2147483648 x 2147483648', 'at most 33554432 values'],
  ['nine dimensions', weighing({ name: 'w', dims: Array(9).fill(1), dataType: 1 }), '9 dimensions', 'at most 8'],
  ['no input', modelOf({ ...plain, input: [] }), 'takes no input', '1 to 8'],
  ['nine inputs', modelOf({ ...plain, input: Array.from({ length: 9 }, (_, at) => port(`x${at}`, ['N'])) }), 'takes 9 inputs', '1 to 8'],
  ['no output', modelOf({ ...plain, output: [] }), 'no output', 'at least one'],
  ['a long name', modelOf({ ...plain, node: [{ ...relu, name: long }] }), 'has 300 characters', 'at most 256'],
  ['a scalar input', modelOf({ ...plain, input: [port('x', [])] }), 'has 0 dimensions', 'first is the batch'],
  ['many nodes', modelOf({ ...io, node: Array(modelLimits.nodesMax + 1).fill({}) }), `${modelLimits.nodesMax + 1} nodes`, `at most ${modelLimits.nodesMax}`],
  ['a wide node', modelOf({ ...io, node: [node('Sum', Array(2000).fill('x'), ['y'])] }), '2000 inputs', 'at most 1024'],
  ['sparse weights', modelOf({ ...plain, sparseInitializer: [new Uint8Array()] } as typeof plain), 'sparse', 'dense'],
];

describe('a model is refused', () => {
  it.each(cases)('with %s, and it is said what would have been fine', (_, bytes, message, limit) => {
    expect(() => readModel(bytes)).toThrow(
      expect.objectContaining({ name: 'InputError', field: 'model', message: expect.stringContaining(message), limit: expect.stringContaining(limit) }),
    );
  });

  it('whatever bytes it is made of', () => {
    const good = layers(8, 2);
    for (let at = 0; at < good.length; at++) {
      const bad = new Uint8Array(good);
      bad[at]! ^= 0xff;
      try {
        readModel(bad);
      } catch (error) {
        expect(error).toMatchObject({ name: 'InputError', field: 'model' });
      }
    }
  });

  it('before a bomb of empty messages becomes objects', () => {
    const graph = new Uint8Array(8 * 2 ** 20);
    for (let at = 0; at < graph.length; at += 2) graph[at] = 0x0a;
    const bytes = encode('ModelProto', { irVersion: 8, opsetImport: [{ version: 17 }], graph });
    const heap = process.memoryUsage().heapUsed;
    expect(() => readModel(bytes)).toThrow('4194304 nodes');
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(64 * 2 ** 20);
  });
});
