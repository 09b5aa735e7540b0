import type { Output } from '../../shared/workload.ts';
import type { InferParams } from './params.ts';

/** What can be downloaded of a finished job. */

const outputs: Readonly<Record<InferParams['kind'], readonly Output[]>> = {
  labels: [
    { id: 'csv', title: 'CSV', mediaType: 'text/csv; charset=utf-8', extension: 'csv' },
    { id: 'json', title: 'JSON', mediaType: 'application/json', extension: 'json' },
  ],
  arrays: [{ id: 'npy', title: 'NumPy array', mediaType: 'application/octet-stream', extension: 'npy' }],
  images: [{ id: 'zip', title: 'all pictures, PNG', mediaType: 'application/zip', extension: 'zip' }],
};

export const outputsOf = ({ kind }: InferParams): readonly Output[] => outputs[kind];
