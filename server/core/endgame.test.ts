import { beforeEach, describe, expect, it } from 'vitest';
import type { ContributorId, JobId } from '../../shared/model.ts';
import { allowanceMs, typicalSpeed } from './endgame.ts';
import { Desk, storedJob } from './testing.ts';

let desk: Desk;
const open = (id: JobId = storedJob.id) => desk.state.jobs.get(id)!;
/** Measured: so many micro-units a millisecond, with a long record. */
function join(name: string, speed: number): ContributorId {
  const standing = { accepted: 9, refuted: 0, discarded: 0, verified: 1e9, drawn: 0, differing: 0, unexplained: 0, suspendedUntilMs: 0, atMs: 0 };
  const id = desk.join(name, { standings: new Map([['test', standing]]) });
  desk.state.contributors.get(id)!.speed = speed;
  return id;
}
const parts = (id: ContributorId): number => desk.ask(id, 1).leases.reduce((sum, { parts: mask }) => sum + mask.toString(2).replaceAll('0', '').length, 0);

beforeEach(() => {
  // Twenty tiles of four parts, 1000 micro-units each.
  desk = new Desk({ params: { tiles: 20 } });
});

describe('the end of a job', () => {
  it('is not for who would keep the others waiting', () => {
    const [fast, slow] = [join('fast', 10), join('slow', 0.01)];
    expect(parts(fast)).toBe(4);
    // A part takes it 100 s, the other does the whole job in 8.
    expect(parts(slow)).toBe(0);
  });

  it('gives who is slow as much as it can do in time', () => {
    const [fast, slow] = [join('fast', 10), join('slow', 0.25)];
    expect(parts(fast)).toBe(4);
    expect(parts(slow)).toBe(2);
  });

  it.each([
    ['slow', 0.01],
    ['never seen to work', 0],
  ])('is for everybody where nobody else is at work, and again as soon as they have gone: who is %s', (name, speed) => {
    expect(parts(join(name, speed))).toBe(4);
    desk = new Desk({ params: { tiles: 20 } });
    const [fast, other] = [join('fast', 10), join(name, speed)];
    parts(fast);
    expect(parts(other)).toBe(0);
    desk.do({ type: 'leave', contributor: fast });
    desk.now += 1000;
    expect(parts(other)).toBe(4);
  });

  it.each(['suspended', 'at rest'])('does not wait for somebody who asks for work and may have none: %s', (why) => {
    const [fast, other] = [join('fast', 10), join('new', 0)];
    const asking = desk.state.contributors.get(fast)!;
    if (why === 'suspended') asking.standings.get('test')!.suspendedUntilMs = desk.now + 60_000;
    else asking.restUntilMs = desk.now + 60_000;
    expect(parts(fast)).toBe(0);
    expect(parts(other)).toBe(4);
  });

  it('is not for who was never seen to work, unless there is a minute left', () => {
    const [fast, unknown] = [join('fast', 10), join('new', 0)];
    parts(fast);
    expect(parts(unknown)).toBe(0);
    desk = new Desk({ params: { tiles: 20_000 } });
    const [other, later] = [join('fast', 10), join('new', 0)];
    parts(other);
    expect(parts(later)).toBe(4);
  });

  it('comes for members of equal speed at the same time', () => {
    const [a, b] = [join('a', 0.05), join('b', 0.05)];
    expect(parts(a)).toBe(4);
    expect(parts(b)).toBe(4);
  });
});

it('allows as long as the others need, with one lease of theirs', () => {
  expect(allowanceMs(60_000, 4000, 10)).toBe(60_400);
  expect(allowanceMs(0, 4000, 10)).toBe(10_000);
});

it('is the speed of those who do the half of it', () => {
  expect(typicalSpeed([{ whole: 1, here: 1 }])).toBe(1);
  expect(typicalSpeed([1, 1, 1, 1, 100].map((whole) => ({ whole, here: whole })))).toBe(100);
  expect(typicalSpeed([])).toBe(0);
});

describe('a job that comes to others', () => {
  const second = { ...storedJob, id: 'j_second000000000' as JobId };
  const add = (more: object = {}) => {
    desk.do({ type: 'openJob', job: { ...second, ...more }, results: [], paid: 0n });
    return open(second.id).granted;
  };

  it('begins level with the one that was served least', () => {
    parts(join('a', 10));
    expect(open().granted).toBe(4000);
    expect(add()).toBe(4000);
  });

  it('does not begin level with one that has nothing left to give, or with the gallery', () => {
    desk = new Desk({ params: { tiles: 1 } });
    const third = { ...storedJob, id: 'j_third0000000000' as JobId };
    parts(join('a', 10));
    desk.do({ type: 'openJob', job: third, results: [], paid: 0n });
    open(third.id).granted = 50_000;
    desk.do({ type: 'openJob', job: { ...third, id: 'j_gallery00000000' as JobId, gallery: true }, results: [], paid: 0n });
    expect(add()).toBe(50_000);
  });
});
