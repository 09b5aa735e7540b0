import type { WorkloadEntry } from '../shared/workload.ts';
import { spec as infer } from './infer/spec.ts';
import { spec as matmul } from './matmul/spec.ts';
import { spec as render } from './render/spec.ts';
import { spec as upscale } from './upscale/spec.ts';

/** The explicit list of workloads, the main one first. A new one is a folder beside `render/` and an entry here. */
const entries = {
  render: {
    spec: render,
    form: () => import('./render/form.ts'),
    prepare: () => import('./render/prepare.ts'),
    run: () => import('./render/run.ts'),
    check: () => import('./render/check.ts'),
    view: () => import('./render/view.ts'),
    preview: () => import('./render/preview.ts'),
    assemble: () => import('./render/assemble.ts'),
    samples: () => import('./render/samples.ts'),
    calibration: () => import('./render/calibration.json', { with: { type: 'json' } }),
  },
  matmul: {
    spec: matmul,
    form: () => import('./matmul/form.ts'),
    prepare: () => import('./matmul/prepare.ts'),
    run: () => import('./matmul/run.ts'),
    check: () => import('./matmul/check.ts'),
    view: () => import('./matmul/view.ts'),
    assemble: () => import('./matmul/assemble.ts'),
    samples: () => import('./matmul/samples.ts'),
    calibration: () => import('./matmul/calibration.json', { with: { type: 'json' } }),
  },
  infer: {
    spec: infer,
    form: () => import('./infer/form.ts'),
    prepare: () => import('./infer/prepare.ts'),
    run: () => import('./infer/run.ts'),
    check: () => import('./infer/check.ts'),
    view: () => import('./infer/view.ts'),
    assemble: () => import('./infer/assemble.ts'),
    samples: () => import('./infer/samples.ts'),
    calibration: () => import('./infer/calibration.json', { with: { type: 'json' } }),
  },
  upscale: {
    spec: upscale,
    form: () => import('./upscale/form.ts'),
    prepare: () => import('./upscale/prepare.ts'),
    run: () => import('./upscale/run.ts'),
    check: () => import('./upscale/check.ts'),
    view: () => import('./upscale/view.ts'),
    assemble: () => import('./upscale/assemble.ts'),
    samples: () => import('./upscale/samples.ts'),
    calibration: () => import('./upscale/calibration.json', { with: { type: 'json' } }),
  },
} as const;

export type WorkloadId = keyof typeof entries;

export const workloadIds = Object.keys(entries) as WorkloadId[];

/** The entry of a workload, or undefined for an unknown name: ids come from outside. */
export function workload(id: string): WorkloadEntry | undefined {
  return Object.hasOwn(entries, id) ? (entries[id as WorkloadId] as unknown as WorkloadEntry) : undefined;
}
