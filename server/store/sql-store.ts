import type { Kysely } from 'kysely';
import type { ContributorId, ResultId } from '../../shared/model.ts';
import { AgreementWriter, readAgreements } from './agreements.ts';
import { type ApiKeyStore, SqlApiKeys } from './api-keys.ts';
import { type ErasureStore, SqlErasure } from './erasure.ts';
import { SqlGroups } from './groups.ts';
import { type IdempotencyStore, SqlIdempotency } from './idempotency.ts';
import { SqlJobs, writeJobClosing, writeJobEnd } from './jobs.ts';
import { type KeyStore, makeSecret, SqlKeys } from './keys.ts';
import { SqlLedger } from './ledger.ts';
import { type LifecycleStore, SqlLifecycle, writeJobPaused } from './lifecycle.ts';
import { type ModerationStore, SqlModeration } from './moderation.ts';
import { type MoneyStore, SqlMoney } from './money.ts';
import { type NetworkStore, SqlNetwork } from './network.ts';
import { type PackStore, SqlPacks } from './packs.ts';
import { SqlPeople, writeStandings } from './people.ts';
import { postTransfers } from './postings.ts';
import { type PriceStore, SqlPrices } from './prices.ts';
import { type QuoteStore, SqlQuotes } from './quotes.ts';
import { changeResults, insertResults, type ResultChange, writeSettled } from './results.ts';
import type { Tables } from './schema.ts';
import { assertAlive, closeShare, insertNotice, releaseShare, reopenShare, SqlSharing } from './sharing.ts';
import type { SharingStore } from './sharing-store.ts';
import type { Agreement, GroupStore, JobStore, LedgerStore, PeopleStore, Store, StoredResult, Transfer, Write } from './store.ts';
import { inTransaction } from './transaction.ts';
import { queueDeliveries, SqlWebhooks, type WebhookStore } from './webhooks.ts';

type JobWrite = Extract<Write, { kind: 'jobClosing' | 'jobPaused' | 'jobProgress' | 'jobEnded' }>;
type ShareWrite = Extract<Write, { kind: 'shareClosed' | 'shareReopened' | 'shareReleased' }>;

/** The writes of a commit by what is done with them. */
class Group {
  readonly results: StoredResult[] = [];
  readonly changes: ResultChange[] = [];
  readonly jobs: JobWrite[] = [];
  readonly shares: ShareWrite[] = [];
  readonly settled = new Set<ResultId>();
  readonly standings = new Map<string, Write & { kind: 'standing' }>();
  readonly proven = new Set<ContributorId>();
  readonly agreements: Agreement[] = [];
  readonly transfers: Transfer[] = [];

  add(write: Write): void {
    if (write.kind === 'result') this.results.push(write.result);
    else if (write.kind === 'transfer') this.transfers.push(write.transfer);
    else if (write.kind === 'verdict' || write.kind === 'opening' || write.kind === 'measured' || write.kind === 'secondDraw') this.changes.push(write);
    else if (write.kind === 'settled') this.settled.add(write.id);
    else if (write.kind === 'standing') this.standings.set(`${write.contributor} ${write.workload}`, write);
    else if (write.kind === 'proven') this.proven.add(write.contributor);
    else if (write.kind === 'agreement') this.agreements.push(write.agreement);
    else if (write.kind === 'shareClosed' || write.kind === 'shareReopened' || write.kind === 'shareReleased') this.shares.push(write);
    else if (write.kind === 'jobClosing' || write.kind === 'jobPaused' || write.kind === 'jobProgress' || write.kind === 'jobEnded') this.jobs.push(write);
    else throw new Error(`unknown write ${(write satisfies never as Write).kind}`);
  }
}

async function writeJob(trx: Kysely<Tables>, write: JobWrite): Promise<void> {
  if (write.kind === 'jobClosing') await writeJobClosing(trx, write.id);
  else if (write.kind === 'jobPaused') await writeJobPaused(trx, write);
  else if (write.kind === 'jobProgress') await queueDeliveries(trx, { ...write, type: 'job.progress' });
  else await writeJobEnd(trx, write);
}

async function writeShare(trx: Kysely<Tables>, write: ShareWrite, epoch: number | undefined): Promise<void> {
  if (epoch === undefined) throw new Error(`${write.kind} of a coordinator that shares nothing`);
  if (write.kind === 'shareClosed') await closeShare(trx, epoch, write);
  else if (write.kind === 'shareReopened') await reopenShare(trx, epoch, write.id);
  else await releaseShare(trx, epoch, write);
}

async function tellProven(trx: Kysely<Tables>, contributor: ContributorId, epoch: number | undefined): Promise<void> {
  if (epoch === undefined) throw new Error('a lie is told to nobody by a coordinator that shares nothing');
  await insertNotice(trx, epoch, 'proven', contributor);
}

/** The store over an open database that is up to date, of either dialect. */
export class SqlStore implements Store {
  readonly jobs: JobStore;
  readonly ledger: LedgerStore;
  readonly people: PeopleStore;
  readonly groups: GroupStore;
  readonly packs: PackStore;
  readonly lifecycle: LifecycleStore;
  readonly erasure: ErasureStore;
  readonly moderation: ModerationStore;
  readonly network: NetworkStore;
  readonly webhooks: WebhookStore;
  readonly money: MoneyStore;
  readonly apiKeys: ApiKeyStore;
  readonly quotes: QuoteStore;
  readonly prices: PriceStore;
  readonly idempotency: IdempotencyStore;
  readonly sharing: SharingStore;
  readonly keys: KeyStore;
  readonly #db: Kysely<Tables>;
  readonly #agreements = new AgreementWriter();

  constructor(db: Kysely<Tables>) {
    this.#db = db;
    this.jobs = new SqlJobs(db);
    this.ledger = new SqlLedger(db);
    this.people = new SqlPeople(db);
    this.groups = new SqlGroups(db);
    this.packs = new SqlPacks(db);
    this.lifecycle = new SqlLifecycle(db);
    this.erasure = new SqlErasure(db);
    this.moderation = new SqlModeration(db);
    this.network = new SqlNetwork(db);
    this.webhooks = new SqlWebhooks(db);
    this.money = new SqlMoney(db);
    this.apiKeys = new SqlApiKeys(db);
    this.quotes = new SqlQuotes(db);
    this.prices = new SqlPrices(db);
    this.idempotency = new SqlIdempotency(db);
    this.sharing = new SqlSharing(db);
    this.keys = new SqlKeys(db);
  }

  /**
   * Results go in together, in batches, then what changes results, then all else, transfers last. That equals one by one in order: changes need
   * nothing but their result and keep their order for each, transfers keep theirs, sums have none, nothing changes a result whose pay is
   * settled but a verdict that has none, and of a contributor's standing the last word counts.
   */
  async commit(writes: readonly Write[], epoch?: number): Promise<void> {
    if (writes.length === 0) return;
    const group = new Group();
    for (const write of writes) group.add(write);
    const kept = await inTransaction(this.#db, async (trx) => {
      if (epoch !== undefined) await assertAlive(trx, epoch);
      await insertResults(trx, group.results);
      await changeResults(trx, group.changes);
      for (const write of group.jobs) await writeJob(trx, write);
      for (const write of group.shares) await writeShare(trx, write, epoch);
      await writeSettled(trx, group.settled);
      await writeStandings(trx, [...group.standings.values()]);
      for (const contributor of group.proven) await tellProven(trx, contributor, epoch);
      const remember = await this.#agreements.write(trx, group.agreements);
      await postTransfers(trx, group.transfers);
      return remember;
    });
    kept();
  }

  async secret(name: string): Promise<Uint8Array> {
    return inTransaction(this.#db, (trx) => makeSecret(trx, name));
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
