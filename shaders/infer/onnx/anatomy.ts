import { concatBytes } from '../../../shared/formats.ts';
import { CpuSession } from '../cpu.ts';
import type { Fed } from '../feeds.ts';
import type { Model, Node } from './model.ts';
import { encode } from './proto.ts';

/** What a model does for one input: how much it multiplies, how many values it makes, and how much memory that takes at a time. */
export interface Anatomy {
  readonly multiplications: number;
  readonly values: number;
  /** Bytes: of all weights, the largest of them, the largest tensor that is made, and of what is alive at a time. */
  readonly memory: { readonly weights: number; readonly largestWeight: number; readonly largest: number; readonly alive: number };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Everything is counted as f32, which a GPU has most of it as. */
const VALUE_BYTES = 4;

const shapeOf = (index: number): string => `tessera/shape/${index}`;

/**
 * The model that also gives the shapes of some of its tensors. Messages of a file that hold the same field twice are one with both, so what is added is
 * written behind the model and nothing of it is touched.
 */
function withShapes(model: Uint8Array, names: readonly string[]): Uint8Array<ArrayBuffer> {
  const graph = encode('GraphProto', {
    node: names.map((name, index) => ({ opType: 'Shape', input: [name], output: [shapeOf(index)] })),
    output: names.map((_, index) => ({ name: shapeOf(index) })),
  });
  return concatBytes(model, encode('ModelProto', { graph }));
}

/** Runs the model once, every node as the file says, and looks at the shapes of all that is made. Throws what ONNX Runtime says. */
export async function dissect(bytes: Uint8Array, model: Model, feeds: Readonly<Record<string, Fed>>): Promise<Anatomy> {
  const made = model.nodes.flatMap(({ operator, outputs }) => (operator === 'Constant' ? [] : outputs.filter((name) => name !== '')));
  const session = await CpuSession.open(withShapes(bytes, made), true);
  try {
    const results = await session.run(
      feeds,
      made.map((_, index) => shapeOf(index)),
    );
    const shapes = new Map<string, readonly number[]>();
    for (const [name, { dimensions }] of model.weights) shapes.set(name, dimensions);
    for (const [name, { dims }] of Object.entries(feeds)) shapes.set(name, dims);
    for (const [index, name] of made.entries()) shapes.set(name, Array.from(results[shapeOf(index)]!.data, Number));
    return count(model, made, shapes);
  } finally {
    await session.release();
  }
}

function count(model: Model, made: readonly string[], shapes: ReadonlyMap<string, readonly number[]>): Anatomy {
  const bytesOf = (name: string): number => VALUE_BYTES * sizeOf(shapes.get(name) ?? []);
  const weights = [...model.weights.keys()].map(bytesOf);
  return {
    multiplications: model.nodes.reduce((sum, node) => sum + multiplicationsOf(node, shapes), 0),
    values: made.reduce((sum, name) => sum + sizeOf(shapes.get(name) ?? []), 0),
    memory: {
      weights: weights.reduce((sum, bytes) => sum + bytes, 0),
      largestWeight: weights.reduce((most, bytes) => Math.max(most, bytes), 0),
      largest: [...model.inputs.map(({ name }) => name), ...made].reduce((most, name) => Math.max(most, bytesOf(name)), 0),
      alive: aliveOf(model, bytesOf),
    },
  };
}

function multiplicationsOf({ operator, inputs, outputs, attributes }: Node, shapes: ReadonlyMap<string, readonly number[]>): number {
  const shape = (name: string | undefined): readonly number[] => shapes.get(name ?? '') ?? [];
  const [first, second, out] = [shape(inputs[0]), shape(inputs[1]), shape(outputs[0])];
  switch (operator) {
    case 'Conv':
      return sizeOf(out) * sizeOf(second.slice(1));
    case 'ConvTranspose':
      return sizeOf(first) * sizeOf(second.slice(1));
    case 'MatMul':
      return sizeOf(out) * (first.at(-1) ?? 1);
    case 'Gemm': {
      const isTransposed = attributes.some(({ name, i }) => name === 'transA' && Number(i.toString()) !== 0);
      return sizeOf(out) * (first.at(isTransposed ? 0 : -1) ?? 1);
    }
    default:
      return 0;
  }
}

/** Most bytes of what is made and still needed, over the nodes in their order. */
function aliveOf({ nodes, outputs, inputs }: Model, bytesOf: (name: string) => number): number {
  const lastUse = new Map<string, number>();
  for (const [index, node] of nodes.entries()) for (const name of node.inputs) lastUse.set(name, index);
  for (const name of outputs) lastUse.set(name, nodes.length);
  let now = inputs.reduce((sum, { name }) => sum + bytesOf(name), 0);
  let most = now;
  const dying = new Map<number, number>();
  const until = (name: string, from: number): void => {
    const end = lastUse.get(name) ?? from;
    dying.set(end, (dying.get(end) ?? 0) + bytesOf(name));
  };
  for (const { name } of inputs) until(name, 0);
  for (const [index, node] of nodes.entries()) {
    for (const name of node.operator === 'Constant' ? [] : node.outputs.filter((each) => each !== '')) {
      now += bytesOf(name);
      until(name, index);
    }
    most = Math.max(most, now);
    now -= dying.get(index) ?? 0;
  }
  return most;
}
