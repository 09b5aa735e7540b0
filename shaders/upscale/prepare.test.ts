import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../shared/workload.ts';
import { PNG_SIGNATURE, pngChunk, u32 } from '../common/png.ts';
import type { UpscaleParams } from './params.ts';
import { prepare } from './prepare.ts';
import { testPixels } from './testing/jobs.ts';

const [width, height] = [9, 6];
const pixels = testPixels(width, height);
const picture = () => sharp(pixels, { raw: { width, height, channels: 3 } });
const bytesOf = async (image: { toBuffer(): Promise<Buffer> }): Promise<Uint8Array> => new Uint8Array(await image.toBuffer());

async function refusal(image: Uint8Array | undefined, scale: UpscaleParams['scale'] = '4'): Promise<InputError> {
  try {
    await prepare({ scale }, image ? { image } : {});
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a picture', () => {
  test('becomes RGB and weights, the same every time', async () => {
    const image = await bytesOf(picture().png());
    const first = await prepare({ scale: '2' }, { image });
    const again = await prepare({ scale: '2' }, { image });
    expect(first.inputs.image).toEqual(pixels);
    expect(first.inputs).toEqual(again.inputs);
    expect(first.prepared).toMatchObject({ width, height });
    expect(first.prepared.cpuMacsPerMs).toBeGreaterThan(0);
    expect(first.facts).toEqual({ width, height, outputWidth: 18, outputHeight: 12 });
    expect(first.report).toEqual([]);
    expect(first.inputs.weights?.byteLength).not.toBe((await prepare({ scale: '4' }, { image })).inputs.weights?.byteLength);
  });

  test('may be WebP, JPEG, grey, or of 16 bits', async () => {
    const same = await prepare({ scale: '2' }, { image: await bytesOf(picture().webp({ lossless: true })) });
    expect(same.inputs.image).toEqual(pixels);
    for (const image of [picture().jpeg(), picture().greyscale().png(), picture().toColourspace('rgb16').png()])
      expect((await prepare({ scale: '3' }, { image: await bytesOf(image) })).inputs.image).toHaveLength(pixels.length);
  });

  test('is turned upright', async () => {
    const { prepared, inputs } = await prepare({ scale: '2' }, { image: await bytesOf(picture().withMetadata({ orientation: 6 }).png()) });
    expect(prepared).toMatchObject({ width: height, height: width });
    // A quarter to the right: the lower left corner comes to the upper left.
    expect([...inputs.image!.subarray(0, 3)]).toEqual([...pixels.subarray((height - 1) * width * 3, (height - 1) * width * 3 + 3)]);
  });

  test('loses its transparency, and that is said', async () => {
    const { inputs, report } = await prepare({ scale: '2' }, { image: await bytesOf(picture().ensureAlpha(0).png()) });
    expect(inputs.image!.every((byte) => byte === 255)).toBe(true);
    expect(report).toEqual(['Transparent parts are laid on white.']);
  });

  test('gives its first one, of an animation', async () => {
    const both = sharp(Buffer.concat([pixels, pixels.toReversed()]), { raw: { width, height: 2 * height, channels: 3, pageHeight: height } });
    const { inputs, report } = await prepare({ scale: '2' }, { image: await bytesOf(both.webp({ lossless: true, loop: 0, delay: [50, 50] })) });
    expect(inputs.image).toEqual(pixels);
    expect(report).toEqual(['Of an animation only the first picture is enlarged.']);
  });
});

describe('refusals name the field and the limit', () => {
  test('no file, or none that is read', async () => {
    expect(await refusal(undefined)).toMatchObject({ field: 'image', limit: 'one PNG, JPEG or WebP file' });
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    for (const bytes of [svg, new Uint8Array(), Uint8Array.of(0x47, 0x49, 0x46, 0x38)])
      expect(await refusal(bytes)).toMatchObject({ field: 'image', limit: 'PNG, JPEG or WebP' });
  });

  test('a bomb, before it is decoded', async () => {
    const header = pngChunk('IHDR', u32(60_000, 60_000), Uint8Array.of(8, 2, 0, 0, 0));
    const bomb = Buffer.concat([PNG_SIGNATURE, header, pngChunk('IDAT', new Uint8Array(20)), pngChunk('IEND')]);
    const began = performance.now();
    const { message, limit } = await refusal(new Uint8Array(bomb));
    expect(performance.now() - began).toBeLessThan(1000);
    expect(message).toMatch(/60000 x 60000/);
    expect(limit).toBe('at most 67108864 pixels, 16384 on a side');
  });

  test('more than may come out', async () => {
    const wide = await bytesOf(sharp({ create: { width: 2731, height: 2, channels: 3, background: '#000' } }).png());
    expect((await refusal(wide, '3')).limit).toBe('at most 2730 × 2730 pixels');
    expect((await prepare({ scale: '2' }, { image: wide })).prepared.width).toBe(2731);
  });

  test('a file that breaks off', async () => {
    const image = await bytesOf(sharp(testPixels(64, 64), { raw: { width: 64, height: 64, channels: 3 } }).png());
    for (const bytes of [image.subarray(0, image.length >> 1), image.subarray(0, 12)]) expect((await refusal(bytes)).message).toMatch(/damaged/);
  });
});
