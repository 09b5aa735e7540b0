import { spec } from './spec.ts';

/** The faces of this workload, each loaded where it runs. */
export const entry = {
  spec,
  form: () => import('./form.ts'),
  prepare: () => import('./prepare.ts'),
  run: () => import('./run.ts'),
  check: () => import('./check.ts'),
  view: () => import('./view.ts'),
  assemble: () => import('./assemble.ts'),
  samples: () => import('./samples.ts'),
  calibration: () => import('./calibration.json', { with: { type: 'json' } }),
};
