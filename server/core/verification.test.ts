import { describe, expect, it } from 'vitest';
import { Desk, ELEMENTS, PARTS, storedJob } from './testing.ts';

const desk = (): Desk => new Desk({}, { checking: 'verify' });

describe('results that are looked at as a whole', () => {
  it('need no opening and no auditor, and are paid when nothing is wrong', () => {
    const at = desk();
    const one = at.join('one');
    const { result, open } = at.handIn(at.ask(one).leases[0]!.token);
    expect(open).toEqual([]);
    expect(at.checks.map(({ kind }) => kind)).toEqual(['verify']);
    at.answer();
    expect(at.rows.get(result)).toMatchObject({ state: 'accepted', errorBound: 0 });
    expect(at.verdicts[0]).toMatchObject({ state: 'accepted', reason: 'All of it was checked.' });
    expect(at.sum('vesting/')).toBeGreaterThan(0n);
  });

  it('are refuted by one wrong element, and that ends the record', () => {
    const at = desk();
    const one = at.join('one');
    for (let tile = 0; tile < 3; tile++) {
      at.handIn(at.ask(one, 1).leases[0]!.token);
      at.answer();
    }
    const { result } = at.handIn(at.ask(one, 1).leases[0]!.token);
    at.answer(() => 1);
    expect(at.rows.get(result)).toMatchObject({ state: 'refuted' });
    expect(at.verdicts.at(-1)).toMatchObject({ state: 'refuted', reason: 'It is not what the job asks for: 1 rows.' });
    expect(at.ask(one).leases).toEqual([]);
  });

  it('are drawn for with keys that follow from the commitment, the same again after a restart', () => {
    const at = desk();
    const one = at.join('one');
    const [first, second] = at.ask(one, 2).leases;
    at.handIn(first!.token);
    const [asked] = at.checks;
    at.restart(storedJob);
    expect(at.checks.at(-1)).toMatchObject({ kind: 'verify' });
    const keysOf = (check: typeof asked) => (check?.kind === 'verify' ? check.keys : undefined);
    expect(keysOf(at.checks.at(-1))).toEqual(keysOf(asked));
    expect(keysOf(asked)!.job).toHaveLength(32);
    if (second) {
      at.handIn(second.token);
      expect(keysOf(at.checks.at(-1))!.job).toEqual(keysOf(asked)!.job);
      expect(keysOf(at.checks.at(-1))!.result).not.toEqual(keysOf(asked)!.result);
    }
  });

  it('are taken from trusted contributors as they are', () => {
    const at = desk();
    const { result } = at.handIn(at.ask(at.join('ours', { trusted: true })).leases[0]!.token);
    expect(at.checks).toEqual([]);
    expect(at.rows.get(result)).toMatchObject({ state: 'accepted' });
  });

  it('whose check breaks down three times are dropped, and nobody is blamed', () => {
    const at = desk();
    const { result } = at.handIn(at.ask(at.join('one')).leases[0]!.token);
    for (let request = at.checks.shift(); request; request = at.checks.shift())
      at.do({ type: 'checked', request, outcome: { kind: 'failed', message: 'the thread died' } });
    expect(at.rows.get(result)).toMatchObject({ state: 'discarded' });
  });

  it('count all of their elements as looked at', () => {
    const at = desk();
    at.handIn(at.ask(at.join('one')).leases[0]!.token);
    at.answer();
    const [job] = at.state.jobs.values();
    expect(job!.elements.cpu % ELEMENTS).toBe(0);
    expect(job!.elements.cpu).toBeLessThanOrEqual(ELEMENTS * PARTS);
    expect(job!.elements.cpu).toBeGreaterThan(0);
  });
});
