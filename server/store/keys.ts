import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { HOUR_MS, limits, SECOND_MS } from '../../shared/limits.ts';
import { databaseNowMs, exclusively } from './dialect.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;

const SECRET_BYTES = 32;

/** Coordinators that share the database read the keys every few seconds: by then all of them know a new one, and nobody refuses what it signs. */
export const KEY_GRACE_MS = 15 * SECOND_MS;
/** Whoever could not read the keys meanwhile signs with the old one a little longer. */
const LATE_MS = 60 * SECOND_MS;

/** Keys that can be rotated, by how long something that one has signed is good. */
export const keyLifeMs = { lease: limits.leaseTokenMsMax, cursor: 24 * HOUR_MS, receipt: Number.POSITIVE_INFINITY } as const;
export type KeyName = keyof typeof keyLifeMs;
export const keyNames = Object.keys(keyLifeMs) as readonly KeyName[];

/** A version of a key. Times are the database's, in milliseconds since 1970. */
export interface StoredKey {
  /** From 1. */
  readonly version: number;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  /** Since when it signs; null: the first one, since there was one. */
  readonly fromMs: number | null;
  /** When the next one signs instead; null: there is none. */
  readonly untilMs: number | null;
  /** It is the one that signs now. */
  readonly signs: boolean;
}

export interface KeyStore {
  /** All versions that something may be signed with that is still good, newest first; the newest may be one that does not sign yet. The first is made at first use. */
  of(name: KeyName): Promise<StoredKey[]>;
  /** Makes a new version, which signs after `graceMs`, and answers since when. While the newest does not sign yet, that is the new one. */
  rotate(name: KeyName, graceMs?: number): Promise<number>;
}

/** The one that signs. */
export function signingKey(keys: readonly StoredKey[]): StoredKey {
  const key = keys.find(({ signs }) => signs);
  if (!key) throw new Error('no version of this key signs');
  return key;
}

/** For hashes that are keyed: the one that signs first, then those that it is tried with whether something is signed. */
export function macKeysOf(keys: readonly StoredKey[]): KeyObject[] {
  const signing = signingKey(keys);
  return [signing, ...keys.filter((key) => key !== signing)].map(({ bytes }) => createSecretKey(bytes));
}

/** A secret that is made once. */
export async function makeSecret(trx: Db, name: string): Promise<Uint8Array> {
  await trx
    .insertInto('secrets')
    .values({ name, bytes: randomBytes(SECRET_BYTES) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return (await trx.selectFrom('secrets').select('bytes').where('name', '=', name).executeTakeFirstOrThrow()).bytes;
}

async function clockOf(db: Db): Promise<number> {
  const { rows } = await sql<{ now: number }>`select ${databaseNowMs(db)} as now`.execute(db);
  return rows[0]!.now;
}

export class SqlKeys implements KeyStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async of(name: KeyName): Promise<StoredKey[]> {
    const first = await this.#db.selectFrom('secrets').select('bytes').where('name', '=', name).executeTakeFirst();
    const bytes = first?.bytes ?? (await inTransaction(this.#db, (trx) => makeSecret(trx, name)));
    const later = await this.#db.selectFrom('key_versions').select(['version', 'bytes', 'from_ms']).where('name', '=', name).orderBy('version').execute();
    const nowMs = await clockOf(this.#db);
    const all = [{ version: 1, bytes, fromMs: null }, ...later.map(({ from_ms, ...row }) => ({ ...row, fromMs: from_ms }))];
    const keys = all.map((key, at) => {
      const untilMs = all[at + 1]?.fromMs ?? null;
      return { ...key, untilMs, signs: (key.fromMs ?? 0) <= nowMs && (untilMs === null || untilMs > nowMs) };
    });
    return keys.filter(({ untilMs }) => untilMs === null || untilMs + keyLifeMs[name] + LATE_MS > nowMs).reverse();
  }

  rotate(name: KeyName, graceMs = KEY_GRACE_MS): Promise<number> {
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `keys/${name}`);
      await makeSecret(trx, name);
      const newest = await trx.selectFrom('key_versions').select(['version', 'from_ms']).where('name', '=', name).orderBy('version', 'desc').executeTakeFirst();
      const nowMs = await clockOf(trx);
      if (newest && newest.from_ms > nowMs) return newest.from_ms;
      const row = { name, version: (newest?.version ?? 1) + 1, bytes: randomBytes(SECRET_BYTES), from_ms: nowMs + graceMs };
      await trx.insertInto('key_versions').values(row).execute();
      return row.from_ms;
    });
  }
}
