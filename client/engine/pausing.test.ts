import { afterEach, describe, expect, it } from 'vitest';
import { realClock } from './clock.ts';
import type { Script } from './testing/coordinator.ts';
import { allOpened, closeWorlds, first, storedTiles, until, world } from './testing/world.ts';

afterEach(closeWorlds);

describe('pause and stop', () => {
  it('pauses within a slice, hands in finished parts, gives back the rest, and goes on', async () => {
    const { coordinator, engine, work, last } = await world({ grantMax: 3 }, { slicesPerPart: 4, sliceMs: 5 });
    coordinator.addJob('a', 3);
    engine.start();
    await until(() => work.computed.length === 1, 'the first part');
    engine.pause();
    expect(last().mode).toBe('paused');
    const { slices } = work;
    await until(() => coordinator.stored.size === 1 && coordinator.givenBack.length === 2, 'the part, and two leases back');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(work.slices).toBeLessThanOrEqual(slices + 1);
    engine.resume();
    await until(() => storedTiles(coordinator).length === 3, 'all tiles');
    expect(work.computed).toHaveLength(12);
  });

  it('stands still while any reason is left, and says which', async () => {
    const { coordinator, engine, work, last } = await world({}, { slicesPerPart: 4, sliceMs: 5 });
    coordinator.addJob('a', 3);
    engine.start();
    await until(() => work.slices > 1, 'some slices');
    engine.pause('battery');
    engine.pause('owner');
    engine.resume('hours');
    engine.resume('owner');
    await until(() => last().holds.join() === 'battery', 'one reason to be left');
    const { slices } = work;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(work.slices).toBeLessThanOrEqual(slices + 1);
    expect(last().mode).toBe('paused');
    engine.resume('battery');
    await until(() => storedTiles(coordinator).length === 3, 'all tiles');
    expect(last().holds).toEqual([]);
  });

  it('fetches nothing and asks for nothing while paused', async () => {
    const { coordinator, engine, work, last } = await world({});
    engine.start();
    await until(() => last()?.waiting, 'waiting for work');
    engine.pause('hours');
    coordinator.addJob('a', 2, new Uint8Array(1000));
    coordinator.fact('work:available');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(work.log).toEqual([]);
    expect(coordinator.stored.size).toBe(0);
    engine.resume('hours');
    await until(() => storedTiles(coordinator).length === 2, 'both tiles');
  });

  it('begins standing still where a reason to is known before', async () => {
    const { coordinator, engine, work, last } = await world({}, {}, { holds: ['battery'] });
    const job = coordinator.addJob('a', 2);
    engine.start();
    await until(() => last()?.device !== null && last()?.online, 'the welcome');
    coordinator.fact('work:available');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(last()).toMatchObject({ mode: 'paused', holds: ['battery'] });
    expect([work.log, coordinator.tokensOf(job)]).toEqual([[], []]);
    engine.resume('battery');
    await until(() => storedTiles(coordinator).length === 2, 'both tiles');
  });

  it('lets a tile go that it would hold for long: what is finished counts, the rest goes back, the GPU is free', async () => {
    // Of the waits only that of a pause is so long.
    const clock = { ...realClock, sleep: (ms: number, signal: AbortSignal) => realClock.sleep(ms === 20_000 ? 60 : ms, signal) };
    const { coordinator, engine, work, last } = await world({ grantMax: 1 }, { slicesPerPart: 4, sliceMs: 5 }, { clock });
    const job = coordinator.addJob('a', 2);
    engine.start();
    await until(() => work.computed.length >= 1, 'the first part');
    engine.pause('busy');
    await until(() => work.log.includes('dispose a'), 'the GPU to be free');
    await until(() => coordinator.givenBack.includes(coordinator.tokensOf(job)[0] ?? ''), 'the rest to go back');
    // On a busy machine the pause may come after more than one.
    expect([...coordinator.stored.values()].map(({ parts }) => parts)).toEqual([work.computed.length]);
    expect(last().mode).toBe('paused');
    engine.resume('busy');
    await until(() => work.log.filter((line) => line.startsWith('open a')).length === 2, 'the job to be opened again');
    await until(() => storedTiles(coordinator).length >= 1, 'a tile');
  });

  it('gives everything back at once when its tab is frozen, also from a pause', async () => {
    const { coordinator, engine, work } = await world({ grantMax: 3 }, { slicesPerPart: 4, sliceMs: 5 });
    const job = coordinator.addJob('a', 3);
    engine.start();
    await until(() => work.computed.length === 1, 'the first part');
    engine.pause('owner');
    const [first, ...queued] = coordinator.tokensOf(job);
    await until(() => coordinator.givenBack.length === 2, 'what was not begun');
    expect(coordinator.givenBack).toEqual(queued);
    engine.pause('frozen');
    await until(() => coordinator.givenBack.length === 3, 'the tile at work');
    expect(coordinator.givenBack.at(-1)).toBe(first);
    engine.resume('frozen');
    engine.resume('owner');
    await until(() => storedTiles(coordinator).length === 3, 'all tiles');
  });

  it('gives back at a welcome what it does not know, and keeps what it works on', async () => {
    const script: Script = { grantMax: 1, held: ['of a tab that was closed'] };
    const { coordinator, engine, work } = await world(script, { slicesPerPart: 10, sliceMs: 5 });
    const job = coordinator.addJob('a', 1);
    engine.start();
    await until(() => work.computed.length === 1, 'a part');
    expect(coordinator.givenBack).toEqual(['of a tab that was closed']);
    script.held = [...coordinator.tokensOf(job), 'of a lost answer'];
    coordinator.cut();
    await until(() => storedTiles(coordinator).length === 1, 'the tile');
    expect(coordinator.givenBack).toEqual(['of a tab that was closed', 'of a lost answer']);
    expect(coordinator.hellos).toBe(2);
  });

  it('keeps at a welcome what was not begun and still counts as held, and gives back the rest of it', async () => {
    const script: Script = { grantMax: 3 };
    const { coordinator, engine, work } = await world(script, { slicesPerPart: 10, sliceMs: 5 });
    const job = coordinator.addJob('a', 3);
    engine.start();
    await until(() => work.computed.length === 1, 'a part');
    const [current, kept, gone] = coordinator.tokensOf(job);
    script.held = [current!, kept!];
    coordinator.cut();
    await until(() => storedTiles(coordinator).length === 3, 'all tiles');
    expect(coordinator.hellos).toBe(2);
    expect(coordinator.givenBack).toEqual([gone]);
    expect(work.computed).toHaveLength(12);
  });

  it('hands in finished parts and gives back the lease at a stop', async () => {
    const { coordinator, engine, work, modes } = await world({ grantMax: 2 }, { slicesPerPart: 10, sliceMs: 5 });
    coordinator.addJob('a', 2);
    engine.start();
    await until(() => work.computed.length === 2, 'two parts');
    const { slices } = work;
    const beganMs = performance.now();
    await engine.stop();
    expect(performance.now() - beganMs).toBeLessThan(1000);
    expect(work.slices).toBeLessThanOrEqual(slices + 1);
    expect([...coordinator.stored.values()].map(({ parts }) => parts)).toEqual([3]);
    expect(coordinator.givenBack).toHaveLength(2);
    expect(modes.slice(-2)).toEqual(['stopping', 'stopped']);
    expect(work.log.at(-1)).toBe('dispose a');
  });

  it('opens what is asked for before it leaves', async () => {
    const { coordinator, engine, work, gpu } = await world({ grantMax: 1 }, { slicesPerPart: 10, sliceMs: 5 });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => work.computed.length === 2, 'two parts');
    await engine.stop();
    expect(first(coordinator).parts).toBe(3);
    expect(allOpened(coordinator)).toBe(true);
    expect(gpu.devices).toBe(1);
  });

  it('stops in a few seconds when the coordinator is gone', async () => {
    const { coordinator, engine, work, last } = await world({ grantMax: 1 }, { slicesPerPart: 10, sliceMs: 5 });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => work.computed.length === 1, 'a part');
    await coordinator.stop();
    const beganMs = performance.now();
    await engine.stop();
    expect(performance.now() - beganMs).toBeLessThan(3500);
    expect(last().mode).toBe('stopped');
  });
});
