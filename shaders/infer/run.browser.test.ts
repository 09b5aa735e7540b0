import { expect, test } from 'vitest';
import { type ElementRef, fullMask, type TileRef } from '../../shared/model.ts';
import type { SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import * as check from './check.ts';
import { piecesOf } from './grid.ts';
import { open } from './run.ts';
import { spec } from './spec.ts';
import { arraysJob, imagesJob, labelsJob, type TestJob } from './testing/jobs.ts';

const { device } = await requestDevice(navigator.gpu);
const at: TileRef = { pass: 0, tile: 0 };
const never = new AbortController().signal;
const patient: SlicePolicy = { budgetMs: () => 1000, inFlight: () => 1, between: async () => undefined };

const elementsOf = ({ job }: TestJob): ElementRef[] => Array.from({ length: spec.elements(job, at) }, (_, element) => ({ ...at, part: 0, element }));

async function whole({ job, inputs }: TestJob, policy = patient, on = device): Promise<Uint32Array> {
  const runner = await open(on, job, inputs);
  try {
    for await (const { bytes } of runner.run(at, fullMask(1), policy, never)) return new Uint32Array(bytes.buffer);
    throw new Error('nothing came');
  } finally {
    runner.dispose();
  }
}

/** Distances of every element from what ONNX Runtime gives on the CPU. */
async function distances(test: TestJob, words: Uint32Array): Promise<number[]> {
  const { job, inputs } = test;
  const each = piecesOf(job).words;
  const elements = elementsOf(test);
  const truth = await check.recompute(check.load(job, inputs), job, elements);
  const value = (all: Uint32Array, index: number): Uint32Array => all.subarray(index * each, (index + 1) * each);
  return elements.map((element, index) => check.distance(job, element, value(words, index), value(truth, index)));
}

test.each([
  ['labels', labelsJob()],
  ['arrays', arraysJob()],
  ['images', imagesJob()],
] as const)('%s are what ONNX Runtime gives on the CPU, in whatever company', async (_, each) => {
  const words = await whole(each);
  expect(words).toHaveLength(spec.elements(each.job, at) * piecesOf(each.job).words);
  const apart = await distances(each, words);
  console.log(each.job.params.kind, Math.max(...apart));
  expect(Math.max(...apart)).toBeLessThanOrEqual(spec.tolerance.allowed);
  expect(new Set(words).size).toBeGreaterThan(5);
});
