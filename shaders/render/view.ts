import type { WorkloadView } from '../../shared/workload.ts';
import { isFeaturePass, tileRect } from './grid.ts';
import type { RenderParams, RenderPrepared } from './params.ts';
import { Picture } from './picture.ts';
import { toneMapOf } from './toneMap.ts';

export const createPainter: WorkloadView<RenderParams, RenderPrepared>['createPainter'] = (job, frame) => {
  const picture = new Picture(job, frame);
  const toneMap = toneMapOf(job.params);
  return {
    shows: ({ pass, tile }) => !isFeaturePass(job.params, pass) && tileRect(job.params, tile).frame === frame,
    add(tile, parts, result) {
      picture.add(tile, parts, result);
      return tileRect(job.params, tile.tile);
    },
    pixels(x, y, width, height) {
      const bytes = new Uint8ClampedArray(width * height * 4);
      picture.eachPixel(x, y, width, height, (index, rgb) => {
        toneMap(rgb);
        for (let channel = 0; channel < 3; channel++) bytes[index * 4 + channel] = Math.round(255 * rgb[channel]!);
        bytes[index * 4 + 3] = 255;
      });
      return bytes;
    },
  };
};
