import { formatCredits } from '../shared/credits.ts';
import type { OwnerId } from '../shared/model.ts';
import type { StatementEntry, Store, StoredJob } from './store/store.ts';

/** Rows read at a time. */
const PAGE_ROWS = 500;

const HEADER = [
  ...['time', 'transfer', 'kind', 'phase', 'account', 'unit', 'credits', 'job', 'pass', 'tile'],
  ...['work_unit_rate', 'price_version', 'elements_recomputed', 'error_bound'],
];

/** Quoted where RFC 4180 wants it. A leading =, +, - or @ in a text would be a formula to a spreadsheet; numbers are ours. */
function cell(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const line = (values: readonly (string | number | null)[]): string => `${values.map(cell).join(',')}\r\n`;

/** Ids of transfers of tiles name the result: `pay/r_...`. */
const resultOf = (id: string): string | null => /\/(r_[A-Za-z0-9_-]{16})(?:\/|$)/.exec(id)?.[1] ?? null;

/** The whole statement of an owner as CSV (RFC 4180), newest first: every tile with the rate it was paid at and what was checked of it. */
export async function* statementCsv(store: Store, owner: OwnerId): AsyncGenerator<string> {
  yield line(HEADER);
  const jobs = new Map<string, StoredJob | undefined>();
  for (let before: string | undefined; ; ) {
    const entries = await store.ledger.statement(owner, { limit: PAGE_ROWS, ...(before === undefined ? {} : { before }) });
    for (const entry of entries) yield line(await rowOf(store, entry, jobs));
    const last = entries.at(-1)?.transfer.id;
    if (last === undefined) return;
    before = last;
  }
}

async function rowOf(store: Store, entry: StatementEntry, jobs: Map<string, StoredJob | undefined>): Promise<(string | number | null)[]> {
  const { transfer, account, microCredits } = entry;
  const { id, kind, phase, unit, job, at, atMs } = transfer;
  if (job !== null && !jobs.has(job)) jobs.set(job, await store.jobs.get(job));
  const of = job === null ? undefined : jobs.get(job);
  const resultId = resultOf(id);
  const result = resultId === null ? undefined : await store.jobs.result(resultId as Parameters<Store['jobs']['result']>[0]);
  return [
    ...[new Date(atMs).toISOString(), id, kind, phase ?? null, account, unit, formatCredits(microCredits), job, at?.pass ?? null, at?.tile ?? null],
    ...[job === null ? null : formatCredits(of?.ratePerUnit ?? 0n), of?.priceVersion ?? null, result?.drawn ?? null, result?.errorBound ?? null],
  ];
}
