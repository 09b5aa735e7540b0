import { wordsOfPart } from '../../shared/formats.ts';
import type { WorkloadView } from '../../shared/workload.ts';
import { elementsOf, elementWords, patchesOf, type Rect, scaled, tileRect, wordAt } from './grid.ts';
import { scaleOf, type UpscaleParams, type UpscalePrepared } from './params.ts';

type View = WorkloadView<UpscaleParams, UpscalePrepared>;

/** What arrives are the pixels of the file: there is nothing to choose. */
export const looks: View['looks'] = () => [];

interface Tile {
  readonly rect: Rect;
  readonly columns: number;
  readonly words: Uint32Array;
}

export const createPainter: View['createPainter'] = (job) => {
  const scale = scaleOf(job.params);
  const tiles = new Map<number, Tile>();
  return {
    shows: () => true,
    setLook() {},
    add(at, parts, result) {
      const rect = scaled(tileRect(job, at.tile), scale);
      const words = wordsOfPart(result, parts, elementsOf(job, at), elementWords(job));
      tiles.set(at.tile, { rect, columns: patchesOf(job, at.tile).columns, words });
      return rect;
    },
    pixels(x, y, width, height) {
      const pixels = new Uint32Array(width * height);
      for (const { rect, columns, words } of tiles.values()) {
        const [left, right] = [Math.max(x, rect.x), Math.min(x + width, rect.x + rect.width)];
        const [top, bottom] = [Math.max(y, rect.y), Math.min(y + height, rect.y + rect.height)];
        for (let row = top; row < bottom; row++)
          for (let column = left; column < right; column++)
            pixels[(row - y) * width + column - x] = words[wordAt(scale, columns, column - rect.x, row - rect.y)]!;
      }
      return new Uint8ClampedArray(pixels.buffer);
    },
  };
};
