import { once } from 'node:events';
import { io } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openingBytesMax } from '../shared/commitment.ts';
import { toHex } from '../shared/formats.ts';
import { DAY_MS, limits, MINUTE_MS } from '../shared/limits.ts';
import { type Ack, type HandedIn, namespaces } from '../shared/protocol.ts';
import { ELEMENTS, hashOf, KEY, World } from './formula.testing.ts';
import { always, Hand, handedIn, type Made, partCount, refusal, verdictOf } from './hand.testing.ts';

/** Commit, draw, open, audit, verdict: over real sockets, with the real store, for a workload whose values are a formula. */

let world: World;
beforeEach(async () => {
  world = await World.open();
});
afterEach(() => world.close());

describe('an honest contributor', () => {
  it('commits, opens what is drawn then, is accepted, and its pay vests', async () => {
    const hand = await Hand.join(world);
    expect(hand.welcome).toMatchObject({ earnedMicroCredits: '0', vestingMicroCredits: '0', open: [], record: { accepted: 0, verified: 0 } });
    const made = hand.compute(await hand.lease());
    expect(partCount(made.lease)).toBe(1);
    const { result, open } = await handedIn(hand, made);
    expect(open.length).toBeGreaterThan(32);
    expect(open).toEqual([...new Set(open)].sort((a, b) => a - b));
    expect(await hand.open(result, made.committed.open(open), made.lease)).toEqual({ data: null });
    const verdict = await verdictOf(hand);
    expect(verdict).toMatchObject({ verdict: 'accepted', earnedMicroCredits: '0', voidedMicroCredits: '0', vestingMicroCredits: verdict.microCredits });
    expect(BigInt(verdict.microCredits)).toBeGreaterThan(0n);
    world.now += 11 * MINUTE_MS;
    const owner = world.coordinator.contributor(hand.id)!.owner;
    await expect.poll(() => world.store.ledger.balance(`${owner}/earned`, 'test'), { timeout: 5000 }).toBe(BigInt(verdict.microCredits));
    expect(await world.store.jobs.vesting()).toEqual([]);
    expect(await world.store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
  });

  it('gets more, and vests sooner, with every result that is accepted', async () => {
    const hand = await Hand.join(world);
    const parts: number[] = [];
    const vestsMs: number[] = [];
    for (let number = 1; number <= 4; number++) {
      const { lease, result } = await hand.deliver();
      parts.push(partCount(lease));
      expect(await verdictOf(hand, number)).toMatchObject({ verdict: 'accepted' });
      vestsMs.push((await world.store.jobs.result(result))!.vesting!.vestsAtMs - world.now);
    }
    expect(parts).toEqual([1, 2, 3, 3]);
    expect(vestsMs).toEqual([600_000, 400_000, 300_000, 200_000]);
  });

  it('may send many commands in one message, and each is answered as if it had come alone', async () => {
    const [hand, other] = await Promise.all([Hand.join(world), Hand.join(world)]);
    const [made, theirs] = [hand.compute(await hand.lease()), other.compute(await other.lease())];
    const messageOf = ({ lease: { token, parts }, bytes, committed }: Made) => {
      return { token, parts, root: toHex(committed.root), hash: hashOf(bytes), inline: bytes, computeMs: 1, leasesMax: 0 };
    };
    const acks = await hand.ask<Ack<HandedIn>[]>('many', [
      ['handIn', messageOf(made)],
      ['handIn', messageOf(theirs)],
      ['handIn', { ...messageOf(made), parts: 0 }],
      ['handIn', messageOf(made)],
    ]);
    expect(acks.map(refusal)).toEqual([
      ['done', undefined],
      ['forbidden', 'token'],
      ['bad_input', 'parts'],
      ['done', undefined],
    ]);
    const [first, , , again] = acks.map((ack) => ('data' in ack ? ack.data.result : null));
    expect(again).toBe(first);
    const [ack] = acks;
    const opening = Buffer.from(made.committed.open('data' in ack! ? ack.data.open : []));
    expect(await hand.ask('many', [['open', { result: first, hash: hashOf(opening), inline: opening }]])).toEqual([{ data: null }]);
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'accepted' });
  });

  it('may not greet among them, nor send too many', async () => {
    const hand = await Hand.join(world);
    expect(refusal(await hand.raw('many', [['hello', {}]]))).toEqual(['bad_input', '0.0']);
    expect(refusal(await hand.raw('many', [['many', [['open', {}]]]]))).toEqual(['bad_input', '0.0']);
    expect(refusal(await hand.raw('many', []))).toEqual(['bad_input', undefined]);
    const count = async (length: number) => refusal(await hand.raw('many', Array(length).fill(['open', {}])));
    expect(await count(limits.commandsPerMessageMax + 1)).toEqual(['bad_input', undefined]);
    // Every command counts, however they are wrapped.
    const messages = Math.ceil((4 * limits.socketMessagesAtOnceMax) / limits.commandsPerMessageMax);
    const answers = await Promise.all(Array.from({ length: messages }, () => count(limits.commandsPerMessageMax)));
    expect(answers).toContainEqual(['too_many', undefined]);
    expect(answers).toContainEqual(['done', undefined]);
  });

  it('may say everything twice', async () => {
    const hand = await Hand.join(world);
    const made = hand.compute(await hand.lease());
    const first = await handedIn(hand, made);
    expect(await handedIn(hand, made)).toMatchObject({ result: first.result, open: first.open });
    const opening = made.committed.open(first.open);
    expect(await Promise.all([hand.open(first.result, opening, made.lease), hand.open(first.result, opening, made.lease)])).toEqual([
      { data: null },
      { data: null },
    ]);
    await verdictOf(hand);
    expect(await hand.open(first.result, opening, made.lease)).toEqual({ data: null });
    expect(await handedIn(hand, made)).toMatchObject({ result: first.result, open: [] });
    expect(hand.verdicts).toHaveLength(1);
  });

  it('learns at hello what counts as held by it, and is given work again once it has given that back', async () => {
    const hand = await Hand.join(world);
    expect(hand.welcome.held).toEqual([]);
    const lease = await hand.lease();
    await hand.connect();
    expect(hand.welcome.held).toEqual([lease.token]);
    await hand.ask('giveBack', { tokens: hand.welcome.held });
    expect((await hand.lease()).token).not.toBe(lease.token);
  });

  it('opens after a restart of the coordinator what it committed before it: the draw is the same', async () => {
    const hand = await Hand.join(world);
    const made = hand.compute(await hand.lease());
    const { result, open } = await handedIn(hand, made);
    await world.stop();
    await world.start();
    await hand.connect();
    expect(hand.welcome.open).toEqual([{ result, elements: open }]);
    await hand.open(result, made.committed.open(open), made.lease);
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'accepted' });
    // Its pay is read back at the next start, and still vests.
    await world.stop();
    await world.start();
    await hand.connect();
    expect(hand.welcome).toMatchObject({ open: [], record: { accepted: 1, verified: ELEMENTS }, vestingMicroCredits: hand.verdicts[0]!.vestingMicroCredits });
    world.now += 11 * MINUTE_MS;
    await expect.poll(() => world.store.jobs.vesting(), { timeout: 5000 }).toEqual([]);
  });

  it('is judged by its opening even when the coordinator ended before looking at it', async () => {
    const hand = await Hand.join(world);
    const made = hand.compute(await hand.lease());
    const { result, open } = await handedIn(hand, made);
    const opening = made.committed.open(open);
    await world.store.commit([{ kind: 'opening', id: result, opening: { hash: hashOf(opening), inline: opening } }]);
    await world.stop();
    await world.start();
    await expect.poll(async () => (await world.store.jobs.result(result))?.state, { timeout: 5000 }).toBe('accepted');
  });

  it('one value that nothing explains: a larger opening is asked for, and nobody is blamed', async () => {
    world.unexplained = 1;
    const hand = await Hand.join(world);
    const made = hand.compute(await hand.lease(), always);
    const first = await handedIn(hand, made);
    await hand.open(first.result, made.committed.open(first.open), made.lease);
    await expect.poll(() => hand.wanted.length, { timeout: 5000 }).toBe(1);
    const [wanted] = hand.wanted;
    expect(wanted!.result).toBe(first.result);
    expect(wanted!.elements.length).toBeGreaterThan(2 * first.open.length);
    await hand.open(first.result, made.committed.open(wanted!.elements), made.lease);
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'accepted' });
  });
});

describe('a commit that fails', () => {
  it('had no effect: the same message works again, and the record is read back', async () => {
    const hand = await Hand.join(world);
    await hand.deliver();
    await verdictOf(hand);
    const made = hand.compute(await hand.lease());
    const { store } = world;
    const commit = store.commit.bind(store);
    store.commit = async () => {
      store.commit = commit;
      throw new Error('the disk is full');
    };
    expect(refusal(await hand.handIn(made))).toEqual(['busy', undefined]);
    const again = async (): Promise<string> => refusal(await hand.handIn(made))[0];
    await expect.poll(again, { timeout: 5000 }).toBe('done');
    expect(world.coordinator.contributor(hand.id)).toMatchObject({ connected: true, vesting: [{ state: 'accepted' }] });
    expect(world.coordinator.contributor(hand.id)?.standings.get('formula')).toMatchObject({ accepted: 1, verified: ELEMENTS });
    const { result, open } = await handedIn(hand, made);
    await hand.open(result, made.committed.open(open), made.lease);
    expect(await verdictOf(hand, 2)).toMatchObject({ verdict: 'accepted' });
  });
});

describe('a lie', () => {
  it('is refuted, unpaid and leased again; what had not vested is voided and taken back, and told to viewers', async () => {
    const viewer = io(world.url + namespaces.watch, { transports: ['websocket'], parser, forceNew: true });
    await once(viewer as never, 'connect');
    await viewer.emitWithAck('watch', { job: world.job.id });
    const told: string[] = [];
    viewer.onAny((name: string) => told.push(name));
    const liar = await Hand.join(world);
    const good = await liar.deliver();
    const paid = await verdictOf(liar);
    const bad = await liar.deliver(always);
    const verdict = await verdictOf(liar, 2);
    expect(verdict).toMatchObject({
      verdict: 'refuted',
      microCredits: '0',
      voidedMicroCredits: paid.microCredits,
      vestingMicroCredits: '0',
      earnedMicroCredits: '0',
    });
    expect(verdict.reason).toContain('were wrong');
    expect((await world.store.jobs.result(bad.result))?.state).toBe('refuted');
    expect(await world.store.jobs.result(good.result)).toMatchObject({ state: 'discarded', inline: null, vesting: null });
    await expect.poll(() => told, { timeout: 5000 }).toEqual(expect.arrayContaining(['tile:accepted', 'tile:refuted', 'tile:revoked']));
    const work = await liar.raw<{ leases: unknown[] }>('work', { leasesMax: 1 });
    expect('error' in work ? work.error.code : work.data.leases).toEqual('error' in work ? 'suspended' : []);
    const other = await Hand.join(world);
    expect((await other.lease()).at).toEqual(good.lease.at);
    expect(await world.store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
    // A new connection does not help, and neither does a restart.
    await world.stop();
    await world.start();
    await liar.connect();
    expect(liar.welcome.record).toMatchObject({ refuted: 1, verified: 0, suspendedUntilMs: world.now + DAY_MS });
    viewer.disconnect();
  });

  it('an opening that does not match the commitment', async () => {
    const liar = await Hand.join(world);
    const made = liar.compute(await liar.lease());
    const { result, open } = await handedIn(liar, made);
    const opening = made.committed.open(open);
    opening[40]! ^= 1;
    await liar.open(result, opening, made.lease);
    expect(await verdictOf(liar)).toMatchObject({ verdict: 'refuted', reason: expect.stringContaining('does not match what was committed') });
  });

  it('honest values opened under another total', async () => {
    const liar = await Hand.join(world);
    const lease = await liar.lease();
    const honest = liar.compute(lease);
    const { bytes } = liar.compute(lease, always);
    const { result, open } = await handedIn(liar, { ...honest, bytes });
    await liar.open(result, honest.committed.open(open), lease);
    expect(await verdictOf(liar)).toMatchObject({ verdict: 'refuted', reason: expect.stringContaining('do not add up to the total') });
  });

  it('another contributor’s root and bytes, with the opening that would have been his', async () => {
    const victim = await Hand.join(world);
    const theirs = victim.compute(await victim.lease());
    const thief = await Hand.join(world);
    const lease = await thief.lease();
    expect(refusal(await thief.handIn({ ...theirs, lease }))).toEqual(['bad_input', 'inline']);
    const bytes = Buffer.from(theirs.bytes);
    bytes.writeUInt32LE(lease.parts, 4);
    const { result, open } = await handedIn(thief, { ...theirs, lease, bytes });
    await thief.open(result, theirs.committed.open(open), lease);
    expect(await verdictOf(thief)).toMatchObject({ verdict: 'refuted', reason: expect.stringContaining('does not match what was committed') });
    expect((await handedIn(victim, theirs)).open.length).toBeGreaterThan(0);
  });

  it('a commitment that is never opened: worthless, and somebody else computes it', async () => {
    const liar = await Hand.join(world);
    const made = liar.compute(await liar.lease());
    await handedIn(liar, made);
    world.now += limits.openingMsMax + 1000;
    expect(await verdictOf(liar)).toMatchObject({ verdict: 'discarded', microCredits: '0' });
    const other = await Hand.join(world);
    expect(await other.lease()).toMatchObject({ at: made.lease.at, parts: made.lease.parts });
  });

  it('an opening given back is as good as none', async () => {
    const hand = await Hand.join(world);
    const { result } = await handedIn(hand, hand.compute(await hand.lease()));
    const other = await Hand.join(world);
    await other.ask('giveBack', { tokens: [], unopened: [result] });
    expect(world.coordinator.pendingResult(result)).toBeDefined();
    expect(await hand.work(0)).toMatchObject({ restMs: 0 });
    await hand.ask('giveBack', { tokens: [], unopened: [result] });
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'discarded' });
    // It is told how long it gets nothing.
    expect(await hand.work()).toMatchObject({ leases: [], restMs: 15_000 });
    world.now += 15_000;
    expect(await hand.work()).toMatchObject({ leases: [expect.anything()], restMs: 0 });
  });
});

describe('what is refused at once', () => {
  let hand: Hand;
  let made: Made;
  beforeEach(async () => {
    hand = await Hand.join(world);
    made = hand.compute(await hand.lease());
  });

  it('a hash without bytes, bytes without their hash, bytes of another shape', async () => {
    expect(refusal(await hand.handIn(made, { inline: null }))).toEqual(['bad_input', 'hash']);
    expect(refusal(await hand.handIn(made, { hash: 'ab'.repeat(32) }))).toEqual(['bad_input', 'hash']);
    const short = made.bytes.subarray(0, -1);
    expect(refusal(await hand.handIn(made, { inline: short, hash: hashOf(short) }))).toEqual(['bad_input', 'inline']);
    expect(refusal(await hand.handIn(made, { inline: 'text' }))).toEqual(['bad_input', 'inline']);
    expect(refusal(await hand.handIn(made, { root: 'short' }))).toEqual(['bad_input', 'root']);
    expect(refusal(await hand.handIn(made))).toEqual(['done', undefined]);
  });

  it('another result under a lease that was handed in', async () => {
    await handedIn(hand, made);
    expect(refusal(await hand.handIn(hand.compute(made.lease, always)))).toEqual(['conflict', 'token']);
  });

  it('somebody else’s result opened, an opening without bytes, with another hash, or larger than one can be', async () => {
    const { result, open } = await handedIn(hand, made);
    const opening = made.committed.open(open);
    const other = await Hand.join(world);
    expect(refusal(await other.open(result, opening, made.lease))).toEqual(['forbidden', 'result']);
    expect(refusal(await hand.raw('open', { result, hash: hashOf(opening), inline: null }))).toEqual(['bad_input', 'hash']);
    expect(refusal(await hand.open(result, opening, made.lease, { hash: 'ab'.repeat(32) }))).toEqual(['bad_input', 'hash']);
    const inline = Buffer.alloc(limits.inlineResultBytesMax + 1);
    expect(refusal(await hand.raw('open', { result, hash: hashOf(inline), inline }))).toEqual(['too_large', 'inline']);
    // A blob that somebody else was allowed to put, too large for this opening.
    async function* large() {
      yield new Uint8Array(openingBytesMax({ parts: made.lease.parts, elements: ELEMENTS, words: 2 }) + 1);
    }
    const { hash } = await world.blobs.put(large(), { bytesMax: Number.MAX_SAFE_INTEGER });
    expect(refusal(await hand.raw('open', { result, hash, inline: null }))).toEqual(['too_large', 'hash']);
    expect(refusal(await hand.open(result, opening, made.lease))).toEqual(['done', undefined]);
    expect(await verdictOf(hand)).toMatchObject({ verdict: 'accepted' });
  });

  it('an upload larger than a result or its opening; the answer never tells what was here before', async () => {
    const { token, parts } = made.lease;
    const most = openingBytesMax({ parts, elements: ELEMENTS, words: 2 });
    const bytes = Buffer.alloc(most, 7);
    const first = await world.put(token, bytes);
    expect(first.status).toBe(200);
    expect(await world.put(token, bytes)).toEqual(first);
    expect((await world.put(token, Buffer.alloc(most + 1))).status).toBe(413);
    expect((await world.put(token, bytes, hashOf(Buffer.from('another')))).status).toBe(422);
    expect((await world.put('A'.repeat(80), bytes)).status).toBe(400);
    world.now += limits.leaseTokenMsMax + 1;
    expect((await world.put(token, bytes)).status).toBe(409);
  });

  it('a wrong key, a drill without a key, any key where none is set', async () => {
    for (const [more, field] of [
      [{ trusted: 'x'.repeat(KEY.length) }, 'trusted'],
      [{ trusted: KEY.slice(0, -1) }, 'trusted'],
      [{ drill: true }, 'drill'],
      [{ drill: true, trusted: 'x' }, 'trusted'],
    ] as const)
      await expect(Hand.join(world, more), JSON.stringify(more)).rejects.toThrow(`forbidden ${field}`);
    const without = await World.open({ trustedKeys: [] });
    await expect(Hand.join(without, { trusted: KEY })).rejects.toThrow('forbidden trusted');
    await without.close();
  });
});

describe('one engine a browser', () => {
  const key = 'b'.repeat(43);

  it('works at a time: the latest, whichever contributor it is; engines of other browsers and of none go on', async () => {
    const hands = await Promise.all([Hand.join(world), Hand.join(world), Hand.join(world, { browser: 'x'.repeat(43) })]);
    const first = await Hand.join(world, { browser: key });
    const gone = new Promise((resolve) => first.socket.once('disconnect', resolve));
    const second = await Hand.join(world, { browser: key });
    expect(await gone).toBe('io server disconnect');
    expect(second.socket.connected).toBe(true);
    expect((await second.lease()).token).toEqual(expect.any(String));
    for (const { socket } of hands) expect(socket.connected).toBe(true);
  });

  it('may reconnect, and gets work', async () => {
    const hand = await Hand.join(world, { browser: key });
    await hand.connect();
    expect((await hand.lease()).token).toEqual(expect.any(String));
  });

  it('has a key of the right shape', async () => {
    await expect(Hand.join(world, { browser: 'short' })).rejects.toThrow(/browser/);
  });
});
