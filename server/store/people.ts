import { type Kysely, type Selectable, sql } from 'kysely';
import { DAY_MS, limits } from '../../shared/limits.ts';
import type { ConsentId, ContributorId, OwnerId, SiteId } from '../../shared/model.ts';
import type { Standing } from '../core/reputation.ts';
import { moveApiKeys } from './api-keys.ts';
import { bulkInsert, inBatches, replacing } from './batches.ts';
import { moveMemberships } from './groups.ts';
import { moveIdempotentRequests } from './idempotency.ts';
import { available, lockLedger, postTransfers } from './postings.ts';
import { moveQuotes } from './quotes.ts';
import type { ChallengesTable, ConsentsTable, ContributorsTable, SitesTable, StandingsTable, Tables } from './schema.ts';
import type { AccountId, PeopleStore, SiteFigures, StoredChallenge, StoredConsent, StoredContributor, StoredSite, Transfer, Write } from './store.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;
type WriteOfStanding = Extract<Write, { kind: 'standing' }>;

const LISTED_ROWS_MAX = 100;

const challengeOf = (row: Selectable<ChallengesTable>): StoredChallenge => ({
  nonce: row.nonce,
  address: row.address,
  text: row.text,
  sessionHash: row.session_hash,
  expiresMs: row.expires_ms,
});

const contributorOf = (row: Selectable<ContributorsTable>): StoredContributor => ({
  id: row.id,
  secretHash: row.secret_hash,
  owner: row.owner,
  createdMs: row.created_ms,
});

const consentOf = (row: Selectable<ConsentsTable>): StoredConsent => ({
  id: row.id,
  contributor: row.contributor,
  kinds: JSON.parse(row.kinds_json),
  site: row.site,
  powerPercent: row.power_percent,
  grantedMs: row.granted_ms,
  expiresMs: row.expires_ms,
  revokedMs: row.revoked_ms,
});

const siteOf = (row: Selectable<SitesTable>): StoredSite => ({
  id: row.id,
  owner: row.owner,
  name: row.name,
  origin: row.origin,
  sharePercent: row.share_percent,
  createdMs: row.created_ms,
  token: row.token,
  provenMs: row.proven_ms,
  switchedOffMs: row.switched_off_ms,
  network: row.network,
});

const standingRow = ({ contributor, workload, standing }: WriteOfStanding): StandingsTable => ({
  contributor,
  workload,
  accepted: standing.accepted,
  refuted: standing.refuted,
  discarded: standing.discarded,
  verified: standing.verified,
  drawn: standing.drawn,
  differing: standing.differing,
  unexplained: standing.unexplained,
  suspended_until_ms: standing.suspendedUntilMs,
  at_ms: standing.atMs,
});

const standingOf = (row: Selectable<StandingsTable>): Standing => ({
  accepted: row.accepted,
  refuted: row.refuted,
  discarded: row.discarded,
  verified: row.verified,
  drawn: row.drawn,
  differing: row.differing,
  unexplained: row.unexplained,
  suspendedUntilMs: row.suspended_until_ms,
  atMs: row.at_ms,
});

const STANDING_COLUMNS = ['accepted', 'refuted', 'discarded', 'verified', 'drawn', 'differing', 'unexplained', 'at_ms'] as const;

/**
 * A record that knows of more proven lies is left alone: whoever wrote this had not heard of them yet, and is being told (`proven`). Of as many lies, a
 * suspension that ends sooner was pardoned, which he had not heard of either.
 */
const upsertStandings = bulkInsert<StandingsTable>(
  'standings',
  sql`${replacing(['contributor', 'workload'], STANDING_COLUMNS)}, suspended_until_ms =
    case when standings.refuted = excluded.refuted and standings.suspended_until_ms < excluded.suspended_until_ms
      then standings.suspended_until_ms else excluded.suspended_until_ms end
    where standings.refuted <= excluded.refuted`,
);

/** Inside the caller's transaction; at most one of a contributor and workload. */
export async function writeStandings(trx: Db, standings: readonly WriteOfStanding[]): Promise<void> {
  await inBatches(trx, standings, async (batch) => void (await upsertStandings(trx, batch.map(standingRow))));
}

/** Everything that `from` earned goes to `to`, unit by unit. Nothing earned: no transfer. */
async function claimEarnings(trx: Db, from: OwnerId, to: OwnerId, nonce: string, atMs: number): Promise<void> {
  const debit: AccountId = `${from}/earned`;
  const credit: AccountId = `${to}/earned`;
  await lockLedger(trx);
  const accounts = (await trx.selectFrom('accounts').selectAll().where('id', '=', debit).execute()).filter((account) => available(account) > 0n);
  const claims = accounts.map((account): Transfer => {
    const { unit } = account;
    const id = unit === 'test' ? `claim/${nonce}` : `claim/${nonce}/${unit}`;
    return { id, unit, debit, credit, microCredits: available(account), kind: 'claim', job: null, at: null, atMs };
  });
  await postTransfers(trx, claims);
}

export class SqlPeople implements PeopleStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async createDevice(owner: OwnerId, sessionHash: Uint8Array, expiresMs: number, grant: Transfer | null): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      await trx.insertInto('sessions').values({ hash: sessionHash, owner, expires_ms: expiresMs }).execute();
      if (grant) await postTransfers(trx, [grant]);
    });
  }

  /** A session in use lives on: a device's balance must not end with a cookie that is a month old. Written at most once a day. */
  async sessionOwner(sessionHash: Uint8Array, nowMs: number): Promise<OwnerId | undefined> {
    const row = await this.#db.selectFrom('sessions').selectAll().where('hash', '=', sessionHash).where('expires_ms', '>', nowMs).executeTakeFirst();
    const expiresMs = nowMs + limits.sessionMsMax;
    if (row && row.expires_ms < expiresMs - DAY_MS)
      await this.#db.updateTable('sessions').set({ expires_ms: expiresMs }).where('hash', '=', sessionHash).execute();
    return row?.owner;
  }

  async endSession(sessionHash: Uint8Array): Promise<void> {
    await this.#db.deleteFrom('sessions').where('hash', '=', sessionHash).execute();
  }

  async endSessionsOf(owner: OwnerId): Promise<Uint8Array[]> {
    const ended = await this.#db.deleteFrom('sessions').where('owner', '=', owner).returning('hash').execute();
    return ended.map(({ hash }) => hash);
  }

  async putChallenge({ nonce, address, text, sessionHash, expiresMs }: StoredChallenge): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      // Every challenge lives equally long, so this removes those that have expired by now.
      await trx
        .deleteFrom('challenges')
        .where('expires_ms', '<', expiresMs - limits.challengeMsMax)
        .execute();
      await trx.insertInto('challenges').values({ nonce, address, text, session_hash: sessionHash, expires_ms: expiresMs }).execute();
    });
  }

  async takeChallenge(nonce: string): Promise<StoredChallenge | undefined> {
    const row = await this.#db.deleteFrom('challenges').where('nonce', '=', nonce).returningAll().executeTakeFirst();
    return row && challengeOf(row);
  }

  async signIn(
    wallet: OwnerId,
    device: OwnerId,
    oldSession: Uint8Array,
    newSession: Uint8Array,
    expiresMs: number,
    nonce: string,
    atMs: number,
  ): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      const left = await trx.deleteFrom('sessions').where('hash', '=', oldSession).returning('owner').executeTakeFirst();
      if (left?.owner === device)
        await trx
          .insertInto('owner_aliases')
          .values({ alias: device, owner: wallet })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      await trx.insertInto('sessions').values({ hash: newSession, owner: wallet, expires_ms: expiresMs }).execute();
      await trx.updateTable('contributors').set({ owner: wallet }).where('owner', '=', device).execute();
      await trx.updateTable('sites').set({ owner: wallet }).where('owner', '=', device).execute();
      await trx.updateTable('webhooks').set({ owner: wallet }).where('owner', '=', device).execute();
      await trx.updateTable('jobs').set({ owner: wallet }).where('owner', '=', device).execute();
      await moveMemberships(trx, device, wallet);
      await moveApiKeys(trx, device, wallet);
      await moveQuotes(trx, device, wallet);
      await moveIdempotentRequests(trx, device, wallet);
      await claimEarnings(trx, device, wallet, nonce, atMs);
    });
  }

  async createContributor(contributor: StoredContributor): Promise<void> {
    await this.#db
      .insertInto('contributors')
      .values({
        id: contributor.id,
        secret_hash: contributor.secretHash,
        owner: contributor.owner,
        created_ms: contributor.createdMs,
      })
      .execute();
  }

  async contributor(id: ContributorId): Promise<StoredContributor | undefined> {
    const row = await this.#db.selectFrom('contributors').selectAll().where('id', '=', id).executeTakeFirst();
    return row && contributorOf(row);
  }

  async contributorsOf(owner: OwnerId): Promise<StoredContributor[]> {
    const rows = await this.#db.selectFrom('contributors').selectAll().where('owner', '=', owner).orderBy('seq', 'desc').limit(LISTED_ROWS_MAX).execute();
    return rows.map(contributorOf);
  }

  async standings(contributor: ContributorId): Promise<ReadonlyMap<string, Standing>> {
    const rows = await this.#db.selectFrom('standings').selectAll().where('contributor', '=', contributor).execute();
    return new Map(rows.map((row) => [row.workload, standingOf(row)]));
  }

  async createConsent(consent: StoredConsent): Promise<void> {
    await this.#db
      .insertInto('consents')
      .values({
        id: consent.id,
        contributor: consent.contributor,
        kinds_json: JSON.stringify(consent.kinds),
        site: consent.site,
        power_percent: consent.powerPercent,
        granted_ms: consent.grantedMs,
        expires_ms: consent.expiresMs,
        revoked_ms: consent.revokedMs,
      })
      .execute();
  }

  async consent(id: ConsentId): Promise<StoredConsent | undefined> {
    const row = await this.#db.selectFrom('consents').selectAll().where('id', '=', id).executeTakeFirst();
    return row && consentOf(row);
  }

  async consentsOf(owner: OwnerId): Promise<StoredConsent[]> {
    const rows = await this.#db
      .selectFrom('consents')
      .innerJoin('contributors', 'contributors.id', 'consents.contributor')
      .selectAll('consents')
      .where('contributors.owner', '=', owner)
      .orderBy('consents.seq', 'desc')
      .limit(LISTED_ROWS_MAX)
      .execute();
    return rows.map(consentOf);
  }

  async consentsOfContributor(id: ContributorId): Promise<StoredConsent[]> {
    const rows = await this.#db.selectFrom('consents').selectAll().where('contributor', '=', id).orderBy('seq', 'desc').limit(LISTED_ROWS_MAX).execute();
    return rows.map(consentOf);
  }

  /** The first revocation counts. */
  async revokeConsent(id: ConsentId, atMs: number): Promise<void> {
    await this.#db.updateTable('consents').set({ revoked_ms: atMs }).where('id', '=', id).where('revoked_ms', 'is', null).execute();
  }

  async createSite(site: StoredSite): Promise<void> {
    const { id, owner, name, origin, token, network } = site;
    await this.#db
      .insertInto('sites')
      .values({
        id,
        owner,
        name,
        origin,
        share_percent: site.sharePercent,
        created_ms: site.createdMs,
        token,
        proven_ms: site.provenMs,
        switched_off_ms: site.switchedOffMs,
        network,
      })
      .execute();
  }

  async site(id: SiteId): Promise<StoredSite | undefined> {
    const row = await this.#db.selectFrom('sites').selectAll().where('id', '=', id).executeTakeFirst();
    return row && siteOf(row);
  }

  async sitesOf(owner: OwnerId): Promise<StoredSite[]> {
    const rows = await this.#db.selectFrom('sites').selectAll().where('owner', '=', owner).orderBy('seq', 'desc').execute();
    return rows.map(siteOf);
  }

  async proveSite(id: SiteId, atMs: number): Promise<void> {
    await this.#db.updateTable('sites').set({ proven_ms: atMs }).where('id', '=', id).execute();
  }

  async switchSite(id: SiteId, offMs: number | null): Promise<void> {
    await this.#db.updateTable('sites').set({ switched_off_ms: offMs }).where('id', '=', id).execute();
  }

  /** Through the consents of the site, by whose contributors results are found. */
  async siteFigures(id: SiteId): Promise<SiteFigures> {
    const visitors = await this.#db
      .selectFrom('consents')
      .select((eb) => eb.fn.count<number>('contributor').distinct().as('visitors'))
      .where('site', '=', id)
      .executeTakeFirstOrThrow();
    const own = sql`site = ${id} and contributor in (select contributor from consents where site = ${id})`;
    // Pay that vests is of results that are rows.
    const { rows } = await sql<{ tiles: number; vesting_micro_credits: bigint | null }>`
      select count(*) + (select coalesce(sum(accepted), 0) from result_pack_authors where ${own}) as tiles, sum(vesting_micro_credits) as vesting_micro_credits
      from results where ${own} and state = 'accepted'`.execute(this.#db);
    const { tiles = 0, vesting_micro_credits: vesting = null } = rows[0] ?? {};
    return { visitors: visitors.visitors, tiles, vestingMicroCredits: vesting ?? 0n };
  }
}
