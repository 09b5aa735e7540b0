import { beforeEach, describe, expect, it } from 'vitest';
import type { ContributorId } from '../../shared/model.ts';
import { openLease } from './lease.ts';
import { Desk, PARTS, storedJob } from './testing.ts';

let desk: Desk;
beforeEach(() => {
  // One tile of four parts, 1000 micro-units each.
  desk = new Desk({ params: { tiles: 1 } });
});

const job = () => desk.state.jobs.get(storedJob.id)!;
function join(name: string, speed: number, verified = 1e9): ContributorId {
  const standing = { accepted: 9, refuted: 0, discarded: 0, verified, drawn: 0, differing: 0, unexplained: 0, suspendedUntilMs: 0, atMs: desk.now };
  const id = desk.join(name, { standings: new Map([['test', standing]]) });
  desk.state.contributors.get(id)!.speed = speed;
  return id;
}
const leases = (id: ContributorId) => desk.ask(id).leases;
const verdict = (id: ContributorId, token: string) => {
  const { result } = desk.handIn(token);
  desk.open(id, result);
  for (let round = 0; round < 5; round++) {
    desk.answer();
    desk.answerAudits();
  }
  return desk.rows.get(result)!.state;
};
/** The whole tile, with somebody who needs so long for it. */
function slowHolder(seconds: number) {
  const id = join('slow', 4 / seconds);
  const mine = [...leases(id), ...leases(id), ...leases(id), ...leases(id)];
  while (job().partsLeased < PARTS) mine.push(...leases(join(`other${mine.length}`, 4 / seconds)));
  desk.now += 1000;
  return { id, mine };
}

describe('a copy of a lease', () => {
  it('goes to who is idle and much faster; what comes first counts, and the other one ends without blame', () => {
    const { mine } = slowHolder(400);
    const fast = join('fast', 10);
    const [copy] = leases(fast);
    expect(copy).toMatchObject({ isCopy: true, at: mine[0]!.at });
    const twin = mine.find(({ parts }) => parts === copy!.parts)!;
    const holder = desk.state.contributors.get(twin.contributor)!;
    const before = job().partsLeased;
    const events = desk.do({
      type: 'handIn',
      id: 'r_copy' as never,
      lease: openLease(desk.state.config.leaseKeys, copy!.token),
      salt: new Uint8Array(32),
      root: new Uint8Array(32),
      parts: copy!.parts,
      hash: 'a'.repeat(64) as never,
      sizeBytes: 1,
      inline: new Uint8Array(1),
      computeMs: 1,
    });
    expect(events).toContainEqual(expect.objectContaining({ type: 'leasesVoided', contributor: twin.contributor, tokens: [twin.token] }));
    expect(job().partsLeased).toBe(before - 1);
    expect(holder).toMatchObject({ expired: 0, restUntilMs: 0 });
    expect([...desk.state.leases.values()].some(({ token }) => token === twin.token)).toBe(false);
  });

  it('leaves the part with its holder when the copy ends, and with the copy when the holder goes: it is never offered a third time', () => {
    slowHolder(400);
    const fast = join('fast', 10);
    const [copy] = leases(fast);
    desk.do({ type: 'giveBack', contributor: fast, tokens: [copy!.token], unopened: [] });
    expect(job()).toMatchObject({ partsLeased: PARTS });
    expect(job().blocks.peek()).toBeUndefined();
    desk.now += 2000;
    const [again] = leases(fast);
    const twin = again!.twin!;
    desk.do({ type: 'giveBack', contributor: twin.contributor, tokens: [twin.token], unopened: [] });
    expect(job()).toMatchObject({ partsLeased: PARTS });
    expect(job().blocks.peek()).toBeUndefined();
    expect(verdict(fast, again!.token)).toBe('accepted');
    expect(job()).toMatchObject({ partsLeased: PARTS - 1, partsAccepted: 1 });
  });

  it('is not made twice, nor of one’s own lease, nor for who is no faster, is too slow, or has no record for it', () => {
    const { id } = slowHolder(400);
    expect(leases(id)).toEqual([]);
    expect(leases(join('as slow', 0.004))).toEqual([]);
    expect(leases(join('new', 10, 0))).toEqual([]);
    const taken = Array.from({ length: PARTS }, (_, index) => leases(join(`fast${index}`, 10))).flat();
    expect(new Set(taken.map(({ twin }) => twin!.token)).size).toBe(taken.length);
    expect(taken).toHaveLength(PARTS);
    expect(leases(join('late', 10))).toEqual([]);
  });

  it('is not made of a lease that has ended a moment ago', () => {
    const { mine } = slowHolder(400);
    const [first, second] = [join('first', 10), join('second', 10)];
    leases(first);
    for (const { contributor, token } of mine) desk.do({ type: 'giveBack', contributor, tokens: [token], unopened: [] });
    expect(leases(second).every(({ isCopy }) => !isCopy)).toBe(true);
    expect(job().partsLeased).toBeLessThanOrEqual(PARTS);
  });

  it('is not made for little: the holder has nearly done it', () => {
    const { id } = slowHolder(1.2);
    desk.now += 100;
    expect(leases(join('fast', 100))).toEqual([]);
    expect(desk.state.contributors.get(id)!.leases.size).toBeGreaterThan(0);
  });

  it('is made of a lease whose holder has gone, and of one that is far overdue', () => {
    const { mine } = slowHolder(4);
    const fast = join('fast', 1.5);
    expect(leases(fast)).toEqual([]);
    desk.now += 20_000;
    expect(leases(fast)).toMatchObject([{ isCopy: true }]);
    desk.do({ type: 'leave', contributor: mine[0]!.contributor });
    expect(leases(join('another', 4))).toMatchObject([{ isCopy: true }]);
  });

  it('takes nobody from other work for little, but where a job waits far longer than it takes', () => {
    slowHolder(20);
    const second = { ...storedJob, id: 'j_second000000000' as never, params: { tiles: 1000 } };
    desk.do({ type: 'openJob', job: second, results: [], paid: 0n });
    expect(leases(join('busy', 0.3)).some(({ isCopy }) => isCopy)).toBe(false);
    expect(leases(join('fast', 100)).some(({ isCopy }) => isCopy)).toBe(true);
  });

  it('keeps the books through any course: parts leased are what is out, once', () => {
    for (let seed = 1; seed <= 30; seed++) {
      desk = new Desk({ params: { tiles: 3 } });
      let next = seed;
      const below = (n: number): number => {
        next = (next * 1103515245 + 12345) % 2 ** 31;
        return Math.floor((next / 2 ** 31) * n);
      };
      const ids = [0.01, 0.05, 1, 10, 50].map((speed, index) => join(`c${index}`, speed));
      for (let step = 0; step < 200 && desk.ended.length === 0; step++) {
        const id = ids[below(ids.length)]!;
        const held = [...desk.state.contributors.get(id)!.leases.values()];
        const move = below(10);
        desk.now += below(2000);
        if (move < 4) desk.ask(id, 1 + below(3));
        else if (move < 7 && held.length > 0) verdict(id, held[0]!.token);
        else if (move === 7 && held.length > 0) desk.do({ type: 'giveBack', contributor: id, tokens: [held[0]!.token], unopened: [] });
        else if (move === 8) desk.do({ type: 'tick' });
        const out = new Map<string, number>();
        for (const { at, parts } of desk.state.leases.values()) out.set(`${at.tile}`, (out.get(`${at.tile}`) ?? 0) | parts);
        const count = [...out.values()].reduce((sum, mask) => sum + mask.toString(2).replaceAll('0', '').length, 0);
        const open = desk.state.jobs.get(storedJob.id);
        if (!open) break;
        expect(open.partsLeased, `seed ${seed}, step ${step}`).toBe(count);
        expect(open.leases.size).toBe(desk.state.leases.size);
        for (let tile = 0; tile < 3; tile++) expect(open.blocks.leased(tile)).toBe(out.get(`${tile}`) ?? 0);
      }
    }
  });
});
