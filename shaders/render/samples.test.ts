import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { Check } from 'typebox/value';
import { expect, test } from 'vitest';
import { KIB, limits } from '../../shared/limits.ts';
import { params as schema } from './form.ts';
import { prepare } from './prepare.ts';
import { samples } from './samples.ts';
import { spec } from './spec.ts';

const gallery = await samples();
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('four scenes with different names, the built-in one first and smallest', () => {
  expect(gallery.map(({ id }) => id)).toEqual(['cornell', 'mosaic', 'kitchen', 'spheres']);
  expect(gallery[0]).toMatchObject({ params: { scene: 'cornell' }, files: {} });
  const paths = gallery.map(({ params }) => params.width * params.height * params.samples);
  expect(Math.min(...paths)).toBe(paths[0]);
  for (const { title, params } of gallery) {
    expect(title.length).toBeLessThanOrEqual(limits.titleCharsMax);
    expect(Check(schema, params)).toBe(true);
  }
});

test('each has a small picture of it', async () => {
  for (const { picture } of gallery) {
    const { format, width, height } = await sharp(picture.bytes).metadata();
    expect([format, width, height]).toEqual(['webp', 320, 200]);
    expect(picture.mediaType).toBe('image/webp');
    expect(picture.bytes.byteLength).toBeLessThan(32 * KIB);
    const { channels } = await sharp(picture.bytes).stats();
    expect(Math.max(...channels.map(({ stdev }) => stdev))).toBeGreaterThan(20);
  }
});

test('made twice, they are the same bytes', async () => {
  const again = await samples();
  for (const [index, { files }] of gallery.entries()) {
    expect(Object.keys(again[index]!.files)).toEqual(Object.keys(files));
    for (const [name, bytes] of Object.entries(files)) expect(digest(again[index]!.files[name]!)).toBe(digest(bytes));
  }
});

test.each(gallery)('$id can be prepared, with nothing ignored, lit by itself and seen by its own camera', async ({ params, files }) => {
  const { report, prepared, facts } = await prepare(params, files);
  expect(report).toEqual([]);
  expect(facts.lights).toBeGreaterThan(0);
  expect(prepared.sky).toEqual([0, 0, 0]);
  expect(facts.triangles).toBeLessThan(100_000);
  // Neither night nor glare: a picture without further exposure.
  expect(prepared.quantumLog2).toBeGreaterThanOrEqual(-4);
  expect(prepared.quantumLog2).toBeLessThanOrEqual(0);
  expect(spec.split(params, prepared).tiles).toBeGreaterThanOrEqual(16);
});
