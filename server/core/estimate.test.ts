import { describe, expect, it } from 'vitest';
import { estimate, type Fleet, type FleetDevice, type Load } from './estimate.ts';

const MINUTE_MS = 60_000;
const device = (speed: number, more: Partial<FleetDevice> = {}): FleetDevice => ({
  speed,
  speedMax: Number.POSITIVE_INFINITY,
  leavesPerMs: 1 / (15 * MINUTE_MS),
  asksInMs: 0,
  busyMs: 0,
  fetchMs: 0,
  allowance: Number.POSITIVE_INFINITY,
  turn: 'shared',
  ...more,
});
/** Three orders of magnitude, as many of each. */
const devices = (count: number): FleetDevice[] => Array.from({ length: count }, (_, index) => device(3 * 1000 ** ((index + 0.5) / count)));
const fleet = (those: readonly FleetDevice[], more: Partial<Fleet> = {}): Fleet => ({
  devices: those,
  arrivalsPerMs: those.length / (15 * MINUTE_MS),
  speeds: [10, 30, 100, 300],
  leavesPerMs: 1 / (15 * MINUTE_MS),
  ordersPerMs: 0,
  orderUnits: [],
  verdictMs: [500, 1000],
  lostShare: 0,
  lostMs: [],
  ...more,
});
const load = (parts: number, more: Partial<Load> = {}): Load => ({
  parts,
  unitsPerPart: 1000,
  partsPerLease: 4,
  leased: [],
  isChecking: false,
  others: [],
  ahead: 0,
  ...more,
});
const rival = (units: number, share = 1) => ({ units, share });
const p50 = (...of: Parameters<typeof estimate>): number => estimate(...of)!.p50Seconds;
const steady = { leavesPerMs: 1e-12 };

describe('the estimate', () => {
  it('knows nothing where nobody is', () => expect(estimate(fleet([]), load(100), 1)).toBeNull());

  it('gives the same figures for the same seed, and about the same for others', () => {
    const [network, job] = [fleet(devices(20)), load(5000)];
    expect(estimate(network, job, 3)).toEqual(estimate(network, job, 3));
    expect(estimate(network, job, 4)).not.toEqual(estimate(network, job, 3));
    expect(p50(network, job, 4) / p50(network, job, 3)).toBeCloseTo(1, 0);
  });

  it('comes to what one device alone needs, and what many need together', () => {
    const quiet = { arrivalsPerMs: 0 };
    // 4000 parts of 1000 units at 100 units a millisecond are 40 seconds.
    expect(p50(fleet([device(100, steady)], quiet), load(4000), 1) / 40).toBeCloseTo(1, 0);
    const alike = Array.from({ length: 10 }, () => device(100, steady));
    expect(p50(fleet(alike, quiet), load(40_000), 1) / 40).toBeCloseTo(1, 0);
  });

  it.each([1, 2, 5, 20, 100, 10_000])('takes %i contributors, within twenty milliseconds', (count) => {
    const network = fleet(devices(count), { ordersPerMs: 1 / MINUTE_MS, orderUnits: [1e5, 1e6] });
    for (const parts of [1, 16, 1000, 100_000]) {
      estimate(network, load(parts, { others: [rival(1e6)] }), 1);
      // The quickest of some: others work on this machine too.
      const times = Array.from({ length: 5 }, () => {
        const started = performance.now();
        estimate(network, load(parts, { others: [rival(1e6)] }), 1);
        return performance.now() - started;
      });
      const { p50Seconds, p95Seconds } = estimate(network, load(parts, { others: [rival(1e6)] }), 1)!;
      expect(p95Seconds).toBeGreaterThanOrEqual(p50Seconds);
      expect(p50Seconds).toBeGreaterThan(0);
      expect(Number.isFinite(p95Seconds)).toBe(true);
      // Five times what it takes on a machine that does nothing else.
      expect(Math.min(...times)).toBeLessThan(100);
    }
  });

  // Of hundreds of contributors a sample plays, another one for jobs that are gone before all of them have asked.
  it.each([
    [4, 64],
    [40, 64],
    [400, 4096],
  ])('is never faster for more work, with %i contributors', (count, least) => {
    const network = fleet(devices(count));
    let before = 0;
    for (let parts = least; parts < 4e6; parts *= 2) {
      const { p50Seconds } = estimate(network, load(parts), 1)!;
      expect(p50Seconds).toBeGreaterThanOrEqual(before);
      before = p50Seconds;
    }
  });

  it('is never faster with fewer contributors', () => {
    for (const parts of [4_000_000, 60_000_000]) {
      let before = Number.POSITIVE_INFINITY;
      for (const count of [2, 4, 8, 16, 32, 64, 128]) {
        const now = p50(fleet(devices(count)), load(parts), 1);
        // Devices at the same quantiles of speed. A scheduler that hands out whole tiles may lose a little to chance.
        expect(now).toBeLessThanOrEqual(before * 1.1);
        before = now;
      }
    }
  });

  it('is slower beside other jobs, behind those that come first, and for whom everybody has to download', () => {
    const network = (more: Partial<FleetDevice>) => fleet(devices(20).map((each) => ({ ...each, ...more })));
    const parts = 300_000;
    const alone = p50(network({}), load(parts), 1);
    expect(p50(network({}), load(parts, { others: [rival(1e9), rival(1e9)] }), 1)).toBeGreaterThan(2 * alone);
    // A job of half the weight gets half as much.
    const besideDear = p50(network({}), load(parts, { others: [rival(1e9, 4)] }), 1);
    expect(besideDear).toBeGreaterThan(1.5 * p50(network({}), load(parts, { others: [rival(1e9, 1)] }), 1));
    expect(p50(network({ turn: 'first' }), load(parts, { others: [rival(1e9), rival(1e9)] }), 1)).toBeLessThan(1.2 * alone);
    expect(p50(network({ turn: 'behind' }), load(parts, { ahead: 1e9 }), 1)).toBeGreaterThan(2 * alone);
    expect(p50(network({ fetchMs: 30_000 }), load(parts), 1)).toBeGreaterThan(alone + 20);
  });

  it('is slower with newcomers, who begin with one part, and the less certain the less is known', () => {
    const alike = (more: Partial<FleetDevice>) => fleet(Array.from({ length: 8 }, () => device(100, { ...steady, ...more })));
    const known = estimate(alike({}), load(2000), 1)!;
    const strangers = estimate(alike({ speed: 0, allowance: 1 }), load(2000), 1)!;
    expect(strangers.p50Seconds).toBeGreaterThan(known.p50Seconds);
    expect(strangers.p95Seconds / strangers.p50Seconds).toBeGreaterThan(known.p95Seconds / known.p50Seconds);
  });

  it('begins with all newcomers at once, not with those alone that come first', () => {
    // 10 of 100 units a millisecond do 400 parts of 10 000 in 4 s; before that each begins with a part, and has it checked, a few times.
    const newcomers = Array.from({ length: 10 }, () => device(0, { ...steady, allowance: 1 }));
    expect(p50(fleet(newcomers, { speeds: [100], arrivalsPerMs: 0 }), load(400, { unitsPerPart: 10_000 }), 1)).toBeLessThan(2 * (4 + 4));
  });

  it('takes nobody to be faster than what it has not handed in yet', () => {
    const holding = (speedMax: number) => fleet(Array.from({ length: 8 }, () => device(0, { ...steady, speedMax })));
    expect(p50(holding(20), load(20_000), 1)).toBeGreaterThan(3 * p50(holding(1000), load(20_000), 1));
  });

  it('expects fewer orders where fewer contributors are left', () => {
    const orders = { ordersPerMs: 1 / MINUTE_MS, orderUnits: [4e6], arrivalsPerMs: 0 };
    // The one that does nearly everything goes within seconds; what the other does alone takes 4000 s.
    const left = [device(1000, { leavesPerMs: 1e-3 }), device(1, steady)];
    const parts = 4000;
    expect(p50(fleet(left, orders), load(parts), 1)).toBeLessThan(5 * p50(fleet(left, { arrivalsPerMs: 0 }), load(parts), 1));
  });

  it('waits for what is leased, and for its verdict', () => {
    const network = fleet([device(100, steady)]);
    const out = load(0, { leased: [{ device: 0, parts: 4, inMs: 50_000 }] });
    expect(p50(network, out, 1)).toBeGreaterThan(40);
    expect(p50(network, load(0, { isChecking: true }), 1)).toBeGreaterThan(0.3);
    // Its contributor is about to go: somebody else has to do it.
    expect(p50(fleet([device(100, { leavesPerMs: 1e-3 }), device(100, steady)]), out, 1)).toBeLessThan(40);
  });

  it('does not go on for ever where more is ordered than can be done', () => {
    const network = fleet(devices(5), { ordersPerMs: 1 / 1000, orderUnits: [1e9] });
    expect(estimate(network, load(1000), 1)!.p95Seconds).toBeLessThanOrEqual(30 * 86_400);
  });
});
