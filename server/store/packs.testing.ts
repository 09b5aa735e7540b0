import type { JobId } from '../../shared/model.ts';
import type { PackStep } from './packs.ts';
import type { Store } from './store.ts';

/** Packs all that can be packed, as the coordinator would in the course of time. Answers with how many results that were. */
export async function packAll(store: Store, options: Partial<Omit<PackStep, 'afterSeq'>> = {}): Promise<number> {
  let packed = 0;
  for (let job: JobId | null = await store.packs.nextJob(null); job !== null; job = await store.packs.nextJob(job))
    for (let afterSeq: number | null = 0; afterSeq !== null; ) {
      const { results, nextSeq } = await store.packs.pack(job, { beforeMs: Number.MAX_SAFE_INTEGER, measured: [], ...options, afterSeq });
      packed += results;
      afterSeq = nextSeq;
    }
  return packed;
}
