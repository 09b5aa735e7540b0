import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../shared/formats.ts';
import { isNpy, npyHeader, readNpy } from './npy.ts';
import { npyOf } from './tensors.testing.ts';

const refusal = (bytes: Uint8Array): unknown => {
  try {
    readNpy('matrixA', bytes);
  } catch (error) {
    return error;
  }
  return null;
};

const header = (descr: string, shape: string, order = 'False'): string => `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
const f32 = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe('.npy', () => {
  it('is read as NumPy 2.4 wrote it', () => {
    // numpy.save of numpy.asfortranarray([[1, 2, 3], [4, 5, 6]], dtype=float16)
    const saved = Buffer.from(
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPABEAEAARQBCAEY=',
      'base64',
    );
    expect(readNpy('a', new Uint8Array(saved))).toMatchObject({ type: 'f16', shape: [2, 3], fortran: true, data: Float32Array.of(1, 4, 2, 5, 3, 6) });
  });

  it('is written as NumPy 2.4 does', () => {
    // The first bytes of numpy.save of an array of one number, and of int8 of (2, 3, 4).
    const saved = (dictionary: string): Uint8Array => npyOf(dictionary.padEnd(117), new Uint8Array());
    expect(npyHeader('f64', [])).toEqual(saved(header('<f8', '()')));
    expect(npyHeader('i8', [2, 3, 4])).toEqual(saved(header('|i1', '(2, 3, 4)')));
    expect(npyHeader('i64', [5])).toEqual(saved(header('<i8', '(5,)')));
  });

  it('is written with the numbers aligned, and read back whatever the shape', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 5 }), fc.constantFrom('f32', 'i32', 'i8', 'f64', 'u8', 'i64'), (shape, type) => {
        const size = shape.reduce((product, side) => product * side, 1);
        const bytes = { f32: 4, i32: 4, i8: 1, f64: 8, u8: 1, i64: 8 }[type];
        const head = npyHeader(type, shape);
        expect(head.byteLength % 64).toBe(0);
        const file = concatBytes(head, new Uint8Array(size * bytes).fill(1));
        const read = readNpy('a', file);
        expect(read).toMatchObject({ type, shape, fortran: false });
        expect(read.data).toHaveLength(size);
        // Wherever the file begins in memory.
        const shifted = new Uint8Array(file.byteLength + 1);
        shifted.set(file, 1);
        expect(readNpy('a', shifted.subarray(1)).data).toEqual(read.data);
      }),
    );
  });

  it('of versions 2 and 3, of other spacing and order of keys, and of one number', () => {
    expect(readNpy('a', npyOf(header('<f4', '(2,)'), f32(1, 2), 2)).data).toEqual(Float32Array.of(1, 2));
    expect(readNpy('a', npyOf(`{"shape":(1,2L) ,'fortran_order':False,'descr':"<f4"}`, f32(1, 2), 3))).toMatchObject({ shape: [1, 2] });
    expect(readNpy('a', npyOf(header('<f4', '()'), f32(7)))).toMatchObject({ shape: [], data: Float32Array.of(7) });
    expect(readNpy('a', npyOf(header('<f4', '(0, 3)'), f32()))).toMatchObject({ shape: [0, 3], data: new Float32Array() });
    // As C++ libraries write bytes.
    expect(readNpy('a', npyOf(header('<u1', '( 2 , )'), Uint8Array.of(1, 200))).data).toEqual(Uint8Array.of(1, 200));
  });

  const cases: readonly (readonly [string, Uint8Array, string, string])[] = [
    ['nothing', new Uint8Array(), 'no .npy file', 'numpy.save'],
    ['a picture', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 0, 0), 'no .npy file', 'numpy.save'],
    ['a version to come', npyOf(header('<f4', '(1,)'), f32(1), 4), 'version 4.0', '1.0 to 3.0'],
    ['a header that ends behind the file', npyOf(header('<f4', '(1,)'), f32(1)).subarray(0, 40), 'The header says that it has', 'at most 30 bytes'],
    [
      'a header of gigabytes',
      concatBytes(Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 0xff, 0xff, 0xff, 0x7f), new Uint8Array(9)),
      '2147483647 bytes',
      'at most 9 bytes',
    ],
    ['too few numbers', npyOf(header('<f4', '(3, 2)'), f32(1, 2, 3)), 'An array of 3 x 2 has 24 bytes, the file 12.', '24 bytes'],
    ['too many', npyOf(header('<f4', '(1,)'), f32(1, 2)), 'has 4 bytes, the file 8', '4 bytes'],
    ['a shape beyond all memory', npyOf(header('<f4', '(9999999999, 9999999999)'), f32(1)), 'too large', 'fewer'],
    ['a negative side', npyOf(header('<f4', '(-1, 2)'), f32(1)), 'cannot be read', 'numpy.save'],
    ['a shape that is empty, and beyond all memory', npyOf(header('<f4', '(9999999999999999, 0)'), f32()), 'too large', 'fewer'],
    ['a number in place of a shape', npyOf(header('<f4', '(3)'), f32(1, 2, 3)), 'cannot be read', 'numpy.save'],
    ['a side left out', npyOf(header('<f4', '(1,,2)'), f32(1, 2)), 'cannot be read', 'numpy.save'],
    ['objects', npyOf(header('|O', '(1,)'), f32(1)), 'has Python objects in place of numbers; reading them would run code', 'float16'],
    ['texts', npyOf(header('<U4', '(1,)'), f32(1)), 'of type <U4', 'float16'],
    ['a type beyond ASCII', npyOf(header('<f\u00e94', '(1,)'), f32(1), 3), 'cannot be read', 'numpy.save'],
    ['a list in place of the order', npyOf(`{'descr': '<f4', 'fortran_order': [], 'shape': (1,)}`, f32(1)), 'cannot be read', 'numpy.save'],
    ['big-endian', npyOf(header('>f4', '(1,)'), f32(1)), 'of type >f4', 'little-endian'],
    ['records', npyOf(`{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }`, f32(1)), 'records', 'float16'],
    ['nine dimensions', npyOf(header('<f4', '(1,1,1,1,1,1,1,1,1)'), f32(1)), '9 dimensions', 'at most 8'],
    ['code', npyOf(`{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}`, f32(1)), 'cannot be read', 'numpy.save'],
    ['a key twice', npyOf(`{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}`, f32(1)), 'cannot be read', 'numpy.save'],
    ['a key too many', npyOf(`{'descr': '<f4', 'x': '<f4', 'fortran_order': False, 'shape': (1,)}`, f32(1)), 'cannot be read', 'numpy.save'],
    ['a name of the prototype', npyOf(header('constructor', '(1,)'), f32(1)), 'of type constructor', 'float16'],
  ];
  it.each(cases)('with %s is refused, with the numbers', (_, bytes, message, limit) => {
    expect(refusal(bytes)).toMatchObject({
      name: 'InputError',
      field: 'matrixA',
      message: expect.stringContaining(message),
      limit: expect.stringContaining(limit),
    });
  });

  it('is told from other files', () => {
    expect(isNpy(npyHeader('f32', [1]))).toBe(true);
    expect(isNpy(Uint8Array.of(0x93))).toBe(false);
  });
});
