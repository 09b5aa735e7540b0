import type { TileGrid } from '../../shared/workload.ts';
import { PICTURE_ENTRIES_MAX, PICTURE_SIDE_MAX, tileLimits } from './limits.ts';
import type { MatmulPrepared } from './params.ts';

/** Blocks of C: tile after tile along a band of rows, band after band, batch after batch. */

export interface Block {
  readonly batch: number;
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

type Sizes = Pick<MatmulPrepared, 'm' | 'n' | 'k' | 'batches'>;
type Tiled = Sizes & Pick<MatmulPrepared, 'tileRows' | 'tileColumns'>;

/** Lines of a tile begin at whole words and vectors, whatever the type of their numbers. */
const STEP = 16;

/** Blocks of about one size, at most `most` and at least 16 long. */
function evenly(whole: number, most: number): number {
  const longest = Math.max(STEP, Math.floor(most / STEP) * STEP);
  if (whole <= longest) return whole;
  return Math.ceil(whole / Math.ceil(whole / longest) / STEP) * STEP;
}

/** As wide as can be: verifying reads the rows of A once for each block of them. `panels`: bytes of a number of A and B where they are made for a tile, else 0. */
export function tileSize({ m, n, k, batches }: Sizes, panels: { readonly a: number; readonly b: number }): { tileRows: number; tileColumns: number } {
  const { entriesMax, columnsMax, macsMax, panelBytesMax, bandEntriesMax, wanted } = tileLimits;
  const panelLines = (bytes: number): number => (bytes === 0 ? Number.POSITIVE_INFINITY : Math.floor(panelBytesMax / (bytes * k)));
  const tileColumns = evenly(n, Math.min(columnsMax, panelLines(panels.b), macsMax / (STEP * k)));
  const across = Math.ceil(n / tileColumns) * batches;
  const most = Math.min(entriesMax / tileColumns, macsMax / (tileColumns * k), panelLines(panels.a), bandEntriesMax / n);
  return { tileRows: evenly(m, Math.min(most, m / Math.ceil(wanted / across))), tileColumns };
}

const bandsOf = ({ m, tileRows }: Tiled): number => Math.ceil(m / tileRows);
export const acrossOf = ({ n, tileColumns }: Tiled): number => Math.ceil(n / tileColumns);

export const gridOf = (sizes: Tiled): TileGrid => ({ passes: 1, tiles: sizes.batches * bandsOf(sizes) * acrossOf(sizes) });

/** Throws `RangeError` for a tile that the product does not have. */
export function blockOf(sizes: Tiled, tile: number): Block {
  if (!(tile >= 0 && tile < gridOf(sizes).tiles)) throw new RangeError(`the product has no tile ${tile}`);
  const across = acrossOf(sizes);
  const bands = bandsOf(sizes);
  const row = (Math.floor(tile / across) % bands) * sizes.tileRows;
  const column = (tile % across) * sizes.tileColumns;
  return {
    batch: Math.floor(tile / (across * bands)),
    row,
    column,
    rows: Math.min(sizes.tileRows, sizes.m - row),
    columns: Math.min(sizes.tileColumns, sizes.n - column),
  };
}

/** Entries from one that is drawn to the next, in both directions; null: nothing is drawn. */
export const pictureStep = ({ m, n, batches }: Sizes): number | null =>
  m * n * batches > PICTURE_ENTRIES_MAX || m * n === 1 ? null : Math.ceil(Math.max(m, n) / PICTURE_SIDE_MAX);

/** The entries [first, first + count) in pixels, at least one. */
export function pixelsOf(first: number, count: number, step: number): { first: number; count: number } {
  const from = Math.ceil(first / step);
  return { first: from, count: Math.max(1, Math.ceil((first + count) / step) - from) };
}
