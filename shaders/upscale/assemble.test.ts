import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { encodeResult } from '../../shared/formats.ts';
import { fullMask, type TileRef } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { assemble } from './assemble.ts';
import { elementsOf, elementWords, gridOf, patchesOf, scaled, tileRect, wordAt } from './grid.ts';
import { testJob } from './testing/jobs.ts';
import { createPainter } from './view.ts';

// 3 x 2 tiles of 112 x 80 input pixels, the last of them cut.
const job = testJob(2, 300, 150);
const { tiles } = gridOf(job.params, job.prepared);
const [width, height] = [600, 300];

/** What a pixel of the picture is in these tests. */
const colorAt = (x: number, y: number): [number, number, number] => [(x * 7 + y) & 255, (x ^ y) & 255, (y * 3) & 255];

function resultOf(tile: number): AcceptedResult {
  const at: TileRef = { pass: 0, tile };
  const rect = scaled(tileRect(job, tile), 2);
  const words = new Uint32Array(elementsOf(job, at) * elementWords(job));
  for (let y = 0; y < rect.height; y++)
    for (let x = 0; x < rect.width; x++) {
      const [r, g, b] = colorAt(rect.x + x, rect.y + y);
      words[wordAt(2, patchesOf(job, tile).columns, x, y)] = (r | (g << 8) | (b << 16) | (255 << 24)) >>> 0;
    }
  const part = { part: 0, bytes: new Uint8Array(words.buffer) };
  return { tile: at, parts: fullMask(1), bytes: encodeResult([part], elementsOf(job, at), elementWords(job)) };
}

async function fileOf(results: readonly AcceptedResult[], output = 'png'): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  async function* each(): AsyncGenerator<AcceptedResult> {
    yield* results;
  }
  for await (const piece of assemble(job, output, each())) pieces.push(piece);
  return Buffer.concat(pieces);
}

const all = Array.from({ length: tiles }, (_, tile) => resultOf(tile));

describe('the file', () => {
  test('is the picture, pixel by pixel, in sRGB', async () => {
    expect(tiles).toBe(6);
    const file = await fileOf(all);
    const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width, height, channels: 3 });
    expect((await sharp(file).metadata()).space).toBe('srgb');
    const expected = new Uint8Array(data.length);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) expected.set(colorAt(x, y), (y * width + x) * 3);
    expect(Buffer.compare(data, expected)).toBe(0);
  });

  test('needs every tile, in order', async () => {
    await expect(fileOf(all.slice(1))).rejects.toThrow(/tile 1 came where tile 0 of 6 should/);
    await expect(fileOf(all.slice(0, 5))).rejects.toThrow(/end before tile 5 of 6/);
    await expect(fileOf(all.toReversed())).rejects.toThrow(RangeError);
    await expect(fileOf([...all, all[5]!])).rejects.toThrow(RangeError);
    await expect(fileOf(all, 'exr')).rejects.toThrow(/no output "exr"/);
  });
});

describe('the page', () => {
  test('shows what has come, and nothing elsewhere', () => {
    const painter = createPainter(job, 0);
    for (const tile of [4, 1]) {
      const { tile: at, parts, bytes } = all[tile]!;
      expect(painter.shows(at)).toBe(true);
      const region = painter.add(at, parts, bytes);
      expect(region).toEqual(scaled(tileRect(job, tile), 2));
      expect(painter.add(at, parts, bytes)).toEqual(region);
    }
    const pixels = painter.pixels(222, 150, 4, 14);
    const pixel = (x: number, y: number): number[] => [...pixels.subarray((y * 4 + x) * 4, (y * 4 + x + 1) * 4)];
    expect(pixel(0, 0)).toEqual([0, 0, 0, 0]);
    expect(pixel(2, 1)).toEqual([...colorAt(224, 151), 255]);
    expect(pixel(3, 13)).toEqual([...colorAt(225, 163), 255]);
  });
});
