import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgpu';
import type * as Ort from 'onnxruntime-web';
import { requestDevice } from '../../device.ts';
import { type ProductKind, type ProductShape, variantName } from '../kind.ts';
import { openProduct } from '../product.ts';
import { onnxMatMul } from './onnxMatMul.ts';

/** The half of matmul.bench.ts that runs in the browser: our kernel, TensorFlow.js and ONNX Runtime Web on the same matrices, by turns. */

const kind: ProductKind = { type: 'f32', transposeA: false, transposeB: false, bias: false, addend: false, activation: 'none' };

/** Of a round, by somebody: this long at least, so that queuing and the small readback do not count. */
const ROUND_MS = 250;
const QUEUED_MAX = 400;
/** Entries of a product that are computed again in f64. */
const SAMPLED = 64;

export async function adapterInfo(): Promise<{ name: string; software: boolean }> {
  const { adapter, device } = await requestDevice(navigator.gpu);
  device.destroy();
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return { name: [vendor, architecture, description].filter(Boolean).join(' '), software: isFallbackAdapter };
}

/** Somebody who multiplies. */
interface Contestant {
  readonly name: string;
  /** So many products, one behind the other on the queue, and one number read back. */
  queue(count: number): Promise<void>;
  /** The product. */
  read(): Promise<Float32Array>;
  dispose(): void;
}

export interface Race {
  /** By contestant, TFLOP/s of every round. */
  readonly rates: Readonly<Record<string, readonly number[]>>;
  /** By contestant, the largest error of sampled entries in units of 2^-24 sqrt(k) and the spread of what was added up. */
  readonly errors: Readonly<Record<string, number>>;
  readonly variant: string;
}

/** Numbers that are not symmetric about nought, so that a wrong index shows. */
function matrix(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 0.9;
  });
}

async function readBuffer(device: GPUDevice, buffer: GPUBuffer, bytes: number): Promise<Float32Array> {
  const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return values;
}

function upload(device: GPUDevice, values: Float32Array<ArrayBuffer>): GPUBuffer {
  const buffer = device.createBuffer({
    size: Math.ceil(values.byteLength / 16) * 16,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
  });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}

const result = (device: GPUDevice, { m, n }: ProductShape): GPUBuffer =>
  device.createBuffer({ size: Math.ceil((m * n) / 4) * 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });

type Matrices = readonly [a: Float32Array<ArrayBuffer>, b: Float32Array<ArrayBuffer>];

async function ours(device: GPUDevice, shape: ProductShape, [a, b]: Matrices): Promise<Contestant & { readonly variant: string }> {
  const { m, n, k } = shape;
  const product = await openProduct(device, kind, shape);
  const buffers = [upload(device, a), upload(device, b), result(device, shape)] as const;
  const bound = await product.bind(
    shape,
    {
      a: { buffer: buffers[0], offset: 0, lineStride: k },
      b: { buffer: buffers[1], offset: 0, lineStride: n },
      c: { buffer: buffers[2], offset: 0, lineStride: n },
    },
    { alpha: 1, beta: 0 },
  );
  return {
    name: 'ours',
    variant: variantName(product.variant),
    async queue(count) {
      for (let at = 0; at < count; at++) {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        product.encode(pass, bound, { first: 0, end: bound.workgroups });
        pass.end();
        device.queue.submit([encoder.finish()]);
      }
      await readBuffer(device, buffers[2], 4);
    },
    read: () => readBuffer(device, buffers[2], m * n * 4),
    dispose() {
      product.dispose();
      for (const buffer of buffers) buffer.destroy();
    },
  };
}

async function tensorFlow({ m, n, k }: ProductShape, [a, b]: Matrices): Promise<Contestant> {
  const [left, right] = [tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, n])];
  let last: tf.Tensor2D | null = null;
  return {
    name: 'tfjs',
    async queue(count) {
      for (let at = 0; at < count; at++) {
        last?.dispose();
        last = tf.matMul(left, right);
      }
      const one = tf.slice(last!, [0, 0], [1, 1]);
      await one.data();
      one.dispose();
    },
    read: async () => (await last!.data()) as Float32Array,
    dispose() {
      for (const tensor of [left, right, last]) tensor?.dispose();
    },
  };
}

let ort: Promise<typeof Ort> | null = null;

/** Not bundled: its script is imported from what the benchmark serves, and its WebAssembly handed over. */
async function loadOrt(): Promise<typeof Ort> {
  const [script, wasmBinary] = await Promise.all(['ort.mjs', 'ort.wasm'].map(async (name) => (await fetch(`/blob/${name}`)).arrayBuffer()));
  const url = URL.createObjectURL(new Blob([script!], { type: 'text/javascript' }));
  const loaded = (await import(/* @vite-ignore */ url)) as typeof Ort;
  loaded.env.wasm.wasmBinary = wasmBinary!;
  loaded.env.wasm.numThreads = 1;
  loaded.env.logLevel = 'error';
  return loaded;
}

async function onnxRuntime(device: GPUDevice, shape: ProductShape, [a, b]: Matrices): Promise<Contestant> {
  ort ??= loadOrt();
  const { InferenceSession, Tensor } = await ort;
  const { m, n, k } = shape;
  const session = await InferenceSession.create(onnxMatMul(shape), {
    executionProviders: [{ name: 'webgpu', device } as Ort.InferenceSession.ExecutionProviderConfig],
    logSeverityLevel: 3,
  });
  const buffers = [upload(device, a), upload(device, b), result(device, shape)] as const;
  const tensor = (buffer: GPUBuffer, dims: number[]) => Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims });
  const feeds = { a: tensor(buffers[0], [m, k]), b: tensor(buffers[1], [k, n]) };
  const fetches = { c: tensor(buffers[2], [m, n]) };
  return {
    name: 'ort',
    async queue(count) {
      for (let at = 0; at < count; at++) await session.run(feeds, fetches);
      await readBuffer(device, buffers[2], 4);
    },
    read: () => readBuffer(device, buffers[2], m * n * 4),
    dispose() {
      void session.release();
      for (const buffer of buffers) buffer.destroy();
    },
  };
}

function errorOf(got: Float32Array, { m, n, k }: ProductShape, [a, b]: Matrices): number {
  let worst = 0;
  for (let sample = 0; sample < SAMPLED; sample++) {
    const row = Math.floor((sample * 0.6180339887 * m) % m);
    const column = Math.floor((sample * 0.7548776662 * n) % n);
    let [sum, squares] = [0, 0];
    for (let at = 0; at < k; at++) {
      const term = a[row * k + at]! * b[at * n + column]!;
      sum += term;
      squares += term * term;
    }
    worst = Math.max(worst, Math.abs(got[row * n + column]! - sum) / (2 ** -24 * Math.sqrt(k) * Math.sqrt(squares)));
  }
  return Number.isFinite(worst) ? worst : 1e9;
}

export async function race(shape: ProductShape, rounds: number): Promise<Race> {
  const { device } = await requestDevice(navigator.gpu);
  const matrices: Matrices = [matrix(shape.m * shape.k, 1), matrix(shape.k * shape.n, 2)];
  await tf.setBackend('webgpu');
  const us = await ours(device, shape, matrices);
  const contestants = [us, await tensorFlow(shape, matrices), await onnxRuntime(device, shape, matrices)];
  const rates: Record<string, number[]> = Object.fromEntries(contestants.map(({ name }) => [name, []]));
  const errors: Record<string, number> = {};
  const counts = new Map<string, number>();
  for (const contestant of contestants) {
    // Compiles, and warms up; then how many fill a round.
    await contestant.queue(1);
    errors[contestant.name] = errorOf(await contestant.read(), shape, matrices);
    const began = performance.now();
    await contestant.queue(1);
    counts.set(contestant.name, Math.max(1, Math.min(QUEUED_MAX, Math.ceil(ROUND_MS / (performance.now() - began)))));
  }
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) {
      const count = counts.get(contestant.name)!;
      const began = performance.now();
      await contestant.queue(count);
      rates[contestant.name]!.push((2 * shape.m * shape.n * shape.k * count) / (performance.now() - began) / 1e9);
    }
  }
  for (const contestant of contestants) {
    // Once more, of what was computed last.
    errors[contestant.name] = Math.max(errors[contestant.name]!, errorOf(await contestant.read(), shape, matrices));
    contestant.dispose();
  }
  device.destroy();
  return { rates, errors, variant: us.variant };
}
