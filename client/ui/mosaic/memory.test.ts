import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it, vi } from 'vitest';
import type { JobContext } from '../../../shared/model.ts';
import type { Painter, WorkloadSpec } from '../../../shared/workload.ts';
import { Mosaic } from './mosaic.ts';
import { type KnownResult, Results } from './results.svelte.ts';
import { TileBook } from './tile-book.svelte.ts';

/** What a page keeps of a large job, measured: numbers in columns, and one string a result. */

const TILES = 10_000;
const PASSES = 4;
/** Measured: 170, 6.8 MB in all, with Node 24. */
const BYTES_PER_RESULT_MAX = 250;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function usedBytes(): number {
  for (let times = 0; times < 3; times++) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

afterEach(() => vi.unstubAllGlobals());

it(`a job of ${TILES} tiles takes ${BYTES_PER_RESULT_MAX} bytes a result at most, whatever a result weighs`, () => {
  vi.stubGlobal('cancelAnimationFrame', () => undefined);
  const spec = {
    picture: () => ({ width: 3200, height: 3200, frames: 1 }),
    region: (_: unknown, { tile }: { tile: number }) => ({ x: (tile % 100) * 32, y: Math.floor(tile / 100) * 32, width: 32, height: 32, frame: 0 }),
  } as unknown as WorkloadSpec;
  const painter = { shows: () => true, setLook: () => undefined, add: () => ({ x: 0, y: 0, width: 0, height: 0 }) } as unknown as Painter;
  const frames: (() => void)[] = [];
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => frames.push(run));

  const before = usedBytes();
  const mosaic = new Mosaic(spec, {} as JobContext, { passes: PASSES, tiles: TILES }, { looks: () => [], createPainter: () => painter });
  const results = new Results();
  const book = new TileBook(TILES, PASSES);
  for (let index = 0; index < TILES * PASSES; index++) {
    const [pass, tile] = [Math.floor(index / TILES), index % TILES];
    // As it comes from a wire.
    const accepted = JSON.parse(
      JSON.stringify({
        id: `r_${index.toString(36).padStart(16, '0')}`,
        pass,
        tile,
        parts: 1,
        contributor: `c${index % 50}`,
        drawn: 64,
        errorBound: 1e-4,
      }),
    ) as KnownResult;
    book.lease(tile, 0);
    book.check(tile, 0);
    results.add(accepted);
    results.claim(accepted.id);
    book.accept(accepted);
    // 80 kB of sums, as a tile of 64 x 64 pixels has.
    void mosaic.add({ pass, tile }, accepted.parts, new Uint8Array(index % 100 === 0 ? 80_000 : 16));
    if (index % 100 === 0) while (frames.length > 0) frames.shift()?.();
  }
  while (frames.length > 0) frames.shift()?.();
  const grown = usedBytes() - before;
  expect([results.count, book.parts(TILES - 1)]).toEqual([TILES * PASSES, PASSES]);
  expect(mosaic.shows({ pass: 0, tile: 0 })).toBe(true);
  expect(grown / (TILES * PASSES)).toBeLessThan(BYTES_PER_RESULT_MAX);
});
