import type { Kysely, Selectable } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import { HOUR_MS, limits, MINUTE_MS } from '../../shared/limits.ts';
import type { NetworkSamplesTable } from './moderation-schema.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

/** What happened in a span of time: sums. */
export interface NetworkSample {
  /** When the span began, milliseconds since 1970. */
  readonly atMs: number;
  /** How often it was looked at, and the contributors that were seen, all times together. */
  readonly samples: number;
  readonly contributors: number;
  readonly tiles: number;
  readonly microUnits: number;
  /** Accepted, and how many of them were recomputed, and expected to be wrong at most. */
  readonly elements: number;
  readonly recomputed: number;
  readonly wrong: number;
  readonly microCredits: MicroCredits;
}

/** Lengths of a span, and how long its rows are kept. */
export const spans = [
  { spanMs: MINUTE_MS, keptMs: limits.networkMinutesMsMax },
  { spanMs: HOUR_MS, keptMs: limits.networkHoursMsMax },
] as const;

/** Figures of the network by the minute and by the hour. */
export interface NetworkStore {
  /** Adds what happened from `atMs` on to its minute and its hour, and drops rows that are too old, in one transaction. */
  add(sample: NetworkSample): Promise<void>;
  /** Those that began at `sinceMs` or later, oldest first. */
  samples(spanMs: number, sinceMs: number): Promise<NetworkSample[]>;
}

const sampleOf = (row: Selectable<NetworkSamplesTable>): NetworkSample => ({
  atMs: row.at_ms,
  samples: row.samples,
  contributors: row.contributors,
  tiles: row.tiles,
  microUnits: row.micro_units,
  elements: row.elements,
  recomputed: row.recomputed,
  wrong: row.wrong,
  microCredits: row.micro_credits,
});

const sums = ['samples', 'contributors', 'tiles', 'micro_units', 'elements', 'recomputed', 'wrong', 'micro_credits'] as const;

export class SqlNetwork implements NetworkStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async add(sample: NetworkSample): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      for (const { spanMs, keptMs } of spans) {
        const atMs = sample.atMs - (sample.atMs % spanMs);
        await trx
          .insertInto('network_samples')
          .values({
            span_ms: spanMs,
            at_ms: atMs,
            samples: sample.samples,
            contributors: sample.contributors,
            tiles: sample.tiles,
            micro_units: sample.microUnits,
            elements: sample.elements,
            recomputed: sample.recomputed,
            wrong: sample.wrong,
            micro_credits: sample.microCredits,
          })
          .onConflict((conflict) =>
            conflict
              .columns(['span_ms', 'at_ms'])
              .doUpdateSet((eb) => Object.fromEntries(sums.map((name) => [name, eb(`network_samples.${name}`, '+', eb.ref(`excluded.${name}`))]))),
          )
          .execute();
        await trx
          .deleteFrom('network_samples')
          .where('span_ms', '=', spanMs)
          .where('at_ms', '<', atMs - keptMs)
          .execute();
      }
    });
  }

  async samples(spanMs: number, sinceMs: number): Promise<NetworkSample[]> {
    const query = this.#db.selectFrom('network_samples').selectAll().where('span_ms', '=', spanMs).where('at_ms', '>=', sinceMs);
    return (await query.orderBy('at_ms').execute()).map(sampleOf);
  }
}
