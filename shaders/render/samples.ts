import { readFile } from 'node:fs/promises';
import type { WorkloadSamples } from '../../shared/workload.ts';
import { scenes } from './gallery/scenes.ts';
import type { RenderParams } from './params.ts';

/** The public gallery, with the pictures that `gallery/draw.ts` made of it. */
export const samples: WorkloadSamples<RenderParams>['samples'] = async () =>
  Promise.all(
    (await scenes()).map(async (scene) => ({
      ...scene,
      picture: { mediaType: 'image/webp', bytes: new Uint8Array(await readFile(new URL(`gallery/${scene.id}.webp`, import.meta.url))) },
    })),
  );
