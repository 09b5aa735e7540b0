import type { MicroUnits } from '../../shared/model.ts';
import type { Output, WorkloadSpec } from '../../shared/workload.ts';
import { blockOf, gridOf, pictureStep, pixelsOf } from './grid.ts';
import { defaults, type MatmulJob, type MatmulParams, type MatmulPrepared, wordBytes } from './params.ts';

/**
 * The reference GPU, NVIDIA H100 through Dawn on Vulkan, did 40.0 TFLOP/s of f32 with our kernel (4096 in every direction), so a
 * micro-unit is 2e7 multiply-adds. Other number types are counted alike.
 */
const MACS_PER_MICRO_UNIT = 2e7;

/** Of the coordinator, measured: README.md. */
const VERIFY_BYTES_PER_MS = 2e6;

/** Files above this are made when somebody asks for them. */
const LARGE_BYTES = 2 ** 26;

function outputsOf({ prepared }: MatmulJob): Output[] {
  const { m, n, batches } = prepared;
  const npy: Output = {
    id: 'npy',
    title: 'NumPy array',
    mediaType: 'application/octet-stream',
    extension: 'npy',
    large: m * n * batches * wordBytes > LARGE_BYTES,
  };
  const map: Output = { id: 'png', title: batches > 1 ? 'first product as a map of colours' : 'map of colours', mediaType: 'image/png', extension: 'png' };
  return pictureStep(prepared) === null ? [npy] : [npy, map];
}

export const spec: WorkloadSpec<MatmulParams, MatmulPrepared> = {
  id: 'matmul',
  version: 1,
  title: 'Multiply matrices',
  summary: 'Multiplies blocks of two matrices.',
  defaults,
  outputs: outputsOf,
  checking: 'verify',
  // A row passes up to its bound and not beyond: README.md, "What wrong means".
  tolerance: { unit: 'share of the bound on rounding', allowed: 1, honestMissRate: 0, unexplainedRate: 0 },
  split: (_, prepared) => gridOf(prepared),
  parts: () => 1,
  /** A row of the block. */
  elements: ({ prepared }, { tile }) => blockOf(prepared, tile).rows,
  elementWords: ({ prepared }, { tile }) => blockOf(prepared, tile).columns,
  work({ prepared }, { tile }) {
    const { rows, columns } = blockOf(prepared, tile);
    return Math.max(1, Math.ceil((rows * columns * prepared.k) / MACS_PER_MICRO_UNIT)) as MicroUnits;
  },
  auditMs: ({ prepared }, { tile }) => ((blockOf(prepared, tile).columns + prepared.k) * wordBytes) / VERIFY_BYTES_PER_MS,
  region({ prepared }, { tile }) {
    const step = pictureStep(prepared);
    if (step === null) return null;
    const { batch, row, column, rows, columns } = blockOf(prepared, tile);
    const [y, x] = [pixelsOf(row, rows, step), pixelsOf(column, columns, step)];
    return { x: x.first, y: y.first, width: x.count, height: y.count, frame: batch };
  },
  picture({ prepared }) {
    const step = pictureStep(prepared);
    return step === null ? null : { width: Math.ceil(prepared.n / step), height: Math.ceil(prepared.m / step), frames: prepared.batches };
  },
  adaptivePasses: () => [],
};
