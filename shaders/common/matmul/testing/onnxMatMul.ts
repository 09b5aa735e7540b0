import { concatBytes } from '../../../../shared/formats.ts';

/** An ONNX model of one MatMul of fixed shapes (onnx.proto3, opset 13), as bytes: `c = a b`. */

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))]);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A field of bytes, of text or of other fields. */
const field = (number: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const content = concatBytes(...parts);
  return concatBytes(Uint8Array.from(varint(number * 8 + 2)), Uint8Array.from(varint(content.byteLength)), content);
};
const integer = (number: number, value: number): Uint8Array => Uint8Array.from([...varint(number * 8), ...varint(value)]);

const FLOAT = 1;

function valueInfo(name: string, shape: readonly [number, number]): Uint8Array {
  const dimensions = shape.map((side) => field(1, integer(1, side)));
  return concatBytes(field(1, text(name)), field(2, field(1, integer(1, FLOAT), field(2, ...dimensions))));
}

export function onnxMatMul({ m, n, k }: { readonly m: number; readonly n: number; readonly k: number }): Uint8Array {
  const node = field(1, field(1, text('a')), field(1, text('b')), field(2, text('c')), field(4, text('MatMul')));
  const graph = field(7, node, field(2, text('g')), field(11, valueInfo('a', [m, k])), field(11, valueInfo('b', [k, n])), field(12, valueInfo('c', [m, n])));
  return concatBytes(integer(1, 8), graph, field(8, integer(2, 13)));
}
