import type { JobId } from '../../shared/model.ts';
import type { Store } from './store.ts';

/** Packs all that can be packed, as the coordinator would in the course of time. Answers with how many results that were. */
export async function packAll(store: Store, options: { readonly beforeMs?: number; readonly measured?: readonly number[] | null } = {}): Promise<number> {
  const { beforeMs = Number.MAX_SAFE_INTEGER, measured = [] } = options;
  let packed = 0;
  for (let job: JobId | null = await store.packs.nextJob(null); job !== null; job = await store.packs.nextJob(job))
    for (let afterSeq: number | null = 0; afterSeq !== null; ) {
      const { results, nextSeq } = await store.packs.pack(job, { afterSeq, beforeMs, measured });
      packed += results;
      afterSeq = nextSeq;
    }
  return packed;
}
