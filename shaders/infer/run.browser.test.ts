import { afterAll, expect, test } from 'vitest';
import { type ElementRef, fullMask, type TileRef } from '../../shared/model.ts';
import type { SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import * as check from './check.ts';
import { piecesOf } from './grid.ts';
import { open } from './run.ts';
import { spec } from './spec.ts';
import { arraysJob, imagesJob, labelsJob, type TestJob, testJob } from './testing/jobs.ts';
import { layers } from './testing/models.ts';

const { device } = await requestDevice(navigator.gpu);
afterAll(() => device.destroy());

const at: TileRef = { pass: 0, tile: 0 };
const never = new AbortController().signal;
const patient: SlicePolicy = { budgetMs: () => 10_000, inFlight: () => 1, between: async () => undefined };

const elementsOf = ({ job }: TestJob): ElementRef[] => Array.from({ length: spec.elements(job, at) }, (_, element) => ({ ...at, part: 0, element }));

type Runner = Awaited<ReturnType<typeof open>>;

async function whole(runner: Runner, policy = patient, signal = never): Promise<Uint32Array> {
  for await (const { bytes } of runner.run(at, fullMask(1), policy, signal)) return new Uint32Array(bytes.buffer);
  throw new Error('nothing came');
}

/** The furthest of the elements from what ONNX Runtime gives on the CPU. */
async function furthest(test: TestJob, words: Uint32Array): Promise<number> {
  const { job, inputs } = test;
  const each = piecesOf(job).words;
  const elements = elementsOf(test);
  const truth = await check.recompute(check.load(job, inputs), job, elements);
  const value = (all: Uint32Array, index: number): Uint32Array => all.subarray(index * each, (index + 1) * each);
  return Math.max(...elements.map((element, index) => check.distance(job, element, value(words, index), value(truth, index))));
}

test.each([
  ['labels', labelsJob()],
  ['arrays', arraysJob()],
  ['pictures', imagesJob(2, 40)],
] as const)('%s are what ONNX Runtime gives on the CPU, in groups and alone', async (_, each) => {
  const runner = await open(device, each.job, each.inputs);
  const words = await whole(runner);
  expect(words).toHaveLength(spec.elements(each.job, at) * piecesOf(each.job).words);
  expect(new Set(words).size).toBeGreaterThan(5);
  expect(await furthest(each, words)).toBeLessThan(spec.tolerance.allowed / 4);
  const some = elementsOf(each).slice(-2).reverse();
  const alone = new Uint32Array((await runner.recompute(some, patient, never)).buffer);
  const n = piecesOf(each.job).words;
  for (const [place, element] of some.entries())
    expect(
      check.distance(each.job, element, alone.subarray(place * n, (place + 1) * n), words.subarray(element.element * n, (element.element + 1) * n)),
    ).toBeLessThan(spec.tolerance.allowed / 4);
  runner.dispose();
});

test('a slice is one call, calls grow within the budget, and an abort comes between two', async () => {
  const { job, inputs } = arraysJob(16);
  const runner = await open(device, job, inputs);
  const measured: number[] = [];
  const counting = { ...patient, between: async (ms: number) => void measured.push(ms) };
  await whole(runner, counting);
  // 1, 1, 2, 2 (the first of each compiles), then fours.
  expect(measured.length).toBeLessThan(9);
  measured.length = 0;
  await whole(runner, { ...counting, budgetMs: () => 0.001 });
  // One of four, one of two, ten alone.
  expect(measured).toHaveLength(12);
  expect(Math.min(...measured)).toBeGreaterThan(0);

  const aborter = new AbortController();
  const stopping = { ...patient, budgetMs: () => 0.001, between: async () => aborter.abort(new Error('stopped by its owner')) };
  await expect(whole(runner, stopping, aborter.signal)).rejects.toThrow('stopped by its owner');
  await expect(runner.recompute([{ ...at, part: 0, element: 0 }], patient, aborter.signal)).rejects.toThrow('stopped by its owner');
  await expect(runner.recompute([{ ...at, part: 0, element: 16 }], patient, never)).rejects.toThrow(RangeError);
  // It goes on afterwards as if nothing had been.
  expect(await furthest({ job, inputs }, await whole(runner))).toBeLessThan(1);
  runner.dispose();
});

test('one job may be opened, run and closed while another runs', async () => {
  const [one, other] = [arraysJob(6), testJob({ params: { kind: 'arrays', source: 'arrays' }, model: layers(16, 2), shape: [16], output: [16], count: 6 })];
  const runner = await open(device, one.job, one.inputs);
  const [first, second] = await Promise.all([
    whole(runner, { ...patient, budgetMs: () => 0.001 }),
    open(device, other.job, other.inputs).then(async (opened) => {
      const words = await whole(opened);
      opened.dispose();
      return words;
    }),
  ]);
  expect(await furthest(one, first)).toBeLessThan(1);
  expect(await furthest(other, second)).toBeLessThan(1);
  runner.dispose();
});

test('a model that does not fit, or that cannot be opened, is said with the numbers', async () => {
  const { job, inputs } = arraysJob(2);
  const huge = { ...job, prepared: { ...job.prepared, memory: { ...job.prepared.memory, largest: 2 ** 42 } } };
  await expect(open(device, huge, inputs)).rejects.toThrow(/4194304 MiB; this GPU allows \d+ MiB/);
  await expect(open(device, job, { ...inputs, batch: inputs.batch.subarray(4) })).rejects.toThrow('252 bytes, expected 256');
  await expect(open(device, job, { ...inputs, model: inputs.model.subarray(0, 100) })).rejects.toThrow();
  const runner = await open(device, job, inputs);
  expect(await furthest({ job, inputs }, await whole(runner))).toBeLessThan(1);
  runner.dispose();
});

test('what the GPU refused while a call was under way is no result', async () => {
  const { job, inputs } = arraysJob(2);
  const runner = await open(device, job, inputs);
  const refuse = (): boolean => device.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error: new GPUValidationError('too large') }));
  refuse();
  const running = whole(runner);
  await expect(running).resolves.toHaveLength(64);
  const spoilt = runner.recompute(elementsOf({ job, inputs }), { ...patient, between: async () => void setTimeout(refuse, 0) }, never);
  await expect(spoilt).rejects.toThrow('The GPU refused: too large');
  expect(await furthest({ job, inputs }, await whole(runner))).toBeLessThan(1);
  runner.dispose();
});

test('what is closed is freed, and after a lost device another one works', async () => {
  const { device: doomed } = await requestDevice(navigator.gpu);
  let held = 0;
  const createBuffer = doomed.createBuffer.bind(doomed);
  doomed.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    held += descriptor.size;
    buffer.destroy = () => {
      held -= descriptor.size;
      destroy();
    };
    return buffer;
  };
  const { job, inputs } = arraysJob(4);
  const runner = await open(doomed, job, inputs);
  expect(held).toBeGreaterThan(inputs.model.byteLength / 2);
  runner.dispose();
  // Closing waits in line behind what is under way; so does this.
  const again = await open(doomed, job, inputs);
  const heldByOne = held;
  again.dispose();
  const last = await open(doomed, job, inputs);
  expect(held).toBe(heldByOne);
  await expect(whole(last, { ...patient, budgetMs: () => 0.001, between: async () => doomed.destroy() })).rejects.toThrow(/lost|device/i);
  last.dispose();
  const recovered = await open(device, job, inputs);
  expect(await furthest({ job, inputs }, await whole(recovered))).toBeLessThan(1);
  recovered.dispose();
});
