import { isDeepStrictEqual } from 'node:util';
import type { Generated, Kysely, Selectable } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import type { Calibration } from '../../shared/price-schemas.ts';
import { exclusively } from './dialect.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

export interface PricesTable {
  version: Generated<number>;
  workload: string;
  kernel_version: number;
  rate_per_unit: bigint;
  calibration_json: string;
  from_ms: number;
}

/** What a work unit of a workload costs, and what is known of the unit. Never changed: another price is another entry. */
export interface PriceEntry {
  /** From 1, ascending over all workloads. */
  readonly version: number;
  readonly workload: string;
  readonly kernelVersion: number;
  readonly ratePerUnit: MicroCredits;
  readonly calibration: Calibration;
  readonly fromMs: number;
}

export interface PriceStore {
  /** The newest entry of each workload that ever had one, by version. */
  current(): Promise<PriceEntry[]>;
  /** The newest entry of its workload, if that says the same from another time on: another coordinator may have been first. */
  append(entry: Omit<PriceEntry, 'version'>): Promise<PriceEntry>;
  entry(version: number): Promise<PriceEntry | undefined>;
}

const entryOf = (row: Selectable<PricesTable>): PriceEntry => ({
  version: row.version,
  workload: row.workload,
  kernelVersion: row.kernel_version,
  ratePerUnit: row.rate_per_unit,
  calibration: JSON.parse(row.calibration_json),
  fromMs: row.from_ms,
});

export class SqlPrices implements PriceStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async current(): Promise<PriceEntry[]> {
    const newest = this.#db
      .selectFrom('prices')
      .select((eb) => eb.fn.max('version').as('version'))
      .groupBy('workload');
    const rows = await this.#db.selectFrom('prices').selectAll().where('version', 'in', newest).orderBy('version').execute();
    return rows.map(entryOf);
  }

  async append({ workload, kernelVersion, ratePerUnit, calibration, fromMs }: Omit<PriceEntry, 'version'>): Promise<PriceEntry> {
    const row = { workload, kernel_version: kernelVersion, rate_per_unit: ratePerUnit, calibration_json: JSON.stringify(calibration), from_ms: fromMs };
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `prices of ${workload}`);
      const newest = await trx.selectFrom('prices').selectAll().where('workload', '=', workload).orderBy('version', 'desc').limit(1).executeTakeFirst();
      if (newest && isDeepStrictEqual({ ...row, version: newest.version, from_ms: newest.from_ms }, newest)) return entryOf(newest);
      return entryOf(await trx.insertInto('prices').values(row).returningAll().executeTakeFirstOrThrow());
    });
  }

  async entry(version: number): Promise<PriceEntry | undefined> {
    const row = await this.#db.selectFrom('prices').selectAll().where('version', '=', version).executeTakeFirst();
    return row && entryOf(row);
  }
}
