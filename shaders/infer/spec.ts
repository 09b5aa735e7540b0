import type { MicroUnits } from '../../shared/model.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { gridOf, inputsOf, piecesOf } from './grid.ts';
import { outputsOf } from './outputs.ts';
import { defaults, type InferParams, type InferPrepared } from './params.ts';
import { regionOf, sheetOf } from './sheet.ts';

/**
 * The reference GPU: NVIDIA H100 through Dawn on Vulkan. ONNX Runtime Web multiplied matrices of 1024 at 2.7e12 operations a second there, the
 * size that layers have; a multiplication and its addition are two. So one work unit (a second of it) is 2.7e12, and a micro-unit 2.7 million.
 * Every value that a layer makes counts as 16 operations: what that GPU multiplies while memory moves it.
 */
export const OPERATIONS_PER_MICRO_UNIT = 2.7e6;
const OPERATIONS_PER_VALUE = 16;

export const spec: WorkloadSpec<InferParams, InferPrepared> = {
  id: 'infer',
  version: 1,
  title: 'Run a model',
  summary: 'Runs a neural network (ONNX) over many pictures or arrays, a few at a time.',
  defaults,
  outputs: ({ params }) => outputsOf(params),
  // Measured, README.md: "What wrong means".
  tolerance: {
    unit: '1/8192 of a value, 1/8192 of certainty in a label, or steps of a picture’s 255',
    allowed: 1,
    honestMissRate: 0.01,
    unexplainedRate: 1e-4,
  },
  checking: 'audit',
  split: gridOf,
  parts: () => 1,
  elementWords: (job) => piecesOf(job).words,
  elements(job, at) {
    const { first, end } = inputsOf(job.prepared, at);
    return (end - first) * piecesOf(job).pieces;
  },
  work({ prepared }, at) {
    const { first, end } = inputsOf(prepared, at);
    const { multiplications, values } = prepared.work;
    const operations = (end - first) * (2 * multiplications + OPERATIONS_PER_VALUE * values);
    return Math.max(1, Math.ceil(operations / OPERATIONS_PER_MICRO_UNIT)) as MicroUnits;
  },
  auditMs: ({ prepared }) => prepared.cpuMs,
  region: (job, at) => regionOf(job, at),
  picture: (job) => sheetOf(job),
  adaptivePasses: () => [],
};
