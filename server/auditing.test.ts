import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeAuditElements } from '../shared/formats.ts';
import type { AuditLease, Work } from '../shared/protocol.ts';
import { ELEMENTS, KEY, World } from './formula.testing.ts';
import { always, Hand, handedIn, partCount, refusal, verdictOf } from './hand.testing.ts';

/** Who recomputes what was drawn: the operator's own contributors and those drawn at random, over real sockets. */

let world: World;
beforeEach(async () => {
  world = await World.open();
});
afterEach(() => world.close());

describe('auditors', () => {
  /** A newcomer whose result waits for the operator's own contributor, and what that one is asked. */
  async function asked(lie?: () => number) {
    const trusted = await Hand.join(world, { trusted: KEY });
    const hand = await Hand.join(world);
    const { lease } = await hand.deliver(lie);
    const audits: AuditLease[] = [];
    const ask = async (): Promise<number> => audits.push(...(await trusted.work(0)).audits);
    await expect.poll(ask, { timeout: 5000 }).toBeGreaterThan(0);
    return { trusted, hand, lease, audits, ask };
  }

  it('the operator’s own: not drawn of, and believed', async () => {
    const trusted = await Hand.join(world, { trusted: KEY });
    const made = trusted.compute(await trusted.lease());
    expect(partCount(made.lease)).toBe(3);
    expect((await handedIn(trusted, made)).open).toEqual([]);
    expect(await verdictOf(trusted)).toMatchObject({ verdict: 'accepted' });
  });

  it('are asked for elements and not told what is claimed; what they find decides', async () => {
    const { trusted, hand, lease, audits, ask } = await asked();
    for (const audit of audits) expect(refusal(await trusted.answer(audit))[0]).toBe('done');
    // The first few were right: the others follow.
    await expect.poll(ask, { timeout: 5000 }).toBeGreaterThan(1);
    const elements = audits.flatMap(({ elements }) => decodeAuditElements(new Uint8Array(elements)));
    for (const element of elements) expect(element).toMatchObject(lease.at);
    expect(new Set(elements.map(({ element }) => element)).size).toBe(elements.length);
    for (const audit of audits.slice(1)) expect(refusal(await trusted.answer(audit))[0]).toBe('done');
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'accepted' });
    const [result] = await world.store.jobs.results(world.job.id);
    expect(result!.evidence.every(({ by, differing }) => by === 'trusted' && differing === 0)).toBe(true);
    expect(result!.evidence.reduce((sum, { drawn }) => sum + drawn, 0)).toBe(elements.length);
  });

  it('agree with whom they judge: counted by what both said their device is, when the result is accepted', async () => {
    const device = { vendor: ' ARM\u0000', architecture: 'Mali ', backend: 'chromium-156/vulkan', description: '', software: false };
    const trusted = await Hand.join(world, { trusted: KEY, device: { ...device, vendor: 'x'.repeat(64), architecture: 'y'.repeat(64) } });
    const hand = await Hand.join(world, { device });
    const { result } = await hand.deliver();
    const answerAll = async (): Promise<number> => {
      for (const audit of (await trusted.work(0)).audits) await trusted.answer(audit);
      return hand.verdicts.length;
    };
    await expect.poll(answerAll, { timeout: 5000 }).toBe(1);
    const { evidence } = (await world.store.jobs.result(result))!;
    const drawn = evidence.reduce((sum, found) => sum + found.drawn, 0);
    const pair = { author: 'arm?/mali/chromium-156/vulkan', auditor: `${'x'.repeat(64)}/${'y'.repeat(55)}` };
    expect(await world.store.agreements(10)).toEqual([{ workload: world.job.workload, ...pair, drawn, differing: 0, unexplained: 0 }]);
  });

  it('expose a lie', async () => {
    const { trusted, hand, audits } = await asked(always);
    for (const audit of audits) await trusted.answer(audit);
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'refuted' });
  });

  it('answer once, with values of the right size, and only what they were asked', async () => {
    const { trusted, hand, audits } = await asked();
    const [audit] = audits;
    const answer = (own: object) => ({ token: audit!.token, values: Buffer.alloc(8), computeMs: 1, leasesMax: 0, ...own });
    expect(refusal(await trusted.raw('answer', answer({})))).toEqual(['bad_input', 'values']);
    expect(refusal(await trusted.raw('answer', answer({ values: 'text' })))).toEqual(['bad_input', 'values']);
    expect(refusal(await trusted.raw('answer', answer({ token: 'A'.repeat(22) })))).toEqual(['stale', 'token']);
    expect(refusal(await hand.answer(audit!))).toEqual(['stale', 'token']);
    expect(refusal(await trusted.answer(audit!))[0]).toBe('done');
    expect(refusal(await trusted.answer(audit!))).toEqual(['stale', 'token']);
  });

  it('a drill lies with the operator’s key, is never believed, and viewers are told that it was one', async () => {
    const drill = await Hand.join(world, { trusted: KEY, drill: true });
    await drill.deliver(always);
    expect(await verdictOf(drill)).toMatchObject({ verdict: 'refuted' });
    expect(world.events.find(({ type }) => type === 'tileRefuted')).toMatchObject({ drill: true });
    const honest = await Hand.join(world, { trusted: KEY, drill: true });
    await honest.deliver();
    expect(await verdictOf(honest)).toMatchObject({ verdict: 'discarded', microCredits: '0' });
  });
});

describe('auditors drawn at random', () => {
  /** Four contributors of four networks with two accepted results each, and the newcomer whose result they are asked about. */
  async function swarm(lie?: () => number) {
    await world.close();
    world = await World.open({ trustProxy: true });
    const join = (network: number) => Hand.join(world, {}, { 'x-forwarded-for': `203.0.${network}.1` });
    const auditors: Hand[] = [];
    for (let network = 0; network < 4; network++) auditors.push(await join(network));
    for (const auditor of auditors)
      for (let number = 1; number <= 2; number++) {
        await auditor.deliver();
        // Whoever has a record by now is asked already.
        await answerAll(auditors, () => auditor.verdicts.length < number);
        expect(auditor.verdicts[number - 1]).toMatchObject({ verdict: 'accepted' });
      }
    const newcomer = await join(9);
    const { result } = await newcomer.deliver(lie);
    return { auditors, newcomer, result };
  }

  /** Everybody answers what he is asked, as long as it takes; `change` is added to what is true. Tells how many elements each was asked for. */
  async function answerAll(auditors: readonly Hand[], waiting: () => boolean, change: (auditor: number) => number = () => 0): Promise<number[]> {
    const elements = auditors.map(() => 0);
    for (const started = performance.now(); waiting() && performance.now() - started < 10_000; await new Promise((resolve) => setTimeout(resolve, 20)))
      for (const [index, auditor] of auditors.entries()) {
        const ack = await auditor.raw<Work>('work', { leasesMax: 0 });
        for (const audit of 'error' in ack ? [] : ack.data.audits) {
          elements[index]! += decodeAuditElements(new Uint8Array(audit.elements)).length;
          await auditor.answer(audit, change(index));
        }
      }
    return elements;
  }

  it('of other networks recompute what was drawn, and are paid for it', async () => {
    const { auditors, newcomer, result } = await swarm();
    const elements = await answerAll(auditors, () => newcomer.verdicts.length === 0);
    expect(newcomer.verdicts[0]).toMatchObject({ verdict: 'accepted' });
    const evidence = (await world.store.jobs.result(result))!.evidence;
    const byContributors = evidence.filter(({ by }) => by === 'contributor').reduce((sum, { drawn }) => sum + drawn, 0);
    expect(byContributors).toBe(elements.reduce((sum, count) => sum + count));
    expect(byContributors).toBeGreaterThan(ELEMENTS / 8);
    const index = elements.indexOf(Math.max(...elements));
    const { owner } = world.coordinator.contributor(auditors[index]!.id)!;
    const statement = await world.store.ledger.statement(owner, { limit: 50 });
    expect(statement.filter(({ transfer }) => transfer.kind === 'audit').length).toBeGreaterThan(0);
    expect(await world.store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
  });

  it('expose a lie', async () => {
    const { auditors, newcomer } = await swarm(always);
    await answerAll(auditors, () => newcomer.verdicts.length === 0);
    expect(newcomer.verdicts[0]).toMatchObject({ verdict: 'refuted' });
    expect(auditors.every(({ verdicts }) => verdicts.every(({ verdict }) => verdict === 'accepted'))).toBe(true);
  });

  it('who cry wolf are refuted themselves, and the accused loses nothing', async () => {
    const { auditors, newcomer } = await swarm();
    await answerAll(
      auditors,
      () => newcomer.verdicts.length === 0,
      () => 1000,
    );
    expect(newcomer.verdicts[0]).toMatchObject({ verdict: 'accepted' });
    const convicted = auditors.filter(({ verdicts }) => verdicts.some(({ verdict }) => verdict === 'refuted'));
    expect(convicted.length).toBeGreaterThan(0);
    for (const { verdicts } of convicted)
      expect(verdicts.at(-1)).toMatchObject({ verdict: 'refuted', reason: expect.stringContaining('for an audit'), vestingMicroCredits: '0' });
  });
});

describe('networks', () => {
  const networkOf = (hand: Hand): string | null | undefined => world.coordinator.contributor(hand.id)?.network;

  it('are hashes of where a contributor connects from, believed of a proxy only where there is one', async () => {
    const from = (address: string) => Hand.join(world, {}, { 'x-forwarded-for': address });
    const [a, b] = [await from('203.0.113.7'), await from('198.51.100.7')];
    expect(networkOf(a)).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(networkOf(b)).toBe(networkOf(a));
    await world.close();
    world = await World.open({ trustProxy: true });
    const [c, d, e] = [await from('203.0.113.7'), await from('198.51.100.7'), await from('203.0.113.99')];
    expect(networkOf(d)).not.toBe(networkOf(c));
    expect(networkOf(e)).toBe(networkOf(c));
    await world.close();
    world = await World.open({ privateSwarm: true });
    expect(networkOf(await Hand.join(world))).toBeNull();
  });
});
