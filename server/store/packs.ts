import { type Insertable, type Kysely, sql } from 'kysely';
import { fromHex } from '../../shared/formats.ts';
import type { ContributorId, JobId, OwnerId, ResultId } from '../../shared/model.ts';
import { bulkDelete, bulkInsert, inBatches } from './batches.ts';
import { decodeInline, type EncodedPack, encodePack, type KeptRow, Pack, packedColumns, type ResultRow } from './pack-format.ts';
import type { ResultPackAuthorsTable, ResultPackBlobsTable, ResultPacksTable } from './pack-schema.ts';
import { packsWith } from './packed.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

/*
 * A result is a row while something may change it, and in a pack from then on:
 *
 *   row -> closed (it has its verdict, its pay is settled, and it was measured where that is wanted) -> packed
 *                                                              row again <- (a write names it, its job is extended with other passes)
 *
 * A pack is closed results of one job in the order of their numbers: as many as `PACK_RESULTS` or `PACK_INLINE_BYTES`, or what is left of a job that
 * has ended. That is not the 1024 tiles that stand side by side in the core: whether those are complete depends on passes that are waived and on blocks
 * that other coordinators have, one slow result would keep all others rows, and of a tile there may be many results.
 */

/** One row for so many: of a job of a million tiles there are a thousand. */
export const PACK_RESULTS = 1024;
/** One transaction moves them, and nobody commits meanwhile. */
const PACK_INLINE_BYTES = 512 * 1024;
/** Rows that one step looks at. */
const WINDOW = 2048;

export interface PackStep {
  /** Rows up to this number were looked at before. */
  readonly afterSeq: number;
  /** Only what was decided until then. */
  readonly beforeMs: number;
  /** Passes of the open job in which results that are accepted wait to be measured; null: it is thought to have ended. */
  readonly measured: readonly number[] | null;
  /** So many make a pack: `PACK_RESULTS`, and fewer in tests. */
  readonly packResults?: number;
}

export interface PackStore {
  /** The first job behind this one, in the order of ids, of which results are rows. */
  nextJob(after: JobId | null): Promise<JobId | null>;
  /**
   * Looks at the next two thousand rows of a job and packs some of them, in one transaction, if there are enough; nobody waits for it, and it waits for
   * nobody. `nextSeq`: where to go on; null: no more can be packed of this job now.
   */
  pack(job: JobId, step: PackStep): Promise<{ readonly results: number; readonly nextSeq: number | null }>;
}

type Db = Kysely<Tables>;

const insertAuthors = bulkInsert<ResultPackAuthorsTable>('result_pack_authors');
const insertBlobs = bulkInsert<ResultPackBlobsTable>('result_pack_blobs');
const insertRows = bulkInsert<ResultRow>('results');
const removeRows = bulkDelete('results');

export class SqlPacks implements PackStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async nextJob(after: JobId | null): Promise<JobId | null> {
    const query = this.#db.selectFrom('results').select('job').orderBy('job').limit(1);
    return (await (after === null ? query : query.where('job', '>', after)).executeTakeFirst())?.job ?? null;
  }

  async pack(job: JobId, { afterSeq, beforeMs, measured, packResults = PACK_RESULTS }: PackStep): ReturnType<PackStore['pack']> {
    return inTransaction(this.#db, async (trx) => {
      // Who extends, deletes or claims of it changes or locks it first, and finds its results where they are.
      const row = await trx.selectFrom('jobs').select(['status', 'deleted_ms']).where('id', '=', job).forNoKeyUpdate().skipLocked().executeTakeFirst();
      if (!row || (row.status === 'open' && measured === null)) return { results: 0, nextSeq: null };
      const isOpen = row.status === 'open';
      const closed = closedBy(beforeMs, isOpen ? (measured ?? []) : []);
      const seen = await look(trx, job, afterSeq, closed);
      const isEnd = seen.scanned < WINDOW;
      const isFull = seen.closed >= packResults || seen.bytes >= PACK_INLINE_BYTES;
      const isRest = !isOpen && isEnd && seen.closed === seen.scanned;
      if (seen.closed === 0 || !(isFull || isRest)) return { results: 0, nextSeq: isEnd ? null : seen.last };
      const fitting = seen.bytes === 0 ? packResults : Math.ceil((seen.closed * PACK_INLINE_BYTES) / seen.bytes);
      const rows = await trx
        .selectFrom('results')
        .select(packedColumns)
        .where('job', '=', job)
        .where('seq', '>', afterSeq)
        .where('seq', '<=', seen.last)
        .where(closed)
        .orderBy('seq')
        .limit(Math.min(packResults, fitting))
        .forUpdate()
        .skipLocked()
        .execute();
      if (rows.length === 0) return { results: 0, nextSeq: null };
      await insertPack(trx, rows, row.deleted_ms === null);
      await inBatches(
        trx,
        rows.map(({ id }) => ({ id })),
        async (batch) => void (await removeRows(trx, batch)),
      );
      return { results: rows.length, nextSeq: afterSeq };
    });
  }
}

/** What is never changed again, and has been so for a while. */
function closedBy(beforeMs: number, measured: readonly number[]) {
  const isMeasured = measured.length === 0 ? sql`1 = 1` : sql`(passes_wanted is not null or state <> 'accepted' or pass not in (${sql.join([...measured])}))`;
  return sql<boolean>`(state <> 'committed' and vests_at_ms is null and coalesce(decided_ms, committed_ms) <= ${beforeMs} and ${isMeasured})`;
}

async function look(trx: Db, job: JobId, afterSeq: number, closed: ReturnType<typeof closedBy>) {
  const { rows } = await sql<{ scanned: number; last: number; closed: number; bytes: number }>`
    select count(*) as scanned, coalesce(max(seq), 0) as last, coalesce(sum(case when ${closed} then 1 else 0 end), 0) as closed,
      coalesce(sum(case when is_here and ${closed} then size_bytes else 0 end), 0) as bytes
    from (
      select seq, pass, state, vests_at_ms, decided_ms, committed_ms, passes_wanted, size_bytes, inline is not null as is_here
      from results where job = ${job} and seq > ${afterSeq} order by seq limit ${WINDOW}
    ) as looked`.execute(trx);
  return rows[0]!;
}

async function insertPack(trx: Db, rows: readonly KeptRow[], isNeeded: boolean): Promise<void> {
  const encoded = encodePack(rows);
  const { seq: pack } = await trx.insertInto('result_packs').values(packRow(rows, encoded)).returning('seq').executeTakeFirstOrThrow();
  await inBatches(trx, authorRows(pack, rows, encoded), async (batch) => void (await insertAuthors(trx, batch)));
  const blobs = isNeeded ? rows.filter(({ state, inline }) => state === 'accepted' && inline === null) : [];
  const hashes = [...new Set(blobs.map(({ hash }) => hash))].map((hash) => ({ pack, hash: fromHex(hash) }));
  await inBatches(trx, hashes, async (batch) => void (await insertBlobs(trx, batch)));
}

function packRow(rows: readonly KeptRow[], { ids, data, inline }: EncodedPack): Insertable<ResultPacksTable> {
  const sorted = rows.map(({ id }) => id).sort();
  const tiles = rows.map(({ tile }) => tile);
  const drops = rows.flatMap(({ state, decided_ms: atMs }) => (state === 'accepted' || atMs === null ? [] : atMs));
  return {
    job: rows[0]!.job,
    results: rows.length,
    refuted: rows.filter(({ state }) => state === 'refuted').length,
    measured: rows.filter(({ passes_wanted: wanted }) => wanted !== null).length,
    dropped_ms: drops.length === 0 ? null : Math.max(...drops),
    first_seq: rows[0]!.seq,
    last_seq: rows.at(-1)!.seq,
    first_id: sorted[0]!,
    last_id: sorted.at(-1)!,
    first_tile: Math.min(...tiles),
    last_tile: Math.max(...tiles),
    ids,
    data,
    inline,
  };
}

function authorRows(pack: number, rows: readonly KeptRow[], { authors, places }: EncodedPack): ResultPackAuthorsTable[] {
  const entries = authors.map((author, place) => ({ pack, place, ...author, accepted: 0, first_seq: 0, last_seq: 0 }));
  for (const [index, { seq, state }] of rows.entries()) {
    const entry = entries[places[index]!]!;
    if (entry.first_seq === 0) entry.first_seq = seq;
    entry.last_seq = seq;
    if (state === 'accepted') entry.accepted++;
  }
  return entries;
}

/** Makes rows of the results of these packs again, inside the caller's transaction. */
async function unpack(trx: Db, packs: Iterable<number>): Promise<void> {
  for (const seq of packs) {
    const row = await trx.deleteFrom('result_packs').where('seq', '=', seq).returning(['job', 'ids', 'data', 'inline']).executeTakeFirst();
    // Somebody else was faster.
    if (!row) continue;
    const authors = await trx.deleteFrom('result_pack_authors').where('pack', '=', seq).returning(['place', 'contributor', 'owner', 'site']).execute();
    await trx.deleteFrom('result_pack_blobs').where('pack', '=', seq).execute();
    const rows = new Pack(
      row,
      authors.sort((a, b) => a.place - b.place),
    ).rows();
    const inline = row.inline && decodeInline(row.inline, rows.length);
    const whole = rows.map((each, place) => ({ ...each, inline: inline?.[place] ?? null }));
    await inBatches(trx, whole, async (batch) => void (await insertRows(trx, batch)));
  }
}

/** Inside the caller's transaction, which is about to write to these results. */
export async function unpackResults(trx: Db, ids: readonly ResultId[]): Promise<void> {
  await unpack(trx, await packsWith(trx, ids));
}

/** Inside the caller's transaction, which extends this job: results that were measured are measured anew. */
export async function unpackMeasured(trx: Db, job: JobId): Promise<void> {
  const packs = await trx.selectFrom('result_packs').select('seq').where('job', '=', job).where('measured', '>', 0).execute();
  await unpack(
    trx,
    packs.map(({ seq }) => seq),
  );
}

/** Inside the caller's transaction: bytes of this job are not needed from now on. Answers with the hashes of those that are blobs. */
export async function forgetPacked(trx: Db, job: JobId): Promise<Uint8Array[]> {
  const packs = trx.selectFrom('result_packs').select('seq').where('job', '=', job);
  await trx.updateTable('result_packs').set({ inline: null }).where('job', '=', job).where('inline', 'is not', null).execute();
  const blobs = await trx.deleteFrom('result_pack_blobs').where('pack', 'in', packs).returning('hash').execute();
  return blobs.map(({ hash }) => hash);
}

/** Inside the caller's transaction: results that this contributor made under one of these names have another one. */
export async function renameAuthor(trx: Db, contributor: ContributorId, names: ReadonlyMap<OwnerId, OwnerId>): Promise<void> {
  for (const [name, gone] of names) {
    // Those that are packed, or unpacked, meanwhile are found behind the other ones.
    for (const table of ['results', 'result_pack_authors', 'results'] as const)
      await trx.updateTable(table).set({ owner: gone }).where('contributor', '=', contributor).where('owner', '=', name).execute();
  }
}
