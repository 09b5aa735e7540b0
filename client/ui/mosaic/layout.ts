import type { JobContext, TileRef } from '../../../shared/model.ts';
import type { TileGrid, WorkloadSpec } from '../../../shared/workload.ts';

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where tiles lie, in pixels of the picture; workloads without a picture get a square-ish grid of cells. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** True when results can be painted; false shows a map of which tiles are done. */
  readonly paints: boolean;
  readonly tiles: number;
  readonly passes: number;
  region(at: TileRef): Rect;
}

/** Painters keep sums for every pixel: beyond 16 megapixels a tab would need more than half a gigabyte. */
export const PAINT_PIXELS_MAX = 16 * 1024 * 1024;

const CELL = 8;

function cellGrid(grid: TileGrid): Layout {
  const columns = Math.max(1, Math.ceil(Math.sqrt(grid.tiles * 1.6)));
  return {
    width: columns * CELL,
    height: Math.max(1, Math.ceil(grid.tiles / columns)) * CELL,
    paints: false,
    ...grid,
    region: ({ tile }) => ({ x: (tile % columns) * CELL, y: Math.floor(tile / columns) * CELL, width: CELL, height: CELL }),
  };
}

export function layoutOf(spec: WorkloadSpec, job: JobContext, grid: TileGrid): Layout {
  const picture = spec.picture(job);
  const cells = cellGrid(grid);
  if (!picture) return cells;
  const paints = picture.width * picture.height <= PAINT_PIXELS_MAX;
  return { ...picture, paints, ...grid, region: (at) => spec.region(job, at) ?? cells.region(at) };
}

export const holds = ({ x, y, width, height }: Rect, px: number, py: number): boolean => px >= x && px < x + width && py >= y && py < y + height;

/** The tile at a point of the picture, null beside all of them. */
export function tileAt(layout: Layout, x: number, y: number): number | null {
  for (let tile = 0; tile < layout.tiles; tile++) if (holds(layout.region({ pass: 0, tile }), x, y)) return tile;
  return null;
}

/** SVG path of rectangles, closed, so that it can be stroked and filled. */
export const pathOf = (rects: readonly Rect[]): string => rects.map(({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`).join('');
