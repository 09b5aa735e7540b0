import { expect, it } from 'vitest';
import type { ContributorId, JobId } from '../../shared/model.ts';
import { Desk, storedJob } from './testing.ts';

const voided = (events: readonly { readonly type: string }[]) => events.filter(({ type }) => type === 'leasesVoided');

it('a halt takes back every lease and audit, grants nothing, and ends by itself never', () => {
  const desk = new Desk();
  const [ada, ben] = [desk.join('ada'), desk.join('ben')];
  desk.deliver(ada);
  const { leases } = desk.ask(ada);
  expect(leases.length).toBeGreaterThan(0);
  const events = desk.do({ type: 'halt', reason: 'Power is out.' });
  expect(voided(events)).toEqual([
    { type: 'leasesVoided', contributor: ada, tokens: leases.map(({ token }) => token), reason: 'The operator has paused the network.' },
  ]);
  expect(desk.state.leases.size).toBe(0);
  expect(desk.state.jobs.get(storedJob.id)?.partsLeased).toBe(0);
  for (const who of [ada, ben]) expect(desk.ask(who)).toMatchObject({ leases: [], audits: [], retryMs: expect.any(Number) });
  desk.now += 3_600_000;
  desk.do({ type: 'tick' });
  expect(desk.ask(ben).leases).toEqual([]);
  // Who waits is told when it goes on.
  const resumed = desk.do({ type: 'halt', reason: null });
  expect(resumed).toEqual([{ type: 'workAvailable', contributors: expect.arrayContaining([ada, ben]) }]);
  expect(desk.ask(ben).leases.length).toBeGreaterThan(0);
});

it('what was finished under a lease that a halt took back is not lost', () => {
  const desk = new Desk();
  const ada = desk.join('ada', { trusted: true });
  const [lease] = desk.ask(ada, 1).leases;
  desk.do({ type: 'halt', reason: 'x' });
  const { result } = desk.handIn(lease!.token);
  expect(desk.rows.get(result)?.state).toBe('accepted');
});

it('audits that a halt took back are judged all the same', () => {
  const desk = new Desk();
  const [ada, ben, cleo] = [desk.join('ada'), desk.join('ben'), desk.join('cleo')];
  for (const who of [ben, cleo]) for (let count = 0; count < 4; count++) desk.deliver(who);
  const [lease] = desk.ask(ada, 1).leases;
  const { result } = desk.handIn(lease!.token);
  desk.open(ada, result);
  const opening = desk.checks.shift()!;
  desk.do({ type: 'checked', request: opening, outcome: { kind: 'opened', claims: new Uint8Array(opening.sample.elements.length * 4) } });
  const audits = [ben, cleo].flatMap((who) => desk.ask(who, 0).audits);
  expect(audits.length + desk.checks.length).toBeGreaterThan(0);
  desk.do({ type: 'halt', reason: 'x' });
  expect(desk.state.audits.size).toBe(0);
  for (let round = 0; round < 20 && desk.rows.get(result)?.state === 'committed'; round++) {
    desk.answer();
    desk.now += 60_000;
    desk.do({ type: 'tick' });
  }
  expect(desk.rows.get(result)?.state).toBe('accepted');
});

it('a pardon ends suspensions, is written, and keeps the record of wrongs', () => {
  const desk = new Desk();
  const ada = desk.join('ada');
  const { result } = desk.handIn(desk.ask(ada, 1).leases[0]!.token);
  desk.open(ada, result);
  desk.answer(({ sample }) => sample.elements.length);
  expect(desk.ask(ada).leases).toEqual([]);
  expect(desk.record(ada)).toMatchObject({ refuted: 1, suspendedUntilMs: expect.any(Number) });
  const events = desk.do({ type: 'pardon', contributor: ada });
  const write = { kind: 'standing', contributor: ada, workload: 'test', standing: { ...desk.record(ada), refuted: 1, suspendedUntilMs: 0 } };
  expect(events[0]).toEqual({ type: 'write', write });
  expect(desk.ask(ada).leases).toHaveLength(1);
  expect(desk.do({ type: 'pardon', contributor: 'c_nobody' as ContributorId })[0]).toMatchObject({ type: 'refused', code: 'not_found' });
});

it('an accepted result says how much it is, a tile in parts by its parts', () => {
  const desk = new Desk();
  const ada = desk.join('ada');
  const before = desk.ask(ada, 1).leases[0]!;
  const { result } = desk.handIn(before.token);
  desk.open(ada, result);
  const accepted: unknown[] = [];
  const step = desk.do.bind(desk);
  desk.do = (command) => {
    const events = step(command);
    accepted.push(...events.flatMap((event) => (event.type === 'tileAccepted' ? [event.amount] : [])));
    return events;
  };
  desk.answer();
  // A newcomer gets one of four parts.
  expect(accepted).toEqual([{ tiles: 0.25, microUnits: 1000, elements: 4096 }]);
});

it('the job that somebody has picked comes first, also before jobs of his own', () => {
  const desk = new Desk();
  const second = 'j_second0000000000' as JobId;
  desk.do({ type: 'openJob', job: { ...storedJob, id: second, gallery: true }, results: [], paid: 0n });
  const plain = desk.join('plain');
  expect(desk.ask(plain, 1).leases[0]?.job).toBe(storedJob.id);
  const ada = desk.join('ada', { owner: storedJob.owner, preferences: { ownFirst: true, job: second } });
  expect(desk.ask(ada, 1).leases[0]?.job).toBe(second);
  // With nothing left of it, others.
  desk.do({ type: 'cancelJob', job: second });
  expect(desk.ask(ada, 1).leases[0]?.job).toBe(storedJob.id);
});
