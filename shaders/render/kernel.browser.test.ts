import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wordsOf } from '../../shared/formats.ts';
import { type ElementRef, fullMask, maskOf, type PartMask, type TileRef } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import type { AuditedRunner, PartialResult, SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import { checked } from '../common/scopes.ts';
import { distance, load, recompute, render } from './check.ts';
import type { RenderJob } from './params.ts';
import { open } from './run.ts';
import { ELEMENT_WORDS, spec } from './spec.ts';
import { analyticScenes } from './testing/analytic.ts';
import { type TestScene, testScenes } from './testing/scenes.ts';

/** The kernel on a real WebGPU device against the CPU reference. */

let device: GPUDevice;

beforeAll(async () => {
  ({ device } = await requestDevice(navigator.gpu));
});

afterAll(() => device.destroy());

const patient: SlicePolicy = { budgetMs: () => 50, inFlight: () => 2, between: async () => {} };
const never = new AbortController().signal;

const opened = ({ job, packed }: TestScene, on = device): Promise<AuditedRunner> => open(on, job, { scene: packed });

async function collect(runner: AuditedRunner, tile: TileRef, parts: PartMask, policy = patient, signal = never): Promise<PartialResult[]> {
  const finished: PartialResult[] = [];
  for await (const part of runner.run(tile, parts, policy, signal)) finished.push(part);
  return finished;
}

const wordsPerPart = (job: RenderJob, tile: TileRef): number => spec.elements(job, tile) * ELEMENT_WORDS;

/** Elements that two lists of values of one pass have, have alike to the last bit, and have further apart than audits allow. */
function compared(job: RenderJob, at: TileRef, a: Uint32Array, b: Uint32Array): { elements: number; equal: number; differing: number } {
  expect(a.length).toBe(b.length);
  const counts = { elements: 0, equal: 0, differing: 0 };
  for (let word = 0; word < a.length; word += ELEMENT_WORDS) {
    const [left, right] = [a.subarray(word, word + ELEMENT_WORDS), b.subarray(word, word + ELEMENT_WORDS)];
    counts.elements++;
    if (left.every((value, index) => value === right[index])) counts.equal++;
    if (distance(job, at, left, right) > spec.tolerance.allowed) counts.differing++;
  }
  return counts;
}

describe('agreement with the reference', () => {
  for (const [name, make] of Object.entries(testScenes)) {
    test(name, async () => {
      const scene = make();
      const { job, packed } = scene;
      const loaded = load(job, { scene: packed });
      const runner = await opened(scene);
      let [elements, equal, differing] = [0, 0, 0];
      // Every third of the 16 tiles, corners, edges and middle: their light, and of one their features.
      const tiles = [...[0, 3, 6, 9, 12, 15].map((index) => ({ pass: 0, tile: index })), { pass: 1, tile: 9 }];
      for (const tile of tiles) {
        const [claimed] = await collect(runner, tile, fullMask(1));
        const [truth] = render(loaded, job, tile, fullMask(1));
        const count = wordsPerPart(job, tile);
        const found = compared(job, tile, wordsOf(claimed!.bytes, count), wordsOf(truth!.bytes, count));
        elements += found.elements;
        equal += found.equal;
        differing += found.differing;
      }
      runner.dispose();
      expect(elements).toBe(6 * 256 + 2 * 256);
      // SwiftShader's agree to the last bit; the bounds leave room for a GPU.
      expect(equal / elements).toBeGreaterThanOrEqual(0.99);
      expect(differing / elements).toBeLessThanOrEqual(0.002);
    });
  }
});

describe('closed forms', () => {
  const [furnaces, others] = [
    analyticScenes().filter(({ name }) => name.startsWith('furnace')),
    analyticScenes().filter(({ name }) => !name.startsWith('furnace')),
  ];
  const chosen = [...furnaces.filter(({ name }) => name.endsWith('at 60 degrees')), ...others];

  for (const { name, scene, expected, allowed } of chosen) {
    test(name, async () => {
      const { job } = scene;
      const runner = await opened(scene);
      const tile = { pass: 0, tile: 0 };
      const parts = await collect(runner, tile, fullMask(spec.parts(job, tile)));
      runner.dispose();
      const sums = [0, 0, 0, 0];
      for (const { bytes } of parts) for (const [at, word] of wordsOf(bytes, wordsPerPart(job, tile)).entries()) sums[at % 4]! += word;
      const paths = 16 * 16 * 64;
      const unit = 2 ** job.prepared.quantumLog2;
      const means = [0, 1, 2].map((channel) => (sums[channel]! / paths) * 2 ** -12 * unit);
      // Squares are those of the luminance, of which no channel's error is more than 1 / 0.0722: enough for whites, and colours allow for it.
      const luminance = 0.2126 * means[0]! + 0.7152 * means[1]! + 0.0722 * means[2]!;
      const error = Math.sqrt(Math.max((sums[3]! / paths / 64) * unit * unit - luminance * luminance, 0) / paths);
      expected.forEach((truth, channel) => {
        const report = `mean ${means[channel]}, expected ${truth}, standard error ${error}`;
        expect(Math.abs(means[channel]! - truth), report).toBeLessThan(3 * error * Math.max(1, truth / luminance) + (allowed + 2 ** -9) * truth);
      });
    });
  }
});

describe('a run', () => {
  const scene = testScenes.cornell!();
  const job: RenderJob = { ...scene.job, params: { ...scene.job.params, samples: 64 } };
  const tile = { pass: 0, tile: 6 };

  test('yields the parts asked for in order, the same however it is sliced', async () => {
    const runner = await opened({ ...scene, job });
    const whole = await collect(runner, tile, fullMask(4));
    expect(whole.map(({ part }) => part)).toEqual([0, 1, 2, 3]);
    expect(whole.every(({ bytes }) => bytes.byteLength === wordsPerPart(job, tile) * 4)).toBe(true);
    expect(new Set(whole.map(({ bytes }) => bytes.join())).size).toBe(4);

    // A budget of nothing shrinks the slices to one workgroup each. Another runner: this one has learned how much a fast machine can do at once.
    runner.dispose();
    const slow = await opened({ ...scene, job });
    let slices = 0;
    const impatient: SlicePolicy = {
      budgetMs: () => 0.001,
      inFlight: () => 2,
      between: async () => {
        slices++;
      },
    };
    const some = await collect(slow, tile, maskOf([1, 3]), impatient);
    expect(some.map(({ part }) => part)).toEqual([1, 3]);
    expect(some[0]?.bytes).toEqual(whole[1]?.bytes);
    expect(some[1]?.bytes).toEqual(whole[3]?.bytes);
    expect(slices).toBeGreaterThan(20);
    slow.dispose();
  });

  test('a short last part holds its few samples', async () => {
    const short: RenderJob = { ...job, params: { ...job.params, samples: 70 } };
    const at = { pass: 0, tile: 5 };
    expect(spec.parts(short, at)).toBe(3);
    const runner = await opened({ ...scene, job: short });
    const [claimed] = await collect(runner, at, maskOf([2]));
    const [truth] = render(load(short, { scene: scene.packed }), short, at, maskOf([2]));
    const count = wordsPerPart(short, at);
    expect(compared(short, at, wordsOf(claimed!.bytes, count), wordsOf(truth!.bytes, count))).toMatchObject({ differing: 0 });
    runner.dispose();
  });

  test('ends with the reason of an abort, also while it pauses', async () => {
    const runner = await opened({ ...scene, job });
    const aborter = new AbortController();
    let pauses = 0;
    const pausing: SlicePolicy = {
      budgetMs: () => 5,
      inFlight: () => 2,
      between: () => {
        pauses++;
        setTimeout(() => aborter.abort(new Error('stopped by its owner')));
        return new Promise(() => {});
      },
    };
    await expect(collect(runner, tile, fullMask(4), pausing, aborter.signal)).rejects.toThrow('stopped by its owner');
    expect(pauses).toBe(1);
    runner.dispose();
  });

  test('rejects when the device is lost', async () => {
    const { device: doomed } = await requestDevice(navigator.gpu);
    const runner = await opened({ ...scene, job }, doomed);
    const destroying: SlicePolicy = { budgetMs: () => 5, inFlight: () => 2, between: async () => doomed.destroy() };
    await expect(collect(runner, tile, fullMask(4), destroying)).rejects.toThrow(/lost/);
  });
});

describe('single elements', () => {
  const rng = new Rng(7);
  const values = (bytes: Uint8Array, elements: readonly ElementRef[]): Uint32Array => wordsOf(bytes, elements.length * ELEMENT_WORDS);

  /** Elements of any part of these tiles, and the two ends of the job's last, shortest part. */
  function someOf(job: RenderJob, tiles: readonly TileRef[], count: number): ElementRef[] {
    const drawn = Array.from({ length: count }, () => {
      const tile = tiles[rng.below(tiles.length)]!;
      return { ...tile, part: rng.below(spec.parts(job, tile)), element: rng.below(spec.elements(job, tile)) };
    });
    const ends = [0, spec.elements(job, last) - 1].map((element) => ({ ...last, part: spec.parts(job, last) - 1, element }));
    return [...drawn, ...ends];
  }

  /** What `run` sums for these elements. */
  async function ran(runner: AuditedRunner, job: RenderJob, elements: readonly ElementRef[]): Promise<Uint32Array> {
    const tiles = new Map<string, Promise<PartialResult[]>>();
    const out = new Uint32Array(elements.length * ELEMENT_WORDS);
    for (const [index, at] of elements.entries()) {
      const key = `${at.pass}/${at.tile}`;
      const parts = tiles.get(key) ?? collect(runner, at, fullMask(spec.parts(job, at)));
      tiles.set(key, parts);
      const words = wordsOf((await parts)[at.part]!.bytes, wordsPerPart(job, at));
      out.set(words.subarray(at.element * ELEMENT_WORDS, (at.element + 1) * ELEMENT_WORDS), index * ELEMENT_WORDS);
    }
    return out;
  }

  // 5 x 4 tiles of which the last is 6 pixels wide and 12 high; a pass of 4 x 32 samples and one of 32 and 10.
  const odd = { width: 70, height: 60, samples: 170 };
  const last = { pass: 1, tile: 19 };
  const tiles = [{ pass: 0, tile: 7 }, { pass: 0, tile: 19 }, { pass: 1, tile: 4 }, { pass: 1, tile: 12 }, last];

  for (const name of ['cornell', 'studio']) {
    test(`of ${name} are recomputed as run sums them, to the last bit, and as the reference does`, async () => {
      const made = testScenes[name]!();
      const scene: TestScene = { ...made, job: { ...made.job, params: { ...made.job.params, ...odd } } };
      const { job } = scene;
      const elements = someOf(job, tiles, 80);
      const runner = await opened(scene);
      const recomputed = values(await runner.recompute(elements, patient, never), elements);
      expect(recomputed).toEqual(await ran(runner, job, elements));
      expect(compared(job, tiles[0]!, recomputed, recompute(load(job, { scene: scene.packed }), job, elements)).differing).toBe(0);
      runner.dispose();
    });
  }

  test('of an extended job are recomputed as run sums them, whose parts have more samples than those of before', async () => {
    const made = testScenes.cornell!();
    // A pass of 16 and 4 samples, and behind that of features passes of 4 x 32.
    const { layers } = made.job.params;
    const extended: RenderJob = { ...made.job, params: { ...made.job.params, ...odd, stages: [20] } };
    const later = layers === 'none' ? 1 : 2;
    const mixed = [
      { pass: 0, tile: 7 },
      { pass: later, tile: 7 },
      { pass: later + 1, tile: 19 },
      { pass: 0, tile: 19 },
    ];
    const elements = Array.from({ length: 60 }, (_, index) => {
      const tile = mixed[index % mixed.length]!;
      return { ...tile, part: rng.below(spec.parts(extended, tile)), element: rng.below(spec.elements(extended, tile)) };
    });
    const runner = await opened({ ...made, job: extended });
    const recomputed = values(await runner.recompute(elements, patient, never), elements);
    expect(recomputed).toEqual(await ran(runner, extended, elements));
    expect(compared(extended, mixed[0]!, recomputed, recompute(load(extended, { scene: made.packed }), extended, elements)).differing).toBe(0);
    runner.dispose();
  });

  const scene = testScenes.cornell!();
  const job: RenderJob = { ...scene.job, params: { ...scene.job.params, ...odd, bounces: 0 } };

  test('are the same however they are sliced, repeated, and however many are asked for', async () => {
    const [patiently, impatiently] = [await opened({ ...scene, job }), await opened({ ...scene, job })];
    // More than two dispatches hold.
    const many = someOf(job, tiles, 2100);
    const whole = values(await patiently.recompute(many, patient, never), many);
    expect(whole.some((word) => word > 0)).toBe(true);
    const few = [...many.slice(1900), ...many.slice(1900)];
    let slices = 0;
    const impatient: SlicePolicy = {
      budgetMs: () => 0.001,
      inFlight: () => 2,
      between: async () => {
        slices++;
      },
    };
    const again = values(await impatiently.recompute(few, impatient, never), few);
    expect(again.subarray(0, again.length / 2)).toEqual(whole.subarray(1900 * 4));
    expect(again.subarray(again.length / 2)).toEqual(whole.subarray(1900 * 4));
    expect(slices).toBeGreaterThan(100);
    expect(await patiently.recompute([], patient, never)).toEqual(new Uint8Array(0));
    patiently.dispose();
    impatiently.dispose();
  });

  test('that the job does not have are refused', async () => {
    const runner = await opened({ ...scene, job });
    const there = { ...last, part: 1, element: 71 };
    expect(await runner.recompute([there], patient, never)).toHaveLength(16);
    for (const wrong of [{ pass: 2 }, { tile: 20 }, { part: 2 }, { element: 72 }])
      await expect(runner.recompute([{ ...there, ...wrong }], patient, never)).rejects.toThrow(RangeError);
    runner.dispose();
  });

  test('end with the reason of an abort, also while they pause, and with the loss of the device', async () => {
    const { device: doomed } = await requestDevice(navigator.gpu);
    const runner = await opened({ ...scene, job }, doomed);
    const elements = someOf(job, tiles, 500);
    const aborter = new AbortController();
    const pausing: SlicePolicy = {
      budgetMs: () => 1,
      inFlight: () => 2,
      between: () => {
        setTimeout(() => aborter.abort(new Error('stopped by its owner')));
        return new Promise(() => {});
      },
    };
    await expect(runner.recompute(elements, pausing, aborter.signal)).rejects.toThrow('stopped by its owner');
    await expect(runner.recompute(elements, patient, aborter.signal)).rejects.toThrow('stopped by its owner');
    await expect(runner.recompute(elements, { budgetMs: () => 0.001, inFlight: () => 2, between: async () => doomed.destroy() }, never)).rejects.toThrow(
      /lost/,
    );
  });
});

test('what the GPU reports while buffers are made is thrown', async () => {
  await expect(checked(device, () => device.createBuffer({ size: 4, usage: 0 }))).rejects.toThrow(/The GPU refused: .+/);
  await expect(
    checked(device, () => {
      throw new Error('before it got there');
    }),
  ).rejects.toThrow('before it got there');
  expect(await checked(device, () => 5)).toBe(5);
});

test('a device that binds too little is refused with the numbers', async () => {
  const scene = testScenes.studio!();
  const small = { ...device.limits, maxStorageBuffersPerShaderStage: 8, maxBufferSize: 1e9, maxStorageBufferBindingSize: 1000 };
  const pretended = new Proxy(device, {
    get: (target, key) => {
      const value: unknown = key === 'limits' ? small : Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  await expect(opened(scene, pretended)).rejects.toThrow(/scene nodes takes \d+ bytes; this GPU binds at most 1000/);
});
