import { describe, expect, it } from 'vitest';
import type { ContributorId } from '../../shared/model.ts';
import { Desk, storedJob } from './testing.ts';

const PHONE = 'arm/mali/chromium-156/vulkan';
const LAPTOP = 'intel/xe/chromium-156/metal';

/** Hands one lease in, opens it and answers every question: `wrong` elements of each are the author's fault. */
function submit(desk: Desk, author: ContributorId, wrong: (round: number) => number) {
  const { result } = desk.handIn(desk.ask(author, 1).leases[0]!.token);
  desk.open(author, result);
  for (let round = 0; round < 10 && desk.rows.get(result)!.state === 'committed'; round++) {
    desk.answer(() => wrong(round));
    desk.open(author, result);
    desk.answerAudits(author);
  }
  return desk.rows.get(result)!;
}

describe('agreement between device classes', () => {
  it('is counted for the pair of author and coordinator once the result is accepted', () => {
    const desk = new Desk();
    const one = desk.join('one', { deviceClass: PHONE });
    let left = 1;
    const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
    desk.open(one, result);
    // One value is wrong in the first draw, none in the second: accepted, and counted with both.
    desk.answer(() => Math.max(0, left--));
    expect(desk.agreements).toEqual([]);
    desk.open(one, result);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    for (const agreement of desk.agreements) expect(agreement).toMatchObject({ workload: 'test', author: PHONE, auditor: 'cpu' });
    const sum = (name: 'drawn' | 'differing' | 'unexplained') => desk.agreements.reduce((total, agreement) => total + agreement[name], 0);
    expect([sum('differing'), sum('unexplained')]).toEqual([1, 1]);
    const { drawn } = desk.record(one);
    expect(sum('drawn')).toBe(drawn);
  });

  it('is counted for the classes of author and auditor, each its own', () => {
    const desk = new Desk();
    const ids = Array.from({ length: 8 }, (_, n) => desk.join(`c${n}`, { deviceClass: LAPTOP }));
    for (const id of ids) for (let n = 0; n < 2; n++) desk.deliver(id);
    const author = desk.join('phone', { deviceClass: PHONE });
    desk.agreements.length = 0;
    expect(submit(desk, author, () => 0).state).toBe('accepted');
    expect(new Set(desk.agreements.map(({ author, auditor }) => `${author} ${auditor}`))).toContain(`${PHONE} ${LAPTOP}`);
    expect(desk.agreements.every(({ author }) => author === PHONE)).toBe(true);
    expect(desk.agreements.reduce((sum, { drawn }) => sum + drawn, 0)).toBe(desk.record(author).drawn);
  });

  it('differs where two values are apart, whoever of them the referee finds right', () => {
    const desk = new Desk();
    desk.join('operator', { trusted: true, deviceClass: LAPTOP });
    const one = desk.join('one', { deviceClass: PHONE });
    const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
    desk.open(one, result);
    for (let round = 0; round < 10 && desk.rows.get(result)!.state === 'committed'; round++) {
      desk.answer(() => 0, 1);
      desk.answerAudits(one);
    }
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    const pair = desk.agreements.filter(({ auditor }) => auditor === LAPTOP);
    expect(pair.length).toBeGreaterThan(0);
    for (const agreement of pair) expect(agreement).toMatchObject({ author: PHONE, differing: 1, unexplained: 0 });
  });

  it('is not learnt from results that are refuted or dropped', () => {
    const desk = new Desk();
    const liar = desk.join('liar', { deviceClass: PHONE });
    expect(submit(desk, liar, () => 64).state).toBe('refuted');
    const drill = desk.join('drill', { deviceClass: PHONE, drill: true });
    expect(submit(desk, drill, () => 0).state).toBe('discarded');
    expect(desk.agreements).toEqual([]);
  });

  it('is not counted for a result that was read back, whose device nobody knows any more', () => {
    const desk = new Desk();
    const one = desk.join('one', { deviceClass: PHONE });
    const { result } = desk.handIn(desk.ask(one, 1).leases[0]!.token);
    desk.state = desk.fresh();
    desk.join('one', { deviceClass: null });
    desk.do({ type: 'openJob', job: storedJob, results: [...desk.rows.values()], paid: 0n });
    desk.join('one', { deviceClass: LAPTOP });
    desk.open(one, result);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    expect(desk.agreements).toEqual([]);
  });

  it('changes nothing: the same history with other classes has the same draws and verdicts', () => {
    const history = (classOf: (n: number) => string) => {
      const desk = new Desk();
      const ids = Array.from({ length: 6 }, (_, n) => desk.join(`c${n}`, { deviceClass: classOf(n) }));
      for (const id of ids) for (let n = 0; n < 3; n++) desk.deliver(id);
      submit(desk, ids[0]!, () => 64);
      return { rows: [...desk.rows.values()], verdicts: desk.verdicts, transfers: desk.transfers, standings: ids.map((id) => desk.record(id)) };
    };
    expect(history((n) => `vendor-${n}/a/b`)).toEqual(history(() => 'trusted/cpu/cpu'));
  });
});
