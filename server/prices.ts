import { isDeepStrictEqual } from 'node:util';
import { workload, workloadIds } from '../shaders/registry.ts';
import type { MicroCredits } from '../shared/credits.ts';
import type { Calibration } from '../shared/price-schemas.ts';
import { ConfigError } from './config.ts';
import type { PriceEntry, PriceStore } from './store/prices.ts';

export interface PriceDeps {
  readonly store: { readonly prices: PriceStore };
  /** What a work unit costs where `rates` does not say. */
  readonly ratePerUnit: MicroCredits;
  readonly rates: ReadonlyMap<string, MicroCredits>;
  /** By workload. */
  readonly calibrations: ReadonlyMap<string, Calibration>;
  readonly clock: () => number;
}

/** What the registry's workloads were measured at, see scripts/calibrate.ts. */
export async function readCalibrations(): Promise<ReadonlyMap<string, Calibration>> {
  return new Map(await Promise.all(workloadIds.map(async (id) => [id, (await entryOf(id).calibration()).default] as const)));
}

/** The price book: the one place that a rate is read from. Prices change at a start alone, and what was sold keeps the version that it names. */
export class Prices {
  readonly #entries: ReadonlyMap<string, PriceEntry>;

  private constructor(entries: ReadonlyMap<string, PriceEntry>) {
    this.#entries = entries;
  }

  /** Appends what is not as its newest entry says. Throws `ConfigError` where a rate is for no workload. */
  static async open({ store, ratePerUnit, rates, calibrations, clock }: PriceDeps): Promise<Prices> {
    const unknown = [...rates.keys()].find((id) => !workload(id));
    if (unknown !== undefined) throw new ConfigError(`RATES names the workload ${JSON.stringify(unknown)}; it must be one of ${workloadIds.join(', ')}.`);
    const newest = new Map((await store.prices.current()).map((entry) => [entry.workload, entry]));
    const entries = new Map<string, PriceEntry>();
    for (const id of workloadIds) {
      const calibration = calibrations.get(id);
      if (!calibration) throw new Error(`workload ${id} has no calibration`);
      const wanted = { workload: id, kernelVersion: entryOf(id).spec.version, ratePerUnit: rates.get(id) ?? ratePerUnit, calibration };
      const known = newest.get(id);
      const { version: _, fromMs: __, ...was } = known ?? { version: 0, fromMs: 0 };
      entries.set(id, known && isDeepStrictEqual(was, wanted) ? known : await store.prices.append({ ...wanted, fromMs: clock() }));
    }
    return new Prices(entries);
  }

  /** Throws on a workload that is not in the registry. */
  of(id: string): PriceEntry {
    const entry = this.#entries.get(id);
    if (!entry) throw new Error(`no price for the unknown workload ${id}`);
    return entry;
  }

  /** What is in force, in the registry's order. */
  all(): readonly PriceEntry[] {
    return [...this.#entries.values()];
  }
}

function entryOf(id: string) {
  const entry = workload(id);
  if (!entry) throw new Error(`the registry lists ${id} and does not know it`);
  return entry;
}
