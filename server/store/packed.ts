import type { Kysely } from 'kysely';
import type { ContributorId, JobId, ResultId } from '../../shared/model.ts';
import { inBatches } from './batches.ts';
import { decodeInline, Pack, placeOf, type ResultRow } from './pack-format.ts';
import type { Tables } from './schema.ts';

/*
 * Reading results of packs. Each of them is either a row of `results` or in one pack, and moves from one to the other in a transaction: who looks for
 * it in both does so in one statement, or in one snapshot (`inSnapshot`).
 */

type Db = Kysely<Tables>;

/** Packs, or entries of them, looked up at a time. */
const AT_ONCE = 16;

const bySeq = (a: ResultRow, b: ResultRow): number => a.seq - b.seq;

async function load(db: Db, seqs: readonly number[]): Promise<Pack[]> {
  if (seqs.length === 0) return [];
  const rows = await db.selectFrom('result_packs').select(['seq', 'job', 'ids', 'data']).where('seq', 'in', seqs).orderBy('first_seq').execute();
  const authors = await db
    .selectFrom('result_pack_authors')
    .select(['pack', 'contributor', 'owner', 'site'])
    .where('pack', 'in', seqs)
    .orderBy('pack')
    .orderBy('place')
    .execute();
  return rows.map((row) => {
    const own = authors.filter(({ pack }) => pack === row.seq);
    return new Pack(row, own);
  });
}

type Found = (pack: Pack) => (place: number) => boolean;
const whole: Found = () => () => true;
export const accepted: Found = (pack) => (place) => pack.state(place) === 'accepted';
const dropped: Found = (pack) => (place) => pack.state(place) !== 'accepted';

async function rowsIn(db: Db, seqs: readonly number[], found: Found): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (let start = 0; start < seqs.length; start += AT_ONCE)
    for (const pack of await load(db, seqs.slice(start, start + AT_ONCE))) for (const row of pack.rows(found(pack))) rows.push(row);
  return rows.sort(bySeq);
}

/** Accepted results of a job that are packed; of these ranges of tiles alone, when they are given. */
export async function packedOf(
  db: Db,
  job: JobId,
  ranges: readonly { readonly first: number; readonly count: number }[] = [{ first: 0, count: Number.POSITIVE_INFINITY }],
): Promise<ResultRow[]> {
  const packs = await db.selectFrom('result_packs').select(['seq', 'first_tile', 'last_tile']).where('job', '=', job).orderBy('first_seq').execute();
  const touched = packs.filter(({ first_tile, last_tile }) => ranges.some(({ first, count }) => first_tile < first + count && last_tile >= first));
  return rowsIn(
    db,
    touched.map(({ seq }) => seq),
    accepted,
  );
}

/** Those of a job that were refuted or dropped at or after this time. */
export async function packedDropped(db: Db, job: JobId, sinceMs: number): Promise<ResultRow[]> {
  const packs = await db.selectFrom('result_packs').select('seq').where('job', '=', job).where('dropped_ms', '>=', sinceMs).execute();
  const rows = await rowsIn(
    db,
    packs.map(({ seq }) => seq),
    dropped,
  );
  return rows.filter(({ decided_ms: atMs }) => atMs !== null && atMs >= sinceMs);
}

/** `rows` are the first of a job's accepted ones behind `afterSeq`, oldest first. Answers with the first `limit` when those of packs are put in their places. */
export async function withPackedAfter<Row extends Pick<ResultRow, 'seq'>>(
  db: Db,
  job: JobId,
  rows: readonly Row[],
  { afterSeq, limit }: { readonly afterSeq: number; readonly limit: number },
): Promise<(Row | ResultRow)[]> {
  let found: (Row | ResultRow)[] = [...rows];
  for (let from = -1; ; ) {
    const next = await db
      .selectFrom('result_packs')
      .select(['seq', 'first_seq'])
      .where('job', '=', job)
      .where('last_seq', '>', afterSeq)
      .where('first_seq', '>', from)
      .orderBy('first_seq')
      .limit(1)
      .executeTakeFirst();
    if (!next || (found.length >= limit && found[limit - 1]!.seq < next.first_seq)) return found;
    const more = await rowsIn(db, [next.seq], (pack) => (place) => pack.seq(place) > afterSeq && accepted(pack)(place));
    found = [...found, ...more].sort((a, b) => a.seq - b.seq).slice(0, limit);
    from = next.first_seq;
  }
}

/** The same for these contributors, each with the latest of its `rows`: in whatever state, newest first and before `beforeSeq`. */
export async function withPackedBefore<Row extends Pick<ResultRow, 'seq'>>(
  db: Db,
  rows: ReadonlyMap<ContributorId, readonly Row[]>,
  { beforeSeq, limit }: { readonly beforeSeq: number; readonly limit: number },
): Promise<(Row | ResultRow)[]> {
  const packs = new Map<number, Pack>();
  const packOf = async (seq: number): Promise<Pack | undefined> => {
    const pack = packs.get(seq) ?? (await load(db, [seq]))[0];
    if (pack) packs.set(seq, pack);
    return pack;
  };
  const all: (Row | ResultRow)[] = [];
  for (const [contributor, own] of rows) {
    let found: (Row | ResultRow)[] = [...own];
    for await (const { pack: seq, place: author, last_seq: last } of entriesOf(db, contributor, beforeSeq)) {
      if (found.length >= limit && found[limit - 1]!.seq > last) break;
      const pack = await packOf(seq);
      const more = pack?.rows((place) => pack.author(place) === author && pack.seq(place) < beforeSeq) ?? [];
      found = [...found, ...more].sort((a, b) => b.seq - a.seq).slice(0, limit);
    }
    all.push(...found);
  }
  return all.sort((a, b) => b.seq - a.seq).slice(0, limit);
}

/** Where results of a contributor from before this one are packed, the newest first. */
async function* entriesOf(db: Db, contributor: ContributorId, beforeSeq: number) {
  for (let from = Number.MAX_SAFE_INTEGER; ; ) {
    const entries = await db
      .selectFrom('result_pack_authors')
      .select(['pack', 'place', 'last_seq'])
      .where('contributor', '=', contributor)
      .where('last_seq', '<', from)
      .where('first_seq', '<', beforeSeq)
      .orderBy('last_seq', 'desc')
      .limit(AT_ONCE)
      .execute();
    yield* entries;
    if (entries.length < AT_ONCE) return;
    from = entries.at(-1)!.last_seq;
  }
}

/** A packed result with its bytes. */
export async function packedResult(db: Db, id: ResultId): Promise<ResultRow | undefined> {
  const seq = await packWith(db, id);
  if (seq === undefined) return undefined;
  const [pack] = await load(db, [seq]);
  const row = await db.selectFrom('result_packs').select(['ids', 'inline']).where('seq', '=', seq).executeTakeFirst();
  if (!pack || !row) return undefined;
  const place = placeOf(row.ids, id);
  return { ...pack.row(place), inline: row.inline && decodeInline(row.inline, pack.length)[place]! };
}

/** The pack that has this result. Ids begin with their time, so few packs have some before it and some after it. */
async function packWith(db: Db, id: ResultId): Promise<number | undefined> {
  const candidates = await db.selectFrom('result_packs').select('seq').where('last_id', '>=', id).where('first_id', '<=', id).orderBy('last_id').execute();
  for (const { seq } of candidates) {
    const row = await db.selectFrom('result_packs').select('ids').where('seq', '=', seq).executeTakeFirst();
    if (row && placeOf(row.ids, id) >= 0) return seq;
  }
  return undefined;
}

/** The packs that have those of these results that are packed. */
export async function packsWith(db: Db, ids: readonly ResultId[]): Promise<Set<number>> {
  const left = new Set(ids);
  await inBatches(db, ids, async (batch) => {
    const rows = await db.selectFrom('results').select('id').where('id', 'in', batch).execute();
    for (const { id } of rows) left.delete(id);
  });
  const found = new Set<number>();
  for (const id of left) {
    const seq = await packWith(db, id);
    if (seq === undefined) continue;
    found.add(seq);
    for (const { id: other } of await rowsIn(db, [seq], whole)) left.delete(other);
  }
  return found;
}
