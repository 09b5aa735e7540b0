import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { DAY_MS, limits } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import { type AccountView, accountView, type ConsentView, type StatementRow, statementRow } from '../../shared/schemas.ts';
import { exampleTransfer } from '../store/testing.ts';
import { Visitor, withApp } from './testing.ts';

const GRANT = limits.testGrantMicroCredits.toString();

test('the first request makes a device with its test grant, the next ones find it', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    expect((await ada.ask('GET', '/api/account')).status).toBe(401);
    const first = await ada.ask<AccountView>('POST', '/api/session', {});
    expect(first.status).toBe(200);
    expect(Value.Check(accountView, first.body)).toBe(true);
    expect(first.body).toEqual({
      owner: expect.stringMatching(/^device:[A-Za-z0-9_-]{16}$/),
      wallet: null,
      balances: [{ unit: 'test', grantMicroCredits: GRANT, depositedMicroCredits: '0', earnedMicroCredits: '0', vestingMicroCredits: '0' }],
      jobs: 0,
    });
    const again = await ada.ask<AccountView>('POST', '/api/session', {});
    expect(again.body).toEqual(first.body);
    expect((await ada.ask<AccountView>('GET', '/api/account')).body).toEqual(first.body);
    expect(await test.store.ledger.audit()).toMatchObject([{ sum: 0n, transfers: 1 }]);
  }));

test('the cookie is out of reach of scripts and other hosts; a wrong one is no session', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const made = await ada.ask('POST', '/api/session', {});
    const attributes = 'Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax';
    expect(made.headers['set-cookie']).toMatch(new RegExp(`^__Host-tessera=[A-Za-z0-9_-]{43}; ${attributes}$`));
    for (const cookie of ['__Host-tessera=', `__Host-tessera=${'A'.repeat(43)}`, `__Host-tessera=${'A'.repeat(500)}`, ada.cookie?.replace('__Host-', '')]) {
      expect((await new Visitor(test).ask('GET', '/api/account', undefined, { cookie })).status, cookie).toBe(401);
    }
    const plain = new Visitor(test);
    plain.host = '192.168.1.5:8080';
    expect((await plain.ask('POST', '/api/session', {})).headers['set-cookie']).toMatch(/^tessera=[^;]{43}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await plain.ask('GET', '/api/account')).status).toBe(200);
  }));

test('a session ends a month after its last use', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    for (let month = 0; month < 3; month++) {
      test.now.ms += limits.sessionMsMax - DAY_MS;
      const visit = await ada.ask<AccountView>('POST', '/api/session', {});
      expect(visit.body.owner).toBe(owner);
      expect(visit.headers['set-cookie']).toContain(ada.cookie);
    }
    test.now.ms += limits.sessionMsMax;
    expect((await ada.ask('GET', '/api/account')).status).toBe(401);
    expect(await ada.start()).not.toBe(owner);
  }));

test('one address gets a capped number of grants; later devices work without', () =>
  withApp(async (test) => {
    const grants: string[] = [];
    const one = new Visitor(test);
    for (let device = 0; device < limits.grantsPerAddressHourMax + 2; device++) {
      one.cookie = undefined;
      const { status, body } = await one.ask<AccountView>('POST', '/api/session', {});
      expect(status).toBe(200);
      grants.push(body.balances[0]?.grantMicroCredits ?? '');
    }
    expect(grants).toEqual([...Array<string>(limits.grantsPerAddressHourMax).fill(GRANT), '0', '0']);
    expect((await new Visitor(test).ask<AccountView>('POST', '/api/session', {})).body.balances[0]?.grantMicroCredits).toBe(GRANT);
  }));

test('credits appear beside test credits once there are any', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const transfer = exampleTransfer({ id: 'x', unit: 'credit', credit: `${owner}/earned`, microCredits: 12n });
    await test.store.commit([{ kind: 'transfer', transfer }]);
    expect((await ada.ask<AccountView>('GET', '/api/account')).body.balances).toEqual([
      { unit: 'test', grantMicroCredits: GRANT, depositedMicroCredits: '0', earnedMicroCredits: '0', vestingMicroCredits: '0' },
      { unit: 'credit', grantMicroCredits: '0', depositedMicroCredits: '0', earnedMicroCredits: '12', vestingMicroCredits: '0' },
    ]);
  }));

test('the statement: signed rows, pages, and nobody else’s', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const pay = (number: number, to: OwnerId) =>
      exampleTransfer({ id: `pay/${number}`, kind: 'pay', credit: `${to}/earned`, microCredits: BigInt(number + 1), at: { pass: 1, tile: number } });
    await test.store.commit(Array.from({ length: 70 }, (_, number) => ({ kind: 'transfer', transfer: pay(number, owner) })));
    type Page = { rows: StatementRow[]; next: string | null };
    const first = await ada.ask<Page>('GET', '/api/account/statement');
    expect(first.body.rows).toHaveLength(50);
    for (const row of first.body.rows) expect(Value.Check(statementRow, row)).toBe(true);
    expect(first.body.rows[0]).toEqual({
      id: 'earned/pay/69',
      atMs: 1000,
      unit: 'test',
      account: 'earned',
      microCredits: '70',
      kind: 'pay',
      job: null,
      pass: 1,
      tile: 69,
    });
    // What is posted meanwhile moves no page.
    await test.store.commit([{ kind: 'transfer', transfer: pay(70, owner) }]);
    const second = await ada.ask<Page>('GET', `/api/account/statement?cursor=${first.body.next}&limit=21`);
    expect(second.body.rows.map(({ id }) => id)).toEqual([...Array.from({ length: 20 }, (_, number) => `earned/pay/${19 - number}`), `grant/grant/${owner}`]);
    // The last page is full to the row and still the last: nothing empty is offered after it.
    expect(second.body.next).toBeNull();

    const bob = new Visitor(test);
    await bob.start();
    expect((await bob.ask<Page>('GET', '/api/account/statement')).body.rows.map(({ kind }) => kind)).toEqual(['grant']);
    expect((await new Visitor(test).ask('GET', '/api/account/statement')).status).toBe(401);
    const stolen = await bob.ask('GET', `/api/account/statement?cursor=${first.body.next}`);
    expect([stolen.status, stolen.body.field]).toEqual([400, 'cursor']);
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=', 'cursor=pay/20', `cursor=${'a'.repeat(301)}`, 'before=x']) {
      const refused = await ada.ask('GET', `/api/account/statement?${query}`);
      expect(refused.status, query).toBe(400);
      expect(refused.body).toMatchObject({ code: 'bad_input', field: query.split('=')[0] });
    }
  }));

test('all consents of an owner are listed with the names of their sites', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const site = await ada.provenSite(test, { name: 'Museum of tiles' });
    const own = await ada.consent();
    const embedded = await ada.consent({ site: site.id });
    await new Visitor(test).consent({ site: site.id });
    const { body } = await ada.ask<{ consents: ConsentView[] }>('GET', '/api/account/consents');
    expect(body.consents.map(({ id, siteName }) => [id, siteName])).toEqual([
      [embedded.consent.id, 'Museum of tiles'],
      [own.consent.id, null],
    ]);
    expect((await new Visitor(test).ask('GET', '/api/account/consents')).status).toBe(401);
  }));
