import type { WorkloadSamples } from '../../shared/workload.ts';
import type { UpscaleParams } from './params.ts';
export const samples: WorkloadSamples<UpscaleParams>['samples'] = async () => [];
