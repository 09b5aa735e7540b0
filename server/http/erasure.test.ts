import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { AccountView, Challenge, GroupView, MadeApiKey } from '../../shared/schemas.ts';
import { TestWallet } from '../solana.testing.ts';
import { exampleJob, exampleTransfer, jobIdOf } from '../store/testing.ts';
import { type TestApp, Visitor, withApp } from './testing.ts';

async function signedIn(test: Pick<TestApp, 'app'>, wallet = new TestWallet()): Promise<Visitor> {
  const visitor = new Visitor(test);
  await visitor.start();
  const { nonce, text } = (await visitor.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address })).body;
  await visitor.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text));
  return visitor;
}

const hashOf = (cookie: string | undefined): string =>
  createHash('sha256')
    .update(Buffer.from(cookie?.split('=')[1] ?? '', 'base64url'))
    .digest('hex');

test('everything of the account goes, whoever runs for it is told, and the wallet comes back as somebody new', () =>
  withApp(async (test) => {
    const wallet = new TestWallet();
    const ada = await signedIn(test, wallet);
    const grant = await ada.consent();
    const site = await ada.provenSite(test);
    const visitor = new Visitor(test);
    await visitor.start();
    await visitor.consent({ site: site.id });
    const key = (await ada.ask<MadeApiKey>('POST', '/api/keys', { name: 'Farm', scopes: ['jobs:read', 'account:read'] })).body;
    const group = (await ada.ask<GroupView>('POST', '/api/groups', { name: 'Family' })).body;
    const { code } = (await ada.ask<{ code: string }>('POST', `/api/groups/${group.id}/invites`, {})).body;
    await visitor.ask('POST', '/api/invites/join', { code });
    await ada.ask('POST', '/api/uploads', undefined, { 'tus-resumable': '1.0.0', 'upload-length': '5' });
    expect(readdirSync(test.config.uploadsDir)).toHaveLength(3);
    const { body: before } = await ada.ask<AccountView>('GET', '/api/account');
    const session = ada.cookie;
    test.regrouped.length = 0;
    test.endedSessions.length = 0;

    const done = await ada.ask<object>('DELETE', '/api/account', {});
    expect([done.status, done.body]).toEqual([200, {}]);
    expect(done.headers['set-cookie']).toMatch(/^__Host-tessera=; .*Max-Age=0|^__Host-tessera=;.*Expires=Thu, 01 Jan 1970/);
    const [erased] = test.erased;
    expect(erased).toMatchObject({ owner: expect.stringMatching(/^gone:[A-Za-z0-9_-]{16}$/), contributors: [grant.contributor.id], sites: [site.id] });
    expect(erased?.names).toContain(`wallet:${wallet.address}`);
    expect(test.endedSessions).toContain(hashOf(session));
    expect([test.ended, test.endedSites]).toEqual([[grant.consent.id], [site.id]]);
    expect(test.regrouped).toEqual([[expect.stringMatching(/^device:/), group.id]]);
    expect(readdirSync(test.config.uploadsDir)).toEqual([]);

    // Nothing opens it any more, and a site that is gone takes no visitors.
    expect((await ada.ask('GET', '/api/account', undefined, { cookie: session })).status).toBe(401);
    expect((await ada.ask('DELETE', '/api/account', {}, { cookie: session })).status).toBe(401);
    expect((await new Visitor(test).ask('GET', '/api/account', undefined, { authorization: `Bearer ${key.key}` })).status).toBe(401);
    const credential = { authorization: `Contributor ${grant.contributor.id}.${grant.contributor.secret}` };
    expect((await new Visitor(test).ask('GET', '/api/contributors/me', undefined, credential)).status).toBe(403);
    expect((await visitor.ask('GET', `/api/groups/${group.id}`)).status).toBe(404);
    expect((await visitor.ask('POST', '/api/consents', { kinds: ['render'], site: site.id })).status).toBe(403);
    expect(JSON.stringify((await visitor.ask('GET', `/api/sites/${site.id}`)).body)).not.toContain('museum');

    const again = await signedIn(test, wallet);
    const { body: after } = await again.ask<AccountView>('GET', '/api/account');
    expect(after).toEqual({ ...before, balances: [{ ...before.balances[0], grantMicroCredits: '0', earnedMicroCredits: '0' }] });
    expect((await again.ask<{ keys: [] }>('GET', '/api/keys')).body.keys).toEqual([]);
    for (const books of await test.store.ledger.audit()) expect(books).toMatchObject({ sum: 0n, wrongAccounts: 0 });
  }));

test('refused with the field that stands in the way, until it says so or that is over', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    await test.store.jobs.create(exampleJob({ owner, heldFrom: [], workHeld: 0n, checksHeld: 0n }), []);
    const jobs = await ada.ask('DELETE', '/api/account', { forfeit: true });
    expect([jobs.status, jobs.body]).toEqual([409, expect.objectContaining({ code: 'conflict', field: 'jobs', limit: '1 open' })]);
    const summary = { paidMicroCredits: '0', parts: {} } as never;
    await test.store.commit([{ kind: 'jobEnded', id: jobIdOf(1), status: 'cancelled', atMs: 1, summary }]);
    const earned = exampleTransfer({ id: 'x', unit: 'credit', debit: 'operator/exchange', credit: `${owner}/earned`, microCredits: 2_500_000n });
    await test.store.commit([{ kind: 'transfer', transfer: earned }]);
    const left = await ada.ask('DELETE', '/api/account', {});
    expect([left.status, left.body]).toEqual([409, expect.objectContaining({ field: 'forfeit', limit: '2.50 credits to spend, 0.00 vesting' })]);
    expect(test.erased).toEqual([]);
    expect((await ada.ask('DELETE', '/api/account', { forfeit: true })).status).toBe(200);
    expect(await test.store.ledger.balance('operator/forfeited', 'credit')).toBe(2_500_000n);
    expect(await test.store.ledger.balance('operator/forfeited', 'test')).toBe(limits.testGrantMicroCredits);
  }));

test('for sessions of our own pages alone, not often, and twice at once is once', () =>
  withApp(async (test) => {
    const ada = await signedIn(test);
    const { body: key } = await ada.ask<MadeApiKey>('POST', '/api/keys', { name: 'All', scopes: ['jobs:read', 'jobs:write', 'account:read', 'webhooks'] });
    const program = await new Visitor(test).ask('DELETE', '/api/account', {}, { authorization: `Bearer ${key.key}` });
    expect([program.status, program.body.field]).toEqual([403, 'Authorization']);
    expect((await ada.ask('DELETE', '/api/account', {}, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await new Visitor(test).ask('DELETE', '/api/account', {})).status).toBe(401);
    for (const body of [{ forfeit: 'yes' }, { forfeit: true, more: 1 }, []]) expect((await ada.ask('DELETE', '/api/account', body)).status).toBe(400);
    const cookie = ada.cookie;
    const both = await Promise.all([0, 1].map(() => ada.ask('DELETE', '/api/account', {}, { cookie })));
    // The second finds no session, or nothing left to delete.
    expect(both.map(({ status }) => status).filter((status) => status !== 200 && status !== 401)).toEqual([]);
    expect(both.some(({ status }) => status === 200)).toBe(true);
    const one = new Visitor(test);
    let last = 0;
    for (let tries = 0; tries < 30 && last !== 429; tries++) last = (await one.ask('DELETE', '/api/account', {})).status;
    expect(last).toBe(429);
  }));
