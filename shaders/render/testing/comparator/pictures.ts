import type { RenderJob, RenderParams } from '../../params.ts';
import { prepare } from '../../prepare.ts';
import { samples } from '../../samples.ts';

/** A picture of the public gallery at some size: jobs over it differ in samples and seed. */
export interface Picture {
  /** Name of the scene, such as `kitchen`. */
  readonly scene: string;
  /** Width and height in pixels. */
  readonly size: number;
  readonly params: RenderParams;
  readonly prepared: RenderJob['prepared'];
  readonly packed: Uint8Array<ArrayBuffer>;
}

/** Every sample scene at each size, square. */
export async function preparePictures(sizes: readonly number[]): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const { id, params, files } of await samples())
    for (const size of sizes) {
      const square = { ...params, width: size, height: size };
      const { prepared, inputs } = await prepare(square, files);
      if (!inputs.scene) throw new Error(`sample ${id} has no scene`);
      pictures.push({ scene: id, size, params: square, prepared, packed: new Uint8Array(inputs.scene) });
    }
  return pictures;
}

export const jobOf = ({ params, prepared }: Pick<Picture, 'params' | 'prepared'>, samplesPerPixel: number, seed: number): RenderJob => ({
  id: 'j_comparator000000' as RenderJob['id'],
  seed,
  params: { ...params, samples: samplesPerPixel },
  prepared,
});
