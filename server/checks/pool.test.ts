import { afterEach, expect, it } from 'vitest';
import { MIB } from '../../shared/limits.ts';
import { InputError } from '../../shared/workload.ts';
import { fromDisk, Pool, PoolBusy, type PoolOptions } from './pool.ts';

const open: Pool[] = [];

function poolOf(options: Partial<PoolOptions> = {}): Pool {
  const thread = new URL('./thread.testing.ts', import.meta.url);
  const pool = new Pool({ threads: 1, timeoutMs: 30_000, heapMib: 64, buffersMib: 256, queuedMax: 4, thread, ...options });
  open.push(pool);
  return pool;
}

afterEach(async () => {
  for (const pool of open.splice(0)) await pool.close();
});

const prepare = (pool: Pool, params: string) => pool.ask('prepare', { workload: 'test', params, files: {} });
const failure = (pool: Pool, params: string): Promise<unknown> => prepare(pool, params).catch((error: unknown) => error);

it.each([
  ['hang', { timeoutMs: 700 }, 'at most 0.7 s'],
  ['heap', {}, 'at most 64 MiB'],
  ['buffers', {}, 'at most 256 MiB'],
] as const)(
  'a thread that goes wrong by %s is an error of the input that names the limit, and the pool goes on',
  async (way, options, limit) => {
    const pool = poolOf(options);
    const [error, next] = await Promise.all([failure(pool, way), prepare(poolOf(), 'well')]);
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ field: 'files', limit, message: expect.stringMatching(/^It (took longer|needs too much)/) });
    expect(next).toMatchObject({ prepared: 'well' });
    expect(await prepare(pool, 'after')).toMatchObject({ prepared: 'after' });
  },
  60_000,
);

it.each(['exit', 'throw'])('a thread that ends by itself (%s) fails its own question alone', async (way) => {
  const pool = poolOf();
  const [error, next] = await Promise.all([failure(pool, way), prepare(pool, 'next')]);
  expect(error).toBeInstanceOf(Error);
  expect(next).toMatchObject({ prepared: 'next' });
});

it('keeps what waits while a thread is lost, and refuses more than it may keep', async () => {
  const pool = poolOf({ timeoutMs: 1000, queuedMax: 1 });
  const lost = failure(pool, 'hang');
  const waits = prepare(pool, 'waits');
  await expect(prepare(pool, 'too much')).rejects.toBeInstanceOf(PoolBusy);
  expect(await lost).toBeInstanceOf(InputError);
  expect(await waits).toMatchObject({ prepared: 'waits' });
});

it('hands files over instead of copying them', async () => {
  const pool = poolOf();
  const files = { scene: new Uint8Array(8 * MIB) };
  await pool.ask('prepare', { workload: 'test', params: 'well', files }, [files.scene.buffer]);
  expect(files.scene.byteLength).toBe(0);
});

it('brings back hundreds of megabytes in the memory they are in', async () => {
  const { inputs } = await prepare(poolOf({ buffersMib: 1024 }), 'large');
  expect(Object.values(inputs).map(({ byteLength, buffer }) => [byteLength, buffer.byteLength])).toEqual([
    [200 * MIB, 200 * MIB],
    [50 * MIB, 50 * MIB],
  ]);
  expect([inputs.scene?.[0], inputs.again?.at(-1)]).toEqual([1, 1]);
});

it('takes for its own only bytes that came from the disk', () => {
  const large = new Uint8Array(40 * 1024);
  expect(fromDisk(large)).toEqual([large.buffer]);
  expect(fromDisk(large.subarray(1))).toEqual([]);
  expect(fromDisk(new Uint8Array(1024))).toEqual([]);
});
