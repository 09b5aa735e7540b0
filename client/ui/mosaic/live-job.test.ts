import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobId, PartMask, ResultId } from '../../../shared/model.ts';
import type { AcceptedView, JobView } from '../../../shared/schemas.ts';
import type { WorkloadEntry } from '../../../shared/workload.ts';
import { LiveJob } from './live-job.svelte.ts';

type Listener = import('../../net/live.ts').JobListener;

/** A coordinator with one job of two tiles, and a workload that paints 10 x 10 pixels a tile. */
const world = vi.hoisted(() => ({ listener: null as Listener | null, accepted: [] as unknown[], job: {} as unknown, painted: [] as string[] }));
vi.mock('../../net/live.ts', () => ({
  watchJob: (_: string, listener: Listener) => {
    world.listener = listener;
    return () => undefined;
  },
}));
vi.mock('../../net/api.ts', async (original) => ({
  ...(await original<object>()),
  api: {
    job: async () => world.job,
    results: async () => [...world.accepted],
    resultBytes: async (_: string, id: string) => new TextEncoder().encode(id),
  },
}));
vi.mock('../../../shaders/registry.ts', () => ({
  workload: (): Pick<WorkloadEntry, 'spec' | 'view'> => ({
    spec: {
      picture: () => ({ width: 20, height: 10 }),
      region: (_: unknown, { tile }: { tile: number }) => ({ x: tile * 10, y: 0, width: 10, height: 10 }),
      outputs: [],
    } as unknown as WorkloadEntry['spec'],
    view: async () => ({
      createPainter: () => {
        world.painted = [];
        return {
          add: ({ tile }, _parts, result) => {
            world.painted.push(new TextDecoder().decode(result));
            return { x: tile * 10, y: 0, width: 10, height: 10 };
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
const job = (over: object = {}): JobView => ({ id, workload: 'x', status: 'open', grid: { passes: 1, tiles: 2 }, mine: true, ...over }) as JobView;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16));
  vi.stubGlobal('cancelAnimationFrame', () => undefined);
  Object.assign(world, { listener: null, accepted: [], job: job(), painted: [] });
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

  it('labels what a drill made', async () => {
    const { live, hears } = await open();
    hears.refuted({ pass: 0, tile: 1 }, 1 as PartMask, true);
    expect(live.drills).toBe(1);
    expect([live.mosaic?.outlines.drill, live.mosaic?.outlines.refuted]).toEqual(['M10 0h10v10h-10z', '']);
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
});
