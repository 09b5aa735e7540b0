import { Rng } from '../../../shared/rng.ts';
import { encode, type Message } from '../onnx/proto.ts';

/** Models for tests, written field by field, so that what is wrong with them can be chosen. */

export const FLOAT = 1;

type Nodes = NonNullable<Parameters<typeof encode<'GraphProto'>>[1]['node']>;
type Tensors = NonNullable<Parameters<typeof encode<'GraphProto'>>[1]['initializer']>;

export const ints = (name: string, ...values: readonly number[]) => ({ name, type: 7, ints: values });
export const int = (name: string, value: number) => ({ name, type: 2, i: value });

export const node = (opType: string, input: readonly string[], output: readonly string[], attribute: NonNullable<Nodes[number]['attribute']> = []) => ({
  opType,
  input,
  output,
  attribute,
});

export const port = (name: string, dims: readonly (number | string)[], elemType = FLOAT) => ({
  name,
  type: { tensorType: { elemType, shape: { dim: dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size })) } } },
});

export const floats = (name: string, dims: readonly number[], values: ArrayLike<number>) => ({
  name,
  dims,
  dataType: FLOAT,
  rawData: new Uint8Array(Float32Array.from(values).buffer),
});

export const longs = (name: string, ...values: readonly number[]) => ({
  name,
  dims: [values.length],
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

/** Normal-like weights of a layer with so many inputs, that keep values as large as they are. */
export function weights(name: string, dims: readonly number[], seed: number, inputs = dims.slice(1).reduce((product, size) => product * size, 1)) {
  const rng = new Rng(seed);
  const normal = (): number => rng.unit() + rng.unit() + rng.unit() + rng.unit() - 2;
  const size = dims.reduce((product, each) => product * each, 1);
  return floats(
    name,
    dims,
    Float32Array.from({ length: size }, () => normal() * Math.sqrt(6 / inputs)),
  );
}

interface Graph {
  readonly node: Nodes;
  readonly initializer?: Tensors;
  readonly input: readonly ReturnType<typeof port>[];
  /** Those that only have a name are of any shape. */
  readonly output: readonly (ReturnType<typeof port> | { readonly name: string })[];
}

export const modelOf = (graph: Graph, more: Partial<Message<'ModelProto'>> & { readonly opset?: number } = {}): Uint8Array<ArrayBuffer> => {
  const { opset = 17, irVersion = 8, ...rest } = more;
  return encode('ModelProto', {
    irVersion,
    producerName: 'tests',
    opsetImport: [{ domain: '', version: opset }],
    graph: encode('GraphProto', { name: 'g', ...graph }),
    ...rest,
  });
};

/** Convolutions, a pool, a layer over all, scores of ten classes: N x 3 x edge x edge. */
export function classifier(edge = 16, batch: number | string = 'N'): Uint8Array<ArrayBuffer> {
  return modelOf({
    node: [
      node('Conv', ['x', 'w1', 'b1'], ['c1'], [ints('kernel_shape', 3, 3), ints('pads', 1, 1, 1, 1)]),
      node('Relu', ['c1'], ['r1']),
      node('MaxPool', ['r1'], ['p1'], [ints('kernel_shape', 2, 2), ints('strides', 2, 2)]),
      node('Conv', ['p1', 'w2'], ['c2'], [ints('kernel_shape', 3, 3), ints('pads', 1, 1, 1, 1)]),
      node('Relu', ['c2'], ['r2']),
      node('GlobalAveragePool', ['r2'], ['g']),
      node('Flatten', ['g'], ['f']),
      node('Gemm', ['f', 'w3', 'b3'], ['y'], [int('transB', 1)]),
    ],
    initializer: [
      weights('w1', [8, 3, 3, 3], 1),
      floats('b1', [8], new Float32Array(8).fill(0.1)),
      weights('w2', [16, 8, 3, 3], 2),
      weights('w3', [10, 16], 3),
      floats('b3', [10], new Float32Array(10)),
    ],
    input: [port('x', [batch, 3, edge, edge])],
    output: [port('y', [batch, 10])],
  });
}

/** N x width -> N x width: layers with a nonlinearity between. */
export function layers(width = 32, depth = 3): Uint8Array<ArrayBuffer> {
  const steps = Array.from({ length: depth }, (_, index) => index);
  return modelOf({
    node: steps.flatMap((index) => [
      node('MatMul', [index === 0 ? 'x' : `t${index - 1}`, `w${index}`], [`m${index}`]),
      node('Tanh', [`m${index}`], [index === depth - 1 ? 'y' : `t${index}`]),
    ]),
    initializer: steps.map((index) => weights(`w${index}`, [width, width], index + 1, width)),
    input: [port('x', ['N', width])],
    output: [port('y', ['N', width])],
  });
}

/** A picture twice as large, with other colours: N x 3 x edge x edge -> N x 3 x 2 edge x 2 edge. */
export function painter(edge = 8): Uint8Array<ArrayBuffer> {
  return modelOf({
    node: [
      node('Resize', ['x', '', 'scales'], ['l'], [{ name: 'mode', type: 3, s: new TextEncoder().encode('nearest') }]),
      node('Conv', ['l', 'w'], ['c'], [ints('kernel_shape', 3, 3), ints('pads', 1, 1, 1, 1)]),
      node('Sigmoid', ['c'], ['y']),
    ],
    initializer: [floats('scales', [4], [1, 1, 2, 2]), weights('w', [3, 3, 3, 3], 5)],
    input: [port('x', ['N', 3, edge, edge])],
    output: [port('y', ['N', 3, 2 * edge, 2 * edge])],
  });
}

/** Every output is the input less the mean of its batch: inputs influence each other. */
export const mingler = (width = 4): Uint8Array<ArrayBuffer> =>
  modelOf({
    node: [node('ReduceMean', ['x'], ['m'], [ints('axes', 0)]), node('Mul', ['m', 'w'], ['n']), node('Sub', ['x', 'n'], ['y'])],
    initializer: [floats('w', [width], new Float32Array(width).fill(0.5))],
    input: [port('x', ['N', width])],
    output: [port('y', ['N', width])],
  });
