import { expect, test } from 'vitest';
import type { JobId } from '../../shared/model.ts';
import * as check from './check.ts';
import { LABEL_WORDS, piecesOf } from './grid.ts';
import type { InferJob } from './params.ts';
import { prepare } from './prepare.ts';
import { samples } from './samples.ts';

test('the sample is sure of nearly every shape', async () => {
  const [sample] = await samples();
  const { params, files, picture } = sample!;
  expect(files.model!.byteLength).toBeLessThan(200_000);
  expect(picture.bytes.byteLength).toBeGreaterThan(1000);
  const { prepared, inputs, report } = await prepare(params, files);
  expect([report, prepared.count, prepared.batchMax]).toEqual([[], 48, 32]);
  const job: InferJob = { id: 'j_sample0000000000' as JobId, seed: 1, params, prepared };
  const everyone = Array.from({ length: 48 }, (_, input) => ({
    pass: 0,
    tile: Math.floor(input / prepared.perTile),
    part: 0,
    element: input % prepared.perTile,
  }));
  const labels = await check.recompute(check.load(job, inputs), job, everyone);
  expect(piecesOf(job).words).toBe(4 * LABEL_WORDS);
  const right = everyone.filter((_, input) => prepared.names![input]!.startsWith(`${prepared.classes![labels[input * 4 * LABEL_WORDS]!]}-`));
  expect(right.length).toBeGreaterThanOrEqual(46);
});
