import sharp from 'sharp';
import type { WorkloadAssemble } from '../../shared/workload.ts';
import { encodeExr } from './exr.ts';
import { Picture } from './picture.ts';
import type { RenderParams, RenderPrepared } from './spec.ts';

function toExr(picture: Picture): Uint8Array {
  const { width, height } = picture;
  const rgb = new Float32Array(width * height * 3);
  picture.eachPixel(0, 0, width, height, (index, r, g, b) => {
    rgb[index * 3] = r;
    rgb[index * 3 + 1] = g;
    rgb[index * 3 + 2] = b;
  });
  return encodeExr(width, height, rgb);
}

async function toPng(picture: Picture): Promise<Uint8Array> {
  const { width, height } = picture;
  const image = sharp(picture.srgb(0, 0, width, height), { raw: { width, height, channels: 4 } });
  // A picture with tiles missing stays transparent there; a whole one needs no alpha.
  return (picture.covered ? image.removeAlpha() : image).png().toBuffer();
}

/** `png`: the pixels that the pages show. `exr`: mean linear radiance as f32, black where there are no samples. */
export const assemble: WorkloadAssemble<RenderParams, RenderPrepared>['assemble'] = async (job, output, results) => {
  const picture = new Picture(job);
  for await (const { tile, parts, bytes } of results) picture.add(tile, parts, bytes);
  if (output === 'png') return toPng(picture);
  if (output === 'exr') return toExr(picture);
  throw new RangeError(`render has no output ${JSON.stringify(output)}`);
};
