import { readFile } from 'node:fs/promises';
import type { WorkloadSamples } from '../../shared/workload.ts';
import { pictures } from './gallery/pictures.ts';
import type { UpscaleParams } from './params.ts';

/** The public gallery, with what `gallery/draw.ts` made of each, small. */
export const samples: WorkloadSamples<UpscaleParams>['samples'] = async () =>
  Promise.all(
    (await pictures()).map(async (sample) => ({
      ...sample,
      picture: { mediaType: 'image/webp', bytes: new Uint8Array(await readFile(new URL(`gallery/${sample.id}.webp`, import.meta.url))) },
    })),
  );
