import type { Kysely } from 'kysely';
import { formatCredits, type MicroCredits } from '../../shared/credits.ts';
import type { ConsentId, ContributorId, CreditUnit, GroupId, JobId, OwnerId, SiteId } from '../../shared/model.ts';
import { FORFEITED, isGone } from '../core/ledger.ts';
import { emptyLog, exclusively } from './dialect.ts';
import { emptyContributors, emptyJobs, emptyRecords, emptySites, removeCredentials, removeGroups } from './emptying.ts';
import type { Forgotten } from './lifecycle.ts';
import { renameAuthor } from './packs.ts';
import { available, lockLedger, postTransfers } from './postings.ts';
import { accountsOf, renameAccounts } from './renaming.ts';
import type { AccountsTable, Tables } from './schema.ts';
import type { AccountId, Transfer } from './store.ts';
import { inTransaction } from './transaction.ts';

/*
 * A person's data goes, the ledger keeps its sums. Everything that names an owner is deleted, emptied, or given to a random `gone:` owner; a device
 * that became a wallet's (`owner_aliases`) is another name of the same person, with a `gone:` of its own. One transaction does all of it.
 *
 *   goes
 *   sessions, challenges, api_keys, webhooks, webhook_deliveries, quotes, idempotent_requests, owner_aliases, notices that name him
 *   members, and groups of his own with their members and invites    his jobs in groups of others have no group any more
 *   standings          of his contributors: a record of a person, needed by no sum
 *   job_uploads, job_files, job_blobs    of his jobs, and with them the bytes of inputs, results and files
 *
 *   is emptied
 *   jobs               title, params, prepared, inputs, API key; private. The row stays: pay of others, their statements and receipts, name its id
 *   contributors       the secret. The row stays: results and vesting accounts name its id, which is random; receipts have a digest of that
 *   consents           end. They name the contributor alone, and are a site's count of its visitors
 *   sites              name, origin, token, network; switched off, without a share. The row stays: visitors' consents, results and shares name its id
 *   reports            the text. That there was a report, and what came of it, is the operator's record
 *   withdrawals        wallet, signature, session. Amount and transaction stay: tokens that left the operator have to be accounted for, and the chain
 *                      shows the transaction to everybody anyway
 *   epochs             the leaf but for its hash: others prove with that hash, and the root is on the chain. Its salt goes, so nobody can guess the leaf
 *
 *   has another name
 *   accounts, transfers, account_entries, results.owner, result_pack_authors.owner, jobs.owner, jobs.held_from_json; results.refund_to is forfeited. Ids of deposits are
 *   signatures of transactions on the chain, and stay: they keep a deposit from being credited twice
 *
 *   stays as it is
 *   agreements         sums over device classes of everybody
 *   operator_log, job_decisions, banned_contents    what the operator did and said; none of it names who ordered
 */

/** Something stands in the way. Nothing was changed. */
export class ErasureRefused extends Error {
  override readonly name = 'ErasureRefused';
  readonly field: 'jobs' | 'groups' | 'withdrawals' | 'forfeit';
  readonly limit: string;

  constructor(field: ErasureRefused['field'], message: string, limit: string) {
    super(message);
    this.field = field;
    this.limit = limit;
  }
}

/** What is the person's by the new name, and has to stop. */
export interface Gone {
  readonly owner: OwnerId;
  readonly contributors: readonly ContributorId[];
  readonly consents: readonly ConsentId[];
  readonly sites: readonly SiteId[];
}

export interface Erased extends Gone {
  /** What he was called until now. */
  readonly names: readonly OwnerId[];
  /** Hashes of his sessions and of the secrets of his API keys. */
  readonly sessions: readonly Uint8Array[];
  readonly jobs: readonly JobId[];
  /** Bytes that nothing names any more. */
  readonly forgotten: readonly Forgotten[];
  /** Who else was in groups that are no more. */
  readonly dismissed: readonly { readonly owner: OwnerId; readonly group: GroupId }[];
}

export interface Erasing {
  readonly owner: OwnerId;
  /** Gives up real credits. Test credits are given up in any case. */
  readonly forfeit: boolean;
  /** A `gone:` owner that was never used. */
  readonly newName: () => OwnerId;
  readonly atMs: number;
}

export interface ErasureStore {
  /** Throws `ErasureRefused` while jobs or withdrawals are open, or real credits are left and not forfeited. */
  erase(erasing: Erasing): Promise<Erased>;
  gone(owner: OwnerId): Promise<Gone>;
  /** Of these jobs, those whose requester is gone. */
  goneJobs(jobs: readonly JobId[]): Promise<JobId[]>;
  /** What was on its way under names that somebody had, and came after they had gone, goes the same way. Names that somebody has again are left alone. Then nothing deleted is in SQLite's log any more. */
  sweep(gone: Pick<Gone, 'owner' | 'contributors'>, names: readonly OwnerId[], newName: () => OwnerId, atMs: number): Promise<void>;
}

type Db = Kysely<Tables>;

export class SqlErasure implements ErasureStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  erase({ owner, forfeit, newName, atMs }: Erasing): Promise<Erased> {
    return inTransaction(this.#db, async (trx) => {
      const aliases = await trx.selectFrom('owner_aliases').select('alias').where('owner', '=', owner).execute();
      const names = [owner, ...aliases.map(({ alias }) => alias)];
      for (const name of names) for (const what of ['jobs', 'withdrawals', 'groups', 'API keys', 'webhooks']) await exclusively(trx, `${what} of ${name}`);
      await refuseOpen(trx, names);
      const renamed = new Map(names.map((name) => [name, newName()]));
      const to = renamed.get(owner)!;
      const sessions = await removeCredentials(trx, names);
      const dismissed = await removeGroups(trx, names);
      const { jobs, forgotten } = await emptyJobs(trx, renamed, atMs);
      await emptyContributors(trx, renamed, to, atMs);
      await emptySites(trx, names, to, atMs);
      for (const [name, gone] of renamed) await emptyRecords(trx, name, gone, atMs);
      const what = { at_ms: atMs, session: '', action: 'account deleted' as const, target: to, reason: 'Its owner asked for it.' };
      await trx.insertInto('operator_log').values(what).execute();
      const gone = await readGone(trx, to);
      await lockLedger(trx);
      if (!forfeit) await refuseCredits(trx, names, gone);
      await forfeitAll(trx, [...(await renameAccounts(trx, renamed)), ...(await accountsOfSites(trx, gone.sites))], atMs);
      return { ...gone, names, sessions, jobs, forgotten, dismissed };
    });
  }

  gone(owner: OwnerId): Promise<Gone> {
    return readGone(this.#db, owner);
  }

  async goneJobs(jobs: readonly JobId[]): Promise<JobId[]> {
    if (jobs.length === 0) return [];
    const rows = await this.#db.selectFrom('jobs').select(['id', 'owner']).where('id', 'in', jobs).execute();
    return rows.filter(({ owner }) => isGone(owner)).map(({ id }) => id);
  }

  async sweep({ owner, contributors }: Pick<Gone, 'owner' | 'contributors'>, names: readonly OwnerId[], newName: () => OwnerId, atMs: number): Promise<void> {
    if (names.length === 0) return;
    await inTransaction(this.#db, async (trx) => {
      const again = await trx.selectFrom('sessions').select('owner').where('owner', 'in', names).execute();
      const late = names.filter((name) => !again.some((session) => session.owner === name));
      if (late.length === 0) return;
      const renamed = new Map(late.map((name) => [name, newName()]));
      const toOwner = new Map(late.map((name) => [name, owner]));
      for (const contributor of contributors) await renameAuthor(trx, contributor, toOwner);
      // Of requests that had begun before. Jobs are not among them: there is nothing left to pay for one.
      await removeCredentials(trx, late);
      await removeGroups(trx, late);
      await emptyContributors(trx, renamed, owner, atMs);
      await emptySites(trx, late, owner, atMs);
      for (const [name, gone] of renamed) await emptyRecords(trx, name, gone, atMs);
      await lockLedger(trx);
      await forfeitAll(trx, await renameAccounts(trx, renamed), atMs);
    });
    await emptyLog(this.#db);
  }
}

async function refuseOpen(trx: Db, names: readonly OwnerId[]): Promise<void> {
  const open = await trx.selectFrom('jobs').select('id').where('owner', 'in', names).where('status', '=', 'open').execute();
  if (open.length > 0) throw new ErasureRefused('jobs', 'Some of your jobs are open. Cancel them first.', `${open.length} open`);
  const inGroups = await trx
    .selectFrom('jobs')
    .innerJoin('groups', 'groups.id', 'jobs.group_id')
    .select('jobs.id')
    .where('groups.owner', 'in', names)
    .where('jobs.status', '=', 'open')
    .execute();
  if (inGroups.length > 0)
    throw new ErasureRefused(
      'groups',
      'Members of your groups have open jobs there, which would end with the group. Wait for them.',
      `${inGroups.length} open`,
    );
  const pending = await trx.selectFrom('withdrawals').select('amount').where('owner', 'in', names).where('state', '=', 'pending').execute();
  if (pending.length === 0) return;
  const sum = pending.reduce((total, { amount }) => total + amount, 0n);
  throw new ErasureRefused(
    'withdrawals',
    'A withdrawal is being paid to your wallet, whose address is needed until it is.',
    `${formatCredits(sum)} credits under way`,
  );
}

async function readGone(db: Db, owner: OwnerId): Promise<Gone> {
  const contributors = await db.selectFrom('contributors').select('id').where('owner', '=', owner).execute();
  const sites = await db.selectFrom('sites').select('id').where('owner', '=', owner).execute();
  const consents = await db
    .selectFrom('consents')
    .innerJoin('contributors', 'contributors.id', 'consents.contributor')
    .select('consents.id')
    .where('contributors.owner', '=', owner)
    .execute();
  const idsOf = <Id>(rows: readonly { readonly id: Id }[]): Id[] => rows.map(({ id }) => id);
  return { owner, contributors: idsOf(contributors), consents: idsOf(consents), sites: idsOf(sites) };
}

async function accountsOfSites(db: Db, sites: readonly SiteId[]): Promise<AccountsTable[]> {
  if (sites.length === 0) return [];
  return db
    .selectFrom('accounts')
    .selectAll()
    .where(
      'id',
      'in',
      sites.map((site): AccountId => `site/${site}`),
    )
    .execute();
}

const spendable = (accounts: readonly AccountsTable[], unit: CreditUnit): MicroCredits =>
  accounts.reduce((sum, account) => (account.unit === unit ? sum + available(account) : sum), 0n);

/** Test credits are worth nothing. */
async function refuseCredits(trx: Db, names: readonly OwnerId[], { contributors, sites }: Gone): Promise<void> {
  const owned = (await Promise.all(names.map((name) => accountsOf(trx, name)))).flat();
  const left = spendable([...owned, ...(await accountsOfSites(trx, sites))], 'credit');
  let vesting = 0n;
  for (const id of contributors) vesting += spendable(await trx.selectFrom('accounts').selectAll().where('id', '=', `vesting/${id}`).execute(), 'credit');
  if (left === 0n && vesting === 0n) return;
  throw new ErasureRefused(
    'forfeit',
    'There are credits left. Spend or withdraw them first, or say that you give them up.',
    `${formatCredits(left)} credits to spend, ${formatCredits(vesting)} vesting`,
  );
}

/** What these accounts have goes to the operator. */
async function forfeitAll(trx: Db, accounts: readonly AccountsTable[], atMs: number): Promise<void> {
  const transfers = accounts.map((account): Transfer => {
    const { id, unit } = account;
    return { id: `forfeit/${id}/${unit}`, unit, debit: id, credit: FORFEITED, microCredits: available(account), kind: 'forfeit', job: null, at: null, atMs };
  });
  await postTransfers(
    trx,
    transfers.filter(({ microCredits }) => microCredits > 0n),
  );
}
