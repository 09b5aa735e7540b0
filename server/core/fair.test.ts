import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../shared/limits.ts';
import { FairQueue, type Turn, weightOf } from './fair.ts';

interface Job {
  readonly weight: number;
  open: boolean;
  got: number;
}
const queueOf = () => new FairQueue<Job>(({ open }) => open);
const jobOf = (weight = 1): Job => ({ weight, open: true, got: 0 });

function add(queue: FairQueue<Job>, requester: string, job: Job): Turn<Job> {
  const turn = queue.place(requester, 'render', job);
  queue.enter(turn);
  return turn;
}
function serve(queue: FairQueue<Job>, units: number): Job | undefined {
  const first = queue.walk().next().value as Turn<Job> | undefined;
  if (!first) return undefined;
  first.job.got += units;
  queue.serve(first, units, first.job.weight);
  return first.job;
}

describe('fair queueing', () => {
  const size = fc.double({ min: 0.1, max: 10, noNaN: true });
  const weight = fc.double({ min: 0.25, max: 16, noNaN: true });

  it('keeps any two requesters that wait all the time within one piece of work of each', () => {
    fc.assert(
      fc.property(fc.array(weight, { minLength: 2, maxLength: 8 }), fc.array(size, { minLength: 1, maxLength: 300 }), (weights, sizes) => {
        const queue = queueOf();
        const jobs = weights.map(jobOf);
        for (const [index, job] of jobs.entries()) add(queue, `r${index}`, job);
        const largest = Math.max(...sizes);
        for (const units of sizes) {
          serve(queue, units);
          for (const a of jobs)
            for (const b of jobs) expect(Math.abs(a.got / a.weight - b.got / b.weight)).toBeLessThanOrEqual(largest / a.weight + largest / b.weight + 1e-9);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('keeps that bound between two who wait all the time whatever others come, end and pause meanwhile', () => {
    const step = fc.oneof(
      size.map((units) => ({ units })),
      fc.record({ comes: fc.integer({ min: 0, max: 5 }), weight }),
      fc.record({ toggles: fc.nat(20) }),
    );
    fc.assert(
      fc.property(weight, weight, fc.array(step, { maxLength: 300 }), (first, second, steps) => {
        const queue = queueOf();
        const [a, b] = [jobOf(first), jobOf(second)];
        add(queue, 'a', a);
        add(queue, 'b', b);
        const others: Turn<Job>[] = [];
        for (const each of steps) {
          if ('units' in each) serve(queue, each.units);
          else if ('comes' in each) others.push(add(queue, `other${each.comes}`, jobOf(each.weight)));
          else if (others.length > 0) {
            const turn = others[each.toggles % others.length]!;
            turn.job.open = !turn.job.open;
            if (turn.job.open) queue.enter(turn);
          }
          expect(Math.abs(a.got / first - b.got / second)).toBeLessThanOrEqual(10 / first + 10 / second + 1e-9);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives a requester no more for opening many jobs, and shares what it gets between them', () => {
    const queue = queueOf();
    const [one, many] = [jobOf(), Array.from({ length: 9 }, () => jobOf())];
    add(queue, 'a', one);
    for (const job of many) add(queue, 'b', job);
    for (let count = 0; count < 1800; count++) serve(queue, 1);
    expect(one.got).toBe(900);
    for (const { got } of many) expect(got).toBe(100);
  });

  it('starves nobody: the cheapest of a thousand is served within its share', () => {
    const queue = queueOf();
    const cheap = jobOf(0.25);
    add(queue, 'cheap', cheap);
    for (let count = 0; count < 999; count++) add(queue, `dear${count}`, jobOf(4));
    let longest = 0;
    for (let count = 0, since = 0; count < 100_000; count++) {
      since = serve(queue, 1) === cheap ? 0 : since + 1;
      longest = Math.max(longest, since);
    }
    expect(cheap.got).toBeGreaterThan(5);
    // Sixteen rounds of everybody else.
    expect(longest).toBeLessThan(16_100);
  });

  it('neither lets who comes late catch up nor who comes back begin anew', () => {
    const queue = queueOf();
    const [a, b] = [jobOf(), jobOf()];
    add(queue, 'a', a);
    for (let count = 0; count < 100; count++) serve(queue, 1);
    add(queue, 'b', b);
    for (let count = 0; count < 20; count++) serve(queue, 1);
    expect([a.got, b.got]).toEqual([110, 10]);
    // One of them gets a large piece, is done and orders again.
    const done = serve(queue, 50)!;
    const again = jobOf();
    done.open = false;
    add(queue, done === a ? 'a' : 'b', again);
    for (let count = 0; count < 49; count++) serve(queue, 1);
    expect(again.got).toBe(0);
    for (let count = 0; count < 20; count++) serve(queue, 1);
    expect(again.got).toBeGreaterThanOrEqual(9);
  });

  it('lets who comes begin level with its own class, and not with who was preferred', () => {
    const queue = queueOf();
    const [rare, usual, late] = [jobOf(), jobOf(), jobOf()];
    const first = queue.place('a', 'rare', rare);
    const second = queue.place('b', 'usual', usual);
    queue.enter(first);
    queue.enter(second);
    for (let count = 0; count < 100; count++) queue.serve(second, 1, 1);
    for (let count = 0; count < 10; count++) queue.serve(first, 1, 1);
    const third = queue.place('c', 'rare', late);
    queue.enter(third);
    expect(third.flow.tag).toBe(9);
    for (let count = 0; count < 1000; count++) queue.serve(third, 1, 1, false);
    const fourth = queue.place('d', 'rare', jobOf());
    queue.enter(fourth);
    expect(fourth.flow.tag).toBe(9);
  });

  it('weighs by price within bounds, and by age so that a cheap job comes level', () => {
    expect(weightOf(100, 100, 0)).toBe(1);
    expect(weightOf(400, 100, 0)).toBe(2);
    expect(weightOf(1e9, 1, 0)).toBe(4);
    expect(weightOf(1, 1e9, 0)).toBe(0.25);
    expect(weightOf(0, 100, 0)).toBe(1);
    expect(weightOf(1, 1e9, 3 * HOUR_MS)).toBe(1);
    expect(weightOf(1, 1e9, 300 * HOUR_MS)).toBe(1);
    expect(weightOf(100, 100, -5)).toBe(1);
  });
});
