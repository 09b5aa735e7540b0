import { type Kysely, type NotNull, type Selectable, sql } from 'kysely';
import type { JobId } from '../../shared/model.ts';
import { exclusively, isPostgres, databaseNowMs as nowMs } from './dialect.ts';
import { jobOf, writeJobEnd } from './jobs.ts';
import { seqsOf } from './ledger.ts';
import { packedOf } from './packed.ts';
import { available, lockLedger, postTransfers } from './postings.ts';
import { livingRows, withoutBytes } from './results.ts';
import type { Tables } from './schema.ts';
import type { BlocksTable } from './sharing-schema.ts';
import { type Claimed, type ClaimedBlock, Fenced, type JobEnd, type Notice, type NoticeKind, type ShareFigures, type SharingStore } from './sharing-store.ts';
import type { StoredJob, StoredResult, Write } from './store.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;
type BlockRow = Pick<Selectable<BlocksTable>, 'job' | 'number' | 'first' | 'count' | 'checks_held' | 'touched'>;

/** `blocks.touched`: nobody has had it; somebody has or had it, so it needs somebody now; somebody had it and left nothing undecided. */
const [FRESH, CLAIMED, RELEASED] = [0, 1, 2];

/** Inside a transaction that only a coordinator that is alive may make: whoever fences it waits until this one has ended. Throws `Fenced`. */
export async function assertAlive(trx: Db, epoch: number): Promise<void> {
  const row = await trx.selectFrom('coordinators').select('fenced').where('epoch', '=', epoch).forShare().executeTakeFirst();
  if (row?.fenced !== 0) throw new Fenced(epoch);
}

/** Inside a commit: what a coordinator had closed of a job is open again. Throws when the job has ended meanwhile. */
export async function reopenShare(trx: Db, epoch: number, job: JobId): Promise<void> {
  const row = await trx.selectFrom('jobs').select('status').where('id', '=', job).forShare().executeTakeFirst();
  if (row?.status !== 'open') throw new Error(`job ${job} has ended: nothing of it can be taken back into it`);
  await trx
    .updateTable('blocks')
    .set({ closed: 0, figures_epoch: null, figures_json: null })
    .where('job', '=', job)
    .where('owner', '=', epoch)
    .where('closed', '=', 1)
    .execute();
}

/*
 * A coordinator names the blocks that it closes or gives back: one that it is just claiming is in the database as its own before it knows, and has to
 * stay what it is.
 */

/** Inside a commit: what a coordinator has claimed of a job is nobody's again. */
export async function releaseShare(trx: Db, epoch: number, { id, blocks }: Write & { kind: 'shareReleased' }): Promise<void> {
  await trx
    .updateTable('blocks')
    .set({ owner: null, touched: RELEASED, closed: 0, figures_epoch: null, figures_json: null })
    .where('job', '=', id)
    .where('owner', '=', epoch)
    .where(
      'number',
      'in',
      blocks.map(({ number }) => number),
    )
    .execute();
  for (const { number, figures } of blocks)
    if (figures)
      await trx
        .updateTable('blocks')
        .set({ figures_epoch: epoch, figures_json: JSON.stringify(figures) })
        .where('job', '=', id)
        .where('number', '=', number)
        .where('owner', 'is', null)
        .execute();
  await trx.deleteFrom('shares').where('job', '=', id).where('epoch', '=', epoch).execute();
}

/** Inside a commit: what a coordinator has claimed of a job is closed. */
export async function closeShare(trx: Db, epoch: number, { id, blocks, figures }: Write & { kind: 'shareClosed' }): Promise<void> {
  const rows = await trx
    .updateTable('blocks')
    .set({ closed: 1, figures_epoch: null, figures_json: null })
    .where('job', '=', id)
    .where('owner', '=', epoch)
    .where('number', 'in', blocks)
    .returning('number')
    .execute();
  const first = rows.map(({ number }) => number).sort((a, b) => a - b)[0];
  if (first === undefined) return;
  await trx
    .updateTable('blocks')
    .set({ figures_epoch: epoch, figures_json: JSON.stringify(figures) })
    .where('job', '=', id)
    .where('number', '=', first)
    .execute();
}

/** Inside the transaction that extends a job: it is to be cut anew, with another number of tiles perhaps, and everybody has to claim again. */
export async function dropBlocks(trx: Db, job: JobId): Promise<void> {
  await trx.deleteFrom('blocks').where('job', '=', job).execute();
  await trx.deleteFrom('shares').where('job', '=', job).execute();
}

/** Inside the caller's transaction, near its end: until then nobody else tells anything. */
export async function insertNotice(trx: Db, epoch: number, kind: NoticeKind, subject: string): Promise<void> {
  // In the order of their commits: whoever has read up to one has not missed an earlier one.
  await exclusively(trx, 'notices');
  await trx
    .insertInto('notices')
    .values({ epoch, kind, subject, at_ms: nowMs(trx) })
    .execute();
}

const noFigures: ShareFigures = {
  parts: { total: 0, accepted: 0, checking: 0, leased: 0, waived: 0 },
  checks: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0 },
  errorSum: 0,
};

const sumOf = <Counts extends Readonly<Record<string, number>>>(a: Counts, b: Counts): Counts =>
  Object.fromEntries(Object.entries(a).map(([name, count]) => [name, count + (b[name] ?? 0)])) as unknown as Counts;

export const addFigures = (a: ShareFigures, b: ShareFigures): ShareFigures => ({
  parts: sumOf(a.parts, b.parts),
  checks: sumOf(a.checks, b.checks),
  errorSum: a.errorSum + b.errorSum,
});

export const totalFigures = (figures: readonly ShareFigures[]): ShareFigures => figures.reduce(addFigures, noFigures);

export class SqlSharing implements SharingStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async enter(aliveMs: number): Promise<number> {
    return inTransaction(this.#db, async (trx) => {
      const { value: epoch } = await trx
        .insertInto('counters')
        .values({ name: 'epoch', value: 1 })
        .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ value: eb('counters.value', '+', 1) })))
        .returning('value')
        .executeTakeFirstOrThrow();
      await trx
        .insertInto('coordinators')
        .values({ epoch, alive_until_ms: sql`${nowMs(trx)} + cast(${aliveMs} as ${sql.raw(isPostgres(trx) ? 'bigint' : 'integer')})`, fenced: 0 })
        .execute();
      return epoch;
    });
  }

  async beat(epoch: number, aliveMs: number): Promise<void> {
    const { numUpdatedRows } = await this.#db
      .updateTable('coordinators')
      .set({ alive_until_ms: sql`${nowMs(this.#db)} + cast(${aliveMs} as ${sql.raw(isPostgres(this.#db) ? 'bigint' : 'integer')})` })
      .where('epoch', '=', epoch)
      .where('fenced', '=', 0)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new Fenced(epoch);
  }

  async leave(epoch: number): Promise<void> {
    // Its time is over at once; what it leaves behind is sorted out by whoever notices, as if it had died.
    await this.#db.updateTable('coordinators').set({ alive_until_ms: 0 }).where('epoch', '=', epoch).execute();
  }

  async fence(epoch: number): Promise<StoredResult[]> {
    const late = await this.#db.selectFrom('coordinators').select('epoch').where('fenced', '=', 0).where('alive_until_ms', '<', nowMs(this.#db)).execute();
    if (late.every((each) => each.epoch === epoch)) return [];
    return inTransaction(this.#db, async (trx) => {
      await assertAlive(trx, epoch);
      const fenced = await trx
        .updateTable('coordinators')
        .set({ fenced: 1 })
        .where('fenced', '=', 0)
        .where('epoch', '!=', epoch)
        .where('alive_until_ms', '<', nowMs(trx))
        .returning('epoch')
        .execute();
      const dead = fenced.map((each) => each.epoch);
      if (dead.length === 0) return [];
      await trx.deleteFrom('shares').where('epoch', 'in', dead).execute();
      const isOpen = trx.selectFrom('jobs').select('id').where('status', '=', 'open');
      await trx
        .updateTable('blocks')
        .set({ owner: null, closed: 0, figures_epoch: null, figures_json: null })
        .where('owner', 'in', dead)
        .where('job', 'in', isOpen)
        .execute();
      const rest = await trx.updateTable('blocks').set({ owner: epoch }).where('owner', 'in', dead).returning(['job', 'first', 'count']).execute();
      return (await rowsIn(trx, rest)).filter(({ vests_at_ms: atMs }) => atMs !== null).map(withoutBytes);
    });
  }

  async alive(): Promise<number[]> {
    const rows = await this.#db.selectFrom('coordinators').select('epoch').where('fenced', '=', 0).orderBy('epoch').execute();
    return rows.map(({ epoch }) => epoch);
  }

  async cut(job: StoredJob, tiles: number, blockTiles: number): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      const row = await trx.selectFrom('jobs').select(['status', 'extensions']).where('id', '=', job.id).forShare().executeTakeFirst();
      // Of what was extended there are results.
      if (row?.status === 'open' && row.extensions === job.extensions) await cut(trx, job, tiles, blockTiles, job.extensions === 0 ? FRESH : RELEASED);
    });
  }

  async claim(epoch: number, job: JobId, limit: number, tiles?: readonly number[]): Promise<Claimed> {
    return inTransaction(this.#db, async (trx) => {
      await assertAlive(trx, epoch);
      // Whoever has not heard yet that it was cancelled, or has ended, would begin what nobody ends.
      const row = await trx.selectFrom('jobs').select(['status', 'closing']).where('id', '=', job).forShare().executeTakeFirst();
      if (row?.status !== 'open') return { blocks: [], results: [] };
      const free = await trx
        .selectFrom('blocks')
        .select(['job', 'number', 'first', 'count', 'checks_held', 'touched'])
        .where('job', '=', job)
        .where('owner', 'is', null)
        .where('closed', '=', 0)
        .$if(row.closing === 1, (query) => query.where('touched', '!=', FRESH))
        .$if(tiles !== undefined, (query) =>
          query.where((eb) => eb.or((tiles ?? []).map((tile) => eb.and([eb('first', '<=', tile), eb(eb('first', '+', eb.ref('count')), '>', tile)])))),
        )
        .orderBy('touched', 'desc')
        .orderBy('number')
        .limit(limit)
        .forUpdate()
        .skipLocked()
        .execute();
      if (free.length === 0) return { blocks: [], results: [] };
      await trx
        .updateTable('blocks')
        .set({ owner: epoch, touched: CLAIMED, figures_epoch: null, figures_json: null })
        .where('job', '=', job)
        .where(
          'number',
          'in',
          free.map(({ number }) => number),
        )
        .execute();
      const touched = free.filter((block) => block.touched !== FRESH);
      const blocks = await Promise.all(free.map((block) => claimed(trx, block)));
      return { blocks, results: await resultsIn(trx, job, touched) };
    });
  }

  async orphaned(limit: number): Promise<JobId[]> {
    const rows = await this.#db
      .selectFrom('blocks')
      .innerJoin('jobs', 'jobs.id', 'blocks.job')
      .select('blocks.job')
      .distinct()
      .where('blocks.owner', 'is', null)
      .where('blocks.closed', '=', 0)
      .where('jobs.status', '=', 'open')
      .where((eb) => eb.or([eb('blocks.touched', '=', CLAIMED), eb.and([eb('blocks.touched', '=', RELEASED), eb('jobs.closing', '=', 1)])]))
      .limit(limit)
      .execute();
    return rows.map(({ job }) => job);
  }

  async uncut(limit: number): Promise<JobId[]> {
    const { rows } = await sql<{ id: JobId }>`
      select id from jobs where status = 'open' and not exists (select 1 from blocks where blocks.job = jobs.id) limit ${limit}`.execute(this.#db);
    return rows.map(({ id }) => id);
  }

  async finishable(limit: number): Promise<JobId[]> {
    const { rows } = await sql<{ id: JobId }>`
      select id from jobs where status = 'open' and exists (select 1 from blocks where blocks.job = jobs.id) and not exists (
        select 1 from blocks where blocks.job = jobs.id and closed = 0 and not (jobs.closing = 1 and owner is null and touched = 0)
      ) limit ${limit}`.execute(this.#db);
    return rows.map(({ id }) => id);
  }

  async unclaimed(job: JobId): Promise<number> {
    const row = await this.#db
      .selectFrom('blocks')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('job', '=', job)
      .where('owner', 'is', null)
      .where('closed', '=', 0)
      .executeTakeFirstOrThrow();
    return row.count;
  }

  async finish(id: JobId, end: (job: StoredJob, left: bigint, figures: ShareFigures, contributors: number) => JobEnd): Promise<JobEnd | null> {
    return inTransaction(this.#db, async (trx) => {
      const row = await trx.selectFrom('jobs').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
      if (row?.status !== 'open') return null;
      const job = jobOf(row);
      const blocks = await trx.selectFrom('blocks').select(['owner', 'touched', 'closed', 'figures_json']).where('job', '=', id).execute();
      // Of a cancelled job nobody takes up what nobody has begun.
      const isOver = blocks.every(({ closed, owner, touched }) => closed === 1 || (job.closing && owner === null && touched === FRESH));
      if (!isOver || blocks.length === 0) return null;
      const figures = totalFigures(blocks.flatMap(({ figures_json: json }) => (json === null ? [] : [JSON.parse(json) as ShareFigures])));
      const { rows } = await sql<{ contributors: number }>`
        select count(*) as contributors from (
          select contributor from results where job = ${id}
          union select contributor from result_pack_authors join result_packs on result_packs.seq = pack where job = ${id}
        ) as all_of_them`.execute(trx);
      await lockLedger(trx);
      const account = await trx.selectFrom('accounts').selectAll().where('id', '=', `job/${id}`).where('unit', '=', job.unit).executeTakeFirst();
      const ends = end(job, account ? available(account) : 0n, figures, rows[0]?.contributors ?? 0);
      await writeJobEnd(trx, ends.ended);
      await trx.deleteFrom('shares').where('job', '=', id).execute();
      await postTransfers(trx, ends.transfers);
      return ends;
    });
  }

  async putFigures(epoch: number, shares: readonly { readonly job: JobId; readonly figures: ShareFigures }[]): Promise<void> {
    if (shares.length === 0) return;
    await inTransaction(this.#db, async (trx) => {
      // Of a job that has ended meanwhile nobody would ever take them back.
      const open = await trx
        .selectFrom('jobs')
        .select('id')
        .where(
          'id',
          'in',
          shares.map(({ job }) => job),
        )
        .where('status', '=', 'open')
        .orderBy('id')
        .forShare()
        .execute();
      const ids = new Set(open.map(({ id }) => id));
      const rows = shares.flatMap(({ job, figures }) => (ids.has(job) ? [{ job, epoch, figures_json: JSON.stringify(figures) }] : []));
      if (rows.length === 0) return;
      await trx
        .insertInto('shares')
        .values(rows)
        .onConflict((conflict) => conflict.columns(['job', 'epoch']).doUpdateSet((eb) => ({ figures_json: eb.ref('excluded.figures_json') })))
        .execute();
    });
  }

  async figures(epoch: number): Promise<Map<JobId, ShareFigures>> {
    const nobodys = this.#db
      .selectFrom('blocks')
      .innerJoin('jobs', 'jobs.id', 'blocks.job')
      .select(['blocks.job', 'blocks.figures_json'])
      .where('jobs.status', '=', 'open')
      .where('blocks.owner', 'is', null)
      .where('blocks.figures_json', 'is not', null)
      .$narrowType<{ figures_json: NotNull }>();
    const rows = await this.#db.selectFrom('shares').select(['job', 'figures_json']).where('epoch', '!=', epoch).unionAll(nobodys).execute();
    const sums = new Map<JobId, ShareFigures>();
    for (const { job, figures_json: json } of rows) sums.set(job, addFigures(sums.get(job) ?? noFigures, JSON.parse(json)));
    return sums;
  }

  async tell(epoch: number, kind: NoticeKind, subject: string): Promise<void> {
    await inTransaction(this.#db, (trx) => insertNotice(trx, epoch, kind, subject));
  }

  async notices(epoch: number, afterSeq: number, limit: number): Promise<Notice[]> {
    return this.#db
      .selectFrom('notices')
      .select(['seq', 'epoch', 'kind', 'subject'])
      .where('seq', '>', afterSeq)
      .where('epoch', '!=', epoch)
      .orderBy('seq')
      .limit(limit)
      .execute();
  }

  async lastNotice(): Promise<number> {
    const { last } = await this.#db
      .selectFrom('notices')
      .select((eb) => eb.fn.coalesce(eb.fn.max('seq'), sql<number>`0`).as('last'))
      .executeTakeFirstOrThrow();
    return last;
  }
}

/** Auditors' share of the hold goes by tiles; what does not divide is the last block's. */
async function cut(trx: Db, job: StoredJob, tiles: number, blockTiles: number, touched: number): Promise<void> {
  const count = Math.ceil(tiles / blockTiles);
  let left = job.checksHeld;
  const rows = Array.from({ length: count }, (_, number) => {
    const first = number * blockTiles;
    const size = Math.min(blockTiles, tiles - first);
    const held = number === count - 1 ? left : (job.checksHeld * BigInt(size)) / BigInt(tiles);
    left -= held;
    return { job: job.id, number, first, count: size, checks_held: held, owner: null, touched, closed: 0, figures_epoch: null, figures_json: null };
  });
  for (let start = 0; start < rows.length; start += CUT_ROWS)
    await trx
      .insertInto('blocks')
      .values(rows.slice(start, start + CUT_ROWS))
      .onConflict((conflict) => conflict.columns(['job', 'number']).doNothing())
      .execute();
}

const CUT_ROWS = 200;

async function claimed(trx: Db, { job, number, first, count, checks_held: checksHeld, touched }: BlockRow): Promise<ClaimedBlock> {
  return { job, number, first, count, checksHeld, checksPaid: touched !== FRESH ? await paidToAuditors(trx, job, first, count) : 0n };
}

async function paidToAuditors(trx: Db, job: JobId, first: number, count: number): Promise<bigint> {
  const { unit } = await trx.selectFrom('jobs').select('unit').where('id', '=', job).executeTakeFirstOrThrow();
  const seqs = await seqsOf(trx, `job/${job}`, unit);
  const { rows } = await sql<{ amount: bigint }>`
    select cast(coalesce(sum(amount), 0) as bigint) as amount from transfers
    where debit = ${`job/${job}`} and kind = 'audit' and tile >= ${first} and tile < ${first + count} and seq in (${seqs})`.execute(trx);
  return rows[0]?.amount ?? 0n;
}

/** Results that still matter of these ranges of tiles, oldest first. The caller holds the job against whoever packs; one that is unpacked meanwhile is found twice. */
async function resultsIn(trx: Db, job: JobId, ranges: readonly Pick<BlockRow, 'job' | 'first' | 'count'>[]): Promise<StoredResult[]> {
  if (ranges.length === 0) return [];
  const packed = (await packedOf(trx, job, ranges)).filter(({ tile }) => isIn(ranges, tile));
  const rows = await rowsIn(trx, ranges);
  const all = new Map([...packed, ...rows].map((row) => [row.seq, row]));
  return [...all.values()].sort((a, b) => a.seq - b.seq).map(withoutBytes);
}

const isIn = (ranges: readonly Pick<BlockRow, 'first' | 'count'>[], tile: number): boolean =>
  ranges.some(({ first, count }) => tile >= first && tile < first + count);

async function rowsIn(trx: Db, blocks: readonly Pick<BlockRow, 'job' | 'first' | 'count'>[]) {
  const found = [];
  for (const job of new Set(blocks.map((block) => block.job))) {
    const ranges = blocks.filter((block) => block.job === job);
    const rows = await livingRows(trx, job);
    found.push(...rows.filter(({ tile }) => isIn(ranges, tile)));
  }
  return found;
}
