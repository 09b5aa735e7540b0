import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { type ContributorId, countParts, type JobId } from '../../shared/model.ts';
import { hasRoom, heldUnits, leaseMs, newLateness, noteHandIn, partsWorth, timeToDeadline } from './sizing.ts';
import type { ActiveLease, Contributor } from './state.ts';
import { Desk, storedJob } from './testing.ts';

const contributorOf = (more: Partial<Contributor> = {}): Contributor =>
  ({ speed: 0, lateness: newLateness(), refused: 0, lastHandInMs: 0, leases: new Map(), ...more }) as Contributor;
const holding = (unitsPerPart: number): Contributor['leases'] => new Map([['a', { unitsPerPart, parts: 1 } as ActiveLease]]);

describe('the size of a lease', () => {
  const seconds = fc.double({ min: 1e-3, max: 1000, noNaN: true });

  it('is one to four seconds of its contributor wherever parts and tiles allow it', () => {
    fc.assert(
      fc.property(seconds, fc.integer({ min: 1, max: limits.partsPerTileMax }), seconds, (partSeconds, free, leftSeconds) => {
        const worth = leaseMs(leftSeconds * 1000, 0);
        const partMs = partSeconds * 1000;
        const parts = partsWorth(partMs, free, worth);
        const ms = parts * partMs;
        expect(parts >= 1 && parts <= free).toBe(true);
        if (parts > 1) expect(ms).toBeLessThanOrEqual(4000.001);
        // Less than a second only where the tile, or a second part, leaves no choice.
        if (parts < free) expect(ms + partMs).toBeGreaterThan(1000);
      }),
    );
  });

  it('shrinks towards the end of a job, and for who refuses', () => {
    const worth = [1e6, 24_000, 16_000, 8000, 0].map((leftMs) => leaseMs(leftMs, 0));
    expect(worth).toEqual([2000, 2000, 2000, 1000, 1000]);
    expect(leaseMs(12_000, 0)).toBe(1500);
    expect(leaseMs(1e6, 4)).toBe(1000);
  });

  it('leaves no more outstanding than two leases are worth', () => {
    const idle = contributorOf();
    expect(hasRoom(idle, 0, 1e6)).toBe(true);
    const busy = contributorOf({ leases: new Map([...holding(1), ['b', {} as ActiveLease]]) });
    expect(hasRoom(busy, 3000, 1000)).toBe(true);
    expect(hasRoom(busy, 3000, 1001)).toBe(false);
  });
});

describe('what is learned from hand-ins', () => {
  it('takes two that arrive together for what they are, and believes a throttled device within three leases', () => {
    const burst = contributorOf({ speed: 10 });
    noteHandIn(burst, 1000, 0, 200);
    noteHandIn(burst, 1000, 0, 200);
    expect(burst.speed).toBeLessThan(12);
    const throttled = contributorOf({ speed: 10 });
    for (let lease = 1; lease <= 3; lease++) noteHandIn(throttled, 1000, 0, lease * 1000);
    expect(throttled.speed).toBeLessThan(1.6);
  });

  it('gives time by the history of its own: ten times what is expected to strangers, twice to who is regular, more to who is not', () => {
    const at = (each: Contributor): number => timeToDeadline({ ...each, speed: 1, leases: holding(20_000) } as Contributor);
    const [regular, irregular] = [contributorOf({ speed: 1 }), contributorOf({ speed: 1 })];
    expect(at(regular)).toBe(200_000);
    for (let lease = 1; lease <= 60; lease++) {
      noteHandIn(regular, 1000, 0, lease * 1000);
      noteHandIn(irregular, 1000, 0, irregular.lastHandInMs + (lease % 4 === 0 ? 2800 : 400));
    }
    expect(at(regular)).toBe(40_000);
    expect(at(irregular)).toBeGreaterThan(80_000);
    expect(timeToDeadline(contributorOf({ leases: holding(1) }))).toBe(limits.leaseDeadlineMsMax);
    expect(timeToDeadline(contributorOf({ speed: 1, leases: holding(1) }))).toBe(limits.leaseDeadlineMsMin);
  });

  it('lets hardly any lease of a contributor run out, whatever its times are distributed like', () => {
    const random = fc.sample(fc.double({ min: 0, max: 1, noNaN: true }), { numRuns: 2000, seed: 1 });
    const one = contributorOf({ speed: 1 });
    let late = 0;
    for (const [index, chance] of random.entries()) {
      const ms = 20_000 * Math.exp(1.2 * Math.sin(7 * chance) * chance);
      const allowed = timeToDeadline({ ...one, leases: holding(20_000) } as Contributor);
      if (index > 50 && ms > allowed) late++;
      noteHandIn(one, 20_000, 0, one.lastHandInMs + ms);
    }
    expect(late / random.length).toBeLessThan(1 / 17);
  });
});

describe('the scheduler', () => {
  let desk: Desk;
  const standing = { accepted: 9, refuted: 0, discarded: 0, verified: 1e9, drawn: 0, differing: 0, unexplained: 0, suspendedUntilMs: 0, atMs: 0 };
  function join(name: string, speed: number): ContributorId {
    const id = desk.join(name, { standings: new Map([['test', standing]]) });
    desk.state.contributors.get(id)!.speed = speed;
    return id;
  }
  beforeEach(() => {
    desk = new Desk({ params: { tiles: 100_000 } });
  });

  it.each([0.1, 0.4, 1, 3, 10, 30, 100, 1000])('grants to a device of %d micro-units a millisecond what it does in seconds', (speed) => {
    const id = join('a', speed);
    const { leases } = desk.ask(id);
    const partMs = 1000 / speed;
    for (const { parts } of leases) expect(countParts(parts) === 1 || countParts(parts) * partMs <= 4000).toBe(true);
    const held = heldUnits(desk.state.contributors.get(id)!) / speed;
    expect(held).toBeLessThanOrEqual(Math.max(8000, 2 * partMs));
    expect(held).toBeGreaterThanOrEqual(Math.min(2000, 64 * 4 * partMs));
  });

  it('counts what is given back, and lets who picks and chooses rest; who pauses now and then is none of them', () => {
    const [picky, pauses] = [join('picky', 100), join('pauses', 100)];
    const giveBack = (id: ContributorId, tokens: readonly string[]) => desk.do({ type: 'giveBack', contributor: id, tokens, unopened: [] });
    let rounds = 0;
    for (; rounds < 50; rounds++) {
      const { leases } = desk.ask(picky, 4);
      if (leases.length === 0) break;
      giveBack(
        picky,
        leases.slice(1).map(({ token }) => token),
      );
      desk.now += 100;
      desk.handIn(leases[0]!.token);
    }
    expect(rounds).toBeLessThan(25);
    expect(desk.state.contributors.get(picky)!.restUntilMs).toBeGreaterThan(desk.now);
    for (let lease = 0; lease < 200; lease++) {
      const { leases } = desk.ask(pauses, 2);
      if (lease % 20 === 0)
        giveBack(
          pauses,
          leases.map(({ token }) => token),
        );
      else
        for (const { token } of leases) {
          desk.now += 100;
          desk.handIn(token);
        }
    }
    expect(desk.state.contributors.get(pauses)!.restUntilMs).toBe(0);
  });

  it('prefers a job whose inputs are there already, by no more than the download is worth', () => {
    const heavy = 'j_heavy00000000000' as JobId;
    desk.do({
      type: 'openJob',
      job: {
        ...storedJob,
        id: heavy,
        owner: 'device:second' as never,
        params: { tiles: 100_000 },
        inputs: [{ name: 'a', hash: 'a'.repeat(64), bytes: 12_500_000 }] as never,
      },
      results: [],
      paid: 0n,
    });
    // Ten seconds at 10 Mbit/s, in which it does ten leases.
    const id = join('a', 4);
    const taken: JobId[] = [];
    for (let lease = 0; lease < 40; lease++) {
      const [granted] = desk.ask(id, 1).leases;
      taken.push(granted!.job);
      desk.now += 1000;
      desk.handIn(granted!.token);
    }
    const first = taken.indexOf(heavy);
    expect(first).toBeGreaterThan(5);
    expect(first).toBeLessThan(15);
    expect(taken.slice(first).filter((job) => job === heavy).length).toBeGreaterThan(10);
  });
});
