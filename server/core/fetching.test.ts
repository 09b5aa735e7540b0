import { describe, expect, it } from 'vitest';
import { limits, MIB, MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import type { BlobHash, JobId } from '../../shared/model.ts';
import { inputBytesOf } from './fetching.ts';
import { Desk, storedJob } from './testing.ts';

const input = (name: string, mib: number, hash = name) => ({ name, hash: hash.repeat(64).slice(0, 64) as BlobHash, bytes: mib * MIB });
const large = { inputs: [input('a', 200), input('b', 100)] };

describe('the cap of a download', () => {
  it('counts identical inputs once', () => {
    expect(inputBytesOf({ inputs: [input('a', 200), input('b', 56), input('c', 200, 'a')] })).toBe(256 * MIB);
    expect(inputBytesOf({ inputs: [] })).toBe(0);
  });

  it('keeps work of larger jobs from whoever set it, to the byte', () => {
    const desk = new Desk(large);
    const [below, equal] = [300 * MIB - 1, 300 * MIB].map((downloadBytesMax) => desk.join(`cap${downloadBytesMax}`, { downloadBytesMax }));
    expect(desk.ask(below!)).toMatchObject({ leases: [], retryMs: expect.any(Number) });
    expect(desk.ask(equal!).leases).toHaveLength(1);
  });

  it('leaves smaller jobs to them, however long the larger one has waited', () => {
    const desk = new Desk(large);
    desk.do({ type: 'openJob', job: { ...storedJob, id: 'j_small00000000000' as JobId, inputs: [input('c', 10)] }, results: [], paid: 0n });
    const who = desk.join('who');
    expect(desk.ask(who).leases.map(({ job }) => job)).toEqual(['j_small00000000000']);
  });

  it('follows a change while connected', () => {
    const desk = new Desk(large);
    const who = desk.join('who', { trusted: true });
    const ask = (downloadBytesMax?: number) =>
      desk.do({ type: 'requestWork', contributor: who, leasesMax: 1, downloadBytesMax }).find(({ type }) => type === 'leased');
    expect(ask()).toMatchObject({ leases: [] });
    expect(ask(1024 * MIB)).toMatchObject({ leases: [{ job: storedJob.id }] });
    expect(ask()).toMatchObject({ leases: [{ job: storedJob.id }] });
    desk.do({ type: 'giveBack', contributor: who, tokens: [...desk.state.leases.values()].map(({ token }) => token), unopened: [] });
    expect(ask(64 * MIB)).toMatchObject({ leases: [] });
  });

  it('keeps audits from them too, trusted or not', () => {
    const desk = new Desk(large);
    const who = desk.join('who', { downloadBytesMax: 1024 * MIB });
    desk.join('trusted', { trusted: true });
    for (let index = 0; index < 4; index++) desk.join(`auditor${index}`, { standings: new Map([['test', { ...record, verified: 1e6 }]]) });
    const [lease] = desk.ask(who, 1).leases;
    const { result } = desk.handIn(lease!.token);
    desk.open(who, result);
    // Nobody but the coordinator's CPU is left.
    desk.answer();
    expect(desk.answerAudits()).toEqual(new Map());
    expect(desk.rows.get(result)!.state).toBe('accepted');
    expect(desk.state.jobs.get(storedJob.id)!.elements).toEqual({ cpu: expect.any(Number), trusted: 0, contributor: 0 });
    expect(desk.state.jobs.get(storedJob.id)!.elements.cpu).toBeGreaterThan(0);
  });

  const record = { accepted: 9, refuted: 0, discarded: 0, verified: 0, drawn: 0, differing: 0, unexplained: 0, suspendedUntilMs: 0, atMs: 0 };
});

describe('the time that a download takes', () => {
  it('is added to the deadline of who has not shown that it has the inputs, and to nobody else’s', () => {
    const desk = new Desk({ inputs: [input('a', 250)] });
    const who = desk.join('who');
    const [first] = desk.ask(who, 1).leases;
    // 250 MiB at 10 Mbit/s: three and a half minutes.
    expect(first!.deadlineMs - desk.now).toBeCloseTo(limits.leaseDeadlineMsMax + 209_715.2, 0);
    desk.now += 4 * MINUTE_MS;
    desk.do({ type: 'tick' });
    desk.deliver(desk.join('other'));
    desk.handIn(first!.token);
    const trusted = desk.join('trusted', { trusted: true });
    expect(desk.ask(trusted, 1).leases[0]!.fetchMs).toBeGreaterThan(200 * SECOND_MS);
    const [again] = desk.ask(desk.join('other'), 1).leases;
    expect(again!.fetchMs).toBe(0);
  });

  it('never lets a lease outlive its token', () => {
    const desk = new Desk({ inputs: [input('a', 4096)] });
    const [lease] = desk.ask(desk.join('who', { downloadBytesMax: limits.downloadBytesMax }), 1).leases;
    expect(lease!.deadlineMs - desk.now).toBe(limits.leaseTokenMsMax);
  });

  it('has others asked first who have the inputs already', () => {
    const desk = new Desk({ inputs: [input('a', 250)] });
    const standings = new Map([
      ['test', { accepted: 9, refuted: 0, discarded: 0, verified: 1e6, drawn: 0, differing: 0, unexplained: 0, suspendedUntilMs: 0, atMs: 0 }],
    ]);
    const had = ['a', 'b', 'c'].map((name) => desk.join(name, { standings }));
    for (const id of had) desk.state.jobs.get(storedJob.id)!.fetchedBy.add(id);
    for (let index = 0; index < 3; index++) desk.join(`new${index}`, { standings });
    const who = desk.join('who');
    const [lease] = desk.ask(who, 1).leases;
    const { result } = desk.handIn(lease!.token);
    desk.open(who, result);
    desk.answer();
    const asked = [...desk.answerAudits().keys()];
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((id) => !had.includes(id))).toEqual([]);
  });
});
