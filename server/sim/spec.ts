import type { MicroUnits } from '../../shared/model.ts';
import type { TileGrid, WorkloadSpec } from '../../shared/workload.ts';
import { CPU_MS_PER_ELEMENT, HONEST_MISS_RATE, UNEXPLAINED_RATE } from './values.ts';

/** A tile of the simulated workload: 64 x 64 elements in each of four parts. */
export const TILE_WIDTH = 64;
export const ELEMENTS = TILE_WIDTH * TILE_WIDTH;
export const PARTS = 4;
/** Micro-units: what the reference GPU does in 0.15 s. */
export const UNITS_PER_PART = 150_000;

/** How large a job is. */
export type SimParams = TileGrid;

/** A workload without a kernel: what it costs is known, whether a value is right is decided by `values.ts`. */
export const simSpec = (grid?: TileGrid): WorkloadSpec => ({
  id: 'sim',
  version: 1,
  title: 'Simulation',
  summary: 'Nothing runs.',
  defaults: {},
  outputs: () => [],
  tolerance: { unit: 'steps', allowed: 1, honestMissRate: HONEST_MISS_RATE, unexplainedRate: UNEXPLAINED_RATE },
  split: (params) => grid ?? (params as SimParams),
  parts: () => PARTS,
  checking: 'audit',
  elementWords: () => 1,
  elements: () => ELEMENTS,
  work: () => UNITS_PER_PART as MicroUnits,
  auditMs: () => CPU_MS_PER_ELEMENT,
  region: () => null,
  picture: () => null,
  // The last pass always runs, as one of features does.
  adaptivePasses: ({ params }) => Array.from({ length: (params as SimParams).passes - 1 }, (_, pass) => pass),
});
