import protobuf from 'protobufjs';

/**
 * The part of ONNX's file format (onnx.proto3, IR version 10) that models are judged by. What is not listed is skipped. Bytes come as views
 * of the file, never as copies; packed numbers of tensors are listed as bytes, because only their length is wanted.
 */
const onnx = {
  ModelProto: {
    irVersion: [1, 'int64'],
    producerName: [2, 'string'],
    graph: [7, 'bytes'],
    opsetImport: [8, 'OperatorSetIdProto', 'repeated'],
    trainingInfo: [20, 'bytes', 'repeated'],
    functions: [25, 'bytes', 'repeated'],
  },
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'int64'] },
  GraphProto: {
    node: [1, 'NodeProto', 'repeated'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto', 'repeated'],
    input: [11, 'ValueInfoProto', 'repeated'],
    output: [12, 'ValueInfoProto', 'repeated'],
    sparseInitializer: [15, 'bytes', 'repeated'],
  },
  NodeProto: {
    input: [1, 'string', 'repeated'],
    output: [2, 'string', 'repeated'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'AttributeProto', 'repeated'],
    domain: [7, 'string'],
  },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'TensorProto'],
    floats: [7, 'float', 'repeated'],
    ints: [8, 'int64', 'repeated'],
    type: [20, 'int32'],
  },
  TensorProto: {
    dims: [1, 'int64', 'repeated'],
    dataType: [2, 'int32'],
    floatData: [4, 'bytes', 'repeated'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    externalData: [13, 'bytes', 'repeated'],
    dataLocation: [14, 'int32'],
  },
  ValueInfoProto: { name: [1, 'string'], type: [2, 'TypeProto'] },
  TypeProto: { tensorType: [1, 'TensorTypeProto'] },
  TensorTypeProto: { elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] },
  TensorShapeProto: { dim: [1, 'DimensionProto', 'repeated'] },
  DimensionProto: { dimValue: [1, 'int64'], dimParam: [2, 'string'] },
} as const;

type Listed = readonly [id: number, type: string, rule?: string];

/** Whole numbers of 64 bits: a `Long` where that package is installed. */
type Int64 = number | { toString(): string };
type Scalar<T> = T extends 'int64' ? Int64 : T extends 'int32' | 'float' ? number : T extends 'string' ? string : T extends 'bytes' ? Uint8Array : never;
type Value<T extends string> = T extends keyof typeof onnx ? Message<T> : Scalar<T>;

/** A decoded message. Fields that were not in the file hold their default: 0, '', no bytes, null. */
export type Message<K extends keyof typeof onnx> = {
  readonly [F in keyof (typeof onnx)[K]]: (typeof onnx)[K][F] extends readonly [number, infer T extends string, string]
    ? readonly Value<T>[]
    : (typeof onnx)[K][F] extends readonly [number, infer T extends string]
      ? T extends keyof typeof onnx
        ? Value<T> | null
        : Value<T>
      : never;
};

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(onnx).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(
          Object.entries(fields as Record<string, Listed>).map(([field, [id, type, rule]]) => [field, { id, type, ...(rule && { rule }) }]),
        ),
      },
    ]),
  ),
});

/** Throws an error of protobufjs where the bytes are not such a message. */
export const decode = <K extends keyof typeof onnx>(name: K, bytes: Uint8Array): Message<K> => root.lookupType(name).decode(bytes) as unknown as Message<K>;

type Partly<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Partly<E>[]
    : T extends object
      ? { readonly [F in keyof T]?: Partly<T[F]> }
      : T;

/** Fields that are left out keep their default. */
export const encode = <K extends keyof typeof onnx>(name: K, fields: Partly<Message<K>>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    root
      .lookupType(name)
      .encode(root.lookupType(name).create(fields as Record<string, unknown>))
      .finish(),
  );

/** How often each field of a message occurs, without decoding any of them. Throws as `decode` does. */
export function countFields(bytes: Uint8Array): Map<number, number> {
  const counts = new Map<number, number>();
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    counts.set(tag >>> 3, (counts.get(tag >>> 3) ?? 0) + 1);
    reader.skipType(tag & 7);
  }
  return counts;
}

/** The contents of a field of messages, one view after the other. Throws as `decode` does. */
export function* eachField(bytes: Uint8Array, id: number): Generator<Uint8Array> {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ((id << 3) | 2)) yield reader.bytes();
    else reader.skipType(tag & 7);
  }
}
