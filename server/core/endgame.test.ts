import { beforeEach, describe, expect, it } from 'vitest';
import type { ContributorId, JobId } from '../../shared/model.ts';
import { allowanceMs, typicalSpeed } from './endgame.ts';
import { Desk, storedJob } from './testing.ts';

let desk: Desk;
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

  it('gives who is slow no more than it can do in time', () => {
    const [fast, slow] = [join('fast', 10), join('slow', 0.25)];
    expect(parts(fast)).toBe(4);
    // Four seconds a part, and nobody may take more than that while others would be done in eight.
    expect([parts(slow), parts(slow), parts(slow)]).toEqual([1, 1, 0]);
  });

  it.each([
    ['slow', 0.01, 1],
    ['never seen to work', 0, 1],
  ])('is for everybody where nobody else is at work, and again as soon as they have gone: who is %s', (name, speed, count) => {
    expect(parts(join(name, speed))).toBe(count);
    desk = new Desk({ params: { tiles: 20 } });
    const [fast, other] = [join('fast', 10), join(name, speed)];
    parts(fast);
    expect(parts(other)).toBe(0);
    desk.do({ type: 'leave', contributor: fast });
    desk.now += 1000;
    expect(parts(other)).toBe(count);
  });

  it.each(['suspended', 'at rest'])('does not wait for somebody who asks for work and may have none: %s', (why) => {
    const [fast, other] = [join('fast', 10), join('new', 0)];
    const asking = desk.state.contributors.get(fast)!;
    if (why === 'suspended') asking.standings.get('test')!.suspendedUntilMs = desk.now + 60_000;
    else asking.restUntilMs = desk.now + 60_000;
    expect(parts(fast)).toBe(0);
    expect(parts(other)).toBe(1);
  });

  it('is not for who was never seen to work, unless there is a minute left', () => {
    const [fast, unknown] = [join('fast', 10), join('new', 0)];
    parts(fast);
    expect(parts(unknown)).toBe(0);
    desk = new Desk({ params: { tiles: 20_000 } });
    const [other, later] = [join('fast', 10), join('new', 0)];
    parts(other);
    expect(parts(later)).toBe(1);
  });

  it('is not put off for what comes behind: who holds enough of it gets nothing else before the rest of it', () => {
    const gallery = 'j_gallery00000000' as JobId;
    desk.do({ type: 'openJob', job: { ...storedJob, id: gallery, gallery: true, params: { tiles: 1000 } }, results: [], paid: 0n });
    const both = [join('a', 10), join('b', 10)];
    const granted = both.flatMap((id) => desk.ask(id, 16).leases);
    // There is room for four seconds, ten tiles each; near the end of the job two seconds of it are enough.
    expect(granted).toHaveLength(10);
    expect(granted.every(({ job }) => job === storedJob.id)).toBe(true);
    // With the last of it out there is nothing to wait for.
    const rest: JobId[] = [];
    for (const { token } of granted) {
      desk.now += 200;
      desk.handIn(token);
      rest.push(...both.flatMap((id) => desk.ask(id, 1).leases.map(({ job }) => job)));
    }
    expect(rest.filter((job) => job === storedJob.id)).toHaveLength(10);
    expect(rest.indexOf(gallery)).toBeGreaterThan(rest.lastIndexOf(storedJob.id));
  });

  it('comes for members of equal speed at the same time', () => {
    const [a, b] = [join('a', 0.05), join('b', 0.05)];
    expect(parts(a)).toBe(1);
    expect(parts(b)).toBe(1);
  });
});

it('allows as long as the others need, with one lease of theirs', () => {
  expect(allowanceMs(60_000, 4000, 10)).toBe(60_400);
  expect(allowanceMs(0, 4000, 10)).toBe(4000);
});

it('is the speed of those who do the half of it', () => {
  expect(typicalSpeed([{ whole: 1, here: 1 }])).toBe(1);
  expect(typicalSpeed([1, 1, 1, 1, 100].map((whole) => ({ whole, here: whole })))).toBe(100);
  expect(typicalSpeed([])).toBe(0);
});
