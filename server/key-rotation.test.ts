import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readConfig } from './config.ts';
import { openLease } from './core/lease.ts';
import { Cursors } from './http/cursors.ts';
import { askRotation, KeyRotation } from './key-rotation.ts';
import { rotate } from './rotate.ts';
import { Member, order, register } from './sharing.testing.ts';
import { macKeysOf, type StoredKey } from './store/keys.ts';
import { openPostgresStore } from './store/postgres.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';
import { stores, withPostgres } from './store/stores.testing.ts';
import { bytesOf, temporaryFolder } from './store/testing.ts';

const log = { info: () => undefined, error: () => undefined };
const silent = readConfig({ LOG_LEVEL: 'silent' });
/** The same keys once the newest signs. */
const later = (keys: readonly StoredKey[]): StoredKey[] => keys.map((key, at) => ({ ...key, signs: at === 0 }));
const follow = (store: Store, { coordinator }: Member) =>
  KeyRotation.open({ store, dataDir: null, use: { lease: (keys) => coordinator.useLeaseKeys(keys) }, log });

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  try {
    return await run(folder.path);
  } finally {
    folder.remove();
  }
}

async function asks(args: readonly string[], config: Parameters<typeof rotate>[1]): Promise<{ code: number; said: string }> {
  const lines: string[] = [];
  const code = await rotate(args, config, (line) => lines.push(line));
  return { code, said: lines.join('\n') };
}

describe.each(stores)('rotating the key of leases on $name', ({ withStore }) => {
  const withMembers = (run: (store: Store, one: Member, other: Member) => Promise<void>) =>
    withStore((store) =>
      inFolder(async (folder) => {
        const members = [await Member.open(store, folder, { tiles: 40 }), await Member.open(store, folder, { tiles: 40 })] as const;
        try {
          await run(store, ...members);
        } finally {
          for (const member of members) await member.close();
        }
      }),
    );

  test('what was leased before is handed in and accepted, and new leases are sealed with the new key, also after a failed commit', () =>
    withMembers(async (store, member) => {
      const [ada] = await register(store, 1);
      await member.join(ada!);
      const { id } = await order(store, member, 40);
      await member.turn();
      const before = await member.leases(ada!);
      expect(before.length).toBeGreaterThan(0);
      const rotation = await follow(store, member);
      await store.keys.rotate('lease', 0);
      await rotation.look();
      for (const lease of before) expect(await member.handIn(ada!, lease)).not.toBeNull();
      await vi.waitFor(async () => expect((await store.jobs.results(id)).filter(({ state }) => state === 'accepted')).toHaveLength(before.length));
      const [newest] = await store.keys.of('lease');
      const isNew = async () => {
        await member.turn();
        const [lease] = await member.leases(ada!);
        return openLease([newest!.bytes], lease!.token).job === id;
      };
      expect(() => openLease([newest!.bytes], before[0]!.token)).toThrow('not made by');
      expect(await isNew()).toBe(true);
      vi.spyOn(store, 'commit').mockRejectedValueOnce(new Error('away'));
      await member.coordinator.write([{ kind: 'jobPaused', id, paused: false }]).catch(() => undefined);
      await vi.waitFor(() => expect(member.coordinator.isRecovering).toBe(false));
      expect(await isNew()).toBe(true);
      await rotation.close();
    }));

  test('a coordinator that knows a new key opens what it sealed although it signs with the old one itself; one that does not know it refuses', () =>
    withMembers(async (store, one, other) => {
      const [ada] = await register(store, 1);
      await one.join(ada!);
      await order(store, one, 40);
      await one.turn();
      await store.keys.rotate('lease');
      const keys = await store.keys.of('lease');
      expect(keys.map(({ signs }) => signs)).toEqual([false, true]);
      one.coordinator.useLeaseKeys(later(keys));
      const [lease] = await one.leases(ada!);
      expect(() => other.coordinator.readLease(lease!.token)).toThrow('not made by');
      const rotation = await follow(store, other);
      expect(other.coordinator.readLease(lease!.token)).toEqual(one.coordinator.readLease(lease!.token));
      expect(openLease(macKeysOf(keys).slice(1), lease!.token).contributor).toBe(ada);
      await rotation.close();
    }));
});

test('a coordinator that holds its data folder finds there what to rotate, once, and tells of it', () =>
  inFolder(async (dataDir) => {
    const config = { ...silent, dataDir, databaseUrl: null };
    expect((await asks(['lease'], config)).code).toBe(2);
    const store = await openSqliteStore(dataDir);
    const told: string[] = [];
    const tell = (name: string) => (keys: readonly StoredKey[]) => void told.push(`${name} ${keys.length}`);
    const rotation = await KeyRotation.open({ store, dataDir, use: { lease: tell('lease'), cursor: tell('cursor') }, log });
    expect(told.splice(0)).toEqual(['lease 1', 'cursor 1']);
    const { code, said } = await asks(['lease', 'receipt'], config);
    expect([code, said]).toEqual([0, expect.stringContaining('a new key of lease, receipt')]);
    await rotation.look();
    expect(told.splice(0)).toEqual(['lease 2']);
    expect(await store.keys.of('receipt')).toHaveLength(2);
    expect(readdirSync(join(dataDir, 'rotate'))).toEqual([]);
    await rotation.look();
    expect(told).toEqual([]);
    await rotation.close();
    // Nobody is there: the next one that starts does it.
    await asks(['cursor'], config);
    expect(existsSync(join(dataDir, 'rotate', 'cursor'))).toBe(true);
    await (await KeyRotation.open({ store, dataDir, use: {}, log })).close();
    expect(await store.keys.of('cursor')).toHaveLength(2);
    await store.close();
  }));

test('while the database is away the keys stay as they are, and what was asked for is done later', () =>
  stores[0]!.withStore((store) =>
    inFolder(async (dataDir) => {
      const errors: string[] = [];
      const use = vi.fn();
      const rotation = await KeyRotation.open({ store, dataDir, use: { lease: use }, log: { ...log, error: (_, message) => void errors.push(message) } });
      askRotation(dataDir, 'lease');
      const away = vi.spyOn(store.keys, 'rotate').mockRejectedValue(new Error('away'));
      await rotation.look();
      expect(errors).toEqual(['the keys could not be read']);
      expect(use).toHaveBeenCalledTimes(1);
      away.mockRestore();
      await rotation.look();
      expect(use).toHaveBeenCalledTimes(2);
      await rotation.close();
    }),
  ));

test('on a database that is shared the command writes the new key itself', () =>
  withPostgres(async (databaseUrl) => {
    const store = await openPostgresStore(databaseUrl);
    const { code, said } = await asks(['cursor'], { ...silent, databaseUrl });
    expect([code, said]).toEqual([0, expect.stringMatching(/cursor signs from .*Z on/)]);
    expect((await store.keys.of('cursor')).map(({ signs }) => signs)).toEqual([false, true]);
    await store.close();
  }));

test('other keys are not rotated, and the command says why', async () => {
  for (const args of [[], ['draw'], ['lease', 'network'], ['--help']]) {
    const { code, said } = await asks(args, silent);
    expect(code).toBe(2);
    expect(said).toContain('The key of draws cannot be rotated');
  }
});

test('a cursor goes on after its key was rotated, and not once that key is forgotten', () => {
  const first: StoredKey = { version: 1, bytes: bytesOf(1), fromMs: null, untilMs: null, signs: true };
  const second: StoredKey = { version: 2, bytes: bytesOf(2), fromMs: 5, untilMs: null, signs: false };
  const cursors = new Cursors([first]);
  const old = cursors.encode('jobs', 7)!;
  cursors.use([second, first]);
  expect(cursors.encode('jobs', 7)).toBe(old);
  cursors.use(later([second, first]));
  const fresh = cursors.encode('jobs', 7)!;
  expect(fresh).not.toBe(old);
  for (const cursor of [old, fresh]) expect(cursors.decode('jobs', cursor)).toBe('7');
  cursors.use(later([second]));
  expect(cursors.decode('jobs', fresh)).toBe('7');
  expect(() => cursors.decode('jobs', old)).toThrow('no cursor of this list');
});
