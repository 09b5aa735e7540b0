import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import type { ResultId } from '../../shared/model.ts';
import { AgreementWriter, readAgreements } from './agreements.ts';
import { type ApiKeyStore, SqlApiKeys } from './api-keys.ts';
import { copyDatabase, EmbeddedDialect, openDatabaseFile } from './dialect.ts';
import { SqlGroups } from './groups.ts';
import { type IdempotencyStore, SqlIdempotency } from './idempotency.ts';
import { SqlJobs, writeJobClosing, writeJobEnd } from './jobs.ts';
import { SqlLedger } from './ledger.ts';
import { type LifecycleStore, SqlLifecycle, writeJobPaused } from './lifecycle.ts';
import { migrate } from './migrations/migrate.ts';
import { type ModerationStore, SqlModeration } from './moderation.ts';
import { type MoneyStore, SqlMoney } from './money.ts';
import { type NetworkStore, SqlNetwork } from './network.ts';
import { SqlPeople, writeStandings } from './people.ts';
import { postTransfers } from './postings.ts';
import { type PriceStore, SqlPrices } from './prices.ts';
import { type QuoteStore, SqlQuotes } from './quotes.ts';
import { insertResults, writeMeasured, writeOpening, writeSecondDraw, writeSettled, writeVerdict } from './results.ts';
import type { Tables } from './schema.ts';
import type { Agreement, GroupStore, JobStore, LedgerStore, PeopleStore, Store, StoredResult, Transfer, Write } from './store.ts';
import { queueDeliveries, SqlWebhooks, type WebhookStore } from './webhooks.ts';

const SECRET_BYTES = 32;

/** A store in a file of its own, which nobody else can read while it is open. */
export interface EmbeddedStore extends Store {
  /** Writes a consistent copy of the database there, while it goes on working. */
  copyTo(path: string): Promise<void>;
}

/**
 * Opens, or makes, the database in this folder and holds it for this process alone. Throws a plain sentence when another
 * coordinator has it. What `commit` has acknowledged survives a kill of the process and a loss of power.
 */
export async function openSqliteStore(folder: string): Promise<EmbeddedStore> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = openDatabaseFile(join(folder, 'tessera.sqlite'), folder);
  const db = new Kysely<Tables>({ dialect: new EmbeddedDialect(database) });
  try {
    await migrate(db);
    await db.deleteFrom('sessions').where('expires_ms', '<=', Date.now()).execute();
    return Object.assign(new SqlStore(db), { copyTo: (path: string) => copyDatabase(database, path) });
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

class SqlStore implements Store {
  readonly jobs: JobStore;
  readonly ledger: LedgerStore;
  readonly people: PeopleStore;
  readonly groups: GroupStore;
  readonly lifecycle: LifecycleStore;
  readonly moderation: ModerationStore;
  readonly network: NetworkStore;
  readonly webhooks: WebhookStore;
  readonly money: MoneyStore;
  readonly apiKeys: ApiKeyStore;
  readonly quotes: QuoteStore;
  readonly prices: PriceStore;
  readonly idempotency: IdempotencyStore;
  readonly #db: Kysely<Tables>;
  readonly #agreements = new AgreementWriter();

  constructor(db: Kysely<Tables>) {
    this.#db = db;
    this.jobs = new SqlJobs(db);
    this.ledger = new SqlLedger(db);
    this.people = new SqlPeople(db);
    this.groups = new SqlGroups(db);
    this.lifecycle = new SqlLifecycle(db);
    this.moderation = new SqlModeration(db);
    this.network = new SqlNetwork(db);
    this.webhooks = new SqlWebhooks(db);
    this.money = new SqlMoney(db);
    this.apiKeys = new SqlApiKeys(db);
    this.quotes = new SqlQuotes(db);
    this.prices = new SqlPrices(db);
    this.idempotency = new SqlIdempotency(db);
  }

  /**
   * Results and transfers go in together, in batches, then what changes results, in order. That equals one by one in order:
   * changes need nothing but their result, transfers keep their order, sums have none, nothing changes a result whose pay is settled but a
   * verdict that has none, and of a contributor's standing the last word counts.
   */
  async commit(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return;
    const results: StoredResult[] = [];
    const transfers: Transfer[] = [];
    const settled = new Set<ResultId>();
    const standings = new Map<string, Write & { kind: 'standing' }>();
    const agreements: Agreement[] = [];
    const updates: ((trx: Kysely<Tables>) => Promise<void>)[] = [];
    for (const write of writes) {
      if (write.kind === 'result') results.push(write.result);
      else if (write.kind === 'transfer') transfers.push(write.transfer);
      else if (write.kind === 'verdict') updates.push((trx) => writeVerdict(trx, write));
      else if (write.kind === 'opening') updates.push((trx) => writeOpening(trx, write));
      else if (write.kind === 'measured') updates.push((trx) => writeMeasured(trx, write));
      else if (write.kind === 'secondDraw') updates.push((trx) => writeSecondDraw(trx, write));
      else if (write.kind === 'settled') settled.add(write.id);
      else if (write.kind === 'standing') standings.set(`${write.contributor} ${write.workload}`, write);
      else if (write.kind === 'agreement') agreements.push(write.agreement);
      else if (write.kind === 'jobClosing') updates.push((trx) => writeJobClosing(trx, write.id));
      else if (write.kind === 'jobPaused') updates.push((trx) => writeJobPaused(trx, write));
      else if (write.kind === 'jobProgress') updates.push((trx) => queueDeliveries(trx, { ...write, type: 'job.progress' }));
      else if (write.kind === 'jobEnded') updates.push((trx) => writeJobEnd(trx, write));
      else throw new Error(`unknown write ${(write satisfies never as Write).kind}`);
    }
    await this.#db.transaction().execute(async (trx) => {
      await insertResults(trx, results);
      await postTransfers(trx, transfers);
      for (const update of updates) await update(trx);
      await writeSettled(trx, settled);
      await writeStandings(trx, [...standings.values()]);
      await this.#agreements.write(trx, agreements);
    });
  }

  async secret(name: string): Promise<Uint8Array> {
    return this.#db.transaction().execute(async (trx) => {
      await trx
        .insertInto('secrets')
        .values({ name, bytes: randomBytes(SECRET_BYTES) })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
      return (await trx.selectFrom('secrets').select('bytes').where('name', '=', name).executeTakeFirstOrThrow()).bytes;
    });
  }

  async nextEpoch(): Promise<number> {
    const row = await this.#db
      .insertInto('counters')
      .values({ name: 'epoch', value: 1 })
      .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ value: eb('counters.value', '+', 1) })))
      .returning('value')
      .executeTakeFirstOrThrow();
    return row.value;
  }

  agreements(limit: number): Promise<Agreement[]> {
    return readAgreements(this.#db, limit);
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}
