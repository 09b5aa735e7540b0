import { type Insertable, type Kysely, type Selectable, sql, type Updateable } from 'kysely';
import type { ResultId } from '../../shared/model.ts';
import { inBatches, reusable } from './batches.ts';
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

const insertBatch = reusable<Insertable<ResultsTable>>((db, rows) =>
  db
    .insertInto('results')
    .values(rows)
    .onConflict((conflict) => conflict.column('id').doNothing()),
);

/** Inside the caller's transaction. A result whose id is known is ignored. */
export async function insertResults(trx: Db, results: readonly StoredResult[]): Promise<void> {
  await inBatches(results, async (batch) => void (await insertBatch(trx, batch.map(resultRow))));
}

/** Changes columns of one result, found by its id, the last key of the row. */
const updateResult = <Key extends keyof ResultsTable>() =>
  reusable<Pick<ResultsTable, Key | 'id'>>((db, rows) => {
    const [row] = rows;
    if (!row || rows.length !== 1) throw new RangeError('one result at a time');
    const { id, ...columns } = row as Pick<ResultsTable, 'id'> & Updateable<ResultsTable>;
    return db.updateTable('results').set(columns).where('id', '=', id);
  });

type VerdictColumns = 'state' | 'evidence_json' | 'error_bound' | 'decided_ms' | 'vesting_unit' | 'vesting_micro_credits' | 'vests_at_ms' | 'refund_to';
const updateAccepted = updateResult<VerdictColumns | 'opening_inline'>();
const updateDropped = updateResult<VerdictColumns | 'opening_inline' | 'inline'>();
const updateOpening = updateResult<'opening_hash' | 'opening_inline'>();
const updateMeasured = updateResult<'passes_wanted'>();
const updateDraw = updateResult<'round' | 'drawn' | 'evidence_json' | 'opening_hash' | 'opening_inline'>();

const nothing = sql.lit(null);
const settle = reusable<Pick<ResultsTable, 'id'>>((db, rows) =>
  db
    .updateTable('results')
    .set({ vesting_unit: nothing, vesting_micro_credits: nothing, vests_at_ms: nothing, refund_to: nothing })
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    ),
);

/** Throws, and so fails the commit, when the one result that a write names is not there. */
function assertFound(changed: number, id: ResultId): void {
  if (changed !== 1) throw new Error(`a write names the unknown result ${id}`);
}

/** Only the bytes of accepted results are needed any more. */
export async function writeVerdict(trx: Db, { id, state, errorBound, vesting, evidence, atMs }: WriteOf<'verdict'>): Promise<void> {
  const verdict = {
    state,
    evidence_json: JSON.stringify(evidence),
    error_bound: errorBound,
    decided_ms: atMs,
    ...vestingColumns(vesting),
    opening_inline: null,
  };
  assertFound(state === 'accepted' ? await updateAccepted(trx, [{ ...verdict, id }]) : await updateDropped(trx, [{ ...verdict, inline: null, id }]), id);
}

export async function writeOpening(trx: Db, { id, opening }: WriteOf<'opening'>): Promise<void> {
  assertFound(await updateOpening(trx, [{ opening_hash: opening.hash, opening_inline: opening.inline, id }]), id);
}

export async function writeMeasured(trx: Db, { id, passesWanted }: WriteOf<'measured'>): Promise<void> {
  assertFound(await updateMeasured(trx, [{ passes_wanted: passesWanted, id }]), id);
}

export async function writeSecondDraw(trx: Db, { id, drawn, evidence }: WriteOf<'secondDraw'>): Promise<void> {
  const draw = { round: 'second', drawn, evidence_json: JSON.stringify(evidence), opening_hash: null, opening_inline: null } as const;
  assertFound(await updateDraw(trx, [{ ...draw, id }]), id);
}

/** Many at a time: what was earned at about the same time vests in the same tick. */
export async function writeSettled(trx: Db, ids: ReadonlySet<ResultId>): Promise<void> {
  await inBatches([...ids], async (batch) => {
    const changed = await settle(
      trx,
      batch.map((id) => ({ id })),
    );
    if (changed !== batch.length) throw new Error(`pay has vested for ${batch.length - changed} unknown results`);
  });
}
