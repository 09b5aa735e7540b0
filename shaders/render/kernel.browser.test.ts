import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeResult } from '../../shared/formats.ts';
import { fullMask, maskOf, type PartMask, type TileRef } from '../../shared/model.ts';
import type { PartialResult, Runner, SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import { checked } from '../common/scopes.ts';
import { compare, load, render } from './check.ts';
import { open } from './run.ts';
import { type RenderJob, spec } from './spec.ts';
import { type TestScene, testScenes } from './testing/scenes.ts';

/** The kernel on a real WebGPU device against the CPU reference. */

let device: GPUDevice;

beforeAll(async () => {
  ({ device } = await requestDevice(navigator.gpu));
});

afterAll(() => device.destroy());

const patient: SlicePolicy = { budgetMs: () => 50, between: async () => {} };
const never = new AbortController().signal;

const opened = ({ job, packed }: TestScene, on = device): Promise<Runner> => open(on, job, { scene: packed });

async function collect(runner: Runner, tile: TileRef, parts: PartMask, policy = patient, signal = never): Promise<PartialResult[]> {
  const finished: PartialResult[] = [];
  for await (const part of runner.run(tile, parts, policy, signal)) finished.push(part);
  return finished;
}

const resultOf = (job: RenderJob, tile: TileRef, parts: readonly PartialResult[]): Uint8Array => encodeResult(parts, spec.partBytes(job, tile));

describe('agreement with the reference', () => {
  for (const [name, make] of Object.entries(testScenes)) {
    test(name, async () => {
      const scene = make();
      const { job, packed } = scene;
      const loaded = load(job, { scene: packed });
      const runner = await opened(scene);
      let [elements, equal, differing] = [0, 0, 0];
      // Every third of the 16 tiles: corners, edges and middle.
      for (let index = 0; index < 16; index += 3) {
        const tile = { pass: 0, tile: index };
        const claimed = resultOf(job, tile, await collect(runner, tile, fullMask(1)));
        const truth = render(loaded, job, tile, fullMask(1));
        differing += compare(job, tile, claimed, truth, 0).evidence.differing;
        const [a, b] = [new Uint32Array(claimed.slice().buffer), new Uint32Array(truth.buffer)];
        // Four words of header, then four of every element.
        for (let at = 4; at < a.length; at += 4) if ([0, 1, 2, 3].every((channel) => a[at + channel] === b[at + channel])) equal++;
        elements += spec.elements(job, tile);
      }
      runner.dispose();
      expect(elements).toBe(6 * 256);
      // SwiftShader's agree to the last bit; the bounds leave room for a GPU.
      expect(equal / elements).toBeGreaterThanOrEqual(0.99);
      expect(differing / elements).toBeLessThanOrEqual(0.002);
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
    expect(whole.every(({ bytes }) => bytes.byteLength === spec.partBytes(job, tile))).toBe(true);
    expect(new Set(whole.map(({ bytes }) => bytes.join())).size).toBe(4);

    // A budget of nothing shrinks the slices to one workgroup each.
    let slices = 0;
    const impatient: SlicePolicy = {
      budgetMs: () => 0.001,
      between: async () => {
        slices++;
      },
    };
    const some = await collect(runner, tile, maskOf([1, 3]), impatient);
    expect(some.map(({ part }) => part)).toEqual([1, 3]);
    expect(some[0]?.bytes).toEqual(whole[1]?.bytes);
    expect(some[1]?.bytes).toEqual(whole[3]?.bytes);
    expect(slices).toBeGreaterThan(20);
    runner.dispose();
  });

  test('a short last part holds its few samples', async () => {
    const short: RenderJob = { ...job, params: { ...job.params, samples: 70 } };
    const at = { pass: 0, tile: 5 };
    expect(spec.parts(short, at)).toBe(3);
    const runner = await opened({ ...scene, job: short });
    const claimed = resultOf(short, at, await collect(runner, at, maskOf([2])));
    expect(compare(short, at, claimed, render(load(short, { scene: scene.packed }), short, at, maskOf([2])), 0).evidence).toMatchObject({ differing: 0 });
    runner.dispose();
  });

  test('ends with the reason of an abort, also while it pauses', async () => {
    const runner = await opened({ ...scene, job });
    const aborter = new AbortController();
    let pauses = 0;
    const pausing: SlicePolicy = {
      budgetMs: () => 5,
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
    const destroying: SlicePolicy = { budgetMs: () => 5, between: async () => doomed.destroy() };
    await expect(collect(runner, tile, fullMask(4), destroying)).rejects.toThrow(/lost/);
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
