import { readFile } from 'node:fs/promises';
import type { WorkloadSamples } from '../../shared/workload.ts';
import { waves } from './gallery/waves.ts';
import type { MatmulParams } from './params.ts';

/** The public gallery, with the pictures that `gallery/draw.ts` made of it. */

export interface GalleryProduct {
  readonly id: string;
  readonly title: string;
  readonly params: MatmulParams;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export const products = (): readonly GalleryProduct[] => [
  { id: 'waves', title: 'Waves, a product of two narrow matrices', params: { a: 'file', b: 'file' }, files: waves() },
  {
    id: 'whole',
    title: 'Random whole numbers, multiplied exactly',
    params: { a: 'seed', b: 'seed', numbers: 'i8', rows: 1024, inner: 4096, columns: 1024 },
    files: {},
  },
];

export const samples: WorkloadSamples<MatmulParams>['samples'] = async () =>
  Promise.all(
    products().map(async (product) => ({
      ...product,
      picture: { mediaType: 'image/webp', bytes: new Uint8Array(await readFile(new URL(`gallery/${product.id}.webp`, import.meta.url))) },
    })),
  );
