import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { workloadIds } from '../../shaders/registry.ts';
import { limits } from '../../shared/limits.ts';
import type { Evidence } from '../../shared/model.ts';
import { type AccountView, type ConsentGrant, type ConsentView, type ContributorView, consentGrant, contributorView } from '../../shared/schemas.ts';
import type { Write } from '../store/store.ts';
import { bytesOf, exampleJob, exampleResult, exampleStanding, exampleTransfer, jobIdOf, resultIdOf, wallet } from '../store/testing.ts';
import { credentialOf, Visitor, withApp } from './testing.ts';

const kinds = [workloadIds[0]];

test('on our own pages the identity belongs to the session, which begins here if there is none', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const { status, body } = await ada.ask<ConsentGrant>('POST', '/api/consents', { kinds: [...kinds, ...kinds], site: null });
    expect(status).toBe(200);
    expect(Value.Check(consentGrant, body)).toBe(true);
    expect(body.consent).toEqual({
      id: expect.stringMatching(/^k_/),
      kinds,
      site: null,
      siteName: null,
      powerPercent: 100,
      grantedMs: test.now.ms,
      expiresMs: test.now.ms + limits.consentMsMax,
      revokedMs: null,
    });
    const stored = await test.store.people.contributor(body.contributor.id);
    expect(stored).toMatchObject({ owner, createdMs: test.now.ms });
    expect(Buffer.from(stored?.secretHash ?? []).toString('base64url')).not.toBe(body.contributor.secret);

    const bob = new Visitor(test);
    const granted = await bob.consent();
    const account = (await bob.ask<AccountView>('GET', '/api/account')).body;
    expect((await test.store.people.contributor(granted.contributor.id))?.owner).toBe(account.owner);
    expect(account.balances[0]?.grantMicroCredits).toBe(limits.testGrantMicroCredits.toString());
  }));

test('a yes to a site says how much, half unless somebody chose, and belongs to the session', () =>
  withApp(async (test) => {
    const [ada, guest] = [new Visitor(test), new Visitor(test)];
    await ada.start();
    const site = await ada.provenSite(test);
    const owner = await guest.start();
    const { consent, contributor } = await guest.consent({ site: site.id });
    expect(consent).toMatchObject({ site: site.id, siteName: 'Museum', powerPercent: limits.sitePowerPercentDefault });
    expect((await test.store.people.contributor(contributor.id))?.owner).toBe(owner);
    expect((await guest.consent({ site: site.id, powerPercent: 5 })).consent.powerPercent).toBe(5);
    const { consents } = (await guest.ask<{ consents: ConsentView[] }>('GET', '/api/account/consents')).body;
    expect(consents.map(({ powerPercent }) => powerPercent)).toEqual([5, 50]);
  }));

test('a yes to a site comes from a window of our own: from nothing else, however it calls itself', () =>
  withApp(async (test) => {
    const [ada, guest, frame] = [new Visitor(test), new Visitor(test), new Visitor(test)];
    await ada.start();
    const site = await ada.provenSite(test);
    const owner = await guest.start();
    const yes = async (visitor: Visitor, headers: Record<string, string | undefined> = {}) =>
      (await visitor.ask('POST', '/api/consents', { kinds, site: site.id }, headers)).status;
    for (const headers of [
      { origin: undefined },
      { origin: 'null' },
      { origin: site.origin },
      { origin: 'http://localhost:8081' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-origin', origin: undefined },
      { 'sec-fetch-site': 'same-origin', origin: site.origin },
    ])
      expect(await yes(guest, headers), JSON.stringify(headers)).toBe(403);
    // A frame on another site sends no cookie.
    expect(await yes(frame, { 'sec-fetch-site': 'same-origin' })).toBe(401);
    expect(frame.cookie).toBeUndefined();
    expect(await test.store.people.consentsOf(owner)).toEqual([]);
    expect(await yes(guest, { 'sec-fetch-site': 'same-origin' })).toBe(200);
    // A browser that sends no Sec-Fetch-Site still names its origin.
    expect(await yes(guest)).toBe(200);
  }));

test('an identity goes on for who holds its secret, and not past a change of owner', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const site = await ada.provenSite(test);
    const first = await ada.consent();
    const again = await ada.consent({ contributor: first.contributor });
    expect(again.contributor).toEqual(first.contributor);
    expect(again.consent.id).not.toBe(first.consent.id);
    expect(await test.store.people.contributorsOf(owner)).toHaveLength(1);

    const widget = new Visitor(test);
    await widget.start();
    const embedded = await widget.consent({ site: site.id });
    expect((await widget.consent({ site: site.id, contributor: embedded.contributor })).contributor).toEqual(embedded.contributor);

    // The browser was handed on: what it earns from now on must not go to its former owner.
    await test.store.people.createDevice(wallet('new'), bytesOf(9), test.now.ms + 1000, null);
    await ada.ask('POST', '/api/account/sign-out', {});
    const other = await ada.consent({ contributor: first.contributor });
    expect(other.contributor.id).not.toBe(first.contributor.id);
    expect((await test.store.people.contributor(other.contributor.id))?.owner).not.toBe(owner);

    const stolen = { ...first.contributor, secret: 'A'.repeat(43) };
    expect((await ada.ask('POST', '/api/consents', { kinds, site: null, contributor: stolen })).status).toBe(403);
    const unknown = { ...first.contributor, id: `c_${'0'.repeat(16)}` };
    expect((await ada.ask('POST', '/api/consents', { kinds, site: null, contributor: unknown })).status).toBe(403);
  }));

test('consents to unknown sites and workloads, and malformed ones, are refused', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const refusals: readonly (readonly [object, number, object])[] = [
      [{ kinds, site: `s_${'0'.repeat(16)}` }, 404, { code: 'not_found', field: 'site' }],
      [{ kinds: ['mining'], site: null }, 422, { code: 'bad_input', field: 'kinds', limit: workloadIds.join(', ') }],
      [{ kinds, site: null, powerPercent: 4 }, 400, { field: 'powerPercent', limit: 'at least 5' }],
      [{ kinds, site: null, powerPercent: 101 }, 400, { field: 'powerPercent', limit: 'at most 100' }],
      [{ kinds: [], site: null }, 400, { code: 'bad_input', field: 'kinds', limit: 'at least 1 entries' }],
      [{ kinds }, 400, { field: 'site', detail: 'site is missing.' }],
      [{ kinds, site: null, expiresMs: 5 }, 400, { field: 'expiresMs', detail: 'expiresMs is not known here.' }],
      [{ kinds, site: null, contributor: { id: 'x', secret: 'A'.repeat(43) } }, 400, { field: 'contributor.id' }],
    ];
    for (const [body, status, error] of refusals) {
      const refused = await ada.ask('POST', '/api/consents', body);
      expect(refused.status, JSON.stringify(body)).toBe(status);
      expect(refused.body).toMatchObject(error);
    }
    expect(await test.store.people.consentsOf(await ada.start())).toEqual([]);
  }));

test('revoking: by the session’s owner or the contributor, once, and the coordinator hears of it', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const site = await ada.provenSite(test);
    const own = await ada.consent();
    const guest = new Visitor(test);
    await guest.start();
    const embedded = await guest.consent({ site: site.id });

    expect(await ada.ask('DELETE', `/api/consents/${own.consent.id}`)).toMatchObject({ status: 200, body: {} });
    test.now.ms += 1000;
    expect((await ada.ask('DELETE', `/api/consents/${own.consent.id}`)).status).toBe(200);
    expect((await guest.ask('DELETE', `/api/consents/${embedded.consent.id}`, undefined, credentialOf(embedded))).status).toBe(200);
    expect(test.ended).toEqual([own.consent.id, own.consent.id, embedded.consent.id]);
    expect((await test.store.people.consent(own.consent.id))?.revokedMs).toBe(test.now.ms - 1000);
  }));

test('revoking somebody else’s consent is refused, and nothing happens', () =>
  withApp(async (test) => {
    const [ada, eve, guest] = [new Visitor(test), new Visitor(test), new Visitor(test)];
    await ada.start();
    await eve.start();
    const { consent } = await ada.consent();
    const evil = await eve.consent();
    const url = `/api/consents/${consent.id}`;
    expect((await eve.ask('DELETE', url)).status).toBe(403);
    expect((await eve.ask('DELETE', url, undefined, credentialOf(evil))).status).toBe(403);
    expect((await guest.ask('DELETE', url)).status).toBe(401);
    const wrong = [`Contributor ${evil.contributor.id}`, `Contributor ${evil.contributor.id}.${'A'.repeat(43)}`, ''];
    for (const authorization of wrong) expect((await guest.ask('DELETE', url, undefined, { authorization })).status, authorization).toBe(403);
    expect((await guest.ask('DELETE', url, undefined, { authorization: `Bearer ${evil.contributor.secret}` })).status).toBe(401);
    // A wrong header is not made good by a session.
    expect((await ada.ask('DELETE', url, undefined, { authorization: 'Contributor x' })).status).toBe(403);
    expect((await ada.ask('DELETE', `/api/consents/k_${'0'.repeat(16)}`)).status).toBe(404);
    expect((await ada.ask('DELETE', '/api/consents/k_short')).status).toBe(400);
    expect(test.ended).toEqual([]);
    expect((await test.store.people.consent(consent.id))?.revokedMs).toBeNull();
  }));

test('a contributor sees what it earned and agreed to, with its own secret only', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const granted = await ada.consent();
    await test.store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'x', credit: `${owner}/earned`, microCredits: 5n }) }]);
    const guest = new Visitor(test);
    const me = await guest.ask<ContributorView>('GET', '/api/contributors/me', undefined, credentialOf(granted));
    expect(me.body).toEqual({ earnedMicroCredits: '5', vestingMicroCredits: '0', consents: [granted.consent], records: {}, recent: [] });
    expect((await guest.ask('GET', '/api/contributors/me')).status).toBe(401);
    const wrong = credentialOf({ contributor: { ...granted.contributor, secret: 'A'.repeat(43) } });
    expect((await guest.ask('GET', '/api/contributors/me', undefined, wrong)).status).toBe(403);
  }));

test('a contributor sees its record and what became of its results, with the reasons in numbers', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const granted = await ada.consent();
    const { id } = granted.contributor;
    await test.store.jobs.create(exampleJob(), []);
    const result = (number: number) => exampleResult({ id: resultIdOf(number), contributor: id, at: { pass: 0, tile: number } });
    const pay = (number: number) =>
      exampleTransfer({ id: `pay/${resultIdOf(number)}`, kind: 'pay', credit: `vesting/${id}`, microCredits: 40n + BigInt(number) });
    const evidence: Evidence = { by: 'cpu', drawn: 64, differing: 3, unexplained: 1, worst: 9, cpuMs: 2 };
    const verdict = { kind: 'verdict', errorBound: 0, vesting: null, atMs: 5000 } as const;
    await test.store.commit([
      ...[1, 2, 3].map((number): Write => ({ kind: 'result', result: result(number) })),
      ...[1, 2].map((number): Write => ({ kind: 'transfer', transfer: pay(number) })),
      { ...verdict, id: resultIdOf(1), state: 'accepted', evidence: [evidence, { ...evidence, by: 'trusted' }] },
      { ...verdict, id: resultIdOf(2), state: 'refuted', evidence: [evidence] },
      { kind: 'transfer', transfer: { ...pay(2), id: `void/${resultIdOf(2)}`, kind: 'void', debit: `vesting/${id}`, credit: `job/${jobIdOf(1)}` } },
      { kind: 'standing', contributor: id, workload: 'example', standing: exampleStanding() },
    ]);
    const { body } = await ada.ask<ContributorView>('GET', '/api/contributors/me', undefined, credentialOf(granted));
    expect(Value.Check(contributorView, body)).toBe(true);
    const { atMs: _, ...record } = exampleStanding();
    expect(body).toMatchObject({ earnedMicroCredits: '0', vestingMicroCredits: '41', records: { example: record } });
    const row = { jobTitle: 'Kitchen at dusk', drawn: 64, differing: 3, unexplained: 1, decidedMs: 5000 };
    expect(body.recent).toHaveLength(3);
    expect(body.recent).toMatchObject([
      { ...row, at: { pass: 0, tile: 3 }, state: 'committed', drawn: 0, differing: 0, unexplained: 0, microCredits: '0', decidedMs: null },
      { ...row, at: { pass: 0, tile: 2 }, state: 'refuted', microCredits: '0' },
      { ...row, at: { pass: 0, tile: 1 }, state: 'accepted', drawn: 128, differing: 6, unexplained: 2, microCredits: '41' },
    ]);
    expect((await ada.ask<AccountView>('GET', '/api/account')).body.balances[0]?.vestingMicroCredits).toBe('41');
  }));
