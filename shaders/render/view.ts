import type { WorkloadView } from '../../shared/workload.ts';
import { Picture } from './picture.ts';
import { type RenderParams, type RenderPrepared, tileRect } from './spec.ts';

export const createPainter: WorkloadView<RenderParams, RenderPrepared>['createPainter'] = (job) => {
  const picture = new Picture(job);
  return {
    add(tile, parts, result) {
      picture.add(tile, parts, result);
      return tileRect(job.params, tile.tile);
    },
    pixels: (x, y, width, height) => picture.srgb(x, y, width, height),
  };
};
