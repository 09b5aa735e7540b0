import type { RenderParams } from '../params.ts';
import { kitchen } from './kitchen.ts';
import { mosaic } from './mosaic.ts';
import { spheres } from './spheres.ts';

export interface GalleryScene {
  readonly id: string;
  readonly title: string;
  readonly params: RenderParams;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** Four small scenes made by code. The first is the quickest, for demonstrations. */
export async function scenes(): Promise<readonly GalleryScene[]> {
  const file = (width: number, height: number, count: number): RenderParams => ({ scene: 'file', width, height, samples: count, bounces: 5, lighting: 'auto' });
  return [
    { id: 'cornell', title: 'Cornell box', params: { ...file(160, 160, 64), scene: 'cornell' }, files: {} },
    { id: 'mosaic', title: 'Mosaic wall at dusk', params: file(640, 360, 256), files: { model: await mosaic() } },
    { id: 'kitchen', title: 'Kitchen at dusk', params: file(640, 360, 256), files: { model: await kitchen() } },
    { id: 'spheres', title: 'Spheres from mirror to matte', params: file(640, 320, 192), files: { model: await spheres() } },
  ];
}
