import type { TileRef } from '../../shared/model.ts';
import { inputsOf } from './grid.ts';
import type { InferJob } from './params.ts';

/** The contact sheet of pictures that come out: tiles are rectangles of cells, as square as their number allows, and so is the sheet of tiles. */

/** Of the longer edge of a cell. Larger pictures are shown with every n-th pixel. */
const CELL_PIXELS_MAX = 256;
/** Of the longer edge of the sheet, which pages hold as a whole. */
const SHEET_PIXELS_MAX = 4096;

export interface Sheet {
  /** Cells of a tile. */
  readonly columns: number;
  readonly rows: number;
  /** Tiles of a row. */
  readonly across: number;
  /** Pixels of a cell; one of it is `step` pixels of a picture. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly step: number;
  readonly width: number;
  readonly height: number;
}

/** Null where no pictures come out. */
export function layoutOf({ prepared }: Pick<InferJob, 'prepared'>): Sheet | null {
  const { drawn, perTile, count } = prepared;
  if (!drawn) return null;
  const tiles = Math.ceil(count / perTile);
  const columns = Math.ceil(Math.sqrt(perTile));
  const rows = Math.ceil(perTile / columns);
  const across = Math.max(1, Math.round(Math.sqrt((tiles * rows * drawn.height) / (columns * drawn.width))));
  const down = Math.ceil(tiles / across);
  const edge = Math.max(drawn.width, drawn.height);
  const fits = Math.floor(SHEET_PIXELS_MAX / Math.max(across * columns, down * rows));
  const step = Math.ceil(edge / Math.max(1, Math.min(CELL_PIXELS_MAX, fits)));
  const [cellWidth, cellHeight] = [Math.ceil(drawn.width / step), Math.ceil(drawn.height / step)];
  return { columns, rows, across, cellWidth, cellHeight, step, width: across * columns * cellWidth, height: down * rows * cellHeight };
}

export function sheetOf(job: InferJob): { width: number; height: number; frames: number } | null {
  const layout = layoutOf(job);
  return layout && { width: layout.width, height: layout.height, frames: 1 };
}

export function regionOf(job: InferJob, at: TileRef): { x: number; y: number; width: number; height: number; frame: number } | null {
  const layout = layoutOf(job);
  if (!layout) return null;
  const [width, height] = [layout.columns * layout.cellWidth, layout.rows * layout.cellHeight];
  const x = (at.tile % layout.across) * width;
  const { first, end } = inputsOf(job.prepared, at);
  // The last tile may have fewer rows of cells.
  const rows = Math.ceil((end - first) / layout.columns);
  return { x, y: Math.floor(at.tile / layout.across) * height, width, height: rows * layout.cellHeight, frame: 0 };
}
