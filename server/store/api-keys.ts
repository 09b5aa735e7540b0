import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import type { Scope } from '../../shared/api-schemas.ts';
import type { MicroCredits } from '../../shared/credits.ts';
import type { ApiKeyId, JobId, OwnerId } from '../../shared/model.ts';
import { exclusively } from './dialect.ts';
import type { ApiKeysTable, Tables } from './schema.ts';
import type { JobSummary, StoredJob } from './store.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;

export interface StoredApiKey {
  readonly id: ApiKeyId;
  readonly owner: OwnerId;
  readonly name: string;
  /** SHA-256 of the secret half. */
  readonly secretHash: Uint8Array;
  readonly scopes: readonly Scope[];
  /** What its jobs may cost in all; null: as much as the owner has. */
  readonly budget: MicroCredits | null;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly usedMs: number | null;
  readonly revokedMs: number | null;
}

/** Raised when a job would take an API key beyond its budget. Nothing of its transaction was kept. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded';
  readonly needed: MicroCredits;
  readonly left: MicroCredits;
  readonly budget: MicroCredits;

  constructor(needed: MicroCredits, left: MicroCredits, budget: MicroCredits) {
    super(`needs ${needed} micro-credits, ${left} of the budget of ${budget} are left`);
    this.needed = needed;
    this.left = left;
    this.budget = budget;
  }
}

export interface ApiKeyStore {
  /** False when its owner has `standingMax` that are neither revoked nor expired when it is made. */
  create(key: StoredApiKey, standingMax?: number): Promise<boolean>;
  get(id: ApiKeyId): Promise<StoredApiKey | undefined>;
  /** Newest first, those older than `beforeSeq`, with what their jobs cost so far; `nextSeq` is null at the end. */
  page(
    owner: OwnerId,
    page: { readonly beforeSeq: number; readonly limit: number },
  ): Promise<{ readonly keys: readonly (StoredApiKey & { readonly spent: MicroCredits })[]; readonly nextSeq: number | null }>;
  /** The first revocation counts. */
  revoke(id: ApiKeyId, atMs: number): Promise<void>;
  touch(id: ApiKeyId, atMs: number): Promise<void>;
}

const keyOf = (row: Selectable<ApiKeysTable>): StoredApiKey => ({
  id: row.id,
  owner: row.owner,
  name: row.name,
  secretHash: row.secret_hash,
  scopes: JSON.parse(row.scopes_json),
  budget: row.budget,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms,
  usedMs: row.used_ms,
  revokedMs: row.revoked_ms,
});

/** What open jobs of the key hold and ended ones have paid. The latter is kept as a sum, so that a key can order jobs without end. */
async function spentBy(db: Db, { id, paid }: Pick<ApiKeysTable, 'id' | 'paid'>): Promise<MicroCredits> {
  const { held } = await db
    .selectFrom('jobs')
    .select(sql<bigint>`cast(coalesce(sum(work_held + checks_held), 0) as bigint)`.as('held'))
    .where('api_key', '=', id)
    .where('status', '=', 'open')
    .executeTakeFirstOrThrow();
  return paid + held;
}

/** Inside the transaction that writes the hold, or it could be passed twice at once; the key is locked. Throws `BudgetExceeded`. */
export async function assertBudget(trx: Db, id: ApiKeyId, needed: MicroCredits): Promise<void> {
  const row = await trx.selectFrom('api_keys').select(['id', 'budget', 'paid']).where('id', '=', id).forNoKeyUpdate().executeTakeFirstOrThrow();
  if (row.budget === null || needed === 0n) return;
  const left = row.budget - (await spentBy(trx, row));
  if (needed > left) throw new BudgetExceeded(needed, left < 0n ? 0n : left, row.budget);
}

/** Inside the transaction that ends the job: it holds nothing more, what it paid stays. */
export async function countPaid(trx: Db, job: JobId, paid: MicroCredits): Promise<void> {
  await trx
    .updateTable('api_keys')
    .set((eb) => ({ paid: eb('paid', '+', paid) }))
    .where('id', '=', (eb) => eb.selectFrom('jobs').select('api_key').where('id', '=', job))
    .execute();
}

/** Inside the transaction that has opened an ended job again: what it paid before is part of what it holds now. Throws `BudgetExceeded`. */
export async function reopenForKey(trx: Db, { id, workHeld, checksHeld }: Pick<StoredJob, 'id' | 'workHeld' | 'checksHeld'>): Promise<void> {
  const job = await trx.selectFrom('jobs').select(['api_key', 'summary_json']).where('id', '=', id).executeTakeFirstOrThrow();
  if (job.api_key === null) return;
  const before = BigInt((JSON.parse(job.summary_json ?? '{}') as Partial<JobSummary>).paidMicroCredits ?? '0');
  await countPaid(trx, id, -before);
  const key = await trx.selectFrom('api_keys').select(['id', 'budget', 'paid']).where('id', '=', job.api_key).executeTakeFirstOrThrow();
  if (key.budget === null) return;
  const over = (await spentBy(trx, key)) - key.budget;
  const needed = workHeld + checksHeld - before;
  if (over > 0n) throw new BudgetExceeded(needed, needed > over ? needed - over : 0n, key.budget);
}

/** Inside the caller's transaction: keys of a device go to its wallet. */
export async function moveApiKeys(trx: Db, from: OwnerId, to: OwnerId): Promise<void> {
  await trx.updateTable('api_keys').set({ owner: to }).where('owner', '=', from).execute();
}

async function countStanding(db: Db, owner: OwnerId, nowMs: number): Promise<number> {
  const row = await db
    .selectFrom('api_keys')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('owner', '=', owner)
    .where('revoked_ms', 'is', null)
    .where((eb) => eb.or([eb('expires_ms', 'is', null), eb('expires_ms', '>', nowMs)]))
    .executeTakeFirstOrThrow();
  return row.count;
}

export class SqlApiKeys implements ApiKeyStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async create(key: StoredApiKey, standingMax = Number.POSITIVE_INFINITY): Promise<boolean> {
    const { id, owner, name, secretHash, scopes, budget, createdMs, expiresMs, usedMs, revokedMs } = key;
    const times = { created_ms: createdMs, expires_ms: expiresMs, used_ms: usedMs, revoked_ms: revokedMs };
    const row = { id, owner, name, secret_hash: secretHash, scopes_json: JSON.stringify(scopes), budget, paid: 0n, ...times };
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `API keys of ${owner}`);
      if ((await countStanding(trx, owner, createdMs)) >= standingMax) return false;
      await trx.insertInto('api_keys').values(row).execute();
      return true;
    });
  }

  async get(id: ApiKeyId): Promise<StoredApiKey | undefined> {
    const row = await this.#db.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
    return row && keyOf(row);
  }

  async page(owner: OwnerId, { beforeSeq, limit }: { readonly beforeSeq: number; readonly limit: number }): ReturnType<ApiKeyStore['page']> {
    const query = this.#db.selectFrom('api_keys').selectAll().where('owner', '=', owner).where('seq', '<', beforeSeq);
    const rows = await query
      .orderBy('seq', 'desc')
      .limit(limit + 1)
      .execute();
    const shown = rows.slice(0, limit);
    const keys = await Promise.all(shown.map(async (row) => ({ ...keyOf(row), spent: await spentBy(this.#db, row) })));
    return { keys, nextSeq: rows.length > limit ? (shown.at(-1)?.seq ?? null) : null };
  }

  async revoke(id: ApiKeyId, atMs: number): Promise<void> {
    await this.#db.updateTable('api_keys').set({ revoked_ms: atMs }).where('id', '=', id).where('revoked_ms', 'is', null).execute();
  }

  async touch(id: ApiKeyId, atMs: number): Promise<void> {
    await this.#db.updateTable('api_keys').set({ used_ms: atMs }).where('id', '=', id).execute();
  }
}
