import type { Kysely } from 'kysely';
import { inBatches, reusable } from './batches.ts';
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

const upsertAgreements = reusable<AgreementsTable>((db, rows) =>
  db
    .insertInto('agreements')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['workload', 'author', 'auditor']).doUpdateSet((eb) => ({
        drawn: eb('agreements.drawn', '+', eb.ref('excluded.drawn')),
        differing: eb('agreements.differing', '+', eb.ref('excluded.differing')),
        unexplained: eb('agreements.unexplained', '+', eb.ref('excluded.unexplained')),
      })),
    ),
);

/** Adds up the agreements of a commit. It remembers which names are stored, so that a commit costs one statement. */
export class AgreementWriter {
  #known: Known | undefined;

  /** Inside the caller's transaction. */
  async write(trx: Db, agreements: readonly Agreement[]): Promise<void> {
    if (agreements.length === 0) return;
    const known = this.#known ?? (await readKnown(trx));
    // Forgotten until the rows are written: should that fail, they are read again. No two transactions run at once.
    this.#known = undefined;
    const sums = new Map<string, Agreement>();
    for (const agreement of agreements) {
      const named = withKnownNames(known, agreement);
      const key = JSON.stringify([named.workload, named.author, named.auditor]);
      const sum = sums.get(key);
      sums.set(key, sum ? added(sum, named) : named);
    }
    await inBatches([...sums.values()], async (batch) => void (await upsertAgreements(trx, batch.map(agreementRow))));
    this.#known = known;
  }
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
