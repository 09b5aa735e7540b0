import type { ElementRef, TileRef } from '../../shared/model.ts';
import type { TileGrid } from '../../shared/workload.ts';
import { scaleOf, type UpscaleJob, type UpscaleParams, type UpscalePrepared } from './params.ts';

/**
 * How a job falls apart: the input image into tiles, a tile into patches. A patch is an element: `PATCH` x `PATCH` input pixels, which become
 * scale times as wide and high. Its words are output pixels in row order, red in the lowest byte, then green and blue, the highest 255. Patches at
 * the right and lower edge of a tile may be cut; what lies outside the picture is zero.
 */

/**
 * Input pixels along a patch. Whoever recomputes one needs what lies up to 10 input pixels around it as well, which makes a patch 2.3 times its share of
 * the tile; one of 4 x 4 would be 10 times its share, one of 32 x 32 still 1.5 times, and at scale 4 larger than an auditor's answer may be.
 */
export const PATCH = 16;

/**
 * Input pixels along a tile, at most. Larger ones spend less on their margins: 1.05 times the arithmetic of the whole picture here, 1.14 times with
 * tiles of 128. What bounds them is a result of 8 MiB (1408 x 1408 output pixels) and the memory of their planes, 230 MB at 448.
 */
const EDGE_MAX = { '2': 448, '3': 448, '4': 352 } as const;
/** Tiles of smaller pictures: the largest that still give some contributors something to do. */
const SMALLER_EDGES = [256, 128] as const;
const TILES_WANTED = 4;

const tilesAlong = (pixels: number, edge: number): number => Math.ceil(pixels / edge);

/** Input pixels of a tile, whole patches, and how many tiles there are: as many as the edge asks for, and about equally large. */
function layoutOf({ scale }: UpscaleParams, { width, height }: UpscalePrepared): { width: number; height: number; columns: number; rows: number } {
  const edges = [EDGE_MAX[scale], ...SMALLER_EDGES];
  const edge = edges.find((each) => tilesAlong(width, each) * tilesAlong(height, each) >= TILES_WANTED) ?? SMALLER_EDGES[1];
  const even = (pixels: number): number => Math.ceil(pixels / tilesAlong(pixels, edge) / PATCH) * PATCH;
  const [across, down] = [even(width), even(height)];
  return { width: across, height: down, columns: tilesAlong(width, across), rows: tilesAlong(height, down) };
}

export function gridOf(params: UpscaleParams, prepared: UpscalePrepared): TileGrid {
  const { columns, rows } = layoutOf(params, prepared);
  return { passes: 1, tiles: columns * rows };
}

/** In pixels, of the input or the output. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The input pixels of a tile. */
export function tileRect({ params, prepared }: UpscaleJob, tile: number): Rect {
  const { width, height, columns } = layoutOf(params, prepared);
  const [x, y] = [(tile % columns) * width, Math.floor(tile / columns) * height];
  return { x, y, width: Math.min(width, prepared.width - x), height: Math.min(height, prepared.height - y) };
}

export const scaled = ({ x, y, width, height }: Rect, by: number): Rect => ({ x: x * by, y: y * by, width: width * by, height: height * by });

export const elementWords = ({ params }: UpscaleJob): number => (PATCH * scaleOf(params)) ** 2;

/** Patches of a tile along its width and height. */
export function patchesOf(job: UpscaleJob, tile: number): { readonly columns: number; readonly rows: number } {
  const { width, height } = tileRect(job, tile);
  return { columns: Math.ceil(width / PATCH), rows: Math.ceil(height / PATCH) };
}

export function elementsOf(job: UpscaleJob, { tile }: TileRef): number {
  const { columns, rows } = patchesOf(job, tile);
  return columns * rows;
}

/** Input pixels of an element. Throws `RangeError` for one that the job does not have. */
export function patchRect(job: UpscaleJob, { pass, tile, part, element }: ElementRef): Rect {
  const below = (value: number, bound: number): boolean => Number.isInteger(value) && value >= 0 && value < bound;
  if (pass !== 0 || part !== 0 || !below(tile, gridOf(job.params, job.prepared).tiles) || !below(element, elementsOf(job, { pass, tile })))
    throw new RangeError(`the job has no element ${element} of part ${part}, tile ${tile}, pass ${pass}`);
  const rect = tileRect(job, tile);
  const { columns } = patchesOf(job, tile);
  const x = rect.x + (element % columns) * PATCH;
  const y = rect.y + Math.floor(element / columns) * PATCH;
  return { x, y, width: Math.min(PATCH, rect.x + rect.width - x), height: Math.min(PATCH, rect.y + rect.height - y) };
}

/** Where in the words of a tile's part an output pixel lies that is (x, y) output pixels from the tile's corner. */
export function wordAt(scale: number, columns: number, x: number, y: number): number {
  const edge = PATCH * scale;
  return (Math.floor(y / edge) * columns + Math.floor(x / edge)) * edge ** 2 + (y % edge) * edge + (x % edge);
}
