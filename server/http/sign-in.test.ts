import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import { type AccountView, type Challenge, challenge } from '../../shared/schemas.ts';
import { encodeBase58, TestWallet } from '../solana.testing.ts';
import { exampleTransfer } from '../store/testing.ts';
import { type Reply, type TestApp, Visitor, withApp } from './testing.ts';

async function challengeFor(visitor: Visitor, wallet: Pick<TestWallet, 'address'>): Promise<Challenge> {
  return (await visitor.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address })).body;
}

async function signIn(visitor: Visitor, wallet: TestWallet): Promise<Reply<AccountView>> {
  const { nonce, text } = await challengeFor(visitor, wallet);
  return visitor.ask<AccountView>('POST', '/api/account/sign-in', wallet.answer(nonce, text));
}

async function pay({ store }: TestApp, owner: OwnerId, id: string, microCredits: bigint): Promise<void> {
  await store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id, credit: `${owner}/earned`, microCredits }) }]);
}

test('a challenge says who asks whom for what, until when', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const wallet = new TestWallet();
    const made = await challengeFor(ada, wallet);
    expect(Value.Check(challenge, made)).toBe(true);
    expect(made.nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(made.text).toBe(
      [
        'localhost:8080 wants you to sign in with your Solana account:',
        wallet.address,
        '',
        'Sign in to Tessera. This costs nothing and moves no funds.',
        '',
        'URI: http://localhost:8080',
        'Version: 1',
        'Chain ID: solana:mainnet',
        `Nonce: ${made.nonce}`,
        'Issued At: 2026-01-01T00:00:00.000Z',
        'Expiration Time: 2026-01-01T00:05:00.000Z',
      ].join('\n'),
    );
    expect(made.input.domain).toBe('localhost:8080');
    expect((await challengeFor(ada, wallet)).nonce).not.toBe(made.nonce);
  }));

test('signing in: the session, earnings, contributors and sites become the wallet’s; the grant stays', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const device = await ada.start();
    const wallet = new TestWallet();
    const owner = `wallet:${wallet.address}` as OwnerId;
    const { contributor } = await ada.consent();
    await ada.site();
    await pay(test, device, 'pay/1', 70n);
    const deviceCookie = ada.cookie;

    const { status, body } = await signIn(ada, wallet);
    expect(status).toBe(200);
    expect(body).toEqual({
      owner,
      wallet: wallet.address,
      balances: [{ unit: 'test', grantMicroCredits: '0', depositedMicroCredits: '0', earnedMicroCredits: '70', vestingMicroCredits: '0' }],
      jobs: 0,
    });
    expect(ada.cookie).not.toBe(deviceCookie);
    expect((await ada.ask<AccountView>('GET', '/api/account')).body).toEqual(body);
    expect((await ada.ask('GET', '/api/account', undefined, { cookie: deviceCookie })).status).toBe(401);
    expect((await test.store.people.contributor(contributor.id))?.owner).toBe(owner);
    expect(await test.store.people.sitesOf(owner)).toHaveLength(1);
    expect(await test.store.ledger.balance(`${device}/grant`, 'test')).toBe(limits.testGrantMicroCredits);
    // Before and after the move: nothing may be paid to the device in between.
    expect(test.moved).toEqual([
      [device, owner],
      [device, owner],
    ]);
    expect(await test.store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
  }));

test('two devices of one wallet: both earnings end up there', () =>
  withApp(async (test) => {
    const wallet = new TestWallet();
    for (const [round, amount] of [30n, 12n].entries()) {
      const visitor = new Visitor(test);
      await pay(test, await visitor.start(), `pay/${round}`, amount);
      await signIn(visitor, wallet);
    }
    expect(await test.store.ledger.balance(`wallet:${wallet.address}/earned` as `${OwnerId}/earned`, 'test')).toBe(42n);
  }));

test('a session of one wallet that signs in with another takes nothing along', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const [first, second] = [new TestWallet(), new TestWallet()];
    await ada.start();
    await signIn(ada, first);
    const firstOwner = `wallet:${first.address}` as OwnerId;
    await pay(test, firstOwner, 'pay/1', 70n);
    const { body } = await signIn(ada, second);
    expect(body.wallet).toBe(second.address);
    expect(body.balances[0]?.earnedMicroCredits).toBe('0');
    expect(await test.store.ledger.balance(`${firstOwner}/earned`, 'test')).toBe(70n);
    expect(test.moved.some(([from]) => from === firstOwner)).toBe(false);
  }));

test('signing out ends the session and starts an empty device', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    await signIn(ada, new TestWallet());
    const walletCookie = ada.cookie;
    const { status, body } = await ada.ask<AccountView>('POST', '/api/account/sign-out', {});
    expect(status).toBe(200);
    expect(body).toMatchObject({ owner: expect.stringMatching(/^device:/), wallet: null, balances: [{ grantMicroCredits: '0', earnedMicroCredits: '0' }] });
    expect((await ada.ask('GET', '/api/account', undefined, { cookie: walletCookie })).status).toBe(401);
    expect((await new Visitor(test).ask('POST', '/api/account/sign-out', {})).status).toBe(200);
  }));

describe('refused', () => {
  /** What an attack sends; the test answers the challenge rightly but for this. */
  type Attack = (facts: {
    test: TestApp;
    ada: Visitor;
    wallet: TestWallet;
    made: Challenge;
  }) => Promise<{ nonce: string; signedMessage: string; signature: string }> | { nonce: string; signedMessage: string; signature: string };

  const attacks: Readonly<Record<string, Attack>> = {
    'an attacker’s key for the victim’s address': ({ made }) => new TestWallet().answer(made.nonce, made.text),
    'a swapped address': ({ wallet, made }) => {
      const attacker = new TestWallet();
      return attacker.answer(made.nonce, made.text.replace(wallet.address, attacker.address));
    },
    'a foreign domain': ({ wallet, made }) => wallet.answer(made.nonce, made.text.replace('localhost:8080 wants', 'evil.example wants')),
    'a foreign URI': ({ wallet, made }) => wallet.answer(made.nonce, made.text.replace('URI: http://localhost:8080', 'URI: https://evil.example')),
    'a later expiry': ({ wallet, made }) => wallet.answer(made.nonce, made.text.replace('00:05:00', '23:05:00')),
    'trailing bytes': ({ wallet, made }) => wallet.answer(made.nonce, `${made.text}\n`),
    'leading bytes': ({ wallet, made }) => wallet.answer(made.nonce, `\uFEFF${made.text}`),
    'other line ends': ({ wallet, made }) => wallet.answer(made.nonce, made.text.replaceAll('\n', '\r\n')),
    'an empty-looking message': ({ wallet, made }) => wallet.answer(made.nonce, ' '),
    'trailing bytes behind the signature': ({ wallet, made }) => {
      const answer = wallet.answer(made.nonce, made.text);
      return { ...answer, signature: Buffer.concat([Buffer.from(answer.signature, 'base64url'), Buffer.of(0)]).toString('base64url') };
    },
    'a signature of zeros': ({ wallet, made }) => ({ ...wallet.answer(made.nonce, made.text), signature: Buffer.alloc(64).toString('base64url') }),
    'another challenge’s text': async ({ ada, wallet, made }) => wallet.answer(made.nonce, (await challengeFor(ada, wallet)).text),
    'an unknown nonce': ({ wallet, made }) => wallet.answer('0'.repeat(32), made.text),
    'an expired challenge': ({ test, wallet, made }) => {
      test.now.ms += limits.challengeMsMax;
      return wallet.answer(made.nonce, made.text);
    },
  };

  test.each(Object.entries(attacks))('%s', (_name, attack) =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      const device = await ada.start();
      await pay(test, device, 'pay/1', 70n);
      const wallet = new TestWallet();
      const made = await challengeFor(ada, wallet);
      const refused = await ada.ask('POST', '/api/account/sign-in', await attack({ test, ada, wallet, made }));
      expect(refused.status).toBe(403);
      expect(refused.body.code).toBe('forbidden');
      expect((await ada.ask<AccountView>('GET', '/api/account')).body).toMatchObject({ owner: device, balances: [{ earnedMicroCredits: '70' }] });
      expect(test.moved).toEqual([]);
    }),
  );

  test('a replayed answer, from the old session or the new', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const wallet = new TestWallet();
      const { nonce, text } = await challengeFor(ada, wallet);
      const before = ada.cookie;
      expect((await ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text))).status).toBe(200);
      expect((await ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text))).status).toBe(403);
      expect((await ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text), { cookie: before })).status).toBe(401);
    }));

  test('the same answer sent twice at once signs in once', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const wallet = new TestWallet();
      const { nonce, text } = await challengeFor(ada, wallet);
      const cookie = ada.cookie;
      const both = await Promise.all([1, 2].map(() => ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text), { cookie })));
      expect(both.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
    }));

  test('a wrong answer uses the challenge up', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const wallet = new TestWallet();
      const { nonce, text } = await challengeFor(ada, wallet);
      expect((await ada.ask('POST', '/api/account/sign-in', { ...wallet.answer(nonce, text), signature: 'AAAA' })).status).toBe(403);
      expect((await ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text))).status).toBe(403);
    }));

  test('another session’s challenge, which is used up by the try', () =>
    withApp(async (test) => {
      const [ada, eve] = [new Visitor(test), new Visitor(test)];
      await ada.start();
      await eve.start();
      const wallet = new TestWallet();
      const { nonce, text } = await challengeFor(ada, wallet);
      expect((await eve.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text))).body.detail).toContain('another session');
      expect((await eve.ask<AccountView>('GET', '/api/account')).body.wallet).toBeNull();
      expect((await ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text))).status).toBe(403);
    }));

  test('text that is not base64url', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const wallet = new TestWallet();
      for (const bad of ['a', '++++', '%%%%', 'é']) {
        const { nonce, text } = await challengeFor(ada, wallet);
        const refused = await ada.ask('POST', '/api/account/sign-in', { ...wallet.answer(nonce, text), signature: bad });
        expect(refused.status).toBe(400);
      }
    }));

  test('addresses that nobody can sign for', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const identity = Buffer.from(`01${'00'.repeat(31)}`, 'hex');
      const addresses = [
        '1'.repeat(32),
        encodeBase58(identity),
        'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA0',
        '',
        'x',
        5,
        null,
        'z'.repeat(44),
        'z'.repeat(45),
      ];
      for (const address of addresses) {
        const refused = await ada.ask('POST', '/api/account/challenge', { address });
        expect(refused.status, String(address)).toBe(400);
        expect(refused.body).toMatchObject({ code: 'bad_input', field: 'address' });
      }
    }));

  test('without a session', () =>
    withApp(async (test) => {
      const wallet = new TestWallet();
      expect((await new Visitor(test).ask('POST', '/api/account/challenge', { address: wallet.address })).status).toBe(401);
      expect((await new Visitor(test).ask('POST', '/api/account/sign-in', wallet.answer('n', 't'))).status).toBe(401);
    }));

  test('under a name that is not the coordinator’s own', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const asked = { address: new TestWallet().address };
      const rebound = await ada.ask('POST', '/api/account/challenge', asked, {
        host: 'evil.example',
        origin: undefined,
        cookie: ada.cookie?.replace('__Host-', ''),
      });
      expect(rebound.status).toBe(403);
      expect((await ada.ask('POST', '/api/account/challenge', asked, { host: 'evil.example', origin: 'http://evil.example' })).status).toBe(403);
    }));

  test('too many tries', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const wallet = new TestWallet();
      const statuses: number[] = [];
      for (let round = 0; round < 21; round++) statuses.push((await ada.ask('POST', '/api/account/challenge', { address: wallet.address })).status);
      expect(statuses).toEqual([...Array<number>(20).fill(200), 429]);
      const refused = await ada.ask('POST', '/api/account/challenge', { address: wallet.address });
      expect(refused.body.code).toBe('too_many');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }));
});

test('with PUBLIC_ORIGIN the challenge names it, whatever the request says', () =>
  withApp(
    async (test) => {
      const ada = new Visitor(test);
      ada.host = 'internal:8080';
      const headers = { origin: 'https://tessera.example' };
      expect((await ada.ask('POST', '/api/session', {}, headers)).headers['set-cookie']).toMatch(/^__Host-tessera=.*Secure/);
      const { body } = await ada.ask<Challenge>('POST', '/api/account/challenge', { address: new TestWallet().address }, headers);
      expect(body.input).toMatchObject({ domain: 'tessera.example', uri: 'https://tessera.example' });
    },
    { config: { publicOrigin: 'https://tessera.example' } },
  ));
