import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Picture, Reference } from '../../common/testing/benchFigures.ts';
import type { ReferenceSums } from './peerReference.ts';
import type { PeerSceneName } from './peerScenes.ts';

/** The pictures that errors are measured against, from peerReference.ts, kept in .cache/ until its sources change. */

/** Paths a pixel: batches tell how far the mean of them all may be off. */
const BATCHES = 8;
const BATCH_SAMPLES = 64;
const THREADS_MAX = 8;

/** Whatever the pictures depend on. */
const SOURCES = ['peerReference', 'peerBvh', 'peerLights', 'peerMetal', 'peerVectors', 'peerScenes', 'peerMesh', 'peerReference.worker'];

export type Filter = 'box' | 'tent';

const cacheFolder = join(import.meta.dirname, '../../../.cache/bench/');

export async function references(scene: PeerSceneName, size: number): Promise<Record<Filter, Reference>> {
  const hash = createHash('sha256').update(`${scene} ${size} ${BATCHES} ${BATCH_SAMPLES}`);
  for (const source of SOURCES) hash.update(readFileSync(new URL(`./${source}.ts`, import.meta.url)));
  const path = `${cacheFolder}${scene}-${hash.digest('hex').slice(0, 16)}.bin`;
  const batches = existsSync(path) ? unpack(readFileSync(path)) : await renderAll(scene, size);
  if (!existsSync(path)) {
    mkdirSync(cacheFolder, { recursive: true });
    writeFileSync(`${path}.part`, pack(batches));
    renameSync(`${path}.part`, path);
  }
  const half = batches[0]!.length / 2;
  return { box: combined(batches.map((batch) => batch.subarray(0, half))), tent: combined(batches.map((batch) => batch.subarray(half))) };
}

/** One picture for each batch: that of the box filter, then that of the tent. */
async function renderAll(scene: PeerSceneName, size: number): Promise<Float32Array[]> {
  const batches: Float32Array[] = [];
  let next = 0;
  const work = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const ask = (): void => {
        if (next < BATCHES) worker.postMessage(++next);
        else resolve();
      };
      worker.on('error', reject);
      worker.on('message', (sums: ReferenceSums) => {
        batches.push(joined(divided(sums.box, sums.boxWeights), divided(sums.tent, sums.tentWeights)));
        ask();
      });
      ask();
    });
  const entry = new URL('./peerReference.worker.ts', import.meta.url);
  const workers = Array.from(
    { length: Math.min(THREADS_MAX, BATCHES, availableParallelism()) },
    () => new Worker(entry, { workerData: { scene, size, samples: BATCH_SAMPLES } }),
  );
  try {
    await Promise.all(workers.map(work));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return batches;
}

const divided = (sums: Float64Array, weights: Float64Array): Float32Array => Float32Array.from(sums, (sum, i) => sum / weights[Math.floor(i / 3)]!);

function combined(batches: readonly Picture[]): Reference {
  const [count, length] = [batches.length, batches[0]!.length];
  const picture = new Float64Array(length);
  let variance = 0;
  for (let i = 0; i < length; i++) {
    const mean = batches.reduce((sum, batch) => sum + batch[i]!, 0) / count;
    picture[i] = mean;
    variance += batches.reduce((sum, batch) => sum + (batch[i]! - mean) ** 2, 0) / (count * (count - 1)) / length;
  }
  return { picture, variance };
}

const pack = (batches: readonly Float32Array[]): Buffer =>
  Buffer.concat(batches.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)));

function unpack(bytes: Buffer): Float32Array[] {
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const length = values.length / BATCHES;
  return Array.from({ length: BATCHES }, (_, batch) => values.subarray(batch * length, (batch + 1) * length));
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
