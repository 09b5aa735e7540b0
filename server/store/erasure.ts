import type { Kysely } from 'kysely';
import { formatCredits, type MicroCredits } from '../../shared/credits.ts';
import type { ConsentId, ContributorId, CreditUnit, GroupId, JobId, OwnerId, SiteId } from '../../shared/model.ts';
import { FORFEITED, isGone } from '../core/ledger.ts';
import { withoutWallet } from '../earnings.ts';
import { exclusively } from './dialect.ts';
import { type Forgotten, forgetBytes } from './lifecycle.ts';
import type { Epoch } from './money.ts';
import { available, lockLedger, postTransfers } from './postings.ts';
import { accountsOf, renameAccounts } from './renaming.ts';
import type { AccountsTable, Tables } from './schema.ts';
import type { AccountId, StoredJob, Transfer } from './store.ts';
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
 *   accounts, transfers, account_entries, results.owner, jobs.owner, jobs.held_from_json; results.refund_to is forfeited. Ids of deposits are
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
  /** What was on its way under names that somebody had, and came after they had gone, goes the same way. Names that somebody has again are left alone. */
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
      for (const contributor of contributors)
        await trx.updateTable('results').set({ owner }).where('contributor', '=', contributor).where('owner', 'in', late).execute();
      await lockLedger(trx);
      await forfeitAll(trx, await renameAccounts(trx, new Map(late.map((name) => [name, newName()]))), atMs);
    });
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

/** Everything by which somebody could act as this person, and what was kept for him. */
async function removeCredentials(trx: Db, names: readonly OwnerId[]): Promise<Uint8Array[]> {
  const sessions = await trx.deleteFrom('sessions').where('owner', 'in', names).returning('hash').execute();
  const keys = await trx.deleteFrom('api_keys').where('owner', 'in', names).returning('secret_hash').execute();
  const hashes = sessions.map(({ hash }) => hash);
  const addresses = names.map((name) => name.slice(name.indexOf(':') + 1));
  await trx
    .deleteFrom('challenges')
    .where((eb) => eb.or([eb('address', 'in', addresses), ...(hashes.length > 0 ? [eb('session_hash', 'in', hashes)] : [])]))
    .execute();
  for (const table of ['webhooks', 'quotes', 'idempotent_requests', 'owner_aliases'] as const)
    await trx.deleteFrom(table).where('owner', 'in', names).execute();
  // Others follow by the ids of contributors, which they are told of anew.
  const about = await trx.selectFrom('notices').select(['seq', 'subject']).where('kind', 'in', ['owner', 'groups']).execute();
  const naming = about.filter(({ subject }) => subject.split(' ').some((word) => names.includes(word as OwnerId))).map(({ seq }) => seq);
  if (naming.length > 0) await trx.deleteFrom('notices').where('seq', 'in', naming).execute();
  return [...hashes, ...keys.map(({ secret_hash: hash }) => hash)];
}

async function removeGroups(trx: Db, names: readonly OwnerId[]): Promise<{ owner: OwnerId; group: GroupId }[]> {
  await trx.deleteFrom('members').where('owner', 'in', names).execute();
  const own = (await trx.selectFrom('groups').select('id').where('owner', 'in', names).execute()).map(({ id }) => id);
  if (own.length === 0) return [];
  await trx.deleteFrom('invites').where('group_id', 'in', own).execute();
  const dismissed = await trx.deleteFrom('members').where('group_id', 'in', own).returning(['owner', 'group_id']).execute();
  await trx.deleteFrom('groups').where('id', 'in', own).execute();
  return dismissed.map(({ owner, group_id: group }) => ({ owner, group }));
}

/** Nothing of them is open. Their bytes go as with each job that its requester deletes. */
async function emptyJobs(trx: Db, names: ReadonlyMap<OwnerId, OwnerId>, atMs: number): Promise<Pick<Erased, 'jobs' | 'forgotten'>> {
  const rows = await trx
    .selectFrom('jobs')
    .select(['id', 'owner', 'held_from_json'])
    .where('owner', 'in', [...names.keys()])
    .execute();
  const forgotten: Forgotten[] = [];
  for (const { id, owner, held_from_json: held } of rows) {
    const bytes = await forgetBytes(trx, id, atMs);
    if (bytes) forgotten.push(bytes);
    await trx.deleteFrom('job_files').where('job', '=', id).execute();
    await trx.deleteFrom('job_uploads').where('job', '=', id).execute();
    await trx.updateTable('results').set({ refund_to: FORFEITED }).where('job', '=', id).where('refund_to', 'is not', null).execute();
    await trx
      .updateTable('jobs')
      .set({
        owner: names.get(owner)!,
        held_from_json: renamedHold(held, names),
        title: 'Deleted job',
        visibility: 'private',
        group_id: null,
        group_mode: null,
      })
      .set({ params_json: '{}', prepared_json: '{}', inputs_json: '[]', api_key: null })
      .where('id', '=', id)
      .execute();
  }
  return { jobs: rows.map(({ id }) => id), forgotten };
}

function renamedHold(json: string, names: ReadonlyMap<OwnerId, OwnerId>): string {
  const held = JSON.parse(json) as { account: StoredJob['heldFrom'][number]['account']; microCredits: string }[];
  const renamed = held.map(({ account, microCredits }) => {
    const [owner = '', kind] = account.split('/');
    const gone = names.get(owner as OwnerId);
    return { account: gone === undefined ? account : `${gone}/${kind}`, microCredits };
  });
  return JSON.stringify(renamed);
}

/** No secret has this digest. */
const NO_DIGEST = new Uint8Array(32);

async function emptyContributors(trx: Db, names: ReadonlyMap<OwnerId, OwnerId>, to: OwnerId, atMs: number): Promise<void> {
  const change = trx.updateTable('contributors').set({ owner: to, secret_hash: NO_DIGEST });
  const rows = await change
    .where('owner', 'in', [...names.keys()])
    .returning('id')
    .execute();
  for (const { id } of rows) {
    for (const [name, gone] of names) await trx.updateTable('results').set({ owner: gone }).where('contributor', '=', id).where('owner', '=', name).execute();
    await trx.deleteFrom('standings').where('contributor', '=', id).execute();
    await trx.updateTable('consents').set({ revoked_ms: atMs }).where('contributor', '=', id).where('revoked_ms', 'is', null).execute();
  }
}

async function emptySites(trx: Db, names: readonly OwnerId[], to: OwnerId, atMs: number): Promise<void> {
  await trx
    .updateTable('sites')
    .set({ owner: to, name: 'Deleted site', origin: '', token: '', network: null, share_percent: 0, proven_ms: null, switched_off_ms: atMs })
    .where('owner', 'in', names)
    .execute();
}

/** What is a record of others, or of the operator's money, loses the name. */
async function emptyRecords(trx: Db, name: OwnerId, gone: OwnerId, atMs: number): Promise<void> {
  await trx.updateTable('reports').set({ reporter: gone, text: '' }).where('reporter', '=', name).execute();
  const withdrawals = await trx.selectFrom('withdrawals').select(['id', 'state', 'order_json']).where('owner', '=', name).execute();
  for (const { id, state, order_json: json } of withdrawals) {
    const order = JSON.stringify({ ...(JSON.parse(json) as object), wallet: gone });
    const ended = state === 'asked' ? { state: 'refused' as const, ended_ms: atMs } : {};
    await trx
      .updateTable('withdrawals')
      .set({ owner: gone, order_json: order, session_hash: NO_DIGEST, signature: null, ...ended })
      .where('id', '=', id)
      .execute();
  }
  if (!name.startsWith(WALLET)) return;
  const wallet = name.slice(WALLET.length);
  for (const { number, leaves_json: json } of await trx
    .selectFrom('epochs')
    .select(['number', 'leaves_json'])
    .where('leaves_json', 'like', `%"${wallet}"%`)
    .execute()) {
    const leaves = withoutWallet({ number, leaves: JSON.parse(json) as Epoch['leaves'] }, wallet);
    await trx
      .updateTable('epochs')
      .set({ leaves_json: JSON.stringify(leaves) })
      .where('number', '=', number)
      .execute();
  }
}

const WALLET = 'wallet:';

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
