import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOUR_MS, limits } from '../../shared/limits.ts';
import type { LedgerView, LogRow, OperatorContributor, OperatorJob, OperatorPage, OperatorReport, OperatorSite, OperatorView } from '../../shared/schemas.ts';
import { aliasOf } from '../core/ending.ts';
import { makeLink } from '../operator-link.ts';
import { contributorIdOf, exampleContributor, exampleStanding, exampleTransfer, jobIdOf, siteIdOf } from '../store/testing.ts';
import { type OperatorApp, operatorOf, storeJob, withOperatorApp } from './operator.testing.ts';
import { Visitor } from './testing.ts';

const link = ({ config, now }: OperatorApp): string => makeLink(config.dataDir, randomBytes(32), now.ms);
const enter = (visitor: Visitor, token: string, headers: Record<string, string | undefined> = {}) =>
  visitor.ask('POST', '/api/operator/session', { token }, headers);
const log = async (operator: Visitor): Promise<LogRow[]> => [...(await operator.ask<OperatorPage<LogRow>>('GET', '/api/operator/log')).body.rows];

describe('the way in', () => {
  test('a link works once, and makes a session of twelve hours in a cookie of its own', () =>
    withOperatorApp(async (test) => {
      const token = link(test);
      const operator = new Visitor(test);
      const entered = await enter(operator, token);
      expect(entered.status).toBe(200);
      const cookie = String(entered.headers['set-cookie']);
      expect(cookie).toMatch(/^__Host-tessera-operator=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
      const view = (await operator.ask<OperatorView>('GET', '/api/operator')).body;
      expect(view).toMatchObject({ expiresMs: test.now.ms + 12 * HOUR_MS, openReports: 0, paused: null, drills: [] });
      expect(await log(operator)).toMatchObject([{ action: 'signed in', session: view.session, target: '' }]);
      const again = await enter(new Visitor(test), token);
      expect([again.status, again.body.field]).toEqual([403, 'token']);
      test.now.ms += 12 * HOUR_MS;
      expect((await operator.ask('GET', '/api/operator')).status).toBe(401);
    }));

  test('late, forged, torn, replaced by another: no session', () =>
    withOperatorApp(async (test) => {
      const visitor = new Visitor(test);
      expect((await enter(visitor, randomBytes(32).toString('base64url'))).status).toBe(403);
      const late = link(test);
      test.now.ms += limits.operatorLinkMsMax;
      expect((await enter(visitor, late)).status).toBe(403);
      const [first, second] = [link(test), link(test)];
      expect((await enter(visitor, first)).status).toBe(403);
      expect((await enter(visitor, randomBytes(32).toString('base64url'))).status).toBe(403);
      writeFileSync(join(test.config.dataDir, 'operator-link.json'), '{"digest":');
      expect((await enter(visitor, second)).status).toBe(403);
      expect(visitor.cookie).toBeUndefined();
      expect((await visitor.ask('GET', '/api/operator')).status).toBe(401);
      // A wrong token does not void the link of somebody else.
      const standing = link(test);
      await enter(visitor, randomBytes(32).toString('base64url'));
      expect((await enter(visitor, standing)).status).toBe(200);
    }));

  test('not from other origins, not from programs, not with a requester’s cookie', () =>
    withOperatorApp(async (test) => {
      const foreign: Record<string, string | undefined>[] = [
        { origin: 'https://evil.example' },
        { origin: undefined },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'cross-site' },
      ];
      const visitor = new Visitor(test);
      for (const headers of foreign) expect((await enter(visitor, link(test), headers)).status, JSON.stringify(headers)).toBe(403);
      const operator = await operatorOf(test);
      for (const headers of foreign) {
        const pause = await operator.ask('POST', '/api/operator/pause', { reason: 'A try.' }, headers);
        expect([pause.status, pause.body.code], JSON.stringify(headers)).toEqual([403, 'forbidden']);
      }
      expect((await operator.ask('GET', '/api/operator', undefined, { origin: 'https://evil.example' })).status).toBe(403);
      expect((await operator.ask('GET', '/api/operator', undefined, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
      expect(test.coordinator.state.halted).toBeNull();
      const requester = new Visitor(test);
      await requester.start();
      const secret = requester.cookie?.split('=')[1];
      expect((await requester.ask('GET', '/api/operator', undefined, { cookie: `__Host-tessera-operator=${secret}` })).status).toBe(401);
      // Nor does an operator's secret make a requester's session.
      const operators = operator.cookie?.split('=')[1];
      expect((await requester.ask('GET', '/api/account', undefined, { cookie: `__Host-tessera=${operators}` })).status).toBe(401);
    }));

  test('ends by hand', () =>
    withOperatorApp(async (test) => {
      const operator = await operatorOf(test);
      const cookie = operator.cookie;
      expect((await operator.ask('DELETE', '/api/operator/session')).status).toBe(200);
      expect((await operator.ask('GET', '/api/operator', undefined, { cookie })).status).toBe(401);
    }));
});

test('every action has its reason, and stands in a log that nobody can change', () =>
  withOperatorApp(async (test) => {
    const operator = await operatorOf(test);
    expect((await operator.ask('POST', '/api/operator/pause', {})).body).toMatchObject({ code: 'bad_input', field: 'reason' });
    expect((await operator.ask('POST', '/api/operator/pause', { reason: '' })).status).toBe(400);
    expect((await operator.ask('POST', '/api/operator/pause', { reason: 'x'.repeat(limits.operatorReasonCharsMax + 1) })).status).toBe(400);
    await operator.ask('POST', '/api/operator/pause', { reason: 'Power is out.' });
    await operator.ask('POST', '/api/operator/resume', { reason: 'It is back.' });
    const rows = await log(operator);
    expect(rows.map(({ action, reason }) => [action, reason])).toEqual([
      ['network resumed', 'It is back.'],
      ['network paused', 'Power is out.'],
      ['signed in', 'With a link made on the machine.'],
    ]);
    const filtered = await operator.ask<OperatorPage<LogRow>>('GET', '/api/operator/log?action=network+paused');
    expect(filtered.body.rows.map(({ reason }) => reason)).toEqual(['Power is out.']);
    const older = await operator.ask<OperatorPage<LogRow>>('GET', `/api/operator/log?before=${rows[1]!.seq}`);
    expect(older.body).toMatchObject({ rows: [{ action: 'signed in' }], next: null });
  }));

test('jobs: hidden, shown again, taken down; what stands in the way is said', () =>
  withOperatorApp(async (test) => {
    const { store, moderation, gone } = test;
    const job = await storeJob(test, { status: 'done', endedMs: 1, closing: true });
    const listed = async () => (await store.jobs.page({ visibility: 'public', beforeSeq: Number.MAX_SAFE_INTEGER, limit: 10 })).jobs.map(({ id }) => id);
    const operator = await operatorOf(test);
    const act = (what: string, body: object) => operator.ask('POST', `/api/operator/jobs/${job.id}/${what}`, { reason: 'Not for all.', ...body });
    expect(await listed()).toEqual([job.id]);
    expect((await act('hide', { hidden: true })).status).toBe(200);
    expect(await listed()).toEqual([]);
    expect(() => moderation.refuseTakenDown(job, undefined)).not.toThrow();
    await act('hide', { hidden: false });
    expect(await listed()).toEqual([job.id]);
    const unable = await act('take-down', { ban: true });
    expect([unable.status, unable.body.detail]).toEqual([409, expect.stringContaining('No file was uploaded')]);
    expect((await act('take-down', { ban: false })).body).toEqual({ jobs: [job.id], banned: [] });
    expect(gone).toEqual([job.id]);
    expect(() => moderation.refuseTakenDown(job, undefined)).toThrow('There is no such job.');
    expect(() => moderation.refuseTakenDown(job, job.owner)).toThrow('Reason given: Not for all.');
    expect((await act('take-down', { ban: false })).status).toBe(409);
    expect((await act('hide', { hidden: false })).status).toBe(409);
    const rows = (await operator.ask<OperatorPage<OperatorJob>>('GET', '/api/operator/jobs')).body.rows;
    expect(rows).toMatchObject([{ id: job.id, hidden: true, takenDown: { reason: 'Not for all.', atMs: test.now.ms }, reports: 0, files: 0 }]);
    expect((await operator.ask('POST', `/api/operator/jobs/${jobIdOf(9)}/hide`, { hidden: true, reason: 'x' })).status).toBe(404);
  }));

test('files: banned and allowed again', () =>
  withOperatorApp(async (test) => {
    const operator = await operatorOf(test);
    const hash = 'ab'.repeat(32);
    const job = await storeJob(test, { status: 'done', endedMs: 1, closing: true }, { model: hash as never });
    const banned = await operator.ask('POST', '/api/operator/contents', { hash, reason: 'Known.' });
    expect(banned.body).toEqual({ jobs: [job.id], banned: [hash] });
    expect((await operator.ask('POST', '/api/operator/contents', { hash, reason: 'Known.' })).status).toBe(409);
    expect(() => test.moderation.refuseBanned({ model: hash as never })).toThrow('Reason given: Known.');
    expect((await operator.ask('GET', '/api/operator/contents')).body).toMatchObject({ rows: [{ hash, kind: 'upload', reason: 'Known.' }] });
    expect((await operator.ask('POST', `/api/operator/contents/${hash}/lift`, { reason: 'A mistake.' })).status).toBe(200);
    expect(() => test.moderation.refuseBanned({ model: hash as never })).not.toThrow();
    expect((await operator.ask('POST', `/api/operator/contents/${hash}/lift`, { reason: 'Again.' })).status).toBe(404);
  }));

test('contributors: who is suspended, and the end of it', () =>
  withOperatorApp(async (test) => {
    const { store, now, coordinator } = test;
    const id = contributorIdOf(1);
    await store.people.createContributor(exampleContributor({ id }));
    const standing = exampleStanding({ suspendedUntilMs: now.ms + HOUR_MS });
    await store.commit([{ kind: 'standing', contributor: id, workload: 'example', standing }]);
    const operator = await operatorOf(test);
    const rows = async () => (await operator.ask<OperatorPage<OperatorContributor>>('GET', '/api/operator/contributors')).body.rows;
    expect(await rows()).toEqual([
      {
        id,
        alias: aliasOf(id),
        online: false,
        device: '',
        trusted: false,
        drill: false,
        accepted: 3,
        refuted: 1,
        discarded: 2,
        suspendedUntilMs: now.ms + HOUR_MS,
      },
    ]);
    expect((await operator.ask('POST', `/api/operator/contributors/${id}/pardon`, { reason: 'Its GPU was repaired.' })).status).toBe(200);
    expect(await rows()).toEqual([]);
    expect((await store.people.standings(id)).get('example')).toEqual({ ...standing, suspendedUntilMs: 0 });
    expect(coordinator.contributor(id)?.connected).toBe(false);
    expect((await operator.ask('POST', `/api/operator/contributors/${contributorIdOf(2)}/pardon`, { reason: 'x' })).status).toBe(404);
  }));

test('sites: suspended and restored', () =>
  withOperatorApp(async (test) => {
    const owner = new Visitor(test);
    await owner.start();
    const { id } = await owner.provenSite(test);
    const operator = await operatorOf(test);
    const states = async () => (await operator.ask<OperatorPage<OperatorSite>>('GET', '/api/operator/sites')).body.rows.map(({ state }) => state);
    const suspend = (suspended: boolean, site: string = id) =>
      operator.ask('POST', `/api/operator/sites/${site}/suspend`, { suspended, reason: 'Covers the card.' });
    expect(await states()).toEqual(['ready']);
    expect((await suspend(true)).status).toBe(200);
    expect(await states()).toEqual(['suspended']);
    expect((await suspend(true)).status).toBe(409);
    expect((await suspend(false)).status).toBe(200);
    expect((await suspend(true, siteIdOf(9))).status).toBe(404);
  }));

test('the books', () =>
  withOperatorApp(async (test) => {
    await test.store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'g', microCredits: 7n }) }]);
    const { body } = await (await operatorOf(test)).ask<LedgerView>('GET', '/api/operator/ledger');
    expect(body).toEqual({
      units: [{ unit: 'test', sumMicroCredits: '0', wrongAccounts: 0, transfers: 1 }],
      accounts: [{ id: 'operator/issuance', unit: 'test', microCredits: '-7' }],
    });
  }));

describe('reports', () => {
  const report = (visitor: Visitor, job: string, more: object = {}) =>
    visitor.ask('POST', `/api/jobs/${job}/reports`, { reason: 'violent', text: 'Look.', ...more });

  test('one a reporter and job until the operator has decided, and so many of a job', () =>
    withOperatorApp(async (test) => {
      const job = await storeJob(test);
      const ada = new Visitor(test);
      expect((await report(ada, job.id)).status).toBe(401);
      await ada.start();
      expect((await report(ada, job.id)).status).toBe(201);
      expect((await report(ada, job.id)).status).toBe(409);
      const operator = await operatorOf(test);
      const open = async () => (await operator.ask<OperatorPage<OperatorReport>>('GET', '/api/operator/reports')).body.rows;
      const [first] = await open();
      expect(first).toMatchObject({ job: job.id, title: job.title, reason: 'violent', text: 'Look.', closedMs: null, outcome: null });
      expect(JSON.stringify(first)).not.toContain('device:');
      const dismiss = () => operator.ask('POST', `/api/operator/reports/${first?.id}/dismiss`, { reason: 'Nothing there.' });
      expect((await dismiss()).status).toBe(200);
      expect((await dismiss()).status).toBe(409);
      expect(await open()).toEqual([]);
      expect((await report(ada, job.id)).status).toBe(201);
      for (let count = 1; count < limits.openReportsPerJobMax; count++) {
        const other = new Visitor(test);
        await other.start();
        expect((await report(other, job.id)).status).toBe(201);
      }
      const late = new Visitor(test);
      await late.start();
      expect((await report(late, job.id)).body.detail).toContain('Many have reported');
      await operator.ask('POST', `/api/operator/jobs/${job.id}/take-down`, { ban: false, reason: 'Indeed.' });
      expect(await open()).toEqual([]);
      const closed = await operator.ask<OperatorPage<OperatorReport>>('GET', '/api/operator/reports?closed=true');
      expect(closed.body.rows.map(({ outcome }) => outcome)).toEqual([...Array(limits.openReportsPerJobMax).fill('upheld'), 'dismissed']);
      expect((await report(late, job.id)).status).toBe(404);
    }));

  test('what is wrong with one is named', () =>
    withOperatorApp(async (test) => {
      const owner = new Visitor(test);
      const job = await storeJob(test, { owner: await owner.start() });
      expect((await report(owner, job.id)).status).toBe(409);
      const ada = new Visitor(test);
      await ada.start();
      expect((await report(ada, job.id, { reason: 'dull' })).body.field).toBe('reason');
      const long = await report(ada, job.id, { text: 'x'.repeat(limits.reportTextCharsMax + 1) });
      expect([long.status, long.body.field, long.body.limit]).toEqual([400, 'text', 'at most 500 characters']);
      expect((await report(ada, jobIdOf(9))).status).toBe(404);
    }));

  test('so many an hour', () =>
    withOperatorApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      for (let count = 0; count <= limits.reportsPerOwnerHourMax; count++) {
        const { id } = await storeJob(test, { id: jobIdOf(count + 100) });
        expect((await report(ada, id)).status).toBe(count < limits.reportsPerOwnerHourMax ? 201 : 429);
      }
    }));
});
