import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../shared/limits.ts';
import type { Ack, Lease, Welcome } from '../shared/protocol.ts';
import type { AcceptedView, AccountView, ContributorView, JobView, Quote } from '../shared/schemas.ts';
import { Contributor, entry, hashOf, type Made, order, put, requester, small, Visitor, whole } from './whole.testing.ts';

beforeAll(() => whole.open(), 30_000);
afterAll(() => whole.close());

const earned = ({ balances }: AccountView): bigint => BigInt(balances[0]!.earnedMicroCredits);
const granted = ({ balances }: AccountView): bigint => BigInt(balances[0]!.grantMicroCredits);

describe('a job from order to picture', () => {
  it('is quoted, held, leased, checked, paid, refunded and downloaded', async () => {
    const visitor = await requester();
    const quote = (await visitor.call<Quote>('POST', '/api/quotes', { workload: entry.spec.id, params: small, files: {} })).body;
    expect(BigInt(quote.holdMicroCredits)).toBe(BigInt(quote.workMicroCredits) + BigInt(quote.checksMicroCredits));
    const before = (await visitor.call<AccountView>('GET', '/api/account')).body;
    const { status, body: job } = await visitor.call<JobView>('POST', '/api/jobs', order);
    expect(status).toBe(201);
    const held = (await visitor.call<AccountView>('GET', '/api/account')).body;
    expect(granted(before) - granted(held)).toBe(BigInt(quote.holdMicroCredits));
    expect((await visitor.call('GET', `/api/jobs/${job.id}/files/png`)).status).toBe(409);

    const owner = await requester();
    const contributor = await Contributor.join(owner);
    await contributor.workOff();
    expect(contributor.verdicts.map(({ verdict }) => verdict)).toEqual(contributor.verdicts.map(() => 'accepted'));
    const done = (await visitor.call<JobView>('GET', `/api/jobs/${job.id}`)).body;
    expect(done).toMatchObject({ status: 'done', parts: { accepted: job.parts.total }, checksDone: { trusted: 0, contributor: 0, refuted: 0, revoked: 0 } });
    expect(done.checksDone.cpu).toBeGreaterThanOrEqual(32);
    expect(done.checksDone.errorBound).toBeLessThan(1);
    expect(done.paidMicroCredits).toBe(quote.workMicroCredits);
    const ownAccount = async () => (await owner.call<AccountView>('GET', '/api/account')).body;
    await expect.poll(async () => earned(await ownAccount()), { timeout: 5000 }).toBe(BigInt(quote.workMicroCredits));
    expect((await ownAccount()).balances[0]!.vestingMicroCredits).toBe('0');
    const { id, secret } = contributor.grant.contributor;
    const me = await fetch(`${whole.url}/api/contributors/me`, { headers: { authorization: `Contributor ${id}.${secret}` } });
    const { records, recent } = (await me.json()) as ContributorView;
    expect(records[entry.spec.id]).toMatchObject({ accepted: contributor.verdicts.length, refuted: 0, drawn: done.checksDone.cpu });
    expect(recent.map(({ jobTitle, state }) => [jobTitle, state])).toEqual(contributor.verdicts.map(() => ['Box', 'accepted']));
    const after = (await visitor.call<AccountView>('GET', '/api/account')).body;
    expect(granted(before) - granted(after)).toBe(BigInt(quote.workMicroCredits));

    const png = Buffer.from(await (await fetch(`${whole.url}/api/jobs/${job.id}/files/png`)).arrayBuffer());
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    const { results } = (await visitor.call<{ results: AcceptedView[] }>('GET', `/api/jobs/${job.id}/results`)).body;
    const bytes = Buffer.from(await (await fetch(`${whole.url}/api/jobs/${job.id}/results/${results[0]!.id}`)).arrayBuffer());
    expect(hashOf(bytes)).toBe(results[0]!.hash);
    contributor.socket.disconnect();
  }, 40_000);

  it('cannot be cancelled by others; cancelling refunds what was not paid', async () => {
    const visitor = await requester();
    const before = granted((await visitor.call<AccountView>('GET', '/api/account')).body);
    const { body: job } = await visitor.call<JobView>('POST', '/api/jobs', order);
    expect((await (await requester()).call('POST', `/api/jobs/${job.id}/cancel`, {})).status).toBe(403);
    expect((await new Visitor().call('POST', `/api/jobs/${job.id}/cancel`, {})).status).toBe(401);
    expect((await visitor.call<JobView>('POST', `/api/jobs/${job.id}/cancel`, {})).body.status).toBe('cancelled');
    expect(granted((await visitor.call<AccountView>('GET', '/api/account')).body)).toBe(before);
  });
});

describe('orders that are refused', () => {
  it.each([
    ['an unknown workload', { workload: 'mining' }, 422, 'workload'],
    ['a width over the limit', { params: { ...small, width: 9000 } }, 422, 'params.width'],
    ['a fraction of a pixel', { params: { ...small, width: 32.5 } }, 422, 'params.width'],
    ['a parameter nobody knows', { params: { ...small, magic: 1 } }, 422, 'params.magic'],
    ['a missing file', { params: { ...small, scene: 'file' } }, 422, 'files.model'],
    ['an upload that is not here', { params: { ...small, scene: 'file' }, files: { model: 'ab'.repeat(32) } }, 422, 'files.model'],
    ['a file with a name of its own', { files: { virus: 'ab'.repeat(32) } }, 422, 'files.virus'],
    ['a hash that is none', { files: { model: 'x' } }, 400, 'files.model'],
    ['a title too long', { title: 'x'.repeat(limits.titleCharsMax + 1) }, 400, 'title'],
    ['a certainty that nobody can give', { checks: { targetError: 1e-9 } }, 400, 'checks.targetError'],
    ['checks of another version', { checks: { auditElements: 64, replicaShare: 0.1 } }, 400, 'checks.targetError'],
    ['more tiles than the limit', { params: { ...small, width: 8192, height: 8192, samples: 65536 } }, 422, 'params'],
  ])('%s', async (_, change, status, field) => {
    const answer = await (await requester()).call('POST', '/api/jobs', { ...order, ...change });
    expect([answer.status, answer.body.field]).toEqual([status, field]);
    expect(answer.body.detail?.length).toBeGreaterThan(10);
  });

  it('a file that is no glTF, with nothing held', async () => {
    const visitor = await requester();
    const model = await visitor.upload('not a scene');
    const answer = await visitor.call('POST', '/api/jobs', { ...order, params: { ...small, scene: 'file' }, files: { model } });
    expect([answer.status, answer.body.field]).toEqual([422, 'files.model']);
    expect((await visitor.call<{ jobs: JobView[] }>('GET', '/api/jobs?scope=mine')).body.jobs).toEqual([]);
  });

  it('an account that cannot pay, with the amounts', async () => {
    const visitor = await requester();
    const dear = { ...order, params: { ...small, width: 4096, height: 4096, samples: 16_384, bounces: 8 } };
    const answer = await visitor.call('POST', '/api/jobs', dear);
    expect([answer.status, answer.body.code, answer.body.limit]).toEqual([402, 'insufficient_credits', '100.00 available']);
  }, 30_000);

  it('an order without a session', async () => {
    expect((await new Visitor().call('POST', '/api/jobs', order)).status).toBe(401);
  });
});

describe('hand-ins that are refused', () => {
  let contributor: Contributor;
  let lease: Lease;
  let honest: Made;

  beforeAll(async () => {
    await (await requester()).call('POST', '/api/jobs', { ...order, params: { ...small, width: 64, height: 64 }, title: 'Hostile' });
    contributor = await Contributor.join();
    [lease] = (await contributor.lease()) as [Lease];
    honest = await contributor.compute(lease);
  }, 20_000);

  afterAll(() => contributor.socket.disconnect());

  const refusal = (ack: Ack<unknown>): [string, string | undefined] => ('error' in ack ? [ack.error.code, ack.error.field] : ['stored', undefined]);

  it('a forged token', async () => {
    const forged = lease.token.slice(0, -4) + (lease.token.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expect(refusal(await contributor.handIn(lease, honest, { token: forged }))).toEqual(['forbidden', 'token']);
  });

  it('somebody else’s lease', async () => {
    const thief = await Contributor.join();
    expect(refusal(await thief.handIn(lease, honest))).toEqual(['forbidden', 'token']);
    thief.socket.disconnect();
  });

  it('bytes that do not have their hash', async () => {
    expect(refusal(await contributor.handIn(lease, honest, { hash: 'ab'.repeat(32) }))).toEqual(['bad_input', 'hash']);
  });

  it('a result too short, or with parts that were not leased', async () => {
    expect(refusal(await contributor.handIn(lease, { ...honest, bytes: honest.bytes.subarray(0, -16) }))).toEqual(['bad_input', 'inline']);
    expect(refusal(await contributor.handIn(lease, honest, { parts: 2 ** 20 }))[0]).toBe('bad_input');
  });

  it('a hash without bytes', async () => {
    expect(refusal(await contributor.handIn(lease, honest, { inline: null }))).toEqual(['bad_input', 'hash']);
  });

  it('a blob without a lease, with another hash, or larger than a result', async () => {
    expect(await put('Lease nonsense', honest.bytes)).toBe(403);
    expect(await put(`Lease ${lease.token}`, honest.bytes, 'ab'.repeat(32))).toBe(422);
    expect(await put(`Lease ${lease.token}`, Buffer.alloc(limits.resultBytesMax))).toBe(413);
    expect((await fetch(`${whole.url}/blobs/${'ab'.repeat(32)}`)).status).toBe(404);
  });

  it('messages that are malformed, with the field', async () => {
    for (const [command, message, field] of [
      ['work', { leasesMax: -1 }, 'leasesMax'],
      ['work', { leasesMax: 1e9 }, 'leasesMax'],
      ['work', null, undefined],
      ['handIn', { token: 'x' }, undefined],
      ['giveBack', { tokens: ['short'] }, 'tokens.0'],
      ['open', { result: 'r_0000000000000000', hash: 'x', inline: null }, 'hash'],
      ['answer', { token: 'x' }, undefined],
    ] as const) {
      const ack = await contributor.raw(command, message);
      expect('error' in ack && ack.error.code, command).toBe('bad_input');
      if (field !== undefined) expect('error' in ack && ack.error.field).toBe(field);
    }
  });

  it('an oversized message closes that connection and no other', async () => {
    const noisy = await Contributor.join();
    const closed = new Promise((resolve) => noisy.socket.once('disconnect', resolve));
    noisy.socket.emit('work', { leasesMax: 1, padding: 'x'.repeat(2 * limits.socketMessageBytesMax) });
    await closed;
    expect(await contributor.lease(0)).toEqual([]);
  });

  it('a hello with a wrong secret, another protocol, or without consent', async () => {
    const stranger = await Contributor.connect(contributor.grant);
    expect(refusal(await stranger.raw('work', { leasesMax: 1 }))[0]).toBe('forbidden');
    expect(refusal(await stranger.raw('hello', { ...contributor.hello(), secret: 'A'.repeat(43) }))).toEqual(['forbidden', 'contributor']);
    expect(refusal(await stranger.raw('hello', { ...contributor.hello(), protocol: 0 }))).toEqual(['stale', 'protocol']);
    expect(refusal(await stranger.raw('hello', { ...contributor.hello(), consent: 'k_0000000000000000' }))).toEqual(['forbidden', 'consent']);
    stranger.socket.disconnect();
  });

  it('a lie: refuted, unpaid, leased again; its device is suspended', async () => {
    const liar = await Contributor.join();
    const [mine] = (await liar.lease()) as [Lease];
    const lie = await liar.compute(mine, (values) => values.set(values.map((value) => value + 5_000_000)));
    await liar.deliver(mine, lie);
    await liar.untilVerdicts(1);
    expect(liar.verdicts[0]).toMatchObject({ verdict: 'refuted', microCredits: '0', earnedMicroCredits: '0', vestingMicroCredits: '0' });
    expect(refusal(await liar.handIn(mine, lie))).toEqual(['suspended', 'token']);
    const other = await Contributor.join();
    const [again] = (await other.lease()) as [Lease];
    expect([again.at, again.parts]).toEqual([mine.at, mine.parts]);
    liar.socket.disconnect();
    other.socket.disconnect();
  }, 20_000);

  it('honest work handed in after a restart of the coordinator counts, with nothing but the token', async () => {
    contributor.socket.disconnect();
    await whole.stop();
    await whole.start();
    const back = await Contributor.connect(contributor.grant);
    await back.ask<Welcome>('hello', back.hello());
    await back.deliver(lease, honest);
    await back.untilVerdicts(1);
    expect(back.verdicts[0]).toMatchObject({ verdict: 'accepted' });
    expect(BigInt(back.verdicts[0]!.microCredits)).toBeGreaterThan(0n);
    contributor = back;
  }, 30_000);
});

it('ends within seconds though somebody holds a connection without a request', async () => {
  const silent = connect(Number(new URL(whole.url).port), '127.0.0.1');
  const closed = once(silent, 'close');
  await once(silent, 'connect');
  const beganMs = performance.now();
  await whole.stop();
  expect(performance.now() - beganMs).toBeLessThan(10_000);
  await closed;
  await whole.start();
}, 30_000);
