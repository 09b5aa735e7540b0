import type { Store, StoredJob } from './store/store.ts';

/** A job is cut into about so many blocks, none larger than this many tiles: several coordinators end it at about the same time, in few rows. */
const BLOCKS_PER_JOB = 64;
const BLOCK_TILES_MAX = 1024;

/** Cuts a job that is new, or was extended, into blocks that coordinators claim. Done before: nothing. */
export async function cutJob({ sharing }: Pick<Store, 'sharing'>, job: StoredJob, tiles: number): Promise<void> {
  const blockTiles = Math.min(BLOCK_TILES_MAX, Math.max(1, Math.ceil(tiles / BLOCKS_PER_JOB)));
  await sharing.cut(job, tiles, blockTiles);
}
