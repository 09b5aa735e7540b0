import { describe, expect, it } from 'vitest';
import type { ContributorId, OwnerId } from '../../shared/model.ts';
import { Desk, ELEMENTS, owner } from './testing.ts';

describe('auditors', () => {
  /** A desk with enough contributors on record that auditing is theirs. */
  function swarm(count = 8): { desk: Desk; ids: ContributorId[] } {
    const desk = new Desk();
    const ids = Array.from({ length: count }, (_, n) => desk.join(`c${n}`));
    for (const id of ids) {
      desk.deliver(id);
      desk.deliver(id);
    }
    return { desk, ids };
  }

  it('are drawn at random, several for a result, never its own contributor, and are paid', () => {
    const { desk, ids } = swarm();
    const author = ids[0]!;
    const { result } = desk.handIn(desk.ask(author, 1).leases[0]!.token);
    desk.open(author, result);
    const drawn = desk.rows.get(result)!.drawn;
    desk.answer();
    // One of them first, for a few elements; the others for the rest when those were right.
    const first = desk.answerAudits(author);
    expect([...first.values()]).toEqual([64]);
    desk.answer();
    const counts = desk.answerAudits(author);
    expect(counts.size).toBeGreaterThan(2);
    expect(Math.max(...[...counts.values()])).toBeLessThan(drawn);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    const audited = [...counts.values()].reduce((a, b) => a + b);
    expect(desk.transfers.filter(({ kind }) => kind === 'audit').reduce((sum, { microCredits }) => sum + microCredits, 0n)).toBeGreaterThan(
      BigInt(Math.floor((audited * 1000) / ELEMENTS / 2)),
    );
  });

  it('who lie are refuted themselves, and the result they accused is not', () => {
    const { desk, ids } = swarm();
    const author = ids[0]!;
    const { result } = desk.handIn(desk.ask(author, 1).leases[0]!.token);
    desk.open(author, result);
    desk.answer();
    expect(desk.checks).toEqual([]);
    const counts = desk.answerAudits(author);
    const first = desk.checks.find((check) => check.kind === 'compare')!;
    const accuser = first.kind === 'compare' ? first.auditor : ids[1]!;
    // The accuser's values are wrong everywhere; the referee clears the claim.
    const accusations = desk.checks.splice(0).filter((check) => {
      if (check.kind === 'compare' && check.auditor === accuser) return true;
      desk.checks.push(check);
      return false;
    });
    for (const check of accusations) {
      const drawn = check.sample.elements.length;
      const fine = { drawn, differing: 0, unexplained: 0, worst: 0, cpuMs: 1 };
      desk.do({
        type: 'checked',
        request: check,
        outcome: { kind: 'compared', result: fine, auditor: { ...fine, differing: drawn, unexplained: drawn }, apart: drawn },
      });
    }
    expect(desk.record(accuser).refuted).toBe(1);
    for (let round = 0; round < 10 && desk.rows.get(result)!.state === 'committed'; round++) {
      desk.answer();
      desk.answerAudits(author);
    }
    expect(counts.get(accuser)).toBeGreaterThan(0);
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    expect(desk.record(author).refuted).toBe(0);
  });

  it('who do not answer are replaced, at last by the coordinator', () => {
    const { desk, ids } = swarm(4);
    const author = ids[0]!;
    const { result } = desk.handIn(desk.ask(author, 1).leases[0]!.token);
    desk.open(author, result);
    for (let round = 0; round < 10; round++) {
      desk.answer();
      for (const id of ids) desk.ask(id, 0);
      desk.now += 21_000;
      desk.do({ type: 'tick' });
    }
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
  });

  it('that the operator trusts come first, and are not audited themselves', () => {
    const { desk, ids } = swarm();
    const trusted = desk.join('trusted', { trusted: true });
    const author = ids[0]!;
    const { result } = desk.handIn(desk.ask(author, 1).leases[0]!.token);
    desk.open(author, result);
    desk.answer();
    const { audits, leases } = desk.ask(trusted, 1);
    for (const audit of audits) desk.do({ type: 'answer', contributor: trusted, token: audit.token, values: new Uint8Array(audit.elements.length * 4) });
    desk.answer();
    const rest = desk.answerAudits(author);
    expect([...rest.keys()]).toEqual([trusted]);
    expect(64 + rest.get(trusted)!).toBe(desk.rows.get(result)!.drawn);
    desk.answer();
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    const own = desk.handIn(leases[0]!.token);
    expect(own.open).toEqual([]);
    expect(desk.rows.get(own.result)).toMatchObject({ state: 'accepted', errorBound: 0, drawn: 0 });
  });

  it('share neither owner, site nor address with whom they judge, nor did they order the job', () => {
    const desk = new Desk();
    const far = ['a', 'b', 'c'].map((name) => desk.join(name, { network: name }));
    for (const id of far) {
      desk.deliver(id);
      desk.deliver(id);
    }
    const near = ['d', 'e', 'f', 'g', 'h', 'i'].map((name) =>
      desk.join(name, { network: 'here', owner: name === 'i' ? owner : (`device:${name}` as OwnerId) }),
    );
    for (const id of near) for (let n = 0; n < 2; n++) desk.deliver(id);
    const author = near[0]!;
    for (let n = 0; n < 4; n++) {
      const { result } = desk.handIn(desk.ask(author, 1).leases[0]!.token);
      desk.open(author, result);
      for (let round = 0; round < 10 && desk.rows.get(result)!.state === 'committed'; round++) {
        desk.answer();
        for (const id of desk.answerAudits(author).keys()) expect(far).toContain(id);
      }
      expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    }
  });

  it('get answers of the wrong size refused with the size that fits', () => {
    const { desk, ids } = swarm();
    const { result } = desk.handIn(desk.ask(ids[0]!, 1).leases[0]!.token);
    desk.open(ids[0]!, result);
    desk.answer();
    const auditor = desk.state.connected.find(({ questions }) => questions.length > 0)!;
    const [audit] = desk.ask(auditor.id, 0).audits;
    expect(desk.do({ type: 'answer', contributor: auditor.id, token: audit!.token, values: new Uint8Array(3) })).toMatchObject([
      { type: 'refused', code: 'bad_input', field: 'values', limit: `${audit!.elements.length * 4} bytes` },
    ]);
    expect(desk.do({ type: 'answer', contributor: ids[0]!, token: audit!.token, values: new Uint8Array(audit!.elements.length * 4) })).toMatchObject([
      { type: 'refused', code: 'stale' },
    ]);
  });
});
