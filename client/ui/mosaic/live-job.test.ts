import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobId, PartMask, ResultId } from '../../../shared/model.ts';
import type { AcceptedView, JobView } from '../../../shared/schemas.ts';
import type { Output, WorkloadEntry } from '../../../shared/workload.ts';
import { ApiError } from '../../net/api.ts';
import { LiveJob } from './live-job.svelte.ts';

type Listener = import('../../net/live.ts').JobListener;

/** A coordinator with one job of two frames of two tiles each, and a workload that paints 10 x 10 pixels a tile. */
const world = vi.hoisted(() => ({
  listener: null as Listener | null,
  accepted: [] as unknown[],
  job: {} as unknown,
  outputs: [] as Output[],
  painted: [] as string[],
  picture: { width: 20, height: 10, frames: 2 } as { width: number; height: number; frames: number } | null,
  /** What asking for the job is answered with, in place of the job. */
  refusal: null as Error | null,
}));
vi.mock('../../net/live.ts', () => ({
  watchJob: (_: string, listener: Listener) => {
    world.listener = listener;
    return () => undefined;
  },
}));
vi.mock('../../net/api.ts', async (original) => ({
  ...(await original<object>()),
  api: {
    job: async () => {
      if (world.refusal) throw world.refusal;
      return world.job;
    },
    results: async () => [...world.accepted],
    resultBytes: async (_: string, id: string) => new TextEncoder().encode(id),
  },
}));
vi.mock('../../../shaders/registry.ts', () => ({
  workload: (): Pick<WorkloadEntry, 'spec' | 'view'> => ({
    spec: {
      picture: () => world.picture,
      region: (_: unknown, { tile }: { tile: number }) => ({ x: (tile % 2) * 10, y: 0, width: 10, height: 10, frame: Math.floor(tile / 2) }),
      outputs: () => world.outputs,
      parts: () => 1,
    } as unknown as WorkloadEntry['spec'],
    view: async () => ({
      table: () => (world.picture ? null : { columns: ['Label'], total: 4, rows: () => [] }),
      looks: () => [{ kind: 'choice', name: 'layer', label: 'Layer', options: [], value: 'first' }],
      createPainter: (_, frame) => {
        world.painted = [];
        let layer: unknown = 'first';
        return {
          shows: ({ tile, pass }) => Math.floor(tile / 2) === frame && (pass === 1) === (layer === 'second'),
          setLook: (look) => {
            layer = look.layer;
          },
          add: ({ tile }, _parts, result) => {
            world.painted.push(new TextDecoder().decode(result));
            return { x: (tile % 2) * 10, y: 0, width: 10, height: 10 };
          },
          pixels: () => new Uint8ClampedArray(400),
        };
      },
    }),
  }),
}));

const id = 'j_AAAAAAAAAAAAAAAA' as JobId;
const result = (name: string, tile: number): AcceptedView =>
  ({ id: name as ResultId, pass: 0, tile, parts: 1 as PartMask, contributor: 'a1b2c3', drawn: 64, errorBound: 1e-4 }) as AcceptedView;
const job = (over: object = {}): JobView =>
  ({ id, workload: 'x', status: 'open', grid: { passes: 2, tiles: 4 }, mine: true, extensions: 0, deletedMs: null, ...over }) as JobView;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16));
  vi.stubGlobal('cancelAnimationFrame', () => undefined);
  Object.assign(world, { listener: null, accepted: [], job: job(), outputs: [], painted: [], refusal: null, picture: { width: 20, height: 10, frames: 2 } });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function open(...accepted: AcceptedView[]): Promise<{ live: LiveJob; hears: Listener }> {
  world.accepted = accepted;
  const live = new LiveJob(id);
  await vi.advanceTimersByTimeAsync(100);
  if (!world.listener) throw new Error('the job is not watched');
  world.listener.connected(true);
  return { live, hears: world.listener };
}

describe('LiveJob', () => {
  it('changes the way in which news come, and hears no more in the old one', async () => {
    const heard: string[] = [];
    const way = (name: string) => () => {
      heard.push(`${name} begins`);
      return () => void heard.push(`${name} ends`);
    };
    const [one, other] = [way('one'), way('other')];
    const live = new LiveJob(id, { watch: one });
    live.watchBy(one);
    await vi.advanceTimersByTimeAsync(100);
    live.watchBy(other);
    await vi.advanceTimersByTimeAsync(1);
    live.close();
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toEqual(['one begins', 'other begins', 'one ends', 'other ends']);
  });

  it('knows who made which tile', async () => {
    const { live, hears } = await open(result('r_1', 0));
    hears.accepted(result('r_2', 1));
    expect(live.results.of(1).map(({ id }) => id)).toEqual(['r_2']);
    expect(live.results.of(0)).toHaveLength(1);
    live.close();
  });

  it('shows a revoked tile in red, paints the rest anew, and mends it when it is there again', async () => {
    const { live, hears } = await open(result('r_1', 0), result('r_2', 1));
    expect(world.painted).toEqual(['r_1', 'r_2']);
    world.accepted = [result('r_2', 1)];
    hears.revoked('r_1' as ResultId, { pass: 0, tile: 0 }, 1 as PartMask);
    expect(live.results.of(0)).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(world.painted).toEqual(['r_2']);
    expect(live.mosaic?.outlines.refuted).toBe('M0 0h10v10h-10z');
    hears.accepted(result('r_3', 0));
    await vi.advanceTimersByTimeAsync(100);
    expect(live.mosaic?.outlines.refuted).toBe('');
    expect(world.painted).toEqual(['r_2', 'r_3']);
    live.close();
  });

  it('paints anew once for many results that are taken back together', async () => {
    const { live, hears } = await open(result('r_1', 0), result('r_2', 1));
    const rebuild = vi.spyOn(live, 'rebuild');
    world.accepted = [];
    for (const [name, tile] of [
      ['r_1', 0],
      ['r_2', 1],
    ] as const)
      hears.revoked(name as ResultId, { pass: 0, tile }, 1 as PartMask);
    await vi.advanceTimersByTimeAsync(1000);
    expect(rebuild).toHaveBeenCalledOnce();
    live.close();
  });

  it('finds out after a gap what was taken back during it', async () => {
    const { live, hears } = await open(result('r_1', 0), result('r_2', 1));
    hears.connected(false);
    hears.connected(true);
    world.accepted = [result('r_2', 1)];
    hears.snapshot(job(), [result('r_2', 1)]);
    expect(live.results.of(0)).toEqual([]);
    expect(live.mosaic?.outlines.refuted).not.toBe('');
    live.close();
  });

  it('does not take a result for revoked that is only younger than the snapshot', async () => {
    const { live, hears } = await open(result('r_1', 0));
    hears.accepted(result('r_2', 1));
    hears.snapshot(job(), [result('r_1', 0)]);
    expect(live.results.of(1)).toHaveLength(1);
    expect(live.mosaic?.outlines.refuted).toBe('');
    live.close();
  });

  it('without a picture it shows which tiles are done, fetches no result, and tells how they are read', async () => {
    world.picture = null;
    world.outputs = [{ id: 'sheet', title: 'Sheet', mediaType: 'image/png', extension: 'png' }];
    world.job = job({ status: 'done' });
    const { live } = await open(result('r_1', 0), result('r_2', 3));
    expect([live.mosaic?.layout.isPicture, live.frames, live.looks, live.table?.total]).toEqual([false, 1, [], 4]);
    expect([world.painted, live.results.count]).toEqual([[], 2]);
    live.close();
    world.picture = { width: 20, height: 10, frames: 2 };
    world.outputs = [];
    world.job = job();
    const other = await open();
    expect([other.live.table, other.live.looks.length]).toEqual([null, 1]);
    other.live.close();
  });

  it('labels what a drill made', async () => {
    const { live, hears } = await open();
    hears.refuted({ pass: 0, tile: 1 }, 1 as PartMask, true);
    expect(live.drills).toBe(1);
    expect([live.mosaic?.outlines.drill, live.mosaic?.outlines.refuted]).toEqual(['M10 0h10v10h-10z', '']);
    live.close();
  });

  it('shows another frame from the results of that frame alone', async () => {
    const { live, hears } = await open(result('r_1', 0), result('r_2', 3));
    expect([live.frame, live.frames, world.painted]).toEqual([0, 2, ['r_1']]);
    live.show(1);
    expect(live.frame).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(world.painted).toEqual(['r_2']);
    world.accepted.push(result('r_3', 2), result('r_4', 1));
    for (const name of ['r_3', 'r_4']) hears.accepted(result(name, name === 'r_3' ? 2 : 1));
    await vi.advanceTimersByTimeAsync(1000);
    expect(world.painted).toEqual(['r_2', 'r_3']);
    live.follow({ pass: 0, tile: 1 });
    await vi.advanceTimersByTimeAsync(1000);
    expect([live.frame, world.painted]).toEqual([0, ['r_1', 'r_4']]);
    live.close();
  });

  it('fetches the last frame alone when a slider moves across many', async () => {
    const { live } = await open(result('r_1', 0), result('r_2', 3));
    const rebuild = vi.spyOn(live, 'rebuild');
    for (const frame of [1, 0, 1]) live.show(frame);
    await vi.advanceTimersByTimeAsync(1000);
    expect(rebuild).toHaveBeenCalledOnce();
    expect(world.painted).toEqual(['r_2']);
    live.close();
  });

  it('shows the file of a finished job for the first frame, and results for the others', async () => {
    const asked: string[] = [];
    vi.stubGlobal(
      'Image',
      class {
        set src(url: string) {
          asked.push(url);
        }
        async decode() {}
      },
    );
    world.job = job({ status: 'done' });
    world.outputs = [{ id: 'still', title: '', mediaType: 'image/png', extension: 'png' }];
    const { live } = await open(result('r_1', 0), result('r_2', 2));
    expect([asked, world.painted, live.outputs.map((output) => output.id)]).toEqual([[`/api/jobs/${id}/files/still`], [], ['still']]);
    live.show(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect([asked.length, world.painted]).toEqual([1, ['r_2']]);
    live.close();
  });

  it('learns the results of a finished job when somebody asks for a tile', async () => {
    world.job = job({ status: 'done' });
    const { live } = await open();
    world.accepted = [result('r_1', 0)];
    await live.learnResults();
    expect(live.results.of(0)).toHaveLength(1);
    live.close();
  });

  it('fetches the results of another layer when it is looked at, once, and paints over what was there', async () => {
    const { live, hears } = await open(result('r_1', 0), { ...result('r_2', 1), pass: 1 });
    expect([world.painted, live.looks.map(({ name }) => name)]).toEqual([['r_1'], ['layer']]);
    await live.setLook({ layer: 'second' });
    await vi.advanceTimersByTimeAsync(200);
    expect(world.painted).toEqual(['r_1', 'r_2']);
    hears.accepted(result('r_3', 1));
    await live.setLook({ layer: 'first' });
    await live.setLook({ layer: 'second' });
    await vi.advanceTimersByTimeAsync(200);
    expect(world.painted).toEqual(['r_1', 'r_2', 'r_3']);
    live.close();
  });

  it('paints a finished job from its results once it is looked at otherwise than as a file', async () => {
    vi.stubGlobal(
      'Image',
      class {
        src = '';
        async decode() {}
      },
    );
    world.job = job({ status: 'done' });
    world.outputs = [{ id: 'still', title: '', mediaType: 'image/png', extension: 'png' }];
    const { live } = await open(result('r_1', 0));
    expect(world.painted).toEqual([]);
    await live.setLook({ layer: 'first' });
    await vi.advanceTimersByTimeAsync(200);
    expect(world.painted).toEqual(['r_1']);
    live.close();
  });

  it('has other passes after an extension, and keeps what is known of its tiles', async () => {
    const { live, hears } = await open(result('r_1', 0));
    expect([live.book?.partsPerTile, live.book?.parts(0)]).toEqual([2, 1]);
    const rebuild = vi.spyOn(live, 'rebuild');
    hears.progress(job({ extensions: 1, grid: { passes: 3, tiles: 4 } }));
    world.accepted.push({ ...result('r_2', 0), pass: 2 });
    hears.accepted({ ...result('r_2', 0), pass: 2 });
    expect(live.mosaic?.shows({ pass: 2, tile: 0 })).toBe(false);
    await vi.advanceTimersByTimeAsync(1000);
    expect(rebuild).toHaveBeenCalledOnce();
    expect(world.painted).toEqual(['r_1', 'r_2']);
    expect([live.book?.partsPerTile, live.book?.parts(0)]).toEqual([3, 2]);
    live.close();
  });

  it('is gone for whoever may not see it any more', async () => {
    const { live, hears } = await open(result('r_1', 0));
    world.refusal = new ApiError('not_found', 'There is no such job.');
    hears.gone();
    await vi.advanceTimersByTimeAsync(100);
    expect(live.error).toMatchObject({ code: 'not_found' });
    live.close();
  });

  it('tells of every tile how far it is', async () => {
    const { live, hears } = await open(result('r_1', 0));
    const state = (tile: number) => live.book?.state(tile, performance.now(), false);
    hears.leased({ pass: 0, tile: 1 }, 1 as PartMask);
    expect([0, 1, 2].map(state)).toEqual(['partly', 'leased', 'waiting']);
    hears.checking({ pass: 0, tile: 1 }, 1 as PartMask);
    expect(state(1)).toBe('checking');
    hears.refuted({ pass: 0, tile: 1 }, 1 as PartMask, false);
    expect(state(1)).toBe('refuted');
    hears.accepted(result('r_2', 1));
    hears.accepted({ ...result('r_3', 1), pass: 1 });
    expect([state(1), live.book?.drawn(1), live.book?.errorBound(1)]).toEqual(['accepted', 128, 1e-4]);
    hears.revoked('r_2' as ResultId, { pass: 0, tile: 1 }, 1 as PartMask);
    expect([state(1), live.book?.drawn(1)]).toEqual(['refuted', 64]);
    live.close();
  });
});
