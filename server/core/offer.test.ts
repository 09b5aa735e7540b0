import { describe, expect, it } from 'vitest';
import type { GroupId, JobId, OwnerId } from '../../shared/model.ts';
import type { StoredJob } from '../store/store.ts';
import { requesterTag } from './offer.ts';
import { Desk, owner, storedJob } from './testing.ts';

const group = 'g_0000000000000001' as GroupId;
const members = { groups: new Set([group]) };
const free = { group: { id: group, mode: 'only' }, ratePerUnit: 0n, workHeld: 0n, checksHeld: 0n, heldFrom: [] } as const;
const first = { group: { id: group, mode: 'first' } } as const;

/** A desk with a second job beside its own. */
function deskWith(job: Partial<StoredJob>, second: Partial<StoredJob>): Desk {
  const desk = new Desk(job);
  desk.do({ type: 'openJob', job: { ...storedJob, id: 'j_second0000000000' as JobId, ...second }, results: [], paid: 0n });
  return desk;
}
const jobOf = (desk: Desk, who: Parameters<Desk['ask']>[0]): JobId | undefined => desk.ask(who, 1).leases[0]?.job;

describe('a job for a group only', () => {
  it('goes to members and to nobody else, not even as an audit', () => {
    const desk = new Desk(free);
    const stranger = desk.join('stranger', { groups: new Set(['g_0000000000000002' as GroupId]) });
    const trusted = desk.join('trusted', { trusted: true });
    const member = desk.join('member', members);
    expect(desk.ask(stranger).leases).toEqual([]);
    expect(desk.ask(trusted).leases).toEqual([]);
    const [lease] = desk.ask(member, 1).leases;
    const { result } = desk.handIn(lease!.token);
    desk.open(member, result);
    desk.answer();
    expect(desk.ask(stranger, 0).audits).toEqual([]);
    expect(desk.ask(trusted, 0).audits).toEqual([]);
    expect(desk.rows.get(result)).toMatchObject({ state: 'accepted' });
    expect(desk.rows.get(result)!.evidence.length + desk.state.jobs.get(storedJob.id)!.elements.cpu).toBeGreaterThan(0);
  });

  it('moves no money, ends as any other, and earns a record in this group alone', () => {
    const desk = new Desk({ ...free, params: { tiles: 2 } });
    const member = desk.join('member', members);
    while (desk.ended.length === 0) desk.deliver(member);
    expect(desk.transfers).toEqual([]);
    expect(desk.ended[0]).toMatchObject({ status: 'done', summary: { paidMicroCredits: '0' } });
    expect(desk.verdicts.every(({ state, microCredits }) => state === 'accepted' && microCredits === 0n)).toBe(true);
    const { standings } = desk.state.contributors.get(member)!;
    expect([...standings].filter(([, { verified }]) => verified > 0).map(([name]) => name)).toEqual([`test@${group}`]);
  });

  it('is checked like any other: a proven lie takes back what was accepted before', () => {
    const desk = new Desk(free);
    const member = desk.join('member', members);
    const before = desk.deliver(member);
    expect(desk.rows.get(before)).toMatchObject({ state: 'accepted' });
    const { result } = desk.handIn(desk.ask(member, 1).leases[0]!.token);
    desk.open(member, result);
    desk.answer(({ sample }) => sample.elements.length);
    expect(desk.rows.get(result)).toMatchObject({ state: 'refuted' });
    expect(desk.revoked).toEqual([before]);
    expect(desk.transfers).toEqual([]);
    expect(desk.ask(member).leases).toEqual([]);
  });

  it('is taken from whoever leaves, and goes to another member', () => {
    const desk = new Desk(free);
    const [ana, ben] = [desk.join('ana', members), desk.join('ben', members)];
    const [lease] = desk.ask(ana, 1).leases;
    const events = desk.do({ type: 'setGroups', owner: 'device:ana' as OwnerId, groups: [] });
    expect(events).toContainEqual(expect.objectContaining({ type: 'leasesVoided', contributor: ana, tokens: [lease!.token] }));
    expect(desk.ask(ana).leases).toEqual([]);
    expect(desk.ask(ben, 1).leases[0]!.at).toEqual(lease!.at);
    desk.do({ type: 'setGroups', owner: 'device:ana' as OwnerId, groups: [group] });
    expect(desk.ask(ana, 1).leases).toHaveLength(1);
  });
});

describe('a job for a group first', () => {
  it('comes before all other work for members; others get it last while members are here, and are paid', () => {
    const desk = deskWith({}, first);
    const stranger = desk.join('stranger');
    const member = desk.join('member', members);
    expect(jobOf(desk, member)).toBe('j_second0000000000');
    expect(jobOf(desk, stranger)).toBe(storedJob.id);
    // Nothing else is left: then it is theirs as well.
    desk.do({ type: 'cancelJob', job: storedJob.id });
    const result = desk.deliver(stranger);
    expect(desk.rows.get(result)).toMatchObject({ job: 'j_second0000000000', state: 'accepted' });
    expect(desk.sum('vesting/')).toBeGreaterThan(0n);
  });

  it('is a job like any other while no member is here', () => {
    const desk = deskWith({}, first);
    const member = desk.join('member', members);
    desk.do({ type: 'leave', contributor: member });
    expect(['a', 'b', 'c', 'd'].map((name) => jobOf(desk, desk.join(name)))).toEqual([storedJob.id, 'j_second0000000000', storedJob.id, 'j_second0000000000']);
  });
});

describe('what a contributor wants', () => {
  const tag = requesterTag(new Uint8Array(32).fill(2), owner);

  it('nothing of a blocked requester, and what it holds of it goes back', () => {
    const desk = new Desk();
    const who = desk.join('who');
    const [lease] = desk.ask(who, 1).leases;
    const events = desk.do({ type: 'prefer', contributor: who, preferences: { blocked: [tag] } });
    expect(events).toContainEqual(expect.objectContaining({ type: 'leasesVoided', contributor: who, tokens: [lease!.token] }));
    expect(desk.ask(who).leases).toEqual([]);
    desk.do({ type: 'prefer', contributor: who, preferences: {} });
    expect(desk.ask(who, 1).leases[0]!.at).toEqual(lease!.at);
  });

  it('its own jobs first, when it says so', () => {
    const mine = 'device:who' as OwnerId;
    const desk = deskWith({}, { owner: mine, createdMs: 9 });
    const who = desk.join('who');
    expect(jobOf(desk, who)).toBe(storedJob.id);
    desk.do({ type: 'giveBack', contributor: who, tokens: [...desk.state.leases.values()].map(({ token }) => token), unopened: [] });
    expect(jobOf(desk, desk.join('who', { preferences: { ownFirst: true } }))).toBe('j_second0000000000');
  });

  it('only jobs of its groups and its own', () => {
    const desk = deskWith({}, first);
    const preferences = { groupsOnly: true };
    expect(jobOf(desk, desk.join('stranger', { preferences }))).toBeUndefined();
    expect(jobOf(desk, desk.join('member', { ...members, preferences }))).toBe('j_second0000000000');
  });

  it('only some kinds of those it agreed to', () => {
    const desk = new Desk();
    expect(jobOf(desk, desk.join('none', { preferences: { kinds: [] } }))).toBeUndefined();
    expect(jobOf(desk, desk.join('some', { preferences: { kinds: ['test'] } }))).toBe(storedJob.id);
  });

  it('a requester is named alike to everybody, and not by its id', () => {
    const desk = new Desk();
    expect(desk.state.jobs.get(storedJob.id)!.requester).toBe(tag);
    expect(tag).toMatch(/^[A-Za-z0-9_-]{12}$/);
    expect(requesterTag(new Uint8Array(32).fill(3), owner)).not.toBe(tag);
  });
});
