import type { Kysely } from 'kysely';
import type { GroupId, JobId, OwnerId } from '../../shared/model.ts';
import { FORFEITED } from '../core/ledger.ts';
import { withoutWallet } from '../earnings.ts';
import { type Forgotten, forgetBytes } from './lifecycle.ts';
import type { Epoch } from './money.ts';
import { renameAuthor } from './packs.ts';
import type { Tables } from './schema.ts';
import type { StoredJob } from './store.ts';

/** What `erasure.ts` does to each table, inside its transaction. `names`: what the person is called, and where that matters what each name becomes. */

type Db = Kysely<Tables>;

/** Everything by which somebody could act as this person, and what was kept for him. */
export async function removeCredentials(trx: Db, names: readonly OwnerId[]): Promise<Uint8Array[]> {
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

export async function removeGroups(trx: Db, names: readonly OwnerId[]): Promise<{ owner: OwnerId; group: GroupId }[]> {
  await trx.deleteFrom('members').where('owner', 'in', names).execute();
  const own = (await trx.selectFrom('groups').select('id').where('owner', 'in', names).execute()).map(({ id }) => id);
  if (own.length === 0) return [];
  await trx.deleteFrom('invites').where('group_id', 'in', own).execute();
  const dismissed = await trx.deleteFrom('members').where('group_id', 'in', own).returning(['owner', 'group_id']).execute();
  await trx.deleteFrom('groups').where('id', 'in', own).execute();
  return dismissed.map(({ owner, group_id: group }) => ({ owner, group }));
}

/** Nothing of them is open. Their bytes go as with each job that its requester deletes. */
export async function emptyJobs(trx: Db, names: ReadonlyMap<OwnerId, OwnerId>, atMs: number): Promise<{ jobs: JobId[]; forgotten: Forgotten[] }> {
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

export async function emptyContributors(trx: Db, names: ReadonlyMap<OwnerId, OwnerId>, to: OwnerId, atMs: number): Promise<void> {
  const change = trx.updateTable('contributors').set({ owner: to, secret_hash: NO_DIGEST });
  const rows = await change
    .where('owner', 'in', [...names.keys()])
    .returning('id')
    .execute();
  for (const { id } of rows) {
    await renameAuthor(trx, id, names);
    await trx.deleteFrom('standings').where('contributor', '=', id).execute();
    await trx.updateTable('consents').set({ revoked_ms: atMs }).where('contributor', '=', id).where('revoked_ms', 'is', null).execute();
  }
}

export async function emptySites(trx: Db, names: readonly OwnerId[], to: OwnerId, atMs: number): Promise<void> {
  await trx
    .updateTable('sites')
    .set({ owner: to, name: 'Deleted site', origin: '', token: '', network: null, share_percent: 0, proven_ms: null, switched_off_ms: atMs })
    .where('owner', 'in', names)
    .execute();
}

/** What is a record of others, or of the operator's money, loses the name. */
export async function emptyRecords(trx: Db, name: OwnerId, gone: OwnerId, atMs: number): Promise<void> {
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
