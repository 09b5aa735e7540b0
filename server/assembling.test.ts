import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { assemble } from '../shaders/render/assemble.ts';
import { madeUpJob, resultOf, resultsOf, streamed, tilesOf } from '../shaders/render/picture.testing.ts';
import { spec } from '../shaders/render/spec.ts';
import { concatBytes } from '../shared/formats.ts';
import type { JobId, TileRef } from '../shared/model.ts';
import { Pool } from './checks/pool.ts';
import type { Coordinator } from './coordinator.ts';
import { Jobs } from './jobs.ts';
import type { Moderation } from './moderation.ts';
import { oneRate } from './prices.testing.ts';
import { openBlobStore } from './store/blobs.ts';
import type { Store, StoredResult } from './store/store.ts';
import { exampleJob, exampleResult, resultIdOf, temporaryFolder } from './store/testing.ts';

/** Files of finished jobs, from accepted results through a real worker thread into the blob store. */

const film = madeUpJob({ frames: 3, layers: 'all' });
const id = film.id as JobId;
const job = exampleJob({ id, workload: spec.id, version: spec.version, status: 'done', params: film.params, prepared: film.prepared });

/** As they are accepted: earlier passes first, and not in the order of tiles. */
const accepted: StoredResult[] = tilesOf(film)
  .sort((a, b) => a.pass - b.pass || b.tile - a.tile)
  .map((at, index) => exampleResult({ id: resultIdOf(index), job: id, at, parts: resultOf(film, at).parts, state: 'accepted' }));

let folder: ReturnType<typeof temporaryFolder>;
let assembling: Pool;
beforeEach(() => {
  folder = temporaryFolder();
  assembling = new Pool({ threads: 1, timeoutMs: 20_000, heapMib: 256, queuedMax: 4 });
});
afterEach(async () => {
  await assembling.close();
  folder.remove();
});

function opened(bytesOf: (at: TileRef) => Promise<Uint8Array>) {
  const files = new Map<string, string>();
  const setFile = vi.fn(async (_: JobId, output: string, hash: string) => files.set(output, hash) !== undefined);
  const store = { jobs: { get: async () => job, results: async () => [...accepted], file: async (_: JobId, output: string) => files.get(output), setFile } };
  const blobs = openBlobStore(folder.path);
  const jobs = new Jobs({
    store: store as unknown as Store,
    blobs,
    coordinator: { bytesOf: ({ at }: StoredResult) => bytesOf(at) } as unknown as Coordinator,
    preparing: assembling,
    assembling,
    moderation: { refuseTakenDown: () => undefined } as unknown as Moderation,
    prices: oneRate(1n),
    retentionMs: 1,
    clock: () => 0,
    randomBytes: (length) => new Uint8Array(length),
  });
  return { jobs, setFile, read: async (output: string) => new Uint8Array(await buffer(await blobs.stream((await jobs.file(id, output)).hash))) };
}
const honest = async (at: TileRef): Promise<Uint8Array> => resultOf(film, at).bytes;

test('a file is what the workload makes of all accepted results, in the order of their tiles', async () => {
  const { read } = opened(honest);
  for (const output of ['frames', 'png']) {
    const pieces: Uint8Array[] = [];
    for await (const piece of assemble(film, output, streamed(resultsOf(film)))) pieces.push(piece);
    expect(await read(output)).toEqual(concatBytes(...pieces));
  }
});

test('it is made once, however many ask, and no result is read that it does not need', async () => {
  let asked = 0;
  const { jobs, setFile } = opened((at) => {
    asked++;
    return honest(at);
  });
  const files = await Promise.all([jobs.file(id, 'png'), jobs.file(id, 'png')]);
  expect(files[0]).toEqual(files[1]);
  expect(setFile).toHaveBeenCalledOnce();
  expect(asked).toBeLessThan(accepted.length * (2 / 3));
});

test('a result that cannot be read fails the request, and neither the thread nor a later one', async () => {
  let broken = true;
  const { jobs, setFile, read } = opened(async (at) => {
    if (broken && at.tile === 4) throw new Error('the disk is gone');
    return honest(at);
  });
  await expect(jobs.file(id, 'frames')).rejects.toThrow('the disk is gone');
  expect(setFile).not.toHaveBeenCalled();
  broken = false;
  expect((await read('frames')).byteLength).toBeGreaterThan(1000);
});

test('what goes wrong in the thread reaches whoever asked', async () => {
  const { jobs } = opened(async () => new Uint8Array(3));
  await expect(jobs.file(id, 'png')).rejects.toThrow(/result has 3 bytes/);
});

test('an output that this job does not have is not found', async () => {
  const { jobs } = opened(honest);
  await expect(jobs.file(id, 'png16')).rejects.toMatchObject({ code: 'not_found' });
});

test('time runs from the last sign of life: a slow film is not cut off', async () => {
  await assembling.close();
  // Starting the thread and each answer alone stay far below this; all of them do not.
  assembling = new Pool({ threads: 1, timeoutMs: 4000, heapMib: 256, queuedMax: 4 });
  const { read } = opened(async (at) => {
    await new Promise((resolve) => setTimeout(resolve, 80));
    return honest(at);
  });
  expect(accepted.length * 80).toBeGreaterThan(4000);
  expect((await read('frames')).byteLength).toBeGreaterThan(1000);
});
