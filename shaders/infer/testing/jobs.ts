import type { JobId } from '../../../shared/model.ts';
import { Rng } from '../../../shared/rng.ts';
import type { InferJob, InferParams, InferPrepared } from '../params.ts';
import { classifier, layers, painter } from './models.ts';

/** Jobs over the models for tests, as `prepare.ts` would make them: browsers have not what it needs. */

export interface TestJob {
  readonly job: InferJob;
  readonly inputs: { readonly model: Uint8Array<ArrayBuffer>; readonly batch: Uint8Array<ArrayBuffer> };
}

interface Wanted {
  readonly params: InferParams;
  readonly model: Uint8Array<ArrayBuffer>;
  /** Of one input. */
  readonly shape: readonly number[];
  readonly output: readonly number[];
  readonly count: number;
  readonly prepared?: Partial<InferPrepared>;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

export function testJob({ params, model, shape, output, count, prepared = {} }: Wanted): TestJob {
  const rng = new Rng(7);
  const values = Float32Array.from({ length: count * sizeOf(shape) }, () => 2 * rng.unit() - 1);
  const facts: InferPrepared = {
    count,
    feeds: [{ name: 'x', type: 'float32', shape, first: 0, rows: 'values' }],
    pictures: null,
    output: { name: 'y', shape: output },
    drawn: null,
    softmax: params.kind === 'labels',
    probabilities: params.kind === 'labels',
    batchMax: 4,
    perTile: count,
    work: { multiplications: 1e6, values: 1e4 },
    memory: { weights: 1e5, largestWeight: 1e4, largest: 1e5, alive: 1e5 },
    cpuMs: 1,
    scale: { axis: 0, rms: [0.5] },
    names: null,
    classes: null,
    ...prepared,
  };
  return { job: { id: 'j_infer00000000000' as JobId, seed: 1, params, prepared: facts }, inputs: { model, batch: new Uint8Array(values.buffer) } };
}

export const labelsJob = (count = 7): TestJob =>
  testJob({ params: { kind: 'labels', source: 'arrays', k: 3 }, model: classifier(), shape: [3, 16, 16], output: [10], count });

export const arraysJob = (count = 7): TestJob => testJob({ params: { kind: 'arrays', source: 'arrays' }, model: layers(), shape: [32], output: [32], count });

/** Pictures of twice the edge; of 128 pixels each is three elements. */
export const imagesJob = (count = 3, edge = 64): TestJob =>
  testJob({
    params: { kind: 'images', source: 'arrays' },
    model: painter(edge),
    shape: [3, edge, edge],
    output: [3, 2 * edge, 2 * edge],
    count,
    prepared: { drawn: { width: 2 * edge, height: 2 * edge, channels: 3, planar: true } },
  });
