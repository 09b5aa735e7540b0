import { readFile } from 'node:fs/promises';
import type { UpscaleParams } from '../params.ts';

export interface GalleryPicture {
  readonly id: string;
  readonly title: string;
  readonly params: UpscaleParams;
  readonly files: { readonly image: Uint8Array };
}

const picture = async (id: string, title: string, scale: UpscaleParams['scale']): Promise<GalleryPicture> => ({
  id,
  title,
  params: { scale },
  files: { image: new Uint8Array(await readFile(new URL(`${id}.png`, import.meta.url))) },
});

/** Two small pictures that this project's own path tracer made, from scenes made by code: README.md tells how. */
export const pictures = (): Promise<readonly GalleryPicture[]> =>
  Promise.all([picture('spheres', 'Spheres, twice as large', '2'), picture('mosaic', 'Mosaic wall, three times as large', '3')]);
