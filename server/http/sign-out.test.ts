import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { AccountView, Challenge } from '../../shared/schemas.ts';
import { TestWallet } from '../solana.testing.ts';
import { Visitor, withApp } from './testing.ts';

async function signIn(visitor: Visitor, wallet: TestWallet): Promise<void> {
  const { nonce, text } = (await visitor.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address })).body;
  expect((await visitor.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text))).status).toBe(200);
}

const hashOf = (cookie: string | undefined): string =>
  createHash('sha256')
    .update(Buffer.from(cookie?.split('=')[1] ?? '', 'base64url'))
    .digest('hex');

test('whoever serves connections is told which sessions end: by signing in, by signing out, and everywhere', () =>
  withApp(async (test) => {
    const wallet = new TestWallet();
    const [ada, desk, phone, eve] = [new Visitor(test), new Visitor(test), new Visitor(test), new Visitor(test)];
    for (const visitor of [ada, desk, phone, eve]) await visitor.start();
    const told: string[] = [];
    for (const visitor of [ada, desk, phone]) {
      told.push(hashOf(visitor.cookie));
      await signIn(visitor, wallet);
      expect(test.endedSessions).toEqual(told);
    }
    test.endedSessions.length = 0;
    const sessions = [desk.cookie, phone.cookie];
    const left = ada.cookie;
    await ada.ask('POST', '/api/account/sign-out');
    expect(test.endedSessions).toEqual([hashOf(left)]);
    for (const visitor of [desk, phone]) expect((await visitor.ask('GET', '/api/account')).status).toBe(200);

    test.endedSessions.length = 0;
    expect((await desk.ask<AccountView>('POST', '/api/account/sign-out', { everywhere: true })).body.wallet).toBeNull();
    expect([...test.endedSessions].sort()).toEqual(sessions.map(hashOf).sort());
    expect((await phone.ask('GET', '/api/account')).status).toBe(401);
    for (const visitor of [desk, eve]) expect((await visitor.ask('GET', '/api/account')).status).toBe(200);
    // Nobody in particular may ask as well, and ends nothing.
    test.endedSessions.length = 0;
    expect((await new Visitor(test).ask('POST', '/api/account/sign-out', { everywhere: true })).status).toBe(200);
    expect(test.endedSessions).toEqual([]);
  }));

test('a sign-out that says what is not known is refused and ends nothing', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    for (const body of [{ evrywhere: true }, { everywhere: true, also: 1 }, { everywhere: 'yes' }, [], 'true']) {
      const text = JSON.stringify(body);
      expect((await ada.ask('POST', '/api/account/sign-out', text, { 'content-type': 'application/json' })).status, text).toBe(400);
    }
    expect((await ada.ask('POST', '/api/account/sign-out', { evrywhere: true })).body.field).toBe('evrywhere');
    expect(test.endedSessions).toEqual([]);
    expect((await ada.ask('GET', '/api/account')).status).toBe(200);
  }));
