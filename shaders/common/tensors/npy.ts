import { InputError } from '../../../shared/workload.ts';
import { tensorLimits } from './limits.ts';
import { numbersOf, sizeOf, type Tensor, type TensorType, typeBytes } from './tensor.ts';

/**
 * NumPy's array files, versions 1.0 to 3.0 (numpy.lib.format): magic, version, length of the header, a Python dictionary in text, the
 * numbers. The dictionary is read by its three known keys and nothing of it is ever evaluated.
 */

const MAGIC = '\x93NUMPY';
const ALIGN_BYTES = 64;

const types: Readonly<Record<string, TensorType>> = {
  '<f2': 'f16',
  '<f4': 'f32',
  '<f8': 'f64',
  '|i1': 'i8',
  '|u1': 'u8',
  // What others write: a byte has no order.
  '<i1': 'i8',
  '<u1': 'u8',
  '<i4': 'i32',
  '<i8': 'i64',
};
const accepted = 'little-endian float16, float32, float64, int8, uint8, int32 or int64';

const ascii = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');

export const isNpy = (bytes: Uint8Array): boolean => ascii(bytes.subarray(0, MAGIC.length)) === MAGIC;

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** One of the three keys with a value of any of their kinds. A tuple of one has its comma: without it Python reads a number in brackets. */
const entryPattern =
  /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*('[ -&(-~]*'|"[ !#-~]*"|True|False|\(\s*(?:\d{1,16}L?\s*,\s*)*(?:\d{1,16}L?\s*)?\)|\[.*\])\s*(?:,|$)/sy;

/** Reads the dictionary. Throws `InputError` on anything but the three keys with values of their kinds. */
function parseHeader(field: string, text: string): Header {
  const bad = (): InputError => new InputError(field, 'The header of this .npy file cannot be read.', 'what numpy.save writes');
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]?.trimEnd();
  if (inner === undefined) throw bad();
  const known = new Map<string, string>();
  for (let at = 0; at < inner.length; at = entryPattern.lastIndex) {
    entryPattern.lastIndex = at;
    const found = entryPattern.exec(inner);
    if (!found || known.has(found[2]!)) throw bad();
    known.set(found[2]!, found[3]!);
  }
  const [descr, order, shape] = [known.get('descr'), known.get('fortran_order'), known.get('shape')];
  if (!descr || !/^['"[]/.test(descr) || !shape?.startsWith('(') || (order !== 'True' && order !== 'False')) throw bad();
  if (descr.startsWith('[')) throw new InputError(field, 'The array has records in place of numbers.', accepted);
  const sides = shape.match(/\d+/g) ?? [];
  if (sides.length === 1 && !shape.includes(',')) throw bad();
  return { descr: descr.slice(1, -1), fortran: order === 'True', shape: sides.map(Number) };
}

/** The array of a .npy file. Throws `InputError` naming the field. */
export function readNpy(field: string, bytes: Uint8Array): Tensor {
  if (!isNpy(bytes) || bytes.byteLength < 12) throw new InputError(field, 'This is no .npy file.', 'what numpy.save writes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6]!;
  if (version < 1 || version > 3 || bytes[7] !== 0) throw new InputError(field, `The file has version ${version}.${bytes[7]} of .npy.`, '1.0 to 3.0');
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > tensorLimits.headerBytesMax || start + length > bytes.byteLength)
    throw new InputError(
      field,
      `The header says that it has ${length} bytes.`,
      `at most ${Math.min(tensorLimits.headerBytesMax, bytes.byteLength - start)} bytes`,
    );
  const { descr, fortran, shape } = parseHeader(field, ascii(bytes.subarray(start, start + length)));
  if (/^[|<>=]?O/.test(descr))
    throw new InputError(field, 'The array has Python objects in place of numbers; reading them would run code from the file.', accepted);
  const type = Object.hasOwn(types, descr) ? types[descr] : undefined;
  if (!type) throw new InputError(field, `The numbers are of type ${descr.slice(0, 20)}.`, accepted);
  if (shape.length > tensorLimits.rankMax) throw new InputError(field, `The array has ${shape.length} dimensions.`, `at most ${tensorLimits.rankMax}`);
  const wanted = sizeOf(field, shape) * typeBytes[type];
  const data = bytes.subarray(start + length);
  if (data.byteLength !== wanted)
    throw new InputError(field, `An array of ${shape.join(' x ') || 'one number'} has ${wanted} bytes, the file ${data.byteLength}.`, `${wanted} bytes`);
  return { type, shape, fortran, data: numbersOf(type, data) };
}

const descrOf = (type: TensorType): string => Object.entries(types).find(([, each]) => each === type)![0];

/** What comes before the numbers of an array in C order: the file of a large one is written as a stream. */
export function npyHeader(type: TensorType, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descrOf(type)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / ALIGN_BYTES) * ALIGN_BYTES - 10;
  const header = `${MAGIC}\x01\x00${String.fromCharCode(length & 255, length >> 8)}${text.padEnd(length - 1)}\n`;
  return Uint8Array.from(header, (char) => char.charCodeAt(0));
}
