import { afterEach, describe, expect, test, vi } from 'vitest';
import { choose } from './calibrate.ts';
import { type ProductKind, tileM, tileN, type Variant, variantName } from './kind.ts';
import { productSource } from './source.ts';
import { candidates } from './variants.ts';

/** The choice on a large GPU that exists as a clock only: it shows what a software GPU never does, submits that take longer than the work. */

const kind: ProductKind = { type: 'f32', transposeA: false, transposeB: false, bias: false, addend: false, activation: 'none' };
const SUBMIT_MS = 0.5;
const CORES = 132;
const FLOP_PER_MS = 40e9;
const K = 1024;

afterEach(() => vi.unstubAllGlobals());

interface Model {
  readonly device: GPUDevice;
  /** Of single dispatches. */
  longestMs(): number;
}

/** `speed`: share of the GPU's speed that a variant makes use of, once all cores have work. */
function model(speed: (variant: Variant) => number): Model {
  let [clockMs, pendingMs, longestMs] = [0, 0, 0];
  const limits = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 32768, maxComputeWorkgroupSizeX: 256 };
  const adapterInfo = { vendor: 'model', architecture: '', device: '', isFallbackAdapter: false, subgroupMinSize: 32 };
  const features = new Set(['subgroups']);
  const all = candidates(kind, { m: 4096, n: 4096, k: K }, { limits, features, adapterInfo });
  const byCode = new Map(all.map((variant) => [productSource({ kind, variant, vectors: true, nativeHalf: false }), variant]));
  const dispatch = (variant: Variant, workgroups: number): void => {
    const coreMs = (2 * tileM(variant) * tileN(variant) * K * CORES) / (FLOP_PER_MS * speed(variant));
    const ms = Math.ceil(workgroups / CORES) * coreMs;
    longestMs = Math.max(longestMs, ms);
    pendingMs += ms;
  };
  const pass = () => {
    let variant: Variant;
    return {
      setPipeline: ({ code }: { code: string }) => {
        variant = byCode.get(code)!;
      },
      setBindGroup: () => {},
      dispatchWorkgroups: (count: number) => dispatch(variant, count),
      end: () => {},
    };
  };
  vi.stubGlobal('GPUBufferUsage', { STORAGE: 1, UNIFORM: 2, COPY_DST: 4 });
  vi.stubGlobal('GPUShaderStage', { COMPUTE: 1 });
  vi.stubGlobal('performance', { now: () => clockMs });
  const made = () => ({ destroy: () => {} });
  const device = {
    limits,
    features,
    adapterInfo,
    createBuffer: made,
    createBindGroup: made,
    createBindGroupLayout: made,
    createPipelineLayout: made,
    createShaderModule: ({ code }: { code: string }) => code,
    createComputePipelineAsync: async ({ compute }: { compute: { module: string } }) => ({ code: compute.module, getBindGroupLayout: made }),
    pushErrorScope: () => {},
    popErrorScope: async () => null,
    createCommandEncoder: () => ({ beginComputePass: pass, finish: made }),
    queue: {
      writeBuffer: () => {},
      submit: () => {},
      onSubmittedWorkDone: async () => {
        clockMs += SUBMIT_MS + pendingMs;
        pendingMs = 0;
      },
    },
  };
  return { device: device as unknown as GPUDevice, longestMs: () => longestMs };
}

describe('a GPU that is faster than its queue', () => {
  const names = ['64x128x16 of 8x8, shared, double', '128x128x16 of 8x8, shared', '128x128x8 of 8x8, shared, double', '64x64x16 of 4x4, shared, double'];
  test.each(names)('%s is found where it is a tenth faster than all others', async (name) => {
    const { device, longestMs } = model((variant) => (variantName(variant) === name ? 1 : 0.9));
    expect(variantName(await choose(device, kind, { m: 4096, n: 4096, k: 4096 }))).toBe(name);
    expect(longestMs()).toBeLessThan(8);
  });
});
