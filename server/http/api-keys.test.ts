import { describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../../shared/limits.ts';
import type { JobId } from '../../shared/model.ts';
import type { AccountView, ApiKeyPage, Challenge, MadeApiKey, Scope } from '../../shared/schemas.ts';
import { TestWallet } from '../solana.testing.ts';
import { BudgetExceeded } from '../store/api-keys.ts';
import { exampleJob, jobIdOf } from '../store/testing.ts';
import { type TestApp, Visitor, withApp } from './testing.ts';

const scopes: Scope[] = ['account:read'];
const make = async (visitor: Visitor, own: object = {}): Promise<MadeApiKey> =>
  (await visitor.ask<MadeApiKey>('POST', '/api/keys', { name: 'Farm', scopes, ...own })).body;

/** A program: no cookie, no origin, a key. */
class Program extends Visitor {
  readonly authorization: string;

  constructor(test: TestApp, key: string) {
    super(test);
    this.authorization = `Bearer ${key}`;
  }

  override ask<Body>(method: Parameters<Visitor['ask']>[0], url: string, payload?: object, headers: Record<string, string> = {}) {
    return super.ask<Body>(method, url, payload, { origin: undefined, authorization: this.authorization, ...headers });
  }
}

const withKey = <T>(run: (test: TestApp, ada: Visitor, program: Program, made: MadeApiKey) => Promise<T>, own: object = {}): Promise<T> =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const made = await make(ada, own);
    return run(test, ada, new Program(test, made.key), made);
  });

describe('a key', () => {
  test('opens what its scopes name, for its owner', () =>
    withKey(async (_test, ada, program) => {
      const mine = (await ada.ask<AccountView>('GET', '/api/account')).body;
      const seen = await program.ask<AccountView>('GET', '/api/account');
      expect([seen.status, seen.body]).toEqual([200, mine]);
      expect((await program.ask('GET', '/healthz')).status).toBe(200);
    }));

  test('does not open what another scope names, and says which', () =>
    withKey(async (_test, _ada, program) => {
      const refused = await program.ask('POST', '/api/uploads', Buffer.from('x'), { 'content-type': 'application/octet-stream' });
      expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden', limit: 'jobs:write' } });
      expect(refused.headers['www-authenticate']).toBe('Bearer realm="tessera", error="insufficient_scope", scope="jobs:write"');
    }));

  test('opens nothing that is for sessions only, and is none itself', () =>
    withKey(async (_test, ada, program) => {
      for (const [method, url] of [
        ['POST', '/api/session'],
        ['POST', '/api/keys'],
        ['GET', '/api/keys'],
        ['POST', '/api/account/sign-out'],
        ['GET', '/api/account/consents'],
        ['GET', '/'],
      ] as const) {
        const refused = await program.ask<{ detail: string }>(method, url, method === 'POST' ? { name: 'x', scopes } : undefined);
        expect([refused.status, refused.body.detail], url).toEqual([403, 'API keys may not do this: it is for sessions only.']);
        expect(refused.headers['set-cookie']).toBeUndefined();
      }
      expect((await program.ask('GET', '/nothing')).status).toBe(404);
      expect((await ada.ask<ApiKeyPage>('GET', '/api/keys')).body.keys).toHaveLength(1);
    }));

  test('that is wrong, revoked or expired is refused with a challenge', () =>
    withKey(
      async (test, ada, program, { id, key }) => {
        const unauthorized = async (who: Program, why: string) => {
          const refused = await who.ask<{ code: string; detail: string }>('GET', '/api/account');
          expect([refused.status, refused.body.code, refused.body.detail]).toEqual([401, 'signed_out', why]);
          expect(refused.headers['www-authenticate']).toBe('Bearer realm="tessera", error="invalid_token"');
        };
        const last = key.at(-10) === 'A' ? 'B' : 'A';
        const unknown = 'This API key is not known here.';
        await unauthorized(new Program(test, `${key.slice(0, -10)}${last}${key.slice(-9)}`), unknown);
        await unauthorized(new Program(test, `tk_${'A'.repeat(16)}_${'A'.repeat(43)}`), unknown);
        await unauthorized(new Program(test, key.slice(0, -1)), unknown);
        await unauthorized(new Program(test, ''), unknown);
        expect((await program.ask('GET', '/api/account')).status).toBe(200);
        test.now.ms += MINUTE_MS;
        await unauthorized(program, 'This API key has expired.');
        expect((await ada.ask('DELETE', `/api/keys/${id}`)).status).toBe(200);
        await unauthorized(program, 'This API key was revoked.');
      },
      { expiresMs: Date.UTC(2026, 0, 1) + MINUTE_MS },
    ));

  test('goes before a cookie, and a wrong one is not made good by a session', () =>
    withKey(async (test, ada, { authorization }) => {
      const bob = new Visitor(test);
      await bob.start();
      const { owner } = (await ada.ask<AccountView>('GET', '/api/account')).body;
      expect((await bob.ask<AccountView>('GET', '/api/account', undefined, { authorization })).body.owner).toBe(owner);
      expect((await bob.ask('GET', '/api/account', undefined, { authorization: `${authorization}x` })).status).toBe(401);
    }));

  test('opens no more from a page of another origin', () =>
    withKey(async (_test, ada, program) => {
      const origin = 'https://evil.example';
      const refused = await program.ask<{ detail: string }>('POST', '/api/keys', { name: 'x', scopes }, { origin, cookie: ada.cookie! });
      expect([refused.status, refused.body.detail]).toMatchObject([403, expect.stringContaining('for sessions only')]);
    }));

  test('goes along when its owner signs in with a wallet', () =>
    withKey(async (_test, ada, program) => {
      const wallet = new TestWallet();
      const { nonce, text } = (await ada.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address })).body;
      await ada.ask('POST', '/api/account/sign-in', wallet.answer(nonce, text));
      expect((await program.ask<AccountView>('GET', '/api/account')).body.wallet).toBe(wallet.address);
    }));
});

describe('the list', () => {
  test('shows a key’s secret once, and the database never has it', () =>
    withKey(async (test, ada, program, { key, ...view }) => {
      const { body, text } = await ada.ask<ApiKeyPage>('GET', '/api/keys');
      expect(body).toEqual({ keys: [view], next: null });
      expect(key.startsWith(`${view.id}_`)).toBe(true);
      expect(text).not.toContain(key.slice(-43));
      await program.ask('GET', '/api/account');
      const stored = JSON.stringify(await test.store.apiKeys.get(view.id), (_, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : value,
      );
      expect(stored).not.toContain(key.slice(-43));
      expect((await ada.ask<ApiKeyPage>('GET', '/api/keys')).body.keys[0]?.usedMs).toBe(test.now.ms);
    }));

  test('is one’s own, page by page, newest first; another’s key is not there', () =>
    withKey(async (test, ada, _program, first) => {
      const second = await make(ada, { name: 'Second', budgetMicroCredits: '5', expiresMs: test.now.ms + 1 });
      const page = (await ada.ask<ApiKeyPage>('GET', '/api/keys?limit=1')).body;
      await make(ada, { name: 'Meanwhile' });
      const rest = (await ada.ask<ApiKeyPage>('GET', `/api/keys?limit=1&cursor=${page.next}`)).body;
      expect([...page.keys, ...rest.keys].map(({ id }) => id)).toEqual([second.id, first.id]);
      expect([rest.next, page.keys[0]]).toMatchObject([null, { name: 'Second', budgetMicroCredits: '5', spentMicroCredits: '0' }]);
      const eve = new Visitor(test);
      await eve.start();
      expect((await eve.ask<ApiKeyPage>('GET', '/api/keys')).body.keys).toEqual([]);
      const theirs = await eve.ask('DELETE', `/api/keys/${first.id}`);
      const nobodys = await eve.ask('DELETE', `/api/keys/tk_${'0'.repeat(16)}`);
      expect([theirs.status, theirs.body]).toEqual([404, nobodys.body]);
      expect((await eve.ask('GET', `/api/keys?cursor=${page.next}`)).body).toMatchObject({ status: 400, field: 'cursor' });
    }));

  test.each([
    [{ name: '' }, 'name'],
    [{ name: '   ' }, 'name'],
    [{ name: 'x'.repeat(61) }, 'name'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['everything'] }, 'scopes.0'],
    [{ scopes: undefined }, 'scopes'],
    [{ budgetMicroCredits: '-1' }, 'budgetMicroCredits'],
    [{ budgetMicroCredits: 5 }, 'budgetMicroCredits'],
    [{ expiresMs: 5 }, 'expiresMs'],
    [{ owner: 'device:eve' }, 'owner'],
  ])('refuses %j, naming the field', (own, field) =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const refused = await ada.ask('POST', '/api/keys', { name: 'Farm', scopes, ...own });
      expect([refused.status, refused.body.field]).toEqual([400, field]);
    }),
  );
});

describe('a budget', () => {
  const order = (id: JobId, apiKey: MadeApiKey['id']) => [{ ...exampleJob(), id, heldFrom: [] }, [], { apiKey, claim: null, openMax: 99 }] as const;

  test('counts what open jobs hold and ended ones paid, also for two orders at once', () =>
    withKey(
      async ({ store }, ada, _program, { id }) => {
        // Each holds 1000.
        const both = await Promise.allSettled([store.jobs.create(...order(jobIdOf(1), id)), store.jobs.create(...order(jobIdOf(2), id))]);
        expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        const [refused] = both.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
        expect(refused).toBeInstanceOf(BudgetExceeded);
        expect(refused).toMatchObject({ needed: 1000n, left: 500n, budget: 1500n });
        const spent = async () => (await ada.ask<ApiKeyPage>('GET', '/api/keys')).body.keys[0]?.spentMicroCredits;
        expect(await spent()).toBe('1000');
        const made = (await store.jobs.get(jobIdOf(1))) ? jobIdOf(1) : jobIdOf(2);
        const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 };
        const summary = { parts: { total: 1, accepted: 1, checking: 0, leased: 0 }, contributors: 1, checksDone, paidMicroCredits: '400' };
        await store.commit([{ kind: 'jobEnded', id: made, status: 'done', atMs: 5, summary }]);
        expect(await spent()).toBe('400');
        await store.jobs.create(...order(jobIdOf(3), id));
        await expect(store.jobs.create(...order(jobIdOf(4), id))).rejects.toMatchObject({ left: 100n });
      },
      { budgetMicroCredits: '1500' },
    ));
});
