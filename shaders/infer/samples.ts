import { readFile } from 'node:fs/promises';
import type { WorkloadSamples } from '../../shared/workload.ts';
import { files, params } from './gallery/sample.ts';
import type { InferParams } from './params.ts';

/** What `gallery/draw.ts` made. */
export const samples: WorkloadSamples<InferParams>['samples'] = async () => [
  {
    id: 'shapes',
    title: 'Which shape is it?',
    params,
    files: await files(),
    picture: { mediaType: 'image/webp', bytes: new Uint8Array(await readFile(new URL('gallery/shapes.webp', import.meta.url))) },
  },
];
