import type { ProductKind, ProductShape, Variant } from './kind.ts';
import { tileM, tileN, variantName } from './kind.ts';
import { Product } from './product.ts';
import { candidates } from './variants.ts';

/**
 * Which variant is the fastest here. Devices differ by what no property of theirs tells, so they are asked: each candidate computes a piece of
 * a product like the one that is wanted, in short dispatches, because somebody may be using the machine.
 */

/** By a key of the device and the shape: the name of the variant. */
export interface VariantStore {
  get(key: string): string | undefined;
  set(key: string, name: string): void;
}

const CALIBRATION_MS = 200;
/** A dispatch is to take no longer. */
const DISPATCH_MS = 6;
/** Dispatches that are queued together: what a submit takes by itself, half a millisecond and more, is to be a small part of what is timed. */
const READING_MS = 8;
const READING_DISPATCHES_MAX = 128;
const ROUNDS_MAX = 12;
/** Who takes so much longer than the fastest is out. */
const DROPPED_AT = 1.3;
/** Of the matrices that are multiplied: enough tiles of 128 x 128 for the cores of a large GPU. More behaves alike. */
const SIDE_MAX = 2048;
const K_MAX = 1024;

const known = new WeakMap<GPUDevice, Map<string, Promise<Variant>>>();

/** Shapes within a factor of two are of one class. */
export function shapeClass(kind: ProductKind, { m, n, k }: ProductShape): string {
  const size = (side: number): number => Math.round(Math.log2(side));
  const { type, transposeA, transposeB, loadA } = kind;
  return [type, transposeA ? 't' : 'n', transposeB ? 't' : 'n', loadA?.name ?? '', size(m), size(n), size(k)].join('/');
}

const deviceName = ({ adapterInfo }: GPUDevice): string => [adapterInfo.vendor, adapterInfo.architecture, adapterInfo.device].join('/');

export function choose(device: GPUDevice, kind: ProductKind, shape: ProductShape, store?: VariantStore): Promise<Variant> {
  const chosen = known.get(device) ?? new Map<string, Promise<Variant>>();
  known.set(device, chosen);
  const shapes = shapeClass(kind, shape);
  const before = chosen.get(shapes);
  if (before) return before;
  const fresh = remembered(device, kind, shape, `${deviceName(device)}/${shapes}`, store);
  chosen.set(shapes, fresh);
  fresh.catch(() => chosen.delete(shapes));
  return fresh;
}

async function remembered(device: GPUDevice, kind: ProductKind, shape: ProductShape, key: string, store: VariantStore | undefined): Promise<Variant> {
  const all = candidates(kind, shape, device);
  const name = store?.get(key);
  const found = all.find((variant) => variantName(variant) === name);
  if (found) return found;
  // A product whose A is made by others is calibrated as one whose A lies in memory.
  const { loadA: _, ...plain } = kind;
  const fastest = all.length === 1 ? all[0]! : await calibrate(device, { ...plain, bias: false, addend: false, activation: 'none' }, shape, all);
  store?.set(key, variantName(fastest));
  return fastest;
}

interface Runner {
  readonly variant: Variant;
  readonly product: Product;
  readonly bound: Awaited<ReturnType<Product['bind']>>;
  /** Milliseconds for a multiply-add, the best so far. */
  cost: number;
  /** Of one dispatch. */
  workgroups: number;
  /** Dispatches in one reading. */
  times: number;
}

async function calibrate(device: GPUDevice, kind: ProductKind, shape: ProductShape, all: readonly Variant[]): Promise<Variant> {
  const [m, n, k] = [Math.min(shape.m, SIDE_MAX), Math.min(shape.n, SIDE_MAX), Math.min(shape.k, K_MAX)];
  const bytes = (count: number): number => Math.ceil(count / 4) * 16 + 64;
  const buffers = [m * k, k * n, m * n].map((count) => device.createBuffer({ label: 'calibration', size: bytes(count), usage: GPUBufferUsage.STORAGE }));
  const [a, b, c] = buffers as [GPUBuffer, GPUBuffer, GPUBuffer];
  const round = (length: number): number => Math.ceil(length / 4) * 4;
  const products: Product[] = [];
  try {
    const runners = await Promise.all(
      all.map(async (variant): Promise<Runner> => {
        const product = new Product(device, kind, variant);
        products.push(product);
        await product.compile(true);
        const bound = await product.bind(
          { m, n, k: kind.type === 'i8' ? Math.ceil(k / 4) : k },
          {
            a: { buffer: a, offset: 0, lineStride: round(kind.transposeA ? m : k) },
            b: { buffer: b, offset: 0, lineStride: round(kind.transposeB ? k : n) },
            c: { buffer: c, offset: 0, lineStride: n },
          },
          { alpha: 1, beta: 0 },
        );
        return { variant, product, bound, cost: Number.POSITIVE_INFINITY, workgroups: 1, times: 1 };
      }),
    );
    return (await race(device, runners, k)).variant;
  } finally {
    for (const product of products) product.dispose();
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Rounds of all that are left, until one is or the time is over. */
async function race(device: GPUDevice, runners: readonly Runner[], k: number): Promise<Runner> {
  let left = [...runners];
  const endMs = performance.now() + CALIBRATION_MS;
  for (const runner of left) await fill(device, runner);
  for (let round = 0; round < ROUNDS_MAX && left.length > 1 && (round < 2 || performance.now() < endMs); round++) {
    for (const runner of left) await time(device, runner, k);
    const best = Math.min(...left.map(({ cost }) => cost));
    left = left.filter(({ cost }) => cost <= best * DROPPED_AT);
  }
  return left.reduce((best, each) => (each.cost < best.cost ? each : best));
}

/** Finds how many workgroups fill the GPU. Before it is full, larger tiles look faster than they are: a submit takes as long as the work. */
async function fill(device: GPUDevice, runner: Runner): Promise<void> {
  const all = runner.bound.workgroups;
  // The first run pays for what drivers put off.
  await read(device, runner);
  let ms = await read(device, runner);
  while (runner.workgroups < all && ms < DISPATCH_MS / 2) {
    runner.workgroups = Math.min(all, runner.workgroups * (ms < DISPATCH_MS / 8 ? 4 : 2));
    ms = await read(device, runner);
  }
  runner.times = timesOf(ms);
}

const timesOf = (ms: number): number => Math.max(1, Math.min(READING_DISPATCHES_MAX, Math.round(READING_MS / ms)));

async function time(device: GPUDevice, runner: Runner, k: number): Promise<void> {
  const { variant, workgroups } = runner;
  const ms = await read(device, runner);
  runner.cost = Math.min(runner.cost, ms / (workgroups * tileM(variant) * tileN(variant) * k));
  runner.times = timesOf(ms);
}

/** Milliseconds for a dispatch. */
async function read(device: GPUDevice, { product, bound, workgroups, times }: Runner): Promise<number> {
  const encoder = device.createCommandEncoder({ label: 'calibration' });
  const pass = encoder.beginComputePass({ label: 'calibration' });
  for (let at = 0; at < times; at++) product.encode(pass, bound, { first: 0, end: workgroups });
  pass.end();
  const startMs = performance.now();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return Math.max(performance.now() - startMs, 0.01) / times;
}
