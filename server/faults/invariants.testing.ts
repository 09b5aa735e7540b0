import { type ContributorId, countParts, type JobId, type PartMask, type ResultId } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import { partPrice } from '../core/pricing.ts';
import { Pack, type PackAuthor } from '../store/pack-format.ts';
import { SqlStore } from '../store/sql-store.ts';
import type { JobSummary } from '../store/store.ts';
import type { Contributor } from './contributor.testing.ts';
import type { FaultyDatabase } from './database.testing.ts';
import { Host } from './host.testing.ts';
import type { Requester } from './requester.testing.ts';
import { PARTS, RATE, spec } from './work.testing.ts';

/** A sentence about something that must not be. */
export type Finding = string;

interface ResultRow {
  readonly id: ResultId;
  readonly job: JobId;
  readonly pass: number;
  readonly tile: number;
  readonly parts: PartMask;
  readonly state: string;
  readonly opening_hash: string | null;
  readonly contributor: ContributorId;
}

interface TransferRow {
  readonly id: string;
  readonly kind: string;
  readonly job: JobId | null;
  readonly credit: string;
  readonly amount: bigint;
}

interface Books {
  readonly results: readonly ResultRow[];
  readonly transfers: readonly TransferRow[];
}

/** Those that are rows, and those that are packed. */
export function readResults(database: FaultyDatabase): ResultRow[] {
  const packs = database.rows<ConstructorParameters<typeof Pack>[0] & { readonly seq: number }>('select seq, job, data, ids from result_packs');
  const authorsOf = (pack: number): PackAuthor[] =>
    database.rows('select contributor, owner, site from result_pack_authors where pack = ? order by place', pack);
  return [
    ...database.rows<ResultRow>('select id, job, pass, tile, parts, state, opening_hash, contributor from results'),
    ...packs.flatMap((pack) => new Pack(pack, authorsOf(pack.seq)).rows()),
  ];
}

const readBooks = (database: FaultyDatabase): Books => ({
  results: readResults(database),
  transfers: database.rows('select id, kind, job, credit, amount from transfers'),
});

/** What must not be at any time. */
export async function wrongAtAnyTime(database: FaultyDatabase, contributors: readonly Contributor[]): Promise<Finding[]> {
  const { results } = readBooks(database);
  const known = new Set(results.map(({ id }) => id));
  return [
    ...contributors.flatMap(({ misunderstood }) => misunderstood),
    ...contributors.flatMap(({ acknowledged }) => [...acknowledged].flatMap((id) => (known.has(id) ? [] : [`${id} was acknowledged and is lost`]))),
    ...(known.size === results.length ? [] : ['a result is there twice']),
    ...twice(results),
    ...(await booksFindings(database)),
  ];
}

/** What must not be when everything has ended, whatever happened before. */
export function wrongAtTheEnd(database: FaultyDatabase, requesters: readonly Requester[], contributors: readonly Contributor[]): Finding[] {
  const { results, transfers } = readBooks(database);
  const liars = new Set(contributors.filter(({ isLiar }) => isLiar).map(({ id }) => id));
  return [
    ...undecided(new Map(results.map((row) => [row.id, row])), contributors),
    ...requesters.flatMap((requester) => jobFindings(database, requester, results, transfers)),
    ...paidWrong(results, new Map(transfers.map((row) => [row.id, row])), liars),
    ...leftovers(database),
  ];
}

/** What an honest contributor was told is stored, and has opened, has to be accepted. */
function undecided(results: ReadonlyMap<ResultId, ResultRow>, contributors: readonly Contributor[]): Finding[] {
  return contributors.flatMap(({ acknowledged, opened, isLiar }) =>
    [...acknowledged].flatMap((id) => {
      const row = results.get(id);
      const isOpened = opened.has(id) || row?.opening_hash !== null;
      return row && isOpened && !isLiar && row.state !== 'accepted' ? [`${id} was acknowledged and opened, is right, and is ${row.state}`] : [];
    }),
  );
}

function twice(results: readonly ResultRow[]): Finding[] {
  const tiles = new Map<string, PartMask>();
  return results.flatMap(({ id, job, pass, tile, parts, state }) => {
    if (state !== 'accepted') return [];
    const name = `${pass}/${tile} of ${job}`;
    const before = tiles.get(name) ?? (0 as PartMask);
    tiles.set(name, (before | parts) as PartMask);
    return (before & parts) === 0 ? [] : [`${id}: tile ${name} is accepted and paid twice`];
  });
}

function jobFindings(database: FaultyDatabase, { id, planned }: Requester, allResults: readonly ResultRow[], allTransfers: readonly TransferRow[]): Finding[] {
  const [job] = database.rows<{ status: string; summary_json: string }>('select status, summary_json from jobs where id = ?', id);
  if (!job) return [`${id} is lost`];
  const accepted = allResults.filter((row) => row.job === id && row.state === 'accepted');
  const findings: Finding[] = [];
  const whole = planned.passes * planned.tiles * PARTS;
  const done = accepted.reduce((sum, { parts }) => sum + countParts(parts), 0);
  if (job.status === 'done' && done !== whole) findings.push(`${id} is done with ${done} of ${whole} parts`);
  if (job.status !== 'done' && planned.cancelMs === null) findings.push(`${id} is ${job.status}, and nobody cancelled it`);
  const transfers = allTransfers.filter((row) => row.job === id);
  const total = (rows: readonly TransferRow[]): bigint => rows.reduce((sum, { amount }) => sum + amount, 0n);
  const sumOf = (kind: string): bigint => total(transfers.filter((row) => row.kind === kind));
  // What is taken back after its end goes past it.
  const back = total(transfers.filter(({ kind, credit }) => kind === 'void' && credit === `job/${id}`));
  const summary = JSON.parse(job.summary_json) as JobSummary;
  const paid = sumOf('pay') - back + sumOf('audit');
  if (summary.parts.accepted !== done) findings.push(`${id} says that ${summary.parts.accepted} parts are accepted, and ${done} are`);
  if (summary.paidMicroCredits !== paid.toString()) findings.push(`${id} says that it paid ${summary.paidMicroCredits}, and it paid ${paid}`);
  if (sumOf('hold') !== paid + sumOf('refund')) findings.push(`${id} held ${sumOf('hold')}, paid ${paid} and gave ${sumOf('refund')} back`);
  // Of a cancelled job nobody takes up what nobody has begun.
  const open = database.rows<{ number: number }>(
    `select number from blocks where job = ? and closed = 0 and not (? = 'cancelled' and owner is null and touched = 0)`,
    id,
    job.status,
  );
  if (open.length > 0) findings.push(`${id} has ended, and its blocks ${open.map(({ number }) => number).join(', ')} are open`);
  const shares = database.rows<{ epoch: number }>('select epoch from shares where job = ?', id);
  if (shares.length > 0) findings.push(`${id} has ended, and ${shares.map(({ epoch }) => epoch).join(', ')} still say how far they are`);
  return findings;
}

/**
 * Each accepted result is paid once, in full, and its pay has vested; what was paid for any other was taken back. A liar's pay is taken back, too, when
 * the lie shows after the job has ended, which keeps the result.
 */
function paidWrong(results: readonly ResultRow[], transfers: ReadonlyMap<string, TransferRow>, liars: ReadonlySet<ContributorId>): Finding[] {
  return results.flatMap(({ id, job, pass, tile, parts, state, contributor }) => {
    const [pay, vest, back] = ['pay', 'vest', 'void'].map((kind) => transfers.get(`${kind}/${id}`)?.amount ?? 0n) as [bigint, bigint, bigint];
    const context = { id: job, seed: 0, params: {}, prepared: {} };
    const price = partPrice(spec, context, { pass, tile }, RATE) * BigInt(countParts(parts));
    const isKept = state === 'accepted' && pay === price && vest === price && back === 0n;
    const isTakenBack = (state !== 'accepted' || (liars.has(contributor) && pay === price)) && pay === back && vest === 0n;
    return isKept || isTakenBack ? [] : [`${id} is ${state} at a price of ${price}: paid ${pay}, vested ${vest}, taken back ${back}`];
  });
}

async function booksFindings(database: FaultyDatabase): Promise<Finding[]> {
  const store = new SqlStore(database.client(new Host(new Rng(0), { late: 0, lateMsMax: 0 })));
  const findings: Finding[] = [];
  for (const { unit, sum, wrongAccounts } of await store.ledger.audit())
    if (sum !== 0n || wrongAccounts > 0) findings.push(`the sum of all ${unit} is ${sum}, and ${wrongAccounts} accounts are not what their transfers say`);
  for (const { id, left } of balances(database)) if (left < 0n) findings.push(`${id} owes ${-left}`);
  return findings;
}

const leftovers = (database: FaultyDatabase): Finding[] =>
  balances(database).flatMap(({ id, left }) => (/^(job|vesting)\//.test(id) && left !== 0n ? [`${id} has ${left} left`] : []));

/** Of all accounts but the one that owes what there is. */
function balances(database: FaultyDatabase): { readonly id: string; readonly left: bigint }[] {
  const rows = database.rows<{ id: string; left: string }>(
    `select id, cast(credits_posted - debits_posted - debits_pending as text) as "left" from accounts where id <> 'operator/issuance'`,
  );
  return rows.map(({ id, left }) => ({ id, left: BigInt(left) }));
}
