import { beforeEach, describe, expect, it } from 'vitest';
import type { ContributorId, JobId } from '../../shared/model.ts';
import type { StoredJob } from '../store/store.ts';
import { describeJob } from './ending.ts';
import { openLease } from './lease.ts';
import { holds, refunds, spentFrom } from './ledger.ts';
import { Desk, owner, PARTS, storedJob } from './testing.ts';

const id = storedJob.id as JobId;
const params = { passes: 1, tiles: 6 };
const job: StoredJob = { ...storedJob, params, workHeld: 24_000n, heldFrom: [{ account: `${owner}/grant`, microCredits: 34_000n }] };

let desk: Desk;
let worker: ContributorId;
beforeEach(() => {
  desk = new Desk(job);
  worker = desk.join('worker', { trusted: true });
});

const openJob = () => desk.state.jobs.get(id);
const pause = (paused: boolean, of: JobId = id) => desk.do({ type: 'pauseJob', job: of, paused });

describe('a paused job', () => {
  it('leases nothing new; what is leased is finished and paid, and it goes on when it is resumed', () => {
    const [lease] = desk.ask(worker, 1).leases;
    expect(pause(true)).toContainEqual({ type: 'write', write: { kind: 'jobPaused', id, paused: true } });
    expect(desk.ask(desk.join('other', { trusted: true }))).toMatchObject({ leases: [], retryMs: expect.any(Number) });
    desk.handIn(lease!.token);
    expect(openJob()).toMatchObject({ partsAccepted: PARTS, partsLeased: 0 });
    expect(desk.sum('vesting/')).toBe(4000n);
    const events = pause(false);
    expect(events).toContainEqual(expect.objectContaining({ type: 'workAvailable' }));
    expect(desk.ask(worker, 1).leases).toHaveLength(1);
  });

  it('is told as paused', () => {
    desk.deliver(worker);
    const view = () => describeJob(job, openJob(), { passes: 1, tiles: 6 }, { mine: true, left: null, retentionMs: 1 });
    expect(view()).toMatchObject({ paused: false, keptUntilMs: null });
    pause(true);
    expect(view()).toMatchObject({ paused: true });
  });

  it('offers nothing of a lease that ran out, or of a result that was refuted', () => {
    desk.ask(worker, 1);
    desk.do({ type: 'leave', contributor: worker });
    const liar = desk.join('liar');
    const [lease] = desk.ask(liar, 1).leases;
    const { result } = desk.handIn(lease!.token);
    desk.open(liar, result);
    pause(true);
    desk.answer(() => 99);
    expect(desk.rows.get(result)?.state).toBe('refuted');
    desk.now += 3_600_000;
    desk.do({ type: 'tick' });
    expect(openJob()).toMatchObject({ partsLeased: 0, partsChecking: 0 });
    expect(desk.ask(desk.join('other', { trusted: true })).leases).toEqual([]);
    pause(false);
    expect(desk.ask(desk.join('third', { trusted: true })).leases.length).toBeGreaterThan(0);
  });

  it('still has what was handed in opened, audited and judged', () => {
    const auditors = ['a', 'b', 'c', 'd'].map((name) => desk.join(name));
    // On record, so that others than the CPU are asked.
    for (const auditor of auditors) for (let times = 0; times < 3; times++) desk.deliver(auditor);
    const [lease] = desk.ask(auditors[0]!, 1).leases;
    pause(true);
    const { result } = desk.handIn(lease!.token);
    desk.open(auditors[0]!, result);
    let audited = 0;
    for (let round = 0; round < 10 && desk.rows.get(result)!.state === 'committed'; round++) {
      desk.answer();
      for (const count of desk.answerAudits(auditors[0]).values()) audited += count;
    }
    expect([desk.rows.get(result)?.state, audited > 0]).toEqual(['accepted', true]);
    expect(desk.verdicts.at(-1)).toMatchObject({ state: 'accepted', microCredits: 4000n });
  });

  it('ends when all of it is accepted, and when it is cancelled', () => {
    const leases = [...desk.ask(worker, 64).leases];
    while (leases.length < 6) leases.push(...desk.ask(desk.join(`w${leases.length}`, { trusted: true }), 64).leases);
    pause(true);
    for (const { token } of leases) desk.handIn(token);
    expect(desk.ended).toMatchObject([{ status: 'done' }]);

    desk = new Desk(job);
    pause(true);
    desk.do({ type: 'cancelJob', job: id });
    expect(desk.ended).toMatchObject([{ status: 'cancelled' }]);
    expect(desk.sum(`${owner}/grant`)).toBe(34_000n);
  });

  it('is paused after a restart, until it is resumed', () => {
    pause(true);
    desk.restart({ ...job, paused: true });
    const again = desk.join('again', { trusted: true });
    expect(desk.ask(again).leases).toEqual([]);
    pause(false);
    expect(desk.ask(again).leases.length).toBeGreaterThan(0);
  });

  it('is refused for what is not open, and the same twice changes nothing', () => {
    expect(pause(true, 'j_unknown000000000' as JobId)).toMatchObject([{ type: 'refused', code: 'conflict' }]);
    pause(true);
    expect(pause(true)).toEqual([]);
    desk.do({ type: 'cancelJob', job: id });
    expect(pause(false)).toMatchObject([{ type: 'refused', code: 'conflict' }]);
  });

  it('neither starves others after a long pause nor waits for them', () => {
    const other = 'j_other00000000000' as JobId;
    const large = { passes: 1, tiles: 400 };
    desk = new Desk({ ...job, params: large });
    const crowd = Array.from({ length: 40 }, (_, index) => desk.join(`crowd${index}`, { trusted: true }));
    desk.do({ type: 'openJob', job: { ...job, id: other, params: large }, results: [], paid: 0n });
    pause(true);
    // Meanwhile the other gets a lot.
    for (const one of crowd) desk.ask(one, 2);
    expect(desk.state.jobs.get(other)!.turn.tag).toBeGreaterThan(0);
    pause(false);
    const next = Array.from({ length: 20 }, (_, index) => desk.ask(desk.join(`next${index}`, { trusted: true }), 2).leases.map((lease) => lease.job)).flat();
    const mine = next.filter((each) => each === id).length;
    // One piece of work is as near as it gets.
    expect(Math.abs(mine - next.length / 2)).toBeLessThanOrEqual(1);
  });
});

describe('an extended job', () => {
  const shape = { passes: 2, tiles: 6 };

  /** All of its tiles, one after the other. */
  function finish(): void {
    while (openJob()) desk.deliver(worker);
  }

  /** As `Lifecycle.extend` opens it again. */
  function extend(more: object = shape): void {
    const results = [...desk.rows.values()].filter(({ state }) => state === 'accepted');
    const spent = 24_000n;
    const extended = { ...job, params: more, extensions: 1, workHeld: spent + 24_000n, checksHeld: 5000n };
    const from = [{ account: `${owner}/grant`, microCredits: 29_000n }] as const;
    desk.transfers.push(...holds({ ...extended, heldFrom: from }, from, desk.now));
    desk.do({ type: 'openJob', job: { ...extended, heldFrom: [...spentFrom(job.heldFrom, spent), ...from] }, results, paid: spent });
  }

  it('keeps what is there, leases what is new alone, pays for it alone, and gives the rest back once', () => {
    finish();
    expect(desk.sum('vesting/')).toBe(24_000n);
    const before = desk.sum(`${owner}/grant`);
    extend();
    expect(openJob()).toMatchObject({ partsAccepted: 24, partsTotal: 48, paid: 24_000n });
    const passes = new Set<number>();
    while (openJob()) passes.add(desk.rows.get(desk.deliver(worker))!.at.pass);
    expect([...passes]).toEqual([1]);
    expect(desk.sum('vesting/')).toBe(48_000n);
    // Held 29,000 and got 5,000 of it back: nobody audits a trusted contributor.
    expect(desk.sum(`${owner}/grant`)).toBe(before - 24_000n);
    expect(desk.sum(`job/${id}`)).toBe(-34_000n);
    const ids = desk.transfers.map((transfer) => transfer.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(desk.ended).toMatchObject([{ summary: { parts: { total: 24 } } }, { summary: { parts: { total: 48, accepted: 48 } } }]);
  });

  it('never takes a lease or a hand-in of before for one of now', () => {
    const all: string[] = [];
    while (openJob()) {
      const [lease] = desk.ask(worker, 1).leases;
      all.push(lease!.token);
      desk.handIn(lease!.token);
    }
    extend();
    const fresh = desk.ask(worker, 64).leases.map(({ token }) => token);
    const attempts = [...all, ...fresh].map((token) => openLease(desk.state.config.leaseKeys, token).attempt);
    expect(new Set(attempts).size).toBe(attempts.length);
    for (const token of fresh) expect(desk.handIn(token).result).toBeDefined();
    expect([...desk.rows.values()].filter(({ state }) => state === 'accepted')).toHaveLength(all.length + fresh.length);
  });

  it('forgets leases and audits that were under way at the end: they are not counted twice', () => {
    // Adaptive, so that it may end while something is leased.
    const adaptive = { passes: 2, tiles: 1, adaptive: 2 };
    const small = { ...job, params: adaptive };
    desk = new Desk(small);
    worker = desk.join('worker', { trusted: true });
    const helper = desk.join('helper', { trusted: true });
    desk.deliver(worker);
    desk.measure(() => 9);
    const [late] = desk.ask(helper, 1).leases;
    expect(late?.at).toEqual({ pass: 1, tile: 0 });
    desk.state.jobs.delete(id);
    const events = desk.do({ type: 'openJob', job: { ...small, extensions: 1 }, results: [...desk.rows.values()], paid: 4000n });
    expect(events).toContainEqual({ type: 'leasesVoided', contributor: helper, tokens: [late!.token], reason: 'The job had ended.' });
    expect(openJob()?.partsLeased).toBe(0);
    desk.now += 3_600_000;
    desk.do({ type: 'tick' });
    expect(openJob()?.partsLeased).toBe(0);
  });

  it('is not opened twice', () => {
    expect(() => desk.do({ type: 'openJob', job, results: [], paid: 0n })).toThrow('open already');
  });

  it('with less noise computes what was left out, by what is measured anew, around a pass that always runs', () => {
    const adaptive = { passes: 3, tiles: 2, adaptive: 2 };
    const cheap = { ...job, params: adaptive, workHeld: 24_000n };
    desk = new Desk(cheap);
    worker = desk.join('worker', { trusted: true });
    while (openJob()) {
      desk.deliver(worker);
      desk.measure(() => 0.5);
    }
    expect(desk.ended).toMatchObject([{ summary: { parts: { waived: 2 * PARTS } } }]);
    const results = [...desk.rows.values()].map((result) => ({ ...result, passesWanted: null }));
    desk.do({ type: 'openJob', job: { ...cheap, extensions: 1 }, results, paid: 16_000n });
    expect(desk.ask(worker).leases).toEqual([]);
    desk.measure(({ at }) => (at.tile === 0 ? 2 : 0.5));
    const { leases } = desk.ask(worker);
    expect(leases.map(({ at }) => at)).toEqual([{ pass: 1, tile: 0 }]);
    desk.handIn(leases[0]!.token);
    expect(desk.ended).toMatchObject([{}, { status: 'done', summary: { parts: { waived: PARTS } } }]);
  });

  it('opens adaptive passes in their order, wherever others lie between them', () => {
    desk = new Desk({ ...job, params: { passes: 4, tiles: 2, adaptivePasses: [0, 2, 3] } });
    worker = desk.join('worker', { trusted: true });
    const got: string[] = [];
    for (;;) {
      const [lease] = desk.ask(worker, 1).leases;
      if (!lease) break;
      got.push(`${lease.at.tile}.${lease.at.pass}`);
      desk.handIn(lease.token);
      desk.measure(({ at }) => (at.tile === 0 ? 2 : 9));
    }
    expect(got.filter((each) => each.startsWith('0')).toSorted()).toEqual(['0.0', '0.1', '0.2']);
    expect(got.filter((each) => each.startsWith('1')).toSorted()).toEqual(['1.0', '1.1', '1.2', '1.3']);
    expect(got.indexOf('1.2')).toBeLessThan(got.indexOf('1.3'));
  });
});

describe('money of an extended job', () => {
  const [grant, earned] = [`${owner}/grant`, `${owner}/earned`] as const;
  const held = [
    { account: grant, microCredits: 70n },
    { account: earned, microCredits: 30n },
  ];
  const money = { ...job, workHeld: 100n, checksHeld: 0n, heldFrom: held };

  it.each([0n, 1n, 70n, 71n, 100n])('what was spent, %s, and what goes back add up to what was held', (spent) => {
    const back = refunds(money, 100n - spent, 0);
    const kept = spentFrom(held, spent);
    for (const { account, microCredits } of held) {
      const refunded = back.filter(({ credit }) => credit === account).reduce((sum, transfer) => sum + transfer.microCredits, 0n);
      const used = kept.filter((each) => each.account === account).reduce((sum, each) => sum + each.microCredits, 0n);
      expect(refunded + used).toBe(microCredits);
    }
  });

  it('cannot be spent beyond the hold', () => expect(() => spentFrom(held, 101n)).toThrow('beyond the hold'));

  it('moves under ids of its own in every round', () => {
    const rounds = [0, 1, 2].map((extensions) => ({ ...money, extensions }));
    const ids = rounds.flatMap((round) => [...holds(round), ...refunds(round, 100n, 0)].map((transfer) => transfer.id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.slice(0, 2)).toEqual([`hold/${id}/0`, `hold/${id}/1`]);
  });
});

describe('milestones', () => {
  it('are written once, as a job passes them, and not at its end', () => {
    const seen: number[][] = [];
    while (openJob()) {
      desk.deliver(worker);
      seen.push([...desk.milestones]);
    }
    // Sixths of the job.
    expect(seen).toEqual([[], [25], [25, 50], [25, 50], [25, 50, 75], [25, 50, 75]]);
    expect(desk.ended).toMatchObject([{ status: 'done' }]);
  });

  it('are not repeated after a restart, nor by an extension for what was there; of several at once the last is written', () => {
    for (let tile = 0; tile < 4; tile++) desk.deliver(worker);
    desk.restart(job);
    expect(desk.milestones).toEqual([25, 50]);
    worker = desk.join('worker', { trusted: true });
    while (openJob()) desk.deliver(worker);
    expect(desk.milestones).toEqual([25, 50, 75]);
    // As many again: half of it is there.
    const extended = { ...job, params: { passes: 2, tiles: 6 }, extensions: 1 };
    desk.do({ type: 'openJob', job: extended, results: [...desk.rows.values()], paid: 0n });
    while (openJob()) desk.deliver(worker);
    expect(desk.milestones).toEqual([25, 50, 75, 75]);
    desk = new Desk({ ...job, params: { passes: 1, tiles: 2 } });
    worker = desk.join('worker', { trusted: true });
    desk.deliver(worker);
    expect(desk.milestones).toEqual([50]);
  });

  it('of a cancelled job are not written', () => {
    const [lease] = desk.ask(worker, 1).leases;
    const [second] = desk.ask(worker, 1).leases;
    desk.do({ type: 'cancelJob', job: id });
    for (const each of [lease, second]) if (desk.state.leases.has(each!.token)) desk.handIn(each!.token);
    expect(desk.milestones).toEqual([]);
  });
});
