import { type ProductKind, type ProductShape, sharedBytes, tileM, tileN, type Variant } from './kind.ts';

/** The variants that are tried, the likely ones first. */

type Size = readonly [threadsN: number, threadsM: number, perThreadM: number, perThreadN: number, stepK: number];

export const variant = (memory: Variant['memory'], [threadsN, threadsM, perThreadM, perThreadN, stepK]: Size, more: Partial<Variant> = {}): Variant => ({
  memory,
  threadsN,
  threadsM,
  perThreadM,
  perThreadN,
  stepK,
  doubleBuffer: false,
  subgroups: false,
  bytes: 'dot4',
  ...more,
});

/** On an H100, 4096 in every direction, drafts of the first two did 40.0 and 35.7 TFLOP/s. */
const onGpus: readonly Variant[] = [
  variant('shared', [16, 8, 8, 8, 16], { doubleBuffer: true }),
  variant('shared', [16, 16, 8, 8, 16]),
  variant('shared', [16, 16, 8, 8, 8], { doubleBuffer: true }),
  variant('shared', [16, 8, 8, 8, 16]),
  variant('shared', [16, 16, 4, 4, 16], { doubleBuffer: true }),
  variant('shared', [8, 8, 4, 4, 16]),
  variant('direct', [16, 4, 4, 4, 4]),
  variant('direct', [64, 1, 4, 4, 4], { subgroups: true }),
];

/**
 * SwiftShader runs four threads in one vector of the CPU, and every read of a buffer as four: so a thread takes many sums, and four threads read A
 * for each other. The first compiles in a third of a second, the last in five.
 */
const inSoftware: readonly Variant[] = [
  variant('direct', [4, 1, 16, 4, 4], { subgroups: true }),
  variant('direct', [4, 1, 12, 12, 4], { subgroups: true }),
  variant('direct', [4, 1, 16, 16, 4], { subgroups: true }),
];
/** Where there are no subgroups, or A is transposed. */
const inPlainSoftware: readonly Variant[] = [variant('direct', [4, 4, 4, 4, 4])];
/** Products of fewer multiplications are done before software has compiled more than one kernel for them. */
const SOFTWARE_MACS_MIN = 2 ** 26;

export const allVariants: readonly Variant[] = [...onGpus, ...inSoftware, ...inPlainSoftware];

/** Of a thread, where each is of bytes: four times the code. */
const BYTES_SUMS_MAX = 64;

interface Device {
  readonly limits: Pick<GPUSupportedLimits, 'maxComputeInvocationsPerWorkgroup' | 'maxComputeWorkgroupStorageSize' | 'maxComputeWorkgroupSizeX'>;
  readonly features: { has(name: string): boolean };
  readonly adapterInfo: Partial<Pick<GPUAdapterInfo, 'isFallbackAdapter' | 'subgroupMinSize'>>;
}

/** Whether a device can run a variant at all. */
export function runs(variant: Variant, kind: ProductKind, { limits, features, adapterInfo }: Device): boolean {
  const threads = variant.threadsM * variant.threadsN;
  if (threads > limits.maxComputeInvocationsPerWorkgroup || threads > limits.maxComputeWorkgroupSizeX) return false;
  if (sharedBytes(variant) > limits.maxComputeWorkgroupStorageSize) return false;
  if (kind.transposeA && variant.perThreadM % 4 !== 0) return false;
  if (!variant.subgroups) return true;
  return features.has('subgroups') && !kind.transposeA && (adapterInfo.subgroupMinSize ?? 0) >= 4 && variant.perThreadM % 4 === 0;
}

/** What a software renderer is asked for: compiling costs it more than trying. */
function inSoftwareFor(kind: ProductKind, { m, n, k }: ProductShape, device: Device): Variant[] {
  // Of bytes each multiplication is four times the code: SwiftShader compiled a large variant for 20 s, until Chromium's watchdog ended it.
  const able = (kind.type === 'i8' ? inPlainSoftware : [...inSoftware, ...inPlainSoftware]).filter((each) => runs(each, kind, device));
  return m * n * k >= SOFTWARE_MACS_MIN ? able : able.slice(0, 1);
}

/** What is worth trying for a shape: nothing that mostly computes what lies behind its end. */
export function candidates(kind: ProductKind, shape: ProductShape, device: Device): Variant[] {
  if (device.adapterInfo.isFallbackAdapter) return inSoftwareFor(kind, shape, device);
  const able = onGpus.filter((each) => runs(each, kind, device));
  const share = (each: Variant): number => {
    const padded = (size: number, tile: number): number => Math.ceil(size / tile) * tile;
    return (shape.m * shape.n) / (padded(shape.m, tileM(each)) * padded(shape.n, tileN(each)));
  };
  const best = Math.max(...able.map(share));
  const fitting = able.filter((each) => share(each) >= best / 2);
  if (kind.type !== 'i8') return fitting;
  return fitting.filter((each) => each.perThreadM * each.perThreadN <= BYTES_SUMS_MAX).flatMap((each) => [each, { ...each, bytes: 'f32' as const }]);
}
