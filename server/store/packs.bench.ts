import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { BlobHash, PartMask } from '../../shared/model.ts';
import { newResultId } from '../ids.ts';
import { PACK_RESULTS } from './packs.ts';
import { openSqliteStore } from './sqlite.ts';
import type { StoredResult, Write } from './store.ts';
import { contributorIdOf, device, exampleContributor, exampleJob, exampleResult, jobIdOf, temporaryFolder } from './testing.ts';

const RESULTS = 100_000;
const CONTRIBUTORS = 50;
const INLINE_BYTES = 64;
const PER_COMMIT = 1000;
const READS = 5;
const job = jobIdOf(1);

/** As a busy job leaves them: thirty a second, each compared with what another contributor computed. */
function resultOf(tile: number): StoredResult {
  const committedMs = 1_800_000_000_000 + Math.floor(tile / 30) * 1000 + Math.floor(Math.random() * 1000);
  const author = (tile * 7919) % CONTRIBUTORS;
  return exampleResult({
    ...{ id: newResultId(randomBytes, committedMs), job, at: { pass: 0, tile }, parts: 1 as PartMask, attempt: tile, committedMs, state: 'accepted' },
    ...{ contributor: contributorIdOf(author), owner: device(`of ${author}`), hash: randomBytes(32).toString('hex') as BlobHash },
    ...{ sizeBytes: INLINE_BYTES, inline: randomBytes(INLINE_BYTES), salt: randomBytes(32), root: randomBytes(32), commitment: randomBytes(32) },
    ...{ nonce: randomBytes(16), drawn: 12, computeMs: 900 * Math.random(), decidedMs: committedMs + 900 + Math.floor(Math.random() * 500) },
    ...{ evidence: [{ by: 'contributor', drawn: 12, differing: 0, unexplained: 0, worst: Math.random() / 1e6, cpuMs: 3 * Math.random() }] },
    errorBound: Math.random() / 1e4,
  });
}

/** Pages of the file that are in use: those that are free are written again. */
function usedBytes(folder: string): number {
  const file = new Database(join(folder, 'tessera.sqlite'));
  const [pages, free, size] = ['page_count', 'freelist_count', 'page_size'].map((name) => Number(file.pragma(name, { simple: true })));
  file.close();
  return (pages! - free!) * size!;
}

/** Processor time of this thread: what else the machine does is not in it, nor what the disk takes. */
const threadMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const folder = temporaryFolder();
  const inStore = async <T>(run: (store: Awaited<ReturnType<typeof openSqliteStore>>) => Promise<T>): Promise<T> => {
    const store = await openSqliteStore(folder.path);
    try {
      return await run(store);
    } finally {
      await store.close();
    }
  };
  try {
    await inStore(async (store) => {
      for (let author = 0; author < CONTRIBUTORS; author++)
        await store.people.createContributor(exampleContributor({ id: contributorIdOf(author), owner: device(`of ${author}`) }));
      await store.jobs.create(exampleJob({ id: job, inputs: [] }), []);
    });
    const empty = usedBytes(folder.path);
    await inStore(async (store) => {
      for (let tile = 0; tile < RESULTS; tile += PER_COMMIT)
        await store.commit(Array.from({ length: PER_COMMIT }, (_, at): Write => ({ kind: 'result', result: resultOf(tile + at) })));
    });
    const readMs = () =>
      inStore(async (store) => {
        const times: number[] = [];
        for (let read = 0; read < READS; read++) {
          const began = threadMs();
          if ((await store.jobs.results(job)).length !== RESULTS) throw new Error('results are missing');
          times.push(threadMs() - began);
        }
        return median(times);
      });
    const [rowBytes, rowsMs] = [usedBytes(folder.path), await readMs()];
    const ofThread: number[] = [];
    const packMs = await inStore(async (store) => {
      const times: number[] = [];
      for (;;) {
        const [began, beganThread] = [performance.now(), threadMs()];
        const { results } = await store.packs.pack(job, { afterSeq: 0, beforeMs: Number.MAX_SAFE_INTEGER, measured: [] });
        if (results === 0) return times.sort((a, b) => a - b);
        times.push(performance.now() - began);
        ofThread.push(threadMs() - beganThread);
        // As `packing.ts` does, so that a checkpoint comes as it comes there.
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const packedBytes = usedBytes(folder.path);
    const left = RESULTS - packMs.length * PACK_RESULTS;
    return {
      suite: 'packs',
      figures: {
        row_bytes: Math.round((rowBytes - empty) / RESULTS),
        packed_bytes: Math.round((packedBytes - empty - (left * (rowBytes - empty)) / RESULTS) / (RESULTS - left)),
        read_rows_cpu_ms: Math.round(rowsMs),
        read_packed_cpu_ms: Math.round(await readMs()),
        pack_cpu_ms_p50: median(ofThread),
        pack_ms_p50: median(packMs),
        pack_ms_p99: packMs[Math.floor(packMs.length * 0.99)] ?? 0,
      },
      notes: [
        `row_bytes, packed_bytes: pages in use of an SQLite file, indices included, for each of ${RESULTS} results of one job with ${INLINE_BYTES} random bytes of their own and ${CONTRIBUTORS} contributors, before and after ${packMs.length} packs of ${PACK_RESULTS}; the ${left} that are left are counted as rows. More contributors to a pack cost about 120 bytes for each of them.`,
        `read_rows_cpu_ms, read_packed_cpu_ms: \`jobs.results\` of that job while it is open, as at a start: processor time of the thread, the median of ${READS}.`,
        'pack_ms: one transaction with its fsync, all of which the main thread waits for; pack_cpu_ms: of that, its processor time.',
      ],
    };
  } finally {
    folder.remove();
  }
}
