import { describe, expect, test } from 'vitest';
import { InputError } from '../../shared/workload.ts';
import { type HdrImage, readHdr } from './hdr.ts';
import { sceneLimits } from './limits.ts';

const file = (resolution: string, body: readonly number[], header = '#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n'): Uint8Array => {
  const text = new TextEncoder().encode(`${header}\n${resolution}\n`);
  return Uint8Array.of(...text, ...body);
};
/** Red, green, blue and exponent; 128 + 8 makes the mantissa the value. */
const rgbe = (red: number, green = 0, blue = 0): number[] => [red, green, blue, 136];
const redsOf = ({ pixels }: HdrImage): number[] => [...pixels.filter((_, i) => i % 3 === 0)];

function refusal(bytes: Uint8Array): string {
  try {
    readHdr(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    const { field, message, limit } = error as InputError;
    expect(field).toBe('environment');
    return limit === undefined ? message : `${message} [${limit}]`;
  }
  throw new Error('was accepted');
}

describe('pixels', () => {
  test('three mantissas below one exponent; an exponent of 0 is black', () => {
    const { width, height, pixels } = readHdr(file('-Y 1 +X 3', [128, 64, 0, 129, 255, 1, 2, 0, 200, 100, 50, 126]));
    expect([width, height]).toEqual([3, 1]);
    expect([...pixels]).toEqual([1, 0.5, 0, 0, 0, 0, 200 / 1024, 100 / 1024, 50 / 1024]);
  });
  test('exponents beyond what can be rendered are clamped', () => {
    const { pixels } = readHdr(file('-Y 1 +X 1', [255, 1, 0, 255]));
    expect([...pixels]).toEqual([sceneLimits.radianceMax, sceneLimits.radianceMax, 0]);
  });
  test('a header with other lines, comments and carriage returns', () => {
    const header = '#?RGBE\r\n# made by hand\r\nEXPOSURE=2\r\nFORMAT=32-bit_rle_rgbe\r\nVIEW= -vtv\r\n\r';
    expect(redsOf(readHdr(file('-Y 1 +X 1\r', rgbe(7), header)))).toEqual([7]);
  });
});

describe('orientations', () => {
  const body = [1, 2, 3, 4, 5, 6].flatMap((red) => rgbe(red));
  test.each([
    // Rows from the top, then from left to right.
    ['-Y 2 +X 3', [1, 2, 3, 4, 5, 6]],
    ['+Y 2 +X 3', [4, 5, 6, 1, 2, 3]],
    ['-Y 2 -X 3', [3, 2, 1, 6, 5, 4]],
    ['+Y 2 -X 3', [6, 5, 4, 3, 2, 1]],
    ['+X 3 -Y 2', [1, 3, 5, 2, 4, 6]],
    ['+X 3 +Y 2', [2, 4, 6, 1, 3, 5]],
    ['-X 3 -Y 2', [5, 3, 1, 6, 4, 2]],
    ['-X 3 +Y 2', [6, 4, 2, 5, 3, 1]],
  ])('%s', (resolution, reds) => {
    const image = readHdr(file(resolution, body));
    expect([image.width, image.height]).toEqual([3, 2]);
    expect(redsOf(image)).toEqual(reds);
  });
});

describe('runs', () => {
  test('the new encoding: runs and literals of every channel by itself', () => {
    // Red 1 to 8, green 9 in one run, blue 0, exponent 136 in two runs.
    const line = [2, 2, 0, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8, 128 + 8, 9, 128 + 8, 0, 128 + 3, 136, 128 + 5, 136];
    const image = readHdr(file('-Y 2 +X 8', [...line, ...line]));
    expect(redsOf(image)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...image.pixels.subarray(45)]).toEqual([8, 9, 0]);
  });
  test('the old encoding, with a run whose length has two digits', () => {
    const image = readHdr(file('-Y 1 +X 264', [...rgbe(5), 1, 1, 1, 4, 1, 1, 1, 1, ...rgbe(6), 1, 1, 1, 2]));
    expect(redsOf(image)).toEqual([...new Array(261).fill(5), 6, 6, 6]);
  });
  test('a flat line that begins with 2 2 and a large third byte is no run', () => {
    const pixels = Array.from({ length: 8 }, (_, i) => [2, 2, 200 + i, 136]);
    expect([...readHdr(file('-Y 1 +X 8', pixels.flat())).pixels.subarray(0, 6)]).toEqual([2, 2, 200, 2, 2, 201]);
  });
});

describe('what is refused', () => {
  test.each<[string, Uint8Array]>([
    ['does not start with #?RADIANCE or #?RGBE', new TextEncoder().encode('#?OTHER\n')],
    ['does not start with #?RADIANCE or #?RGBE', new Uint8Array()],
    ['header of the environment map does not end', new TextEncoder().encode('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n')],
    ['header of the environment map does not end. [at most 1000 lines]', new TextEncoder().encode(`#?RADIANCE\n${'#\n'.repeat(2000)}`)],
    ['has no format. [32-bit_rle_rgbe]', file('-Y 1 +X 1', rgbe(1), '#?RADIANCE\n')],
    ['has the format "32-bit_rle_xyze"', file('-Y 1 +X 1', rgbe(1), '#?RADIANCE\nFORMAT=32-bit_rle_xyze\n')],
    ['has the resolution line "-Y 1 +Y 1"', file('-Y 1 +Y 1', rgbe(1))],
    ['has the resolution line "1 1"', file('1 1', rgbe(1))],
    ['has 8193 x 1 pixels. [1 x 1 to 8192 x 4096 pixels]', file('-Y 1 +X 8193', [])],
    ['has 1 x 4097 pixels', file('-Y 4097 +X 1', [])],
    ['has 999999999 x 999999999 pixels', file('-Y 999999999 +X 999999999', [])],
    ['has 0 x 1 pixels', file('-Y 1 +X 0', [])],
    ['is truncated', file('-Y 4096 +X 8192', rgbe(1))],
    ['ends inside its scanline 1', file('-Y 2 +X 3', [...rgbe(1), ...rgbe(1), ...rgbe(1), ...rgbe(1), ...rgbe(1), 1])],
    ['ends inside its scanline 0', file('-Y 1 +X 8', [2, 2, 0, 8, 128 + 8, 1, 8, 1])],
    ['Scanline 0 of the environment map is corrupt', file('-Y 1 +X 8', [2, 2, 0, 8, 128 + 9, 1, 0, 0])],
    ['Scanline 0 of the environment map is corrupt', file('-Y 1 +X 8', [2, 2, 0, 8, 0, 1, 0, 0])],
    ['Scanline 0 of the environment map announces 9 pixels. [8 pixels]', file('-Y 1 +X 8', [2, 2, 0, 9, 0, 0, 0, 0])],
    ['Scanline 0 of the environment map is corrupt', file('-Y 1 +X 2', [1, 1, 1, 2, 0, 0, 0, 0])],
    ['Scanline 0 of the environment map is corrupt', file('-Y 1 +X 3', [...rgbe(1), 1, 1, 1, 9])],
  ])('%s', (expected, bytes) => expect(refusal(bytes)).toContain(expected));

  test('a file beyond its cap', () => expect(refusal(new Uint8Array(sceneLimits.environmentFileBytesMax + 1))).toContain('at most 67108864 bytes'));
  test('empty runs of the old encoding end', () => {
    // Runs of 0 pixels, then the end of the file.
    expect(refusal(file('-Y 1 +X 3', [...rgbe(1), ...new Array(400).fill([1, 1, 1, 0]).flat()]))).toContain('ends inside its scanline 0');
  });
});
