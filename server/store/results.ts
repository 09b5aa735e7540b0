import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';
import type { JobId, ResultId } from '../../shared/model.ts';
import { bulkInsert, bulkUpdate, inBatches } from './batches.ts';
import { anyOf, isPostgres } from './dialect.ts';
import { unpackResults } from './packs.ts';
import type { ResultsTable, Tables } from './schema.ts';
import type { StoredResult, Vesting, Write } from './store.ts';

/** Rows of results, and everything that changes one. All of it runs inside the caller's transaction. */

type Db = Kysely<Tables>;
type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

const resultRow = (result: StoredResult): Insertable<ResultsTable> => ({
  id: result.id,
  job: result.job,
  pass: result.at.pass,
  tile: result.at.tile,
  parts: result.parts,
  epoch: result.epoch,
  attempt: result.attempt,
  contributor: result.contributor,
  owner: result.owner,
  site: result.site,
  hash: result.hash,
  size_bytes: result.sizeBytes,
  salt: result.salt,
  root: result.root,
  commitment: result.commitment,
  nonce: result.nonce,
  drawn: result.drawn,
  round: result.round,
  opening_hash: result.opening?.hash ?? null,
  compute_ms: result.computeMs,
  committed_ms: result.committedMs,
  state: result.state,
  evidence_json: JSON.stringify(result.evidence),
  error_bound: result.errorBound,
  decided_ms: result.decidedMs,
  ...vestingColumns(result.vesting),
  drill: result.drill ? 1 : 0,
  passes_wanted: result.passesWanted,
  opening_inline: result.opening?.inline ?? null,
  inline: result.inline,
});

const vestingColumns = (vesting: Vesting | null): Pick<ResultsTable, 'vesting_unit' | 'vesting_micro_credits' | 'vests_at_ms' | 'refund_to'> => ({
  vesting_unit: vesting?.unit ?? null,
  vesting_micro_credits: vesting?.microCredits ?? null,
  vests_at_ms: vesting?.vestsAtMs ?? null,
  refund_to: vesting?.refundTo ?? null,
});

const settled = vestingColumns(null);

function vestingOf({ vesting_unit: unit, vesting_micro_credits: microCredits, vests_at_ms: vestsAtMs, refund_to: refundTo }: ResultRow): Vesting | null {
  if (unit === null || microCredits === null || vestsAtMs === null || refundTo === null) return null;
  return { unit, microCredits, vestsAtMs, refundTo };
}

type ResultRow = Omit<Selectable<ResultsTable>, 'seq'>;

export const resultOf = (row: ResultRow): StoredResult => ({
  id: row.id,
  job: row.job,
  at: { pass: row.pass, tile: row.tile },
  parts: row.parts,
  epoch: row.epoch,
  attempt: row.attempt,
  contributor: row.contributor,
  owner: row.owner,
  site: row.site,
  hash: row.hash,
  sizeBytes: row.size_bytes,
  inline: row.inline,
  salt: row.salt,
  root: row.root,
  commitment: row.commitment,
  nonce: row.nonce,
  drawn: row.drawn,
  round: row.round,
  opening: row.opening_hash === null ? null : { hash: row.opening_hash, inline: row.opening_inline },
  computeMs: row.compute_ms,
  committedMs: row.committed_ms,
  state: row.state,
  evidence: JSON.parse(row.evidence_json),
  errorBound: row.error_bound,
  decidedMs: row.decided_ms,
  vesting: vestingOf(row),
  drill: row.drill === 1,
  passesWanted: row.passes_wanted,
});

/** All but the bytes. */
export const resultColumns = [
  'id',
  'job',
  'pass',
  'tile',
  'parts',
  'epoch',
  'attempt',
  'contributor',
  'owner',
  'site',
  'hash',
  'size_bytes',
  'salt',
  'root',
  'commitment',
  'nonce',
  'drawn',
  'round',
  'opening_hash',
  'compute_ms',
  'committed_ms',
  'state',
  'evidence_json',
  'error_bound',
  'decided_ms',
  'vesting_unit',
  'vesting_micro_credits',
  'vests_at_ms',
  'refund_to',
  'drill',
  'passes_wanted',
] as const;

export const withoutBytes = (row: Omit<ResultRow, 'inline' | 'opening_inline'>): StoredResult => resultOf({ ...row, inline: null, opening_inline: null });

/** Results of a job that still matter and are rows, oldest first. */
export const livingRows = (db: Db, job: JobId) =>
  db
    .selectFrom('results')
    .select([...resultColumns, 'seq'])
    .where('job', '=', job)
    .where('state', 'in', ['committed', 'accepted'])
    .orderBy('seq')
    .execute();

const insertBatch = bulkInsert<Insertable<ResultsTable>>('results', sql`on conflict (id) do nothing`);

/** Stands for the foreign keys that `results` has in SQLite alone. */
async function assertThere(trx: Db, table: 'jobs' | 'contributors', ids: ReadonlySet<string>): Promise<void> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)} where id ${anyOf(trx, [...ids])}`.execute(trx);
  if (rows[0]?.count !== ids.size) throw new Error(`results name unknown ${table}`);
}

/** Inside the caller's transaction. A result whose id is known is ignored. */
export async function insertResults(trx: Db, results: readonly StoredResult[]): Promise<void> {
  if (results.length === 0) return;
  if (isPostgres(trx)) {
    await assertThere(trx, 'jobs', new Set(results.map(({ job }) => job)));
    await assertThere(trx, 'contributors', new Set(results.map(({ contributor }) => contributor)));
  }
  await inBatches(trx, results, async (batch) => void (await insertBatch(trx, batch.map(resultRow))));
}

/** Changes columns of results, found by their id, the first key of a row. */
const updateResults = <Key extends keyof ResultsTable>() => bulkUpdate<Pick<ResultsTable, Key | 'id'>>('results');

type VerdictColumns = 'state' | 'evidence_json' | 'error_bound' | 'decided_ms' | 'vesting_unit' | 'vesting_micro_credits' | 'vests_at_ms' | 'refund_to';
const updateAccepted = updateResults<VerdictColumns | 'opening_hash' | 'opening_inline'>();
const updateDropped = updateResults<VerdictColumns | 'opening_inline' | 'inline'>();
const updateOpenings = updateResults<'opening_hash' | 'opening_inline'>();
const updateMeasured = updateResults<'passes_wanted'>();
const updateDraws = updateResults<'round' | 'drawn' | 'evidence_json' | 'opening_hash' | 'opening_inline'>();

const updateSettled = updateResults<keyof typeof settled>();

const verdictRow = ({ id, state, errorBound, vesting, evidence, atMs }: WriteOf<'verdict'>): Pick<ResultsTable, VerdictColumns | 'opening_inline' | 'id'> => ({
  id,
  state,
  evidence_json: JSON.stringify(evidence),
  error_bound: errorBound,
  decided_ms: atMs,
  ...vestingColumns(vesting),
  opening_inline: null,
});

export type ResultChange = WriteOf<'verdict' | 'opening' | 'measured' | 'secondDraw'>;

/** What changes results and does so alike: rows of one statement. */
interface Changes {
  readonly accepted: Parameters<typeof updateAccepted>[1][number][];
  readonly dropped: Parameters<typeof updateDropped>[1][number][];
  readonly openings: Parameters<typeof updateOpenings>[1][number][];
  readonly measured: Parameters<typeof updateMeasured>[1][number][];
  readonly draws: Parameters<typeof updateDraws>[1][number][];
}

function note(changes: Changes, change: ResultChange): void {
  const { id } = change;
  if (change.kind === 'opening') changes.openings.push({ id, opening_hash: change.opening.hash, opening_inline: change.opening.inline });
  else if (change.kind === 'measured') changes.measured.push({ id, passes_wanted: change.passesWanted });
  else if (change.kind === 'secondDraw') {
    const evidence = JSON.stringify(change.evidence);
    changes.draws.push({ id, round: 'second', drawn: change.drawn, evidence_json: evidence, opening_hash: null, opening_inline: null });
  }
  // Only the bytes of accepted results are needed any more.
  else if (change.state === 'accepted') changes.accepted.push({ ...verdictRow(change), opening_hash: null });
  else changes.dropped.push({ ...verdictRow(change), inline: null });
}

/** Changes of one result are made in their order; those of different results go together. Throws, and so fails the commit, when one is not there. */
export async function changeResults(trx: Db, all: readonly ResultChange[]): Promise<void> {
  const turns: Changes[] = [];
  const turnOf = new Map<ResultId, number>();
  const accepted = new Set(all.flatMap((change) => (change.kind === 'verdict' && change.state === 'accepted' ? [change.id] : [])));
  for (const change of all) {
    // Nobody reads the opening of an accepted result.
    if (change.kind === 'opening' && accepted.has(change.id)) continue;
    const turn = turnOf.get(change.id) ?? 0;
    turnOf.set(change.id, turn + 1);
    turns[turn] ??= { accepted: [], dropped: [], openings: [], measured: [], draws: [] };
    note(turns[turn], change);
  }
  for (const { accepted, dropped, openings, measured, draws } of turns) {
    await change(trx, accepted, updateAccepted);
    await change(trx, dropped, updateDropped);
    await change(trx, openings, updateOpenings);
    await change(trx, measured, updateMeasured);
    await change(trx, draws, updateDraws);
  }
}

async function change<Row extends { readonly id: ResultId }>(
  trx: Db,
  rows: readonly Row[],
  update: (trx: Db, rows: readonly Row[]) => Promise<number>,
): Promise<void> {
  await inBatches(trx, rows, async (batch) => {
    let missing = batch.length - (await update(trx, batch));
    if (missing > 0) {
      // Seldom: some may be packed, and are rows again when something is written to them.
      await unpackResults(
        trx,
        batch.map(({ id }) => id),
      );
      missing = batch.length - (await update(trx, batch));
    }
    if (missing > 0) throw new Error(`writes name ${missing} unknown results; the first of them all is ${batch[0]?.id}`);
  });
}

/** Many at a time: what was earned at about the same time vests in the same tick. */
export async function writeSettled(trx: Db, ids: ReadonlySet<ResultId>): Promise<void> {
  await change(
    trx,
    [...ids].map((id) => ({ id, ...settled })),
    updateSettled,
  );
}
