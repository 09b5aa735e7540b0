import { describe, expect, it } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { Agenda } from './agenda.ts';
import { Cpu } from './cpu.ts';
import { SimLedger } from './ledger.ts';
import { FASTEST, MEAN_SPEED, MEDIAN_SPEED, populate, presentOf } from './population.ts';
import { floatClasses, HONEST_MISS_RATE, honestValue, isExplained, UNEXPLAINED_RATE } from './values.ts';

describe('the agenda', () => {
  it('lets things happen in order of time, and of equal times in the order they were added', () => {
    const random = new Rng(1);
    const agenda = new Agenda();
    const happened: [number, number][] = [];
    for (let number = 0; number < 1000; number++) {
      const atMs = random.below(50);
      agenda.in(atMs, () => happened.push([atMs, number]));
    }
    agenda.runUntil(100);
    expect(happened).toEqual(happened.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
    expect(happened.length).toBe(1000);
  });

  it('stops at its end and goes on from there', () => {
    const agenda = new Agenda();
    const happened: number[] = [];
    for (const ms of [5, 10, 11]) agenda.in(ms, () => happened.push(agenda.now));
    agenda.runUntil(10);
    expect(happened).toEqual([5, 10]);
    expect(() => agenda.in(Number.NaN, () => {})).toThrow(RangeError);
  });
});

describe('honest values', () => {
  it('are the same inside a class and differ between classes as often as declared', () => {
    const [a, b] = [floatClasses[2]!, floatClasses[5]!];
    const count = 2_000_000;
    let [differing, unexplained, changing] = [0, 0, 0];
    for (let element = 0; element < count; element++) {
      const [tile, place] = [Math.floor(element / 4096), element % 4096];
      const value = honestValue(tile, a, 0, place);
      if (value !== honestValue(tile, a, 0, place)) changing++;
      if (value !== honestValue(tile, b, 0, place)) differing++;
      if (value !== 0 && !isExplained(value)) unexplained++;
    }
    expect(changing).toBe(0);
    expect(differing / count).toBeCloseTo(a.differing + b.differing, 4);
    expect(unexplained).toBeLessThan(5);
  });

  it('have rates below what the spec declares', () => {
    for (const { differing, unexplained } of floatClasses) {
      expect(2 * differing).toBeLessThanOrEqual(HONEST_MISS_RATE);
      expect(unexplained).toBeLessThanOrEqual(UNEXPLAINED_RATE);
    }
  });
});

describe('the population', () => {
  const endMs = 3_600_000;
  const world = (liars: number) => populate(new Rng(4), { count: 4000, liars, endMs });

  it('has the speeds and sessions that the README says', () => {
    const devices = world(0.2);
    const speeds = devices.map(({ speed }) => speed).sort((a, b) => a - b);
    expect(speeds[2000]! / MEDIAN_SPEED).toBeGreaterThan(0.85);
    expect(speeds[2000]! / MEDIAN_SPEED).toBeLessThan(1.15);
    expect(speeds.at(-1)!).toBeLessThanOrEqual(FASTEST);
    expect(speeds.reduce((sum, speed) => sum + speed, 0) / 4000 / MEAN_SPEED).toBeCloseTo(1, 1);
    const minutes = devices.flatMap(({ sessions }) => sessions.map(({ fromMs, toMs }) => (toMs - fromMs) / 60_000)).sort((a, b) => a - b);
    expect(minutes[Math.floor(minutes.length / 2)]!).toBeCloseTo(8, 0);
  });

  it('has about as many present at any time', () => {
    const here = (at: number) => world(0).filter(({ sessions }) => sessions.some(({ fromMs, toMs }) => fromMs <= at && at < toMs)).length;
    for (const at of [0, endMs / 4, endMs / 2, endMs - 1]) expect(here(at) / presentOf(4000, endMs)).toBeGreaterThan(0.6);
    for (const at of [0, endMs / 4, endMs / 2, endMs - 1]) expect(here(at) / presentOf(4000, endMs)).toBeLessThan(1.4);
  });

  it('is the same whatever the share of liars, which is exact', () => {
    const [few, many] = [world(0.05), world(0.4)];
    expect(few.filter(({ liar }) => liar).length).toBe(200);
    expect(many.filter(({ liar }) => liar).length).toBe(1600);
    expect(few.map(({ liar: _, ...rest }) => rest)).toEqual(many.map(({ liar: _, ...rest }) => rest));
  });
});

describe('the cores', () => {
  it('do as many things at once as there are, and the rest later', () => {
    const cpu = new Cpu(2);
    expect([cpu.take(0, 10), cpu.take(0, 10), cpu.take(0, 10), cpu.take(100, 5)]).toEqual([10, 10, 20, 5]);
  });
});

describe('the ledger of the simulation', () => {
  const transfer = {
    id: 'a',
    unit: 'test',
    debit: 'operator/issuance',
    credit: 'device:x/grant',
    microCredits: 5n,
    kind: 'grant',
    job: null,
    at: null,
    atMs: 0,
  } as const;

  it('makes a transfer once, and refuses another one under its id', () => {
    const ledger = new SimLedger();
    ledger.apply(transfer as never);
    ledger.apply(transfer as never);
    expect(ledger.balance('device:x/grant' as never)).toBe(5n);
    expect(() => ledger.apply({ ...transfer, microCredits: 6n } as never)).toThrow('transfer a was');
    expect(() => ledger.apply({ ...transfer, id: 'b', debit: 'device:y/grant' } as never)).toThrow('takes device:y/grant to -5');
    expect(ledger.sum()).toBe(0n);
  });
});
