import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DAY_MS } from '../../shared/limits.ts';
import type { ApiKeyPage, MadeApiKey } from '../../shared/schemas.ts';
import { type TestApp, Visitor, withApp } from './testing.ts';

const body = { name: 'Farm', scopes: ['jobs:read'] };
const once = (key: string) => ({ 'idempotency-key': key });

const withAda = <T>(run: (ada: Visitor, test: TestApp) => Promise<T>, addRoutes: (app: TestApp['app']) => void = () => undefined): Promise<T> =>
  withApp(async (test) => {
    addRoutes(test.app);
    const ada = new Visitor(test);
    await ada.start();
    return run(ada, test);
  });
const keysOf = async (ada: Visitor): Promise<number> => (await ada.ask<ApiKeyPage>('GET', '/api/keys')).body.keys.length;

test('the same request gets the same answer, whatever order its fields are in, and is done once', () =>
  withAda(async (ada) => {
    const first = await ada.ask<MadeApiKey>('POST', '/api/keys', body, once('one'));
    const again = await ada.ask<MadeApiKey>('POST', '/api/keys', { scopes: ['jobs:read'], name: 'Farm' }, once('one'));
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    expect([again.headers['idempotency-replayed'], again.headers['cache-control']]).toEqual(['true', 'no-store']);
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(await keysOf(ada)).toBe(1);
    const other = await ada.ask<MadeApiKey>('POST', '/api/keys', body, once('two'));
    expect(other.body.id).not.toBe(first.body.id);
  }));

test('another request under the same key is refused, naming the header', () =>
  withAda(async (ada) => {
    await ada.ask('POST', '/api/keys', body, once('one'));
    const refused = await ada.ask('POST', '/api/keys', { ...body, name: 'Other' }, once('one'));
    expect(refused).toMatchObject({ status: 422, body: { code: 'bad_input', field: 'Idempotency-Key' } });
    expect(await keysOf(ada)).toBe(1);
  }));

test('while the first is running the second is told to wait', () => {
  let runs = 0;
  const slow = async () => {
    runs++;
    await sleep(100);
    return { runs };
  };
  return withAda(
    async (ada) => {
      const first = ada.ask('POST', '/slow', {}, once('one'));
      await expect.poll(() => runs).toBe(1);
      const second = await ada.ask('POST', '/slow', {}, once('one'));
      expect([second.status, second.body.field, second.headers['retry-after']]).toEqual([409, 'Idempotency-Key', '1']);
      expect((await ada.ask('POST', '/slow', { other: true }, once('one'))).status).toBe(422);
      expect((await first).body).toEqual({ runs: 1 });
      expect((await ada.ask('POST', '/slow', {}, once('one'))).body).toEqual({ runs: 1 });
    },
    (app) => void app.post('/slow', { config: { idempotent: true } }, slow),
  );
});

test('what failed made nothing and may be tried again', () => {
  let runs = 0;
  const frail = async () => {
    if (++runs === 1) throw new Error('no luck');
    return { runs };
  };
  return withAda(
    async (ada) => {
      expect((await ada.ask('POST', '/frail', {}, once('one'))).status).toBe(500);
      expect((await ada.ask('POST', '/frail', {}, once('one'))).body).toEqual({ runs: 2 });
    },
    (app) => void app.post('/frail', { config: { idempotent: true } }, frail),
  );
});

test('keys are one’s own, and are forgotten after a day', () =>
  withAda(async (ada, test) => {
    const first = await ada.ask<MadeApiKey>('POST', '/api/keys', body, once('one'));
    const bob = new Visitor(test);
    await bob.start();
    expect((await bob.ask<MadeApiKey>('POST', '/api/keys', body, once('one'))).body.id).not.toBe(first.body.id);
    test.now.ms += DAY_MS - 1;
    expect((await ada.ask<MadeApiKey>('POST', '/api/keys', body, once('one'))).body.id).toBe(first.body.id);
    test.now.ms += 1;
    expect((await ada.ask<MadeApiKey>('POST', '/api/keys', body, once('one'))).body.id).not.toBe(first.body.id);
  }));

test('a kept answer is not readable without the key that it was kept under', () =>
  withAda(async (ada, { store, now }) => {
    const { body: made } = await ada.ask<MadeApiKey>('POST', '/api/keys', body, once('one'));
    const { owner } = (await store.apiKeys.get(made.id))!;
    const keyHash = createHash('sha256')
      .update(JSON.stringify(['one']))
      .digest();
    const known = await store.idempotency.find({ owner, route: 'POST /api/keys', keyHash, atMs: now.ms });
    expect(known?.answer?.byteLength).toBeGreaterThan(100);
    expect(Buffer.from(known?.answer ?? []).toString('latin1')).not.toContain(made.id);
  }));

test.each(['', 'with space', 'ü', 'x'.repeat(256)])('%j is no key', (key) =>
  withAda(async (ada) => {
    const refused = await ada.ask('POST', '/api/keys', body, once(key));
    expect([refused.status, refused.body.field]).toEqual([400, 'Idempotency-Key']);
  }),
);
