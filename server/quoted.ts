import type { JobContext, OwnerId } from '../shared/model.ts';
import type { TileGrid, WorkloadSpec } from '../shared/workload.ts';
import type { Price } from './core/pricing.ts';
import type { StoredJob } from './store/store.ts';

/** A job that may be ordered. */
export interface Quoted {
  readonly spec: WorkloadSpec;
  readonly context: JobContext;
  readonly grid: TileGrid;
  readonly price: Pick<Price, 'units' | 'parts' | 'work'>;
  readonly inputs: StoredJob['inputs'];
  readonly owner: OwnerId;
  readonly group: StoredJob['group'];
}
