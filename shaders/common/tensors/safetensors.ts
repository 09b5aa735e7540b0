import { InputError } from '../../../shared/workload.ts';
import { tensorLimits } from './limits.ts';
import { told } from './names.ts';
import { numbersOf, sizeOf, type Tensor, type TensorType } from './tensor.ts';

/** Files of named tensors (huggingface/safetensors, "Format"): u64 length of the header, JSON, the numbers. */

/** BF16 is the upper half of an f32, and comes as one. */
const types: Readonly<Record<string, TensorType>> = { F16: 'f16', BF16: 'f32', F32: 'f32', F64: 'f64', I8: 'i8', U8: 'u8', I32: 'i32', I64: 'i64' };

/** Of one number. What is not read here is checked all the same; types of less than a byte are not known. */
const widthBytes: ReadonlyMap<string, number> = new Map(
  Object.entries({
    BOOL: 1,
    U8: 1,
    I8: 1,
    F8_E5M2: 1,
    F8_E4M3: 1,
    F8_E8M0: 1,
    I16: 2,
    U16: 2,
    F16: 2,
    BF16: 2,
    I32: 4,
    U32: 4,
    F32: 4,
    C64: 8,
    F64: 8,
    I64: 8,
    U64: 8,
  }),
);

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

const isSide = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function entryOf(field: string, name: string, value: unknown, dataBytes: number): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const isValid =
    typeof dtype === 'string' && Array.isArray(shape) && shape.every(isSide) && Array.isArray(offsets) && offsets.length === 2 && offsets.every(isSide);
  if (!isValid) throw new InputError(field, `The header describes ${told(name)} wrongly.`, 'dtype, shape and data_offsets');
  const [from, to] = offsets as [number, number];
  if (shape.length > tensorLimits.rankMax) throw new InputError(field, `${told(name)} has ${shape.length} dimensions.`, `at most ${tensorLimits.rankMax}`);
  if (to < from || to > dataBytes) throw new InputError(field, `${told(name)} lies at ${from} to ${to}.`, `0 to ${dataBytes}`);
  const width = widthBytes.get(dtype);
  const wanted = width === undefined ? to - from : sizeOf(field, shape) * width;
  if (to - from !== wanted) throw new InputError(field, `${told(name)} of ${shape.join(' x ')} has ${wanted} bytes, the file ${to - from}.`, `${wanted} bytes`);
  return { dtype, shape, from, to };
}

function readHeader(field: string, bytes: Uint8Array): { readonly entries: ReadonlyMap<string, Entry>; readonly data: Uint8Array } {
  const bad = (): InputError => new InputError(field, 'This is no .safetensors file.', 'what safetensors.save_file writes');
  if (bytes.byteLength < 8) throw bad();
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > tensorLimits.namesBytesMax || 8 + Number(length) > bytes.byteLength)
    throw new InputError(field, `The header says that it has ${length} bytes.`, `at most ${Math.min(tensorLimits.namesBytesMax, bytes.byteLength - 8)} bytes`);
  const data = bytes.subarray(8 + Number(length));
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + Number(length))));
  } catch {
    throw bad();
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw bad();
  const named = Object.entries(header).filter(([name]) => name !== '__metadata__');
  if (named.length > tensorLimits.tensorsMax) throw new InputError(field, `The file has ${named.length} tensors.`, `at most ${tensorLimits.tensorsMax}`);
  const entries = new Map(named.map(([name, value]) => [name, entryOf(field, name, value, data.byteLength)]));
  let end = 0;
  for (const { from, to } of [...entries.values()].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) throw new InputError(field, `Tensors overlap or leave a gap at ${end}.`, 'one behind the other');
    end = to;
  }
  if (end !== data.byteLength) throw new InputError(field, `${data.byteLength - end} bytes belong to no tensor.`, 'none');
  return { entries, data };
}

function widened(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Uint32Array(bytes.byteLength / 2);
  for (let at = 0; at < words.length; at++) words[at] = view.getUint16(at * 2, true) << 16;
  return new Float32Array(words.buffer);
}

/** One tensor of a file: the named one or, by an empty name, the only one of `rank` dimensions. Throws `InputError` naming the field. */
export function readSafetensor(field: string, bytes: Uint8Array, name: string, rank: number): Tensor {
  const { entries, data } = readHeader(field, bytes);
  const there = [...entries.keys()].slice(0, tensorLimits.namesToldMax).map(told).join(', ');
  const fitting = [...entries].filter(([, { shape }]) => shape.length === rank);
  const found = name === '' ? (fitting.length === 1 ? fitting[0] : undefined) : [...entries].find(([each]) => each === name);
  if (!found)
    throw new InputError(
      field,
      name === '' ? `The file has ${fitting.length} tensors of ${rank} dimensions. Name one.` : `The file has no tensor ${told(name)}.`,
      entries.size === 0 ? 'a file with tensors' : `${there}${entries.size > tensorLimits.namesToldMax ? ', ...' : ''}`,
    );
  const [foundName, { dtype, shape, from, to }] = found;
  const type = Object.hasOwn(types, dtype) ? types[dtype] : undefined;
  if (!type) throw new InputError(field, `The numbers of ${told(foundName)} are of type ${told(dtype)}.`, Object.keys(types).join(', '));
  const own = data.subarray(from, to);
  return { type, shape, fortran: false, data: dtype === 'BF16' ? widened(own) : numbersOf(type, own) };
}
