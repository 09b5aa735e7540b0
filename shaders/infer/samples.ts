import type { WorkloadSamples } from '../../shared/workload.ts';
import type { InferParams } from './params.ts';

export const samples: WorkloadSamples<InferParams>['samples'] = async () => [];
