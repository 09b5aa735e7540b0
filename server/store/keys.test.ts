import { describe, expect, test } from 'vitest';
import { keyLifeMs, keyNames, signingKey } from './keys.ts';
import { stores } from './stores.testing.ts';

const HOUR_MS = 3_600_000;

describe.each(stores)('keys on $name', ({ withDatabase, withStore }) => {
  test('a key that was never rotated is the secret of its name', () =>
    withStore(async (store) => {
      for (const name of keyNames) {
        const secret = await store.secret(name);
        expect(await store.keys.of(name)).toEqual([{ version: 1, bytes: secret, fromMs: null, untilMs: null, signs: true }]);
      }
    }));

  test('a new version is known before it signs, and until then no further one is made', () =>
    withStore(async (store) => {
      const [first] = await store.keys.of('lease');
      const fromMs = await store.keys.rotate('lease', HOUR_MS);
      expect(await store.keys.rotate('lease', HOUR_MS)).toBe(fromMs);
      const keys = await store.keys.of('lease');
      expect(keys).toMatchObject([
        { version: 2, fromMs, untilMs: null, signs: false },
        { version: 1, fromMs: null, untilMs: fromMs, signs: true },
      ]);
      expect(signingKey(keys).bytes).toEqual(first!.bytes);
      expect(keys[0]!.bytes).not.toEqual(first!.bytes);
      expect(keys[0]!.bytes.byteLength).toBe(32);
      expect(await store.keys.of('cursor')).toHaveLength(1);
    }));

  test('the new version signs once its time has come, and the old one stays', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      await store.keys.rotate('cursor', HOUR_MS);
      await store.close();
      const fromMs = Date.now() - 1000;
      await database.run(`update key_versions set from_ms = ${fromMs}`);
      const reopened = await database.open();
      const keys = await reopened.keys.of('cursor');
      expect(keys).toMatchObject([
        { version: 2, fromMs, untilMs: null, signs: true },
        { version: 1, untilMs: fromMs, signs: false },
      ]);
      expect(signingKey(keys)).toBe(keys[0]);
      await reopened.close();
    }));

  test('of two who rotate at once one makes the new version', () =>
    withStore(async (store) => {
      const [one, other] = await Promise.all([store.keys.rotate('receipt', HOUR_MS), store.keys.rotate('receipt', HOUR_MS)]);
      expect(one).toBe(other);
      expect(await store.keys.of('receipt')).toHaveLength(2);
    }));

  test('a version is forgotten when all that it signed has run out; of receipts, never', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      for (const name of keyNames) await store.keys.rotate(name, 0);
      await store.close();
      const versionsAfter = async (agoMs: number) => {
        await database.run(`update key_versions set from_ms = ${Date.now() - agoMs}`);
        const reopened = await database.open();
        const found = await Promise.all(keyNames.map(async (name) => [name, (await reopened.keys.of(name)).map(({ version }) => version)] as const));
        await reopened.close();
        return Object.fromEntries(found);
      };
      expect(await versionsAfter(keyLifeMs.lease)).toEqual({ lease: [2, 1], cursor: [2, 1], receipt: [2, 1] });
      expect(await versionsAfter(keyLifeMs.lease + 120_000)).toEqual({ lease: [2], cursor: [2, 1], receipt: [2, 1] });
      expect(await versionsAfter(keyLifeMs.cursor + 120_000)).toEqual({ lease: [2], cursor: [2], receipt: [2, 1] });
      expect(await versionsAfter(10_000 * HOUR_MS)).toMatchObject({ receipt: [2, 1] });
    }));
});
