import type { JobContext, TileRef } from '../../../shared/model.ts';
import type { TileGrid, WorkloadSpec } from '../../../shared/workload.ts';

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a tile lies, and in which frame. */
export interface Region extends Rect {
  readonly frame: number;
}

/** Where tiles lie, in pixels of the picture; workloads without a picture get a square-ish grid of cells. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Tiles are regions of a picture; false: cells of a map. */
  readonly isPicture: boolean;
  /** True when results can be painted; false shows a map of which tiles are done. */
  readonly paints: boolean;
  /** One frame is shown at a time; each has equally many tiles, one behind the other. */
  readonly frames: number;
  /** Of all frames. */
  readonly tiles: number;
  readonly passes: number;
  region(at: TileRef): Region;
}

/** Painters keep sums for every pixel of a frame: beyond 16 megapixels a tab would need more than half a gigabyte. */
export const PAINT_PIXELS_MAX = 16 * 1024 * 1024;

const CELL = 8;

/** Between square and twice as wide: where the last row is fullest, and then nearest to the proportions of most pictures. */
function columnsFor(tiles: number): number {
  let best = Math.max(1, Math.ceil(Math.sqrt(tiles)));
  const blank = (columns: number): number => Math.ceil(tiles / columns) * columns - tiles;
  const apart = (columns: number): number => Math.abs(columns * columns - 1.6 * tiles);
  for (let columns = best + 1; columns <= Math.sqrt(tiles * 2); columns++)
    if (blank(columns) < blank(best) || (blank(columns) === blank(best) && apart(columns) < apart(best))) best = columns;
  return best;
}

/** Tiles of which there is no picture, as cells of 8 x 8. */
export function cellGrid(grid: TileGrid): Layout {
  const columns = columnsFor(grid.tiles);
  return {
    width: columns * CELL,
    height: Math.max(1, Math.ceil(grid.tiles / columns)) * CELL,
    isPicture: false,
    paints: false,
    frames: 1,
    ...grid,
    region: ({ tile }) => ({ x: (tile % columns) * CELL, y: Math.floor(tile / columns) * CELL, width: CELL, height: CELL, frame: 0 }),
  };
}

export function layoutOf(spec: WorkloadSpec, job: JobContext, grid: TileGrid): Layout {
  const picture = spec.picture(job);
  const cells = cellGrid(grid);
  if (!picture) return cells;
  const paints = picture.width * picture.height <= PAINT_PIXELS_MAX;
  return { ...picture, isPicture: true, paints, ...grid, region: (at) => spec.region(job, at) ?? cells.region(at) };
}

export const holds = ({ x, y, width, height }: Rect, px: number, py: number): boolean => px >= x && px < x + width && py >= y && py < y + height;

/** The tiles of a frame. */
export function tilesOf({ tiles, frames }: Layout, frame: number): number[] {
  const count = tiles / frames;
  return Array.from({ length: count }, (_, index) => frame * count + index);
}

/** The tile at a point of a frame, null beside all of them. */
export const tileAt = (layout: Layout, frame: number, x: number, y: number): number | null =>
  tilesOf(layout, frame).find((tile) => holds(layout.region({ pass: 0, tile }), x, y)) ?? null;

/** SVG path of rectangles, closed, so that it can be stroked and filled. */
export const pathOf = (rects: readonly Rect[]): string => rects.map(({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`).join('');
