import type { OwnerId } from '../shared/model.ts';
import { CommitFailed, type Coordinator } from './coordinator.ts';
import { newGoneOwner } from './ids.ts';
import type { Gone } from './store/erasure.ts';
import type { Store } from './store/store.ts';

export interface ForgettingDeps {
  readonly store: Store;
  readonly coordinator: Coordinator;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * Somebody's data was deleted, here or at another coordinator of the same database: what this one knows of him follows, and what it stored of him
 * meanwhile. Resolves when it stores nothing any more that names him. `names`: what he was called, as far as that is known.
 */
export async function forgetOwner({ store, coordinator, clock, randomBytes }: ForgettingDeps, gone: Gone, names: readonly OwnerId[] = []): Promise<void> {
  const { owner, contributors, sites } = gone;
  const known = contributors.flatMap((id) => coordinator.contributor(id)?.owner ?? []).filter((name) => name !== owner);
  const vesting = [...coordinator.state.contributors.values()].flatMap((contributor) => contributor.vesting.map(({ job }) => job));
  const jobs = await store.erasure.goneJobs([...new Set(vesting)]);
  await coordinator
    .apply({ type: 'forgetOwner', owner, contributors, sites, jobs })
    // Behind what was decided before and is on its way to the disk.
    .then(() => coordinator.write([]))
    .catch((error: unknown) => {
      // A state that is read back has it from the store.
      if (!(error instanceof CommitFailed)) throw error;
    });
  await store.erasure.sweep(gone, [...new Set([...names, ...known])], () => newGoneOwner(randomBytes), clock());
}
