import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { blockOf, gridOf, pixelsOf, tileSize } from './grid.ts';
import { tileLimits } from './limits.ts';

const side = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 40_000 }));
const sizes = fc.record({ m: side, n: side, k: fc.oneof(side, fc.integer({ min: 1, max: 2 ** 20 })), batches: fc.integer({ min: 1, max: 3 }) });

describe('blocks', () => {
  it('cover every entry of every product once, and fit a message, a lease and a band', () => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(0, 1, 4), (sizes, bytes) => {
        const tiled = { ...sizes, ...tileSize(sizes, { a: bytes, b: bytes }) };
        const { tiles } = gridOf(tiled);
        expect(tiled.tileRows * tiled.tileColumns).toBeLessThanOrEqual(tileLimits.entriesMax);
        expect(tiled.tileRows * tiled.tileColumns * 4 + 16).toBeLessThan(limits.resultBytesMax);
        expect(Math.max(tiled.tileRows, tiled.tileColumns) * tiled.k * bytes).toBeLessThanOrEqual(tileLimits.panelBytesMax);
        const whole = tiled.tileRows === tiled.m || tiled.tileRows % 4 === 0;
        expect(whole && (tiled.tileColumns === tiled.n || tiled.tileColumns % 4 === 0)).toBe(true);
        let covered = 0;
        let [last, first] = [{ batch: 0, row: 0, column: 0 }, true];
        for (let tile = 0; tile < Math.min(tiles, 500); tile++) {
          const { batch, row, column, rows, columns } = blockOf(tiled, tile);
          covered += rows * columns;
          expect(rows > 0 && columns > 0 && row + rows <= tiled.m && column + columns <= tiled.n).toBe(true);
          const isNext = batch > last.batch || (batch === last.batch && (row > last.row || (row === last.row && column > last.column)));
          expect(first || isNext).toBe(true);
          [last, first] = [{ batch, row, column }, false];
        }
        if (tiles <= 500) expect(covered).toBe(sizes.m * sizes.n * sizes.batches);
        expect(() => blockOf(tiled, tiles)).toThrow(RangeError);
      }),
      { numRuns: 300 },
    );
  });

  it('of 32,768 x 32,768 are a thousand, in bands of 32 MiB', () => {
    const sizes = { m: 32_768, n: 32_768, k: 256, batches: 1 };
    const tiled = { ...sizes, ...tileSize(sizes, { a: 0, b: 0 }) };
    expect(gridOf(tiled).tiles).toBe(1024);
    expect(tiled.tileRows * tiled.n * 4).toBe(2 ** 25);
  });
});

it('pixels of a picture belong to one block each', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 300 }), (whole, step, size) => {
      if (size < step) return;
      let next = 0;
      for (let first = 0; first < whole; first += size) {
        const { first: from, count } = pixelsOf(first, Math.min(size, whole - first), step);
        // A last block that holds no drawn entry has a pixel all the same.
        if (from === next) next = from + count;
      }
      expect(next).toBeGreaterThanOrEqual(Math.ceil(whole / step));
    }),
  );
});
