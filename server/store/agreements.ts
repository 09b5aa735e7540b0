import type { Kysely } from 'kysely';
import { adding, bulkInsert, inBatches } from './batches.ts';
import { exclusively, storable } from './dialect.ts';
import type { AgreementsTable, Tables } from './schema.ts';
import type { Agreement } from './store.ts';

/**
 * Sums of how well device classes agree. A contributor can give its device any name, so what may be stored is capped: this many
 * authors' classes a workload, and this many auditors' classes with each. Later names are all counted as `other`.
 */
export const CLASSES_MAX = 200;
const OTHER = 'other';

type Db = Kysely<Tables>;
/** Auditors' classes by author's class, by workload. */
type Known = Map<string, Map<string, Set<string>>>;

/** In the order of the columns that `upsertAgreements` binds. */
const agreementRow = ({ workload, author, auditor, drawn, differing, unexplained }: Agreement): AgreementsTable => ({
  workload,
  author,
  auditor,
  drawn,
  differing,
  unexplained,
});

const KEYS = ['workload', 'author', 'auditor'];
const upsertAgreements = bulkInsert<AgreementsTable>('agreements', adding('agreements', KEYS, ['drawn', 'differing', 'unexplained']));

/**
 * Adds up the agreements of a commit. It remembers which names are stored, and none is ever removed, so that a commit costs one statement. Names
 * that it does not know are looked for again, and added by one process at a time.
 */
export class AgreementWriter {
  #known: Known = new Map();

  /** Inside the caller's transaction. To be called what it returns once that is kept. */
  async write(trx: Db, given: readonly Agreement[]): Promise<() => void> {
    if (given.length === 0) return () => undefined;
    // Devices name themselves: two names must not become one only in the database.
    const agreements = given.map((each) => ({ ...each, author: storable(each.author), auditor: storable(each.auditor) }));
    let known = this.#known;
    if (!agreements.every((agreement) => isKnown(known, agreement))) {
      await exclusively(trx, 'agreements');
      known = await readKnown(trx);
    }
    const sums = new Map<string, Agreement>();
    for (const agreement of agreements) {
      const named = withKnownNames(known, agreement);
      const key = JSON.stringify([named.workload, named.author, named.auditor]);
      const sum = sums.get(key);
      sums.set(key, sum ? added(sum, named) : named);
    }
    // In one order, so that two commits do not wait for each other.
    const rows = [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => agreementRow(sum));
    await inBatches(trx, rows, async (batch) => void (await upsertAgreements(trx, batch)));
    return () => {
      this.#known = known;
    };
  }
}

/** Whether it is counted under names that are there already: its own, or `other`. */
function isKnown(known: Known, { workload, author, auditor }: Agreement): boolean {
  const authors = known.get(workload);
  const named = nameOf(author, authors);
  const auditors = authors?.get(named);
  return auditors?.has(nameOf(auditor, auditors)) === true;
}

async function readKnown(trx: Db): Promise<Known> {
  const known: Known = new Map();
  for (const row of await trx.selectFrom('agreements').select(['workload', 'author', 'auditor']).execute()) auditorsOf(known, row).add(row.auditor);
  return known;
}

function auditorsOf(known: Known, { workload, author }: Pick<Agreement, 'workload' | 'author'>): Set<string> {
  const authors = known.get(workload) ?? new Map<string, Set<string>>();
  known.set(workload, authors);
  const auditors = authors.get(author) ?? new Set<string>();
  authors.set(author, auditors);
  return auditors;
}

/** The agreement under names that have room, which become known. */
function withKnownNames(known: Known, agreement: Agreement): Agreement {
  const author = nameOf(agreement.author, known.get(agreement.workload));
  const auditors = auditorsOf(known, { ...agreement, author });
  const auditor = nameOf(agreement.auditor, auditors);
  auditors.add(auditor);
  return { ...agreement, author, auditor };
}

const nameOf = (name: string, known: { has(name: string): boolean; readonly size: number } | undefined): string =>
  !known || known.has(name) || known.size < CLASSES_MAX ? name : OTHER;

const added = (a: Agreement, b: Agreement): Agreement => ({
  ...a,
  drawn: a.drawn + b.drawn,
  differing: a.differing + b.differing,
  unexplained: a.unexplained + b.unexplained,
});

/** At most `limit`, those compared most first. */
export async function readAgreements(db: Db, limit: number): Promise<Agreement[]> {
  const columns = ['workload', 'author', 'auditor', 'drawn', 'differing', 'unexplained'] as const;
  return db.selectFrom('agreements').select(columns).orderBy('drawn', 'desc').orderBy('author').orderBy('auditor').limit(limit).execute();
}
