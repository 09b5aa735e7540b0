import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { type ContributorId, countParts, type GroupId, type JobId } from '../../shared/model.ts';
import { type Everywhere, onlyHere } from './everywhere.ts';
import { type Asked, outlookOf, outlookOfJob } from './outlook.ts';
import { Desk, owner, storedJob } from './testing.ts';
import { arrivalRate, leavingRate } from './traffic.ts';

let desk: Desk;
beforeEach(() => {
  desk = new Desk({ params: { tiles: 400 } });
});

const open = () => desk.state.jobs.get(storedJob.id)!;
const group = 'g_group00000000000' as GroupId;
/** A job like the open one, before it is there. */
const asked = (more: Partial<Asked> = {}): Asked => ({
  ...open(),
  stored: { ...storedJob, id: 'j_asked0000000000' as JobId },
  parts: 400,
  partsPerTile: 4,
  elementsPerPart: 4096,
  ...more,
});
const ask = (more: Partial<Asked> = {}, everywhere: Everywhere = onlyHere) => outlookOf(desk.state, asked(more), desk.now, everywhere);
/** Of those that do what the job needs. */
const others = (contributors: number, speed: number, partsFree = onlyHere.partsFree): Everywhere => ({
  ...onlyHere,
  others: (kind) => (kind === open().spec.id ? { contributors, speed } : { contributors: 0, speed: 0 }),
  partsFree,
});
/** Hands in one lease after the other, a second for each part of 1000 micro-units. */
function work(id: ContributorId, leases: number): void {
  for (let count = 0; count < leases; count++) {
    const [lease] = desk.ask(id, 1).leases;
    desk.now += 1000 * countParts(lease!.parts);
    desk.open(id, desk.handIn(lease!.token).result);
    desk.answer();
  }
}

describe('the outlook of a job', () => {
  it('is nothing while nobody is here, and tells who is able and willing', () => {
    expect(ask()).toMatchObject({ contributors: 0, finish: null });
    const a = desk.join('a');
    desk.join('b', { kinds: new Set(['other']) });
    desk.join('c', { downloadBytesMax: 10 });
    desk.join('d', { preferences: { kinds: ['other'] } });
    expect(ask({ inputBytes: 11 }).contributors).toBe(1);
    expect(ask().contributors).toBe(2);
    desk.do({ type: 'leave', contributor: a });
    expect(ask({ inputBytes: 11 }).finish).toBeNull();
  });

  it('of a job for a group only is what its members can do', () => {
    desk.join('a');
    const stored = { ...asked().stored, group: { id: group, mode: 'only' as const } };
    expect(ask({ stored }).finish).toBeNull();
    desk.join('m', { groups: new Set([group]) });
    expect(ask({ stored })).toMatchObject({ contributors: 1, finish: expect.any(Object) });
  });

  it('counts with measured speeds: a second a part here', () => {
    const a = desk.join('a');
    work(a, 12);
    const { speed, finish } = ask({ parts: 4000 });
    expect(speed).toBeGreaterThan(0.5);
    // 400 parts of the open job and 4000 of this one, in turns.
    expect(finish!.p50Seconds).toBeGreaterThan(2000);
    expect(finish!.p95Seconds).toBeGreaterThan(finish!.p50Seconds);
    expect(ask({ parts: 400 }).finish!.p50Seconds).toBeLessThan(finish!.p50Seconds);
  });

  it('changes nothing, and is the same for the same', () => {
    work(desk.join('a'), 3);
    const before = structuredClone({ idle: desk.state.idle, traffic: desk.state.traffic, charged: open().turn.tag });
    const first = ask();
    expect(ask()).toEqual(first);
    expect({ idle: desk.state.idle, traffic: desk.state.traffic, charged: open().turn.tag }).toEqual(before);
  });

  it('counts who is connected to other coordinators: three times as many more take a quarter of the time', () => {
    work(desk.join('a'), 20);
    const alone = ask({ parts: 4000 });
    const { contributors, speed, finish } = ask({ parts: 4000 }, others(3, 3 * alone.speed));
    expect({ contributors, speed }).toEqual({ contributors: 4, speed: 4 * alone.speed });
    expect(alone.finish!.p50Seconds / finish!.p50Seconds).toBeGreaterThan(3);
    expect(alone.finish!.p50Seconds / finish!.p50Seconds).toBeLessThan(5);
  });

  it('is there also where all of them are connected to others, and not of a group that nobody here knows of', () => {
    const far = others(4, 4);
    const here = ask({ parts: 400 }, far);
    expect(here).toMatchObject({ contributors: 4, speed: 4 });
    // 400 parts of the open job and 400 of this one, in turns, by four that need a second for each.
    expect(here.finish!.p50Seconds).toBeGreaterThan(100);
    expect(here.finish!.p50Seconds).toBeLessThan(600);
    expect(here.finish!.p95Seconds).toBeLessThan(10 * here.finish!.p50Seconds);
    const stored = { ...asked().stored, group: { id: group, mode: 'only' as const } };
    expect(ask({ stored }, far)).toMatchObject({ contributors: 0, finish: null });
  });

  it('of an open one is of what is left everywhere', () => {
    work(desk.join('a'), 20);
    const free = onlyHere.partsFree(open());
    const all = outlookOfJob(desk.state, open(), desk.now).finish!.p50Seconds;
    const quarter = outlookOfJob(
      desk.state,
      open(),
      desk.now,
      others(0, 0, () => free / 4),
    ).finish!.p50Seconds;
    expect(all / quarter).toBeGreaterThan(3);
  });

  it('of an open one is of what is left: it gets shorter as it goes on', () => {
    const a = desk.join('a');
    work(a, 20);
    const before = outlookOfJob(desk.state, open(), desk.now).finish!;
    work(a, 200);
    expect(outlookOfJob(desk.state, open(), desk.now).finish!.p50Seconds).toBeLessThan(before.p50Seconds);
  });

  it('believes half of what the job’s own speed tells', () => {
    const a = desk.join('a');
    work(a, 60);
    const expected = outlookOfJob(desk.state, open(), desk.now).finish!.p50Seconds;
    open().rate *= 4;
    const faster = outlookOfJob(desk.state, open(), desk.now).finish!.p50Seconds;
    expect(faster).toBeLessThan(0.7 * expected);
    expect(faster).toBeGreaterThan(0.3 * expected);
  });

  it('does not count with those who are suspended', () => {
    const a = desk.join('a');
    desk.state.contributors.get(a)!.standings.set('test', { ...desk.record(desk.join('b')) } as never);
    const standing = { accepted: 0, refuted: 1, discarded: 0, verified: 0, drawn: 0, differing: 0, unexplained: 0, suspendedUntilMs: desk.now + 1e6, atMs: 0 };
    desk.state.contributors.get(a)!.standings.set('test', standing);
    expect(ask().contributors).toBe(1);
  });
});

describe('coming and going', () => {
  const traffic = () => desk.state.traffic;

  it('counts stays and arrivals, but neither a start nor a broken connection', () => {
    const a = desk.join('a');
    expect(traffic().arrivals).toBe(0);
    desk.now += 120_000;
    desk.join('b');
    expect(traffic().arrivals).toBe(1);
    desk.do({ type: 'leave', contributor: a });
    expect(traffic().departures).toBe(1);
    desk.now += limits.absenceGraceMsMax - 1;
    desk.join('a');
    expect(traffic()).toMatchObject({ arrivals: expect.closeTo(1, 1), departures: 0 });
    expect(desk.state.contributors.get(a)).toMatchObject({ stays: 0, stayedMs: 120_000 });
  });

  it('believes that as many come as go, until it was seen', () => {
    for (const id of ['a', 'b', 'c', 'd']) desk.join(id);
    const leaving = leavingRate(traffic());
    expect(arrivalRate(traffic(), 4)).toBeCloseTo(4 * leaving, 12);
    // A quiet first minute tells nothing, a quiet hour does.
    desk.now += 60_000;
    desk.do({ type: 'tick' });
    expect(arrivalRate(traffic(), 4)).toBeCloseTo(4 * leavingRate(traffic()), 12);
    desk.now += 3_600_000;
    desk.do({ type: 'tick' });
    expect(arrivalRate(traffic(), 4)).toBeLessThan(leaving);
  });

  it('forgets: half of it in twenty minutes', () => {
    desk.now += 120_000;
    desk.join('a');
    desk.now += 20 * 60_000;
    desk.do({ type: 'tick' });
    expect(traffic().arrivals).toBeCloseTo(0.5, 2);
  });

  it('remembers orders that others will have to wait for, but not the gallery’s', () => {
    const orders = traffic().orders;
    const order = { ...storedJob, owner, createdMs: desk.now };
    desk.do({ type: 'openJob', job: { ...order, id: 'j_gallery00000000' as JobId, gallery: true }, results: [], paid: 0n });
    expect(traffic().orders).toBe(orders);
    desk.do({ type: 'openJob', job: { ...order, id: 'j_second000000000' as JobId }, results: [], paid: 0n });
    expect(traffic().orders).toBe(orders + 1);
    expect(traffic().orderUnits.at(-1)).toBe(200 * 1000);
  });
});
