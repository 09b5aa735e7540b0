import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../shared/limits.ts';
import type { ResultId } from '../shared/model.ts';
import type { Bus } from './bus.ts';
import type { Event, Job } from './core/state.ts';
import { Network, type NetworkDeps } from './network.ts';
import type { Store } from './store/store.ts';
import { exampleTransfer, jobIdOf, withStore } from './store/testing.ts';

const SPEED = 20;
const jobOf = (planned: number, partsAccepted: number, partsChecking: number, partsLeased: number, share: object[] | null = null) => ({
  ...{ share, partsPlanned: planned, partsAccepted, partsChecking, partsLeased },
  blocks: { waived: 0 },
});

/** A coordinator of which only what is counted exists. */
class Stage {
  now = Date.UTC(2026, 0, 1, 12);
  readonly connected: object[] = [];
  readonly jobs = new Map<string, object>();
  halted: string | null = null;
  #listeners: ((events: readonly Event[]) => void)[] = [];
  readonly store: Store;
  readonly failures: string[] = [];

  constructor(store: Store) {
    this.store = store;
  }

  open(more: Partial<Pick<NetworkDeps, 'bus' | 'sharing'>> = {}): Promise<Network> {
    const { connected, jobs } = this;
    const stage = this;
    const state = {
      jobs,
      connected,
      contributors: new Map(),
      get halted() {
        return stage.halted;
      },
    };
    const coordinator = { state, onEvents: (listener: (events: readonly Event[]) => void) => void this.#listeners.push(listener) };
    const log = { error: (_: object, message: string) => void this.failures.push(message) };
    return Network.open({ store: this.store.network, coordinator: coordinator as never, clock: () => this.now, log, ...more });
  }

  join(deviceClass: string | null, count = 1, drill = false): void {
    const kinds = new Set(['render']);
    for (let each = 0; each < count; each++)
      this.connected.push({ deviceClass, drill, kinds, preferences: {}, trusted: false, speed: SPEED, leases: new Map() });
  }

  accept(elements: number, more: { drawn?: number; errorBound?: number; microCredits?: bigint } = {}): void {
    const { drawn = 0, errorBound = 0, microCredits = 0n } = more;
    const result = { id: 'r_1' as ResultId, pass: 0, tile: 0, parts: 1 as never, hash: 'a' as never, contributor: 'x', drawn, errorBound };
    const events: Event[] = [{ type: 'tileAccepted', job: jobIdOf(1), result, amount: { tiles: 0.5, microUnits: 30_000_000, elements }, atMs: 0 }];
    if (microCredits > 0n) {
      const transfer = exampleTransfer({ id: `pay/${this.now}/${Math.random()}`, kind: 'pay', microCredits });
      events.push({ type: 'write', write: { kind: 'transfer', transfer } });
    }
    for (const listener of this.#listeners) listener(events);
  }

  /** Turns the clock second by second. */
  async pass(network: Network, ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end; this.now += SECOND_MS) network.look();
  }
}

const withStage = (run: (stage: Stage) => Promise<void>) => withStore((store) => run(new Stage(store)));

test('a row a minute and a row an hour, kept over restarts; while it does not run there is a gap', () =>
  withStage(async (stage) => {
    const start = stage.now;
    let network = await stage.open();
    stage.join('acme/x', 2);
    stage.accept(1000, { drawn: 100, errorBound: 1e-4, microCredits: 5n });
    await stage.pass(network, 30 * SECOND_MS);
    stage.join('acme/x', 2);
    await stage.pass(network, MINUTE_MS);
    stage.accept(3000, { drawn: 100, microCredits: 2n });
    await network.close();
    stage.now += 10 * MINUTE_MS;
    network = await stage.open();
    await stage.pass(network, MINUTE_MS);
    await network.close();
    const fresh = await stage.open();
    const { minutes, hours, now } = fresh.view();
    await fresh.close();
    expect(minutes.atMs.map((atMs) => (atMs - start) / MINUTE_MS)).toEqual([0, 1, 11, 12]);
    expect(minutes.contributors).toEqual([3, 4, 4, 4]);
    expect(minutes.tiles).toEqual([0.5, 0.5, 0, 0]);
    expect(minutes.units).toEqual([30, 30, 0, 0]);
    expect(minutes.recomputed).toEqual([0.1, 0.033333, null, null]);
    expect(minutes.errorBound).toEqual([1e-4, 0, null, null]);
    expect(minutes.paidMicroCredits).toEqual(['5', '2', '0', '0']);
    expect(hours.atMs).toEqual([start]);
    expect(hours).toMatchObject({ spanMs: HOUR_MS, tiles: [1], units: [60], recomputed: [0.05], errorBound: [2.5e-5], paidMicroCredits: ['7'] });
    // 4000 elements, of which 200 were recomputed and 0.1 may be wrong.
    expect(now).toMatchObject({ recomputed: 0.05, errorBound: 2.5e-5, paidMicroCredits: '7', contributors: 4 });
    expect(stage.failures).toEqual([]);
  }));

test('old rows are dropped: minutes after a day, hours after thirty', () =>
  withStage(async (stage) => {
    const add = (atMs: number) =>
      stage.store.network.add({ atMs, samples: 1, contributors: 1, tiles: 0, microUnits: 0, elements: 0, recomputed: 0, wrong: 0, microCredits: 0n });
    const first = stage.now;
    await add(first);
    await add(first + DAY_MS);
    await add(first + DAY_MS + MINUTE_MS);
    const minutes = await stage.store.network.samples(MINUTE_MS, 0);
    expect(minutes.map(({ atMs }) => atMs - first)).toEqual([DAY_MS, DAY_MS + MINUTE_MS]);
    expect(await stage.store.network.samples(HOUR_MS, 0)).toHaveLength(2);
    await add(first + 31 * DAY_MS);
    expect((await stage.store.network.samples(HOUR_MS, 0)).map(({ atMs }) => atMs - first)).toEqual([DAY_MS, 31 * DAY_MS]);
    // What is in memory is dropped alike.
    stage.now = first + 31 * DAY_MS;
    const network = await stage.open();
    expect(network.view().minutes.atMs).toEqual([stage.now]);
    stage.now += 2 * DAY_MS;
    await stage.pass(network, MINUTE_MS + SECOND_MS);
    expect(network.view().minutes.atMs).toEqual([first + 33 * DAY_MS]);
    await network.close();
  }));

test('rates are of the last minute, and one that was asked a moment ago is kept', () =>
  withStage(async (stage) => {
    const network = await stage.open();
    stage.accept(10);
    stage.accept(10);
    expect(network.view().now).toMatchObject({ tilesPerSecond: 1 / 60, unitsPerSecond: 1 });
    stage.accept(10);
    expect(network.view().now.unitsPerSecond).toBe(1);
    stage.now += SECOND_MS;
    expect(network.view().now.unitsPerSecond).toBe(1.5);
    stage.now += MINUTE_MS;
    expect(network.view().now).toMatchObject({ tilesPerSecond: 0, unitsPerSecond: 0 });
    await network.close();
  }));

test('classes of few, without a name, or called other, are one; drills are none', () =>
  withStage(async (stage) => {
    const network = await stage.open();
    stage.join('nvidia/ampere/chromium-156', 3);
    stage.join('nvidia/ampere/dawn', 1);
    stage.join('apple//webkit', 3);
    stage.join('amd/rdna-3/x', 2);
    stage.join('other//x', 5);
    stage.join(null);
    stage.join('liar/x/y', 9, true);
    expect(network.view().now.classes).toEqual([
      { name: 'nvidia/ampere', contributors: 4 },
      { name: 'apple', contributors: 3 },
      { name: 'other', contributors: 8 },
    ]);
    expect(network.view().now.contributors).toBe(15);
    await network.close();
  }));

test('what waits, a pause, and only what has not ended since', () =>
  withStage(async (stage) => {
    const network = await stage.open();
    stage.jobs.set('a', jobOf(10, 3, 2, 1));
    stage.jobs.set('b', jobOf(5, 0, 0, 0));
    stage.halted = 'Power is out.';
    await stage.pass(network, 3 * MINUTE_MS + SECOND_MS);
    const { now, minutes } = network.view();
    expect(now).toMatchObject({ openJobs: 2, partsWaiting: 9, paused: 'Power is out.' });
    expect(minutes.atMs).toHaveLength(3);
    const later = network.view(minutes.atMs[2]);
    expect([later.minutes.atMs, later.hours.atMs.length]).toEqual([[minutes.atMs[2]], 1]);
    await network.close();
  }));

/** What one end tells the other hears at once, and cannot change any more. */
function twoEnds(): [Bus, Bus] {
  const ends = [0, 1].map(() => new Map<string, (message: never) => unknown>());
  const bus = (own: number): Bus => ({
    tell: (topic, message) => void ends[1 - own]!.get(topic)?.(structuredClone(message) as never),
    ask: async () => [],
    on: (topic, hear) => void ends[own]!.set(topic, hear),
    close: async () => undefined,
  });
  return [bus(0), bus(1)];
}

test('two coordinators on one database: each shows, and one writes, what the whole network is and does', () =>
  withStage(async (one) => {
    const other = new Stage(one.store);
    const firsts = [true, false];
    const [here, there] = twoEnds();
    const sharingOf = (index: number) => ({
      get isFirst() {
        return firsts[index]!;
      },
      partsFree: () => 3,
      partsOf: () => ({ total: 10, accepted: 4, checking: 1, leased: 2 }),
    });
    const networks = [await one.open({ bus: here, sharing: sharingOf(0) }), await other.open({ bus: there, sharing: sharingOf(1) })] as const;
    const pass = async (ms: number): Promise<void> => {
      for (const end = one.now + ms; one.now < end; one.now += SECOND_MS) {
        other.now = one.now;
        for (const network of networks) network.look();
        // What is written and read back takes its time.
        if (one.now % MINUTE_MS < 10 * SECOND_MS) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      other.now = one.now;
    };
    // Of no class there are enough at one of them, of the first there are in all.
    one.join('nvidia/ampere/x', 2);
    other.join('nvidia/ampere/y', 1);
    other.join('amd/rdna-3/x', 2);
    // A job is open at both; each has a share of it.
    for (const stage of [one, other]) stage.jobs.set('a', jobOf(10, 2, 0, 1, []));
    await pass(2 * SECOND_MS);
    one.accept(1000, { drawn: 100, microCredits: 5n });
    other.accept(3000, { drawn: 100, microCredits: 2n });
    await pass(2 * SECOND_MS);
    for (const network of networks)
      expect(network.view().now).toMatchObject({
        contributors: 5,
        classes: [
          { name: 'nvidia/ampere', contributors: 3 },
          { name: 'other', contributors: 2 },
        ],
        tilesPerSecond: 1 / 60,
        unitsPerSecond: 1,
        openJobs: 1,
        partsWaiting: 3,
        recomputed: 0.05,
        paidMicroCredits: '7',
      });
    expect(networks.map((network) => network.others('render'))).toEqual([3, 2].map((contributors) => ({ contributors, speed: contributors * SPEED })));
    expect(networks[0].progress(one.jobs.get('a') as Job)).toBe(0.4);
    expect(networks[0].others('matmul')).toEqual({ contributors: 0, speed: 0 });
    await pass(64 * SECOND_MS);
    // The other one writes from here on.
    firsts.reverse();
    await pass(MINUTE_MS);
    for (const network of networks) {
      const { minutes, hours, now } = network.view();
      // At its first look the one that writes had not heard of the other yet.
      expect(minutes).toMatchObject({ contributors: [4.95, 5], tiles: [1, 0], units: [60, 0], recomputed: [0.05, null], paidMicroCredits: ['7', '0'] });
      expect(hours).toMatchObject({ contributors: [4.975], tiles: [1], paidMicroCredits: ['7'] });
      expect(now).toMatchObject({ contributors: 5, paidMicroCredits: '7' });
    }
    // One that says nothing any more is gone.
    await networks[0].close();
    other.now += 6 * SECOND_MS;
    expect(networks[1].view().now).toMatchObject({ contributors: 3, classes: [{ name: 'other', contributors: 3 }] });
    await networks[1].close();
    expect(networks[1].others('render')).toEqual({ contributors: 0, speed: 0 });
    expect([...one.failures, ...other.failures]).toEqual([]);
  }));
