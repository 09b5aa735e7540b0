import type { MicroCredits } from '../shared/credits.ts';
import type { PriceEntry } from './store/prices.ts';

/** An entry of a price book, for tests. */
export const examplePrice = (own: Partial<PriceEntry> = {}): PriceEntry => ({
  version: 1,
  workload: 'example',
  kernelVersion: 1,
  ratePerUnit: 1_000_000n,
  calibration: {
    kernelVersion: 1,
    stated: { gpu: 'A reference', from: 'A sentence.' },
    measured: { device: 'A device', microUnitsPerSecond: 1e6, spread: 0.1, rounds: 3, atMs: 1000, software: false },
  },
  fromMs: 1000,
  ...own,
});

/** Every workload at one rate. */
export const oneRate = (ratePerUnit: MicroCredits) => ({ of: (workload: string): PriceEntry => examplePrice({ workload, ratePerUnit }) });
