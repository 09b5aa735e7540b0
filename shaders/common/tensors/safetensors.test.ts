import { describe, expect, it } from 'vitest';
import { readSafetensor } from './safetensors.ts';
import { safetensorsOf } from './tensors.testing.ts';

const data = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const tensor = (shape: number[], from: number, to: number, dtype = 'F32') => ({ dtype, shape, data_offsets: [from, to] });
const two = safetensorsOf({ __metadata__: { made: 'here' }, a: tensor([2, 2], 0, 16), b: tensor([2], 16, 24) }, data);

describe('.safetensors', () => {
  it('is read by name, or by being the only one of its kind', () => {
    expect(readSafetensor('m', two, '', 2)).toMatchObject({ type: 'f32', shape: [2, 2], fortran: false, data: Float32Array.of(1, 2, 3, 4) });
    expect(readSafetensor('m', two, 'b', 2)).toMatchObject({ shape: [2], data: Float32Array.of(5, 6) });
  });

  it('with bfloat16 gives the same numbers as f32, wherever the file begins', () => {
    // 1, -2.5 and 3.140625 are the upper halves of their f32.
    const file = safetensorsOf({ a: tensor([1, 3], 0, 6, 'BF16') }, new Uint8Array(Uint16Array.of(0x3f80, 0xc020, 0x4049).buffer));
    const shifted = new Uint8Array(file.byteLength + 1);
    shifted.set(file, 1);
    for (const bytes of [file, shifted.subarray(1)])
      expect(readSafetensor('m', bytes, 'a', 2)).toMatchObject({ type: 'f32', shape: [1, 3], data: Float32Array.of(1, -2.5, 3.140625) });
  });

  const cases: readonly (readonly [string, Uint8Array, string, string, string])[] = [
    ['an unknown name', two, 'c', 'no tensor "c"', '"a", "b"'],
    ['the name of the prototype', two, 'constructor', 'no tensor', '"a"'],
    ['two of a kind', safetensorsOf({ a: tensor([1, 3], 0, 12), b: tensor([3, 1], 12, 24) }, data), '', '2 tensors of 2 dimensions', '"a", "b"'],
    ['nothing', new Uint8Array(3), '', 'no .safetensors file', 'save_file'],
    ['no JSON', safetensorsOf('{', data), '', 'no .safetensors file', 'save_file'],
    ['a name that turns the text', safetensorsOf({ 'a\u202e\n': {} }, data), '', 'describes "a\ufffd\ufffd" wrongly', 'dtype'],
    ['no tensor at all', safetensorsOf({}, new Uint8Array()), '', '0 tensors of 2 dimensions', 'a file with tensors'],
    ['a list', safetensorsOf('[]', data), '', 'no .safetensors file', 'save_file'],
    ['a header of gigabytes', Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 1), '', '4294967296 bytes', 'at most 1'],
    ['a tensor behind the end', safetensorsOf({ a: tensor([2, 2], 16, 32) }, data), '', 'lies at 16 to 32', '0 to 24'],
    ['an overlap', safetensorsOf({ a: tensor([2, 2], 0, 16), b: tensor([2, 2], 8, 24) }, data), 'a', 'overlap', 'one behind'],
    ['bytes that belong to nobody', safetensorsOf({ a: tensor([2, 2], 0, 16) }, data), '', '8 bytes belong to no tensor', 'none'],
    [
      'a size that does not fit the shape',
      safetensorsOf({ a: tensor([2, 3], 0, 16), b: tensor([2], 16, 24) }, data),
      '',
      'has 24 bytes, the file 16',
      '24 bytes',
    ],
    [
      'a size that does not fit the shape of another tensor, of a type that is not read',
      safetensorsOf({ a: tensor([2, 2], 0, 16), b: tensor([3], 16, 24, 'U64') }, data),
      'a',
      '"b" of 3 has 24 bytes, the file 8',
      '24 bytes',
    ],
    ['a type that nobody reads', safetensorsOf({ a: tensor([2, 6], 0, 24, 'I16') }, data), '', 'of type "I16"', 'F16'],
    ['a type that nobody knows', safetensorsOf({ a: tensor([2, 6], 0, 24, 'constructor') }, data), '', 'of type "constructor"', 'F16'],
    ['a broken description', safetensorsOf({ a: { dtype: 'F32' } }, data), '', 'describes "a" wrongly', 'data_offsets'],
    ['fractions as sides', safetensorsOf({ a: tensor([1.5, 4], 0, 24) }, data), '', 'wrongly', 'shape'],
  ];
  it.each(cases)('with %s is refused, with what there is', (_, bytes, name, message, limit) => {
    expect(() => readSafetensor('m', bytes, name, 2)).toThrow(
      expect.objectContaining({ name: 'InputError', field: 'm', message: expect.stringContaining(message), limit: expect.stringContaining(limit) }),
    );
  });
});
