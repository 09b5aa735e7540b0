import sharp from 'sharp';
import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { params } from './form.ts';
import { prepare } from './prepare.ts';
import { samples } from './samples.ts';

test('samples can be ordered as they are, and are small', async () => {
  const all = await samples();
  expect(new Set(all.map(({ id }) => id)).size).toBe(2);
  for (const sample of all) {
    expect(Value.Check(params, sample.params)).toBe(true);
    const { prepared, report } = await prepare(sample.params, sample.files);
    expect(report).toEqual([]);
    const { width, height, format } = await sharp(sample.picture.bytes).metadata();
    expect([width, format]).toEqual([320, 'webp']);
    expect(height! / 320).toBeCloseTo(prepared.height / prepared.width, 1);
    expect(sample.picture.bytes.byteLength).toBeLessThan(30_000);
  }
});
