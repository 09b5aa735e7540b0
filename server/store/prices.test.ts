import { describe, expect, test } from 'vitest';
import { examplePrice } from '../prices.testing.ts';
import { stores } from './stores.testing.ts';
import { device, exampleJob, jobIdOf } from './testing.ts';

const { version: _, ...example } = examplePrice({ ratePerUnit: 2n ** 53n + 1n });

describe.each(stores)('$name', ({ withDatabase, withStore }) => {
  test('entries are numbered over all workloads; the newest of each is in force, and older ones stay', () =>
    withDatabase(async (database) => {
      let store = await database.open();
      expect(await store.prices.current()).toEqual([]);
      const first = await store.prices.append({ ...example, workload: 'a' });
      const other = await store.prices.append({ ...example, workload: 'b' });
      const next = await store.prices.append({ ...example, workload: 'a', ratePerUnit: 1n, kernelVersion: 2 });
      expect([first, other, next].map(({ version }) => version)).toEqual([1, 2, 3]);
      expect(first).toEqual({ ...example, workload: 'a', version: 1 });
      await store.close();
      store = await database.open();
      expect(await store.prices.current()).toEqual([other, next]);
      expect(await store.prices.entry(1)).toEqual(first);
      expect(await store.prices.entry(4)).toBeUndefined();
      await store.close();
    }));

  test('the database refuses to change or remove an entry', () =>
    withStore(async (store, database) => {
      await store.prices.append(example);
      // It may hold the database for itself.
      await store.close();
      await expect(database.run('update prices set rate_per_unit = 1')).rejects.toThrow('append-only');
      await expect(database.run('delete from prices')).rejects.toThrow('append-only');
    }));

  test('jobs and quotes name the entry that their rate is from, or none', () =>
    withStore(async (store) => {
      const owner = device('ada');
      const free = { workHeld: 0n, checksHeld: 0n, heldFrom: [] };
      for (const [number, priceVersion] of [3, null].entries()) {
        const job = exampleJob({ id: jobIdOf(number), ...free, priceVersion });
        await store.jobs.create(job, []);
        expect((await store.jobs.get(job.id))?.priceVersion).toBe(priceVersion);
        const id = `q_${String(number).padStart(16, '0')}` as const;
        const quote = { id: id as never, owner, fingerprint: new Uint8Array(32), ratePerUnit: 7n, priceVersion, finish: null, createdMs: 1, expiresMs: 9 };
        await store.quotes.create(quote, 1);
        expect(await store.quotes.get(quote.id)).toEqual({ ...quote, usedBy: null });
      }
    }));
});
