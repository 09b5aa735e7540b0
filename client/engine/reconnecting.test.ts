import { afterEach, describe, expect, it } from 'vitest';
import { jitteredMs } from './clock.ts';
import type { Script } from './testing/coordinator.ts';
import { allOpened, closeWorlds, storedTiles, until, world } from './testing/world.ts';

afterEach(closeWorlds);

describe('a network that breaks', () => {
  it('stores exactly one result when the answer to a hand-in is lost', async () => {
    let lost = 0;
    const { coordinator, engine, last } = await world({
      onHandIn: (_message, socket) => {
        if (lost++ > 0) return true;
        socket.conn.close();
        return false;
      },
    });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => last()?.tiles.handedIn === 1, 'the acknowledgement');
    expect(coordinator.handIns).toBe(2);
    expect(coordinator.hellos).toBe(2);
    expect(coordinator.stored.size).toBe(1);
  });

  it('hands in what it computed while the coordinator restarted, and computes nothing twice', async () => {
    const { coordinator, engine, last, modes, work, tiles } = await world({ grantMax: 2 }, { slicesPerPart: 4, sliceMs: 20 });
    const job = coordinator.addJob('a', 4);
    engine.start();
    await until(() => (last()?.current?.progress ?? 0) > 0, 'a first part');
    const [token] = coordinator.tokensOf(job);
    await coordinator.restart();
    await until(() => storedTiles(coordinator).length === 4, 'all tiles', 10_000);
    await until(() => last().tiles.handedIn === 4, 'the last acknowledgement');
    expect([...coordinator.stored.values()].some((result) => result.token === token)).toBe(true);
    expect(work.computed.toSorted()).toEqual([0, 1, 2, 3].flatMap((tile) => [0, 1, 2, 3].map((part) => `${tile}.${part}`)));
    // The tile at work was granted a second time, by a coordinator that knew nothing of the first: that lease went back.
    const twin = coordinator.tokensOf(job).find((other) => other !== token && coordinator.tileOf(other) === coordinator.tileOf(token!));
    expect(coordinator.givenBack).toContain(twin);
    expect(tiles.filter(({ step }) => step === 'dropped')).toEqual([]);
    expect(modes).toEqual(['connecting', 'working']);
    expect(coordinator.hellos).toBe(2);
  });

  it('delivers after a restart what was being handed in and opened when everything broke off, each once', async () => {
    let isBroken = false;
    const never = new Promise<never>(() => undefined);
    let lost = 0;
    const script: Script = {
      grantMax: 8,
      // Of what comes while it breaks, every other one is not stored, and the others are without anybody hearing of it.
      onHandIn: () => (!isBroken ? true : lost++ % 2 === 0 ? never : false),
      onOpen: () => !isBroken,
    };
    const { coordinator, engine, work, last } = await world(script, { sliceMs: 5 });
    coordinator.addJob('a', 12);
    engine.start();
    await until(() => coordinator.stored.size >= 2, 'results');
    isBroken = true;
    const { handIns, openings } = coordinator;
    await until(() => coordinator.handIns >= handIns + 4, 'hand-ins without an answer');
    const stored = coordinator.stored.size;
    coordinator.cut();
    await coordinator.stop();
    // It goes on with what it holds: results wait for the coordinator.
    await until(() => work.computed.length >= 4 * 8, 'tiles computed offline');
    isBroken = false;
    await coordinator.restart();
    await until(() => storedTiles(coordinator).length === 12 && allOpened(coordinator), 'all tiles', 10_000);
    await until(() => last().tiles.handedIn === 12, 'the last acknowledgement');
    expect(stored).toBeLessThan(12);
    expect(coordinator.openings).toBeGreaterThan(openings);
    expect(work.computed.toSorted()).toEqual([...new Set(work.computed)].toSorted());
  });

  it('delivers results before it asks for work again', async () => {
    const order: string[] = [];
    let isAway = true;
    const script: Script = { grantMax: 1, onWork: (leasesMax) => void order.push(`work ${leasesMax > 0}`) };
    script.onHandIn = ({ leasesMax }, socket) => {
      if (!isAway) order.push(`hand-in ${leasesMax > 0}`);
      else socket.conn.close();
      return !isAway;
    };
    const { coordinator, engine } = await world(script);
    coordinator.addJob('a', 2);
    script.onHello = () => {
      order.length = 0;
      isAway = coordinator.hellos < 3;
      return null;
    };
    engine.start();
    await until(() => !isAway && order.length >= 2, 'the first messages of the third connection');
    expect(order[0]).toBe('hand-in false');
  });

  it('asks again no sooner than a coordinator that was busy says', async () => {
    const askedMs: number[] = [];
    const busy = { error: { code: 'busy', message: 'about to restart', retryMs: 400 } } as const;
    const { coordinator, engine } = await world({ onHandIn: () => askedMs.push(performance.now()) > 1 || busy });
    coordinator.addJob('a', 1);
    engine.start();
    await expect.poll(() => askedMs.length, { timeout: 5000 }).toBeGreaterThan(1);
    expect(askedMs[1]! - askedMs[0]!).toBeGreaterThanOrEqual(395);
  });

  it('asks again when an answer is lost, and after a coordinator that was busy', async () => {
    let busy = 2;
    const { coordinator, engine, last } = await world({ onHandIn: () => (busy-- > 0 ? { error: { code: 'busy', message: 'try again' } } : true) });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => last()?.tiles.handedIn === 1, 'the tile');
    expect(coordinator.handIns).toBe(3);
  });
});

it('waits for a random time up to a cap that doubles, so that a swarm does not come back together', () => {
  const waits = (attempt: number): number[] => Array.from({ length: 2000 }, () => jitteredMs(attempt, 250, 10_000));
  for (const [attempt, mostMs] of [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000].entries()) {
    const tenths = new Set(waits(attempt).map((ms) => Math.floor((10 * ms) / mostMs)));
    expect([...tenths].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});
