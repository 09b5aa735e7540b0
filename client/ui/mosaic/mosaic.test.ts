import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { limits } from '../../../shared/limits.ts';
import { fullMask, type JobContext, maskOf } from '../../../shared/model.ts';
import type { Painter, WorkloadSpec, WorkloadView } from '../../../shared/workload.ts';
import { cellGrid, type Layout, layoutOf, PAINT_PIXELS_MAX, pathOf, tileAt, tilesOf } from './layout.ts';
import { Mosaic } from './mosaic.ts';
import { Outlines } from './outlines.svelte.ts';

const job = {} as JobContext;
/** Two tiles of 10 x 10 pixels side by side in every frame, or no picture at all. */
const spec = (picture: { width: number; height: number } | null, frames = 1) =>
  ({
    picture: () => picture && { ...picture, frames },
    region: (_: JobContext, { tile }: { tile: number }) => (picture ? { x: (tile % 2) * 10, y: 0, width: 10, height: 10, frame: Math.floor(tile / 2) } : null),
  }) as unknown as WorkloadSpec;
const view = (createPainter: WorkloadView<unknown, unknown>['createPainter']): WorkloadView<unknown, unknown> => ({ looks: () => [], createPainter });
const at = (tile: number, pass = 0) => ({ pass, tile });

describe('layoutOf', () => {
  it('takes the picture and its regions from the workload', () => {
    const layout = layoutOf(spec({ width: 20, height: 10 }), job, { passes: 1, tiles: 2 });
    expect(layout).toMatchObject({ width: 20, height: 10, paints: true, frames: 1 });
    expect(layout.region(at(1))).toEqual({ x: 10, y: 0, width: 10, height: 10, frame: 0 });
  });

  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [16, 4, 4],
    [40, 8, 5],
    [938, 41, 23],
  ])('%i cells lie in %i columns and %i rows', (tiles, columns, rows) => {
    const { width, height } = cellGrid({ passes: 1, tiles });
    expect([width / 8, height / 8]).toEqual([columns, rows]);
  });

  it('makes cells inside its bounds for work without a picture', () => {
    const layout = layoutOf(spec(null), job, { passes: 1, tiles: 23 });
    expect(layout.paints).toBe(false);
    const rects = Array.from({ length: 23 }, (_, tile) => layout.region(at(tile)));
    expect(new Set(rects.map(({ x, y }) => `${x},${y}`)).size).toBe(23);
    for (const { x, y, width, height } of rects) expect(x + width <= layout.width && y + height <= layout.height).toBe(true);
  });

  it('knows the tiles of every frame, and bounds one frame, not all of them', () => {
    const film = layoutOf(spec({ width: 4096, height: PAINT_PIXELS_MAX / 4096 }, 50), job, { passes: 1, tiles: 100 });
    expect([film.paints, film.frames]).toEqual([true, 50]);
    expect([tilesOf(film, 0), tilesOf(film, 49)]).toEqual([
      [0, 1],
      [98, 99],
    ]);
  });

  it('shows a map where a picture would not fit into a tab', () => {
    expect(layoutOf(spec({ width: 4096, height: PAINT_PIXELS_MAX / 4096 }), job, { passes: 1, tiles: 2 }).paints).toBe(true);
    expect(layoutOf(spec({ width: 4097, height: PAINT_PIXELS_MAX / 4096 }), job, { passes: 1, tiles: 2 }).paints).toBe(false);
  });
});

describe('tileAt', () => {
  const layout = layoutOf(spec({ width: 20, height: 10 }), job, { passes: 1, tiles: 2 });

  it('finds the tile at a point, and none beside the picture', () => {
    expect(tileAt(layout, 0, 0, 0)).toBe(0);
    expect(tileAt(layout, 0, 9.9, 9.9)).toBe(0);
    expect(tileAt(layout, 0, 10, 0)).toBe(1);
    expect(tileAt(layout, 0, 20, 0)).toBeNull();
    expect(tileAt(layout, 0, 5, -1)).toBeNull();
  });

  it('finds that of the frame that is shown', () => {
    const film = layoutOf(spec({ width: 20, height: 10 }, 3), job, { passes: 1, tiles: 6 });
    expect([0, 1, 2].map((frame) => tileAt(film, frame, 15, 5))).toEqual([1, 3, 5]);
  });
});

describe('Outlines', () => {
  const layout: Layout = layoutOf(spec({ width: 20, height: 10 }), job, { passes: 2, tiles: 2 });
  const path = (tile: number) => pathOf([layout.region(at(tile))]);

  it('draws leases until they are released or their longest deadline has passed', () => {
    const outlines = new Outlines(layout);
    outlines.lease(at(0), 0);
    outlines.lease(at(1), 1);
    expect(outlines.leased).toBe(path(0) + path(1));
    outlines.release(at(1), 2);
    expect(outlines.leased).toBe(path(0));
    outlines.lease(at(1), limits.leaseDeadlineMsMax + 1);
    expect(outlines.leased).toBe(path(1));
  });

  it('draws an own tile once, however many passes of it are own', () => {
    const outlines = new Outlines(layout);
    outlines.markOwn(at(0));
    outlines.markOwn(at(0, 1));
    expect(outlines.own).toBe(path(0));
  });

  it('keeps a tile red until all of its parts are there again', () => {
    const outlines = new Outlines(layout);
    outlines.markWrong(at(0), maskOf([0, 1]), false);
    outlines.markWrong(at(1), maskOf([0]), true);
    expect([outlines.refuted, outlines.drill]).toEqual([path(0), path(1)]);
    outlines.mend(at(0), maskOf([1]));
    outlines.mend(at(0, 1), maskOf([0]));
    expect(outlines.refuted).toBe(path(0));
    outlines.mend(at(0), maskOf([0]));
    outlines.mend(at(1), maskOf([0, 1, 2]));
    expect([outlines.refuted, outlines.drill]).toEqual(['', '']);
  });

  it('is a lie in earnest where a drill and a real one meet', () => {
    const outlines = new Outlines(layout);
    outlines.markWrong(at(0), maskOf([0]), true);
    outlines.markWrong(at(0), maskOf([1]), false);
    outlines.markWrong(at(0), maskOf([2]), true);
    expect([outlines.refuted, outlines.drill]).toEqual([path(0), '']);
  });

  it('frames the tile that is looked at', () => {
    const outlines = new Outlines(layout);
    outlines.markPicked(1);
    expect(outlines.picked).toBe(path(1));
    outlines.markPicked(null);
    expect(outlines.picked).toBe('');
  });

  it('draws those of one frame, and remembers the others', () => {
    const film = layoutOf(spec({ width: 20, height: 10 }, 2), job, { passes: 1, tiles: 4 });
    const outlines = new Outlines(film);
    const drawn = () => [outlines.leased, outlines.own, outlines.running, outlines.refuted, outlines.drill, outlines.picked];
    const mark = (tile: number): void => {
      outlines.lease(at(tile), 0);
      outlines.markOwn(at(tile));
      outlines.markRunning(at(tile));
      outlines.markWrong(at(tile), maskOf([0]), false);
      outlines.markWrong(at(tile, 1), maskOf([0]), true);
      outlines.markPicked(tile);
      outlines.cover('arrival', at(tile));
    };
    mark(3);
    expect([...drawn(), outlines.covers.length]).toEqual(['', '', '', '', '', '', 0]);
    outlines.frame = 1;
    expect(drawn()).toEqual(Array(6).fill(path(1)));
    outlines.mend(at(3), maskOf([0]));
    outlines.frame = 0;
    outlines.frame = 1;
    expect(outlines.refuted).toBe('');
  });

  it('drops covers that have played, and never holds more than its cap', () => {
    const outlines = new Outlines(layout);
    for (let i = 0; i < 300; i++) outlines.cover('arrival', at(0));
    expect(outlines.covers).toHaveLength(256);
    outlines.uncover(outlines.covers[0]?.id ?? 0);
    expect(outlines.covers).toHaveLength(255);
  });
});

describe('Mosaic', () => {
  const frames: (() => void)[] = [];
  const nextFrame = () => frames.shift()?.();
  let clock = 0;

  beforeEach(() => {
    frames.length = 0;
    clock = 0;
    vi.stubGlobal('requestAnimationFrame', (run: () => void) => frames.push(run));
    vi.stubGlobal('cancelAnimationFrame', () => undefined);
    vi.stubGlobal('ImageData', class {});
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  function make(msPerTile = 0) {
    const add = vi.fn((tile: { tile: number }) => {
      clock += msPerTile;
      return { x: tile.tile * 10, y: 0, width: 10, height: 10 };
    });
    const setLook = vi.fn();
    const painter = { add, setLook, shows: ({ tile }: { tile: number }) => tile < 2, pixels: () => new Uint8ClampedArray(400) } as unknown as Painter;
    const put = vi.fn();
    const spoiled = vi.fn();
    const mosaic = new Mosaic(
      spec({ width: 20, height: 10 }),
      job,
      { passes: 1, tiles: 2 },
      view(() => painter),
      { spoiled },
    );
    mosaic.attach({ getContext: () => ({ putImageData: put }) } as unknown as HTMLCanvasElement);
    return { mosaic, add, put, spoiled, setLook };
  }
  const bytes = new Uint8Array(1);

  it('paints in a frame, only the rectangle that changed', async () => {
    const { mosaic, put } = make();
    const painted = mosaic.add(at(1), fullMask(1), bytes);
    expect(put).not.toHaveBeenCalled();
    nextFrame();
    await painted;
    expect(put).toHaveBeenCalledExactlyOnceWith(expect.anything(), 10, 0);
  });

  it('draws anew with another look, a few tiles in every frame, and goes on where it was', () => {
    const { mosaic, put, setLook } = make();
    put.mockImplementation(() => (clock += 10));
    mosaic.setLook({ exposure: 1 });
    expect([setLook.mock.calls, put.mock.calls.length]).toEqual([[[{ exposure: 1 }]], 0]);
    nextFrame();
    expect(put.mock.calls.map((call) => (call as unknown[])[1])).toEqual([0]);
    mosaic.setLook({ exposure: 2 });
    nextFrame();
    nextFrame();
    nextFrame();
    expect(put.mock.calls.map((call) => (call as unknown[])[1])).toEqual([0, 10, 0]);
  });

  it('paints no part twice: early from the own GPU, then as the accepted total', () => {
    const { mosaic, add, spoiled } = make();
    void mosaic.add(at(0), maskOf([0]), bytes);
    void mosaic.add(at(0), maskOf([1]), bytes);
    void mosaic.add(at(0), maskOf([0, 1]), bytes);
    nextFrame();
    expect(add.mock.calls.map((call) => (call as unknown[])[1])).toEqual([maskOf([0]), maskOf([1])]);
    expect(spoiled).not.toHaveBeenCalled();
  });

  it('paints no total of which a part is painted already, and says that it cannot', async () => {
    const { mosaic, add, spoiled } = make();
    void mosaic.add(at(0), maskOf([0]), bytes);
    const painted = mosaic.add(at(0), maskOf([0, 1]), bytes);
    nextFrame();
    await painted;
    expect(add).toHaveBeenCalledOnce();
    expect(spoiled).toHaveBeenCalledOnce();
  });

  it('shows one frame, chosen by the painter and by the map alike', async () => {
    const { mosaic, add } = make();
    expect([mosaic.shows(at(1)), mosaic.shows(at(2))]).toEqual([true, false]);
    const painted = mosaic.add(at(2), maskOf([0]), bytes);
    nextFrame();
    await painted;
    expect(add).not.toHaveBeenCalled();

    const createPainter = vi.fn();
    const film = spec({ width: 20, height: 10 }, 2);
    const second = new Mosaic(film, job, { passes: 1, tiles: 4 }, view(createPainter), { frame: 1 });
    expect(createPainter).toHaveBeenCalledExactlyOnceWith(job, 1);
    expect(second.outlines.frame).toBe(1);
    const map = new Mosaic(film, job, { passes: 1, tiles: 4 }, null, { frame: 1, outlines: second.outlines });
    expect([map.shows(at(1)), map.shows(at(2))]).toEqual([false, true]);
  });

  it('goes on with the outlines of an earlier one', () => {
    const { mosaic } = make();
    mosaic.outlines.markWrong(at(0), fullMask(1), false);
    const again = new Mosaic(spec({ width: 20, height: 10 }), job, { passes: 1, tiles: 2 }, null, { outlines: mosaic.outlines });
    expect(again.outlines.refuted).not.toBe('');
  });

  it('leaves the rest to the next frame when this one is used up', () => {
    const { mosaic, add } = make(4);
    for (let tile = 0; tile < 2; tile++) for (let part = 0; part < 2; part++) void mosaic.add(at(tile), maskOf([part]), bytes);
    nextFrame();
    expect(add).toHaveBeenCalledTimes(2);
    nextFrame();
    expect(add).toHaveBeenCalledTimes(4);
  });

  it('lets everybody go who waits when it is closed', async () => {
    const { mosaic, add } = make();
    const painted = mosaic.add(at(0), fullMask(1), bytes);
    mosaic.close();
    await painted;
    expect(add).not.toHaveBeenCalled();
  });

  it('frees the outline of a lease when its tile arrives, and covers it once', () => {
    const { mosaic } = make();
    mosaic.outlines.lease(at(0), 0);
    void mosaic.add(at(0), maskOf([0]), bytes);
    void mosaic.add(at(0), maskOf([1]), bytes);
    nextFrame();
    expect(mosaic.outlines.leased).toBe('');
    expect(mosaic.outlines.covers).toHaveLength(1);
  });
});
