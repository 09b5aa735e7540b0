import { describe, expect, it } from 'vitest';
import { fullMask, type PartMask } from '../../shared/model.ts';
import { Desk, ELEMENTS, owner, PARTS, storedJob } from './testing.ts';

describe('newcomers', () => {
  it('get one lease of one part, and nothing more until it is verified; then their work doubles', () => {
    const desk = new Desk();
    const one = desk.join('one');
    const first = desk.ask(one);
    expect(first.leases.map(({ parts }) => parts)).toEqual([1]);
    expect(desk.ask(one).leases).toEqual([]);
    const { result, open } = desk.handIn(first.leases[0]!.token);
    expect(desk.rows.get(result)!.drawn).toBe(736);
    expect(open.length).toBeGreaterThan(600);
    expect(desk.ask(one).leases).toEqual([]);
    desk.open(one, result);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    expect(desk.rows.get(result)!.errorBound).toBeLessThanOrEqual(1e-4);
    const sizes = Array.from({ length: 5 }, () => {
      const before = desk.record(one).verified;
      desk.deliver(one);
      return (desk.record(one).verified - before) / ELEMENTS;
    });
    // The rest of the tile it began, then whole tiles as the record allows.
    expect(sizes).toEqual([2, 1, 4, 4, 4]);
  });

  it('double also though time passes and records decay', () => {
    const desk = new Desk();
    const one = desk.join('one');
    desk.deliver(one);
    desk.now += 2000;
    expect(desk.ask(one).leases.map(({ parts }) => parts)).toEqual([6]);
  });

  it('who wait for their verdict are called when it comes, whatever they said meanwhile that asked for nothing', () => {
    const desk = new Desk();
    const one = desk.join('one');
    const { result } = desk.handIn(desk.ask(one).leases[0]!.token);
    expect(desk.ask(one, 64).leases).toEqual([]);
    desk.ask(one, 0);
    desk.open(one, result);
    expect(desk.state.idle).toContain(one);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    expect(desk.state.idle).not.toContain(one);
  });

  it('who come back under a new name after every lie are held to one a second once too much is wasted', () => {
    const desk = new Desk();
    let tried = 0;
    for (let n = 0; n < 200; n++) {
      const id = desk.join(`liar${n}`);
      const [lease] = desk.ask(id).leases;
      desk.now += 10;
      if (!lease) continue;
      tried++;
      const { result } = desk.handIn(lease.token);
      desk.open(id, result);
      desk.answer(({ sample }) => sample.elements.length);
    }
    expect(tried).toBeGreaterThan(16);
    expect(tried).toBeLessThan(25);
    expect(desk.state.contributors.size).toBe(200);
  });

  it('of which one is honest still come in', () => {
    const desk = new Desk();
    desk.state.wastedByUnproven = 1e9;
    const one = desk.join('one');
    desk.now += 5000;
    expect(desk.ask(one).leases).toHaveLength(1);
  });
});

describe('a proven lie', () => {
  it('takes two looks when little is wrong: four times as many elements are drawn before anybody is judged', () => {
    const desk = new Desk();
    const one = desk.join('one');
    const { result } = desk.handIn(desk.ask(one).leases[0]!.token);
    desk.open(one, result);
    let left = 1;
    desk.answer(() => left--);
    expect(desk.rows.get(result)).toMatchObject({ state: 'committed', round: 'second', drawn: 2944 });
    expect(desk.wanted).toHaveLength(1);
    expect(desk.wanted[0]!.open.length).toBeGreaterThan(2000);
    desk.open(one, result);
    desk.answer(({ sample }) => (sample.elements.length > 60 ? 4 : 0));
    expect(desk.rows.get(result)).toMatchObject({ state: 'refuted' });
  });

  it('is not seen in a single value that nothing explains', () => {
    const desk = new Desk();
    const one = desk.join('one');
    const { result } = desk.handIn(desk.ask(one).leases[0]!.token);
    desk.open(one, result);
    let left = 1;
    desk.answer(() => Math.max(0, left--));
    desk.open(one, result);
    let recomputed = 0;
    desk.answer(({ kind, sample }) => {
      if (kind === 'recompute') recomputed += sample.elements.length;
      return 0;
    });
    expect(recomputed).toBe(2944);
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
  });

  it('adds up over results: values too few to refute one of them refute their sum', () => {
    const desk = new Desk();
    const one = desk.join('one');
    for (let n = 0; n < 20 && desk.record(one)?.refuted !== 1; n++) {
      const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
      desk.open(one, result);
      let left = 1;
      desk.answer(() => Math.max(0, left--));
      desk.open(one, result);
      desk.answer();
    }
    expect(desk.record(one).refuted).toBe(1);
    expect(desk.verdicts.filter(({ state }) => state === 'accepted').length).toBeLessThan(8);
  });

  it('voids what has not vested, offers those parts again, suspends, and ends the record', () => {
    const desk = new Desk();
    const one = desk.join('one');
    const good = [desk.deliver(one), desk.deliver(one)];
    expect(desk.sum('vesting/c_one')).toBeGreaterThan(0n);
    const before = desk.state.jobs.get(storedJob.id)!.partsAccepted;
    const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
    desk.open(one, result);
    desk.answer(({ sample }) => sample.elements.length);
    expect(desk.verdicts.at(-1)).toMatchObject({ state: 'refuted', voided: BigInt(before) * 1000n });
    expect(desk.revoked).toEqual(good);
    expect(desk.state.jobs.get(storedJob.id)!.partsAccepted).toBe(0);
    expect(desk.sum('vesting/c_one')).toBe(0n);
    expect(desk.sum('device:one')).toBe(0n);
    expect(desk.sum('job/')).toBe(0n);
    expect(desk.record(one)).toMatchObject({ refuted: 1, verified: 0 });
    expect(desk.ask(one).leases).toEqual([]);
    const another = desk.join('another');
    expect(desk.ask(another).leases[0]!.at.tile).toBeLessThanOrEqual(1);
  });

  it('cannot reach what has vested', () => {
    const desk = new Desk();
    const one = desk.join('one');
    desk.deliver(one);
    desk.now += 11 * 60_000;
    desk.do({ type: 'tick' });
    expect(desk.sum('device:one/earned')).toBe(1000n);
    const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
    desk.open(one, result);
    desk.answer(({ sample }) => sample.elements.length);
    expect(desk.sum('device:one/earned')).toBe(1000n);
    expect(desk.revoked).toEqual([]);
  });

  it('is an opening that does not match', () => {
    const desk = new Desk();
    const one = desk.join('one');
    const { result } = desk.handIn(desk.ask(one).leases[0]!.token);
    desk.open(one, result);
    desk.do({ type: 'checked', request: desk.checks.pop()!, outcome: { kind: 'mismatch', message: 'the opening does not match what was committed' } });
    expect(desk.rows.get(result)).toMatchObject({ state: 'refuted' });
  });

  it('by a drill earns nothing and is labelled; a drill that is not found out is not accepted either', () => {
    const desk = new Desk();
    const one = desk.join('one', { drill: true });
    const { result } = desk.handIn(desk.ask(one).leases[0]!.token);
    desk.open(one, result);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'discarded', drill: true });
    expect(desk.sum('vesting/')).toBe(0n);
  });
});

describe('a result that is not opened', () => {
  it('is dropped after two minutes, and costs half the record', () => {
    const desk = new Desk();
    const one = desk.join('one');
    desk.deliver(one);
    const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
    desk.now += 121_000;
    desk.do({ type: 'tick' });
    expect(desk.rows.get(result)).toMatchObject({ state: 'discarded' });
    expect(desk.record(one).verified).toBeCloseTo(ELEMENTS / 2, 0);
    expect(desk.record(one)).toMatchObject({ refuted: 0, discarded: 1, suspendedUntilMs: 0 });
  });

  it('can only be opened by its own contributor', () => {
    const desk = new Desk();
    const [one, two] = [desk.join('one'), desk.join('two')];
    const { result } = desk.handIn(desk.ask(one).leases[0]!.token);
    expect(desk.open(two, result)).toMatchObject([{ type: 'refused', code: 'forbidden' }]);
    expect(desk.checks).toEqual([]);
  });
});

describe('reputation', () => {
  it('is not earned on jobs of one’s own', () => {
    const desk = new Desk();
    const one = desk.join('one', { owner });
    desk.deliver(one);
    expect(desk.record(one)).toMatchObject({ accepted: 1, verified: 0 });
  });

  it('halves in 30 days', () => {
    const desk = new Desk();
    const one = desk.join('one');
    desk.deliver(one);
    desk.now += 30 * 86_400_000;
    desk.ask(one, 1);
    expect(desk.record(one).verified).toBeCloseTo(ELEMENTS / 2, 3);
  });
});

it('draws the same again after a restart, and goes on where it was', () => {
  const desk = new Desk();
  const one = desk.join('one');
  const { result, open } = desk.handIn(desk.ask(one).leases[0]!.token);
  desk.checks.length = 0;
  desk.state = desk.fresh();
  desk.join('one');
  desk.do({ type: 'openJob', job: storedJob, results: [...desk.rows.values()], paid: 0n });
  expect(desk.state.pending.get(result)!.stage).toBe('opening');
  desk.open(one, result);
  expect([...new Set(desk.checks[0]!.sample.elements)].sort((a, b) => a - b)).toEqual(open);
  desk.state = desk.fresh();
  desk.checks.length = 0;
  desk.join('one');
  desk.do({ type: 'openJob', job: storedJob, results: [...desk.rows.values()], paid: 0n });
  desk.answer();
  expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
  expect(desk.state.jobs.get(storedJob.id)!.blocks.accepted(0)).toBe(1 as PartMask);
  expect(fullMask(PARTS)).toBe(15);
});
