import { InputError } from '../../../shared/workload.ts';
import { modelLimits } from '../limits.ts';
import { operators, refusedBecause } from './operators.ts';
import { countFields, decode, eachField, type Message } from './proto.ts';

/** Reads a model as far as it has to be known before it runs, and refuses what may not run. The weights are never copied. */

export type ElementType = 'float32' | 'uint8' | 'int32' | 'int64';

/** Numbers of TensorProto.DataType. */
const elementTypes: Readonly<Record<number, ElementType>> = { 1: 'float32', 2: 'uint8', 6: 'int32', 7: 'int64' };
const weightTypes: ReadonlySet<number> = new Set([1, 2, 3, 6, 7, 9]);
const typeNames = [
  'undefined', 'float32', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'string', 'bool', 'float16', 'float64', 'uint32', 'uint64', 'complex64',
  'complex128', 'bfloat16', 'float8', 'float8', 'float8', 'float8', 'uint4', 'int4',
]; // biome-ignore format: a table

const ATTRIBUTE_GRAPHS: ReadonlySet<number> = new Set([5, 10]);
const EXTERNAL = 1;

/** A dimension: its size, the name of one that is open, or null for one without a name. */
export type Dimension = number | string | null;

export interface Port {
  readonly name: string;
  readonly type: ElementType;
  readonly dimensions: readonly Dimension[];
}

export interface Weight {
  readonly name: string;
  readonly dimensions: readonly number[];
  readonly isFloat: boolean;
  /** Views of the file: f32, little-endian, where it is of f32. */
  readonly bytes: readonly Uint8Array[];
}

export interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Message<'AttributeProto'>[];
}

export interface Model {
  readonly opset: number;
  /** What has to be fed. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Initializers by name, and tensors of `Constant` nodes by that of their output. */
  readonly weights: ReadonlyMap<string, Weight>;
}

const refuse = (message: string, limit?: string): never => {
  throw new InputError('model', message, limit);
};

const whole = (value: { toString(): string }): number => Number(value.toString());

const quoted = (name: string): string => JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);

/** Throws `InputError`. */
export function readModel(bytes: Uint8Array): Model {
  if (bytes.byteLength > modelLimits.bytesMax) refuse(`The model has ${bytes.byteLength} bytes.`, `at most ${modelLimits.bytesMax} bytes`);
  try {
    return readGraph(readHead(bytes));
  } catch (error) {
    if (error instanceof InputError) throw error;
    return refuse(`The file is not a readable ONNX model: ${error instanceof Error ? error.message : error}.`, 'one .onnx file, binary protobuf');
  }
}

interface Head {
  readonly opset: number;
  readonly graph: Uint8Array;
}

function readHead(bytes: Uint8Array): Head {
  const counts = countFields(bytes);
  if (counts.get(7) !== 1) refuse('The file is not a readable ONNX model: it has no graph.', 'one .onnx file, binary protobuf');
  if ((counts.get(8) ?? 0) > 64) refuse(`The model imports ${counts.get(8)} sets of operators.`, 'at most 64');
  if (counts.has(25)) refuse('The model defines functions of its own.', 'operators of the domain ai.onnx only');
  if (counts.has(20)) refuse('The model has a part for training.', 'export it for inference');
  const { irVersion, opsetImport, graph } = decode('ModelProto', bytes);
  const ir = whole(irVersion);
  const { irVersionMin, irVersionMax, opsetMin, opsetMax } = modelLimits;
  if (!(ir >= irVersionMin && ir <= irVersionMax)) refuse(`The model has IR version ${ir}.`, `${irVersionMin} to ${irVersionMax}`);
  const own = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (!own) return refuse('The model names no version of the operators of ai.onnx.', `opset ${opsetMin} to ${opsetMax}`);
  const opset = whole(own.version);
  if (!(opset >= opsetMin && opset <= opsetMax)) refuse(`The model uses opset ${opset}.`, `${opsetMin} to ${opsetMax}`);
  return { opset, graph };
}

/** Counts before anything is decoded: a field takes two bytes in the file and a hundred in memory. */
function requireFew(graph: Uint8Array): void {
  const counts = countFields(graph);
  const most = (id: number, what: string, max: number): void => {
    const count = counts.get(id) ?? 0;
    if (count > max) refuse(`The model has ${count} ${what}.`, `at most ${max}`);
  };
  most(1, 'nodes', modelLimits.nodesMax);
  most(5, 'initializers', modelLimits.initializersMax);
  most(11, 'inputs', modelLimits.initializersMax);
  most(12, 'outputs', modelLimits.nodeFieldsMax);
  if (counts.has(15)) refuse('The model has sparse weights.', 'dense weights');
  for (const node of eachField(graph, 1)) {
    const fields = Math.max(...countFields(node).values(), 0);
    if (fields > modelLimits.nodeFieldsMax) refuse(`A node of the model has ${fields} inputs, outputs or attributes.`, `at most ${modelLimits.nodeFieldsMax}`);
  }
}

function requireName(name: string, of: string): void {
  if (name.length > modelLimits.nameCharsMax) refuse(`The name of ${of} has ${name.length} characters.`, `at most ${modelLimits.nameCharsMax}`);
}

function readGraph({ opset, graph: bytes }: Head): Model {
  requireFew(bytes);
  const graph = decode('GraphProto', bytes);
  const weights = new Map<string, Weight>();
  for (const tensor of graph.initializer) weights.set(tensor.name, readWeight(tensor.name, tensor));
  const nodes = graph.node.map((node) => readNode(node));
  for (const { operator, outputs, attributes } of nodes) {
    const value = operator === 'Constant' ? attributes.find(({ t }) => t)?.t : null;
    if (value && outputs[0]) weights.set(outputs[0], readWeight(outputs[0], value));
  }
  const outputs = graph.output.map(({ name }) => name);
  for (const node of nodes) requireRunnable(node, weights, outputs);
  const ports = graph.input.filter(({ name }) => !weights.has(name)).map(readPort);
  if (ports.length === 0) refuse('The model takes no input.', `1 to ${modelLimits.feedsMax} inputs, each with the batch as its first dimension`);
  if (ports.length > modelLimits.feedsMax) refuse(`The model takes ${ports.length} inputs.`, `1 to ${modelLimits.feedsMax}`);
  if (outputs.length === 0) refuse('The model has no output.', 'at least one');
  for (const name of outputs) requireName(name, 'an output');
  return { opset, inputs: ports, outputs, nodes, weights };
}

/** What the WebGPU execution provider has no kernel for, though the operator is listed. */
function requireRunnable({ operator, inputs, outputs, attributes }: Node, weights: ReadonlyMap<string, Weight>, wanted: readonly string[]): void {
  if (operator === 'Dropout') {
    if (inputs[2] && weights.get(inputs[2])?.bytes[0]?.[0] !== 0) refuse('The model has a Dropout that may be set to training.', 'export it for inference');
    if (outputs.some((name) => wanted.includes(name))) refuse('The model ends with a Dropout.', 'export it for inference');
  }
  const kernel = attributes.find(({ name }) => name === 'kernel_shape')?.ints.length ?? (weights.get(inputs[1] ?? '')?.dimensions.length ?? 2) - 2;
  if (operator === 'ConvTranspose' && kernel > 2) refuse(`The model has a ConvTranspose over ${kernel} dimensions.`, 'at most 2');
}

function readWeight(name: string, tensor: Message<'TensorProto'>): Weight {
  requireName(name, 'a weight');
  const { dataType, dims, dataLocation, externalData, rawData, floatData } = tensor;
  if (dataLocation === EXTERNAL || externalData.length > 0)
    refuse(`The weights ${quoted(name)} lie in another file.`, `a model in one file of at most ${modelLimits.bytesMax} bytes`);
  if (!weightTypes.has(dataType))
    refuse(`The weights ${quoted(name)} are of type ${typeNames[dataType] ?? dataType}.`, 'float32; uint8, int8, int32, int64 or bool');
  if (dims.length > modelLimits.dimensionsMax) refuse(`The weights ${quoted(name)} have ${dims.length} dimensions.`, `at most ${modelLimits.dimensionsMax}`);
  const dimensions = dims.map(whole);
  const bytes = 4 * dimensions.reduce((product, size) => product * size, 1);
  if (!(bytes <= modelLimits.tensorBytesMax))
    refuse(`The weights ${quoted(name)} are ${dimensions.join(' x ')}.`, `at most ${modelLimits.tensorBytesMax / 4} values`);
  return { name, dimensions, isFloat: dataType === 1, bytes: rawData.byteLength > 0 ? [rawData] : floatData };
}

function readNode({ opType, domain, input, output, attribute, name }: Message<'NodeProto'>): Node {
  requireName(opType, 'an operator');
  for (const each of [name, ...input, ...output]) requireName(each, 'a value');
  const what = `${opType}${name === '' ? '' : ` (node ${quoted(name)})`}`;
  if (domain !== '' && domain !== 'ai.onnx') refuse(`The model uses the operator ${what} of the domain ${quoted(domain)}.`, 'operators of the domain ai.onnx');
  const graphs = attribute.some(({ type }) => ATTRIBUTE_GRAPHS.has(type));
  if (graphs || refusedBecause[opType])
    refuse(`The model uses the operator ${what}: ${refusedBecause[opType] ?? refusedBecause.If}.`, 'a plain graph of layers');
  if (!operators.has(opType)) refuse(`The model uses the operator ${what}, which is not among those that run here.`, [...operators].join(', '));
  const flag = attribute.find((each) => each.name === 'training_mode');
  if (flag && whole(flag.i) !== 0) refuse(`The model’s ${what} is set to training.`, 'export it for inference');
  return { operator: opType, inputs: input, outputs: output, attributes: attribute };
}

function readPort({ name, type }: Message<'ValueInfoProto'>): Port {
  requireName(name, 'an input');
  const tensor = type?.tensorType;
  if (!tensor) return refuse(`The input ${quoted(name)} is no tensor.`, 'tensors');
  const elementType = elementTypes[tensor.elemType];
  if (!elementType)
    return refuse(`The input ${quoted(name)} is of type ${typeNames[tensor.elemType] ?? tensor.elemType}.`, Object.values(elementTypes).join(', '));
  const dim = tensor.shape?.dim ?? [];
  if (dim.length === 0 || dim.length > modelLimits.dimensionsMax)
    refuse(`The input ${quoted(name)} has ${dim.length} dimensions.`, `1 to ${modelLimits.dimensionsMax}, of which the first is the batch`);
  const dimensions = dim.map(({ dimValue, dimParam }): Dimension => (whole(dimValue) > 0 ? whole(dimValue) : dimParam || null));
  return { name, type: elementType, dimensions };
}
