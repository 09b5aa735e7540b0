import { readFile } from 'node:fs/promises';
import type { WorkloadSample, WorkloadSamples } from '../../shared/workload.ts';
import { scenes } from './gallery/scenes.ts';
import type { RenderParams } from './params.ts';

const read = async (file: string): Promise<Uint8Array> => new Uint8Array(await readFile(new URL(`gallery/${file}`, import.meta.url)));

/** Pictures of the same scenes by another renderer: `npm run cycles -- --still ID --out shaders/render/gallery/ID-cycles.webp --width 640 --cycles-samples 160`. */
const references: Readonly<Record<string, string>> = { kitchen: 'Blender’s Cycles, 160 samples' };

async function referenceOf(id: string): Promise<Pick<WorkloadSample, 'reference'>> {
  const by = references[id];
  return by === undefined ? {} : { reference: { by, mediaType: 'image/webp', bytes: await read(`${id}-cycles.webp`) } };
}

/** The public gallery, with the pictures that `gallery/draw.ts` made of it. */
export const samples: WorkloadSamples<RenderParams>['samples'] = async () =>
  Promise.all(
    (await scenes()).map(async (scene) => ({
      ...scene,
      picture: { mediaType: 'image/webp', bytes: await read(`${scene.id}.webp`) },
      ...(await referenceOf(scene.id)),
    })),
  );
