import { expect, test } from 'vitest';
import { type Bus, postgresBus } from './bus.ts';
import { openPostgresStore } from './store/postgres.ts';
import { query, withPostgres } from './store/stores.testing.ts';

const silent = { error: () => undefined };

const withBuses = (run: (here: Bus, there: Bus, url: string) => Promise<void>): Promise<void> =>
  withPostgres(async (url) => {
    // Its migrations make the table for what is too long for a notification.
    await (await openPostgresStore(url)).close();
    const [here, there] = [postgresBus(url, silent), postgresBus(url, silent)];
    try {
      await run(here, there, url);
    } finally {
      await here.close();
      await there.close();
    }
  });

const answers = (bus: Bus, topic: string, expected: unknown) =>
  expect.poll(() => bus.ask(topic, { n: 7n, bytes: Uint8Array.of(1, 255) }), { timeout: 15_000 }).toEqual([expected]);

test('what is asked is answered by the others, with big integers and bytes; nothing is answered by whom it does not concern', () =>
  withBuses(async (here, there) => {
    there.on('double', ({ n, bytes }: { n: bigint; bytes: Uint8Array }) => ({ n: 2n * n, bytes: Uint8Array.from(bytes).reverse() }));
    there.on('nothing', () => undefined);
    here.on('double', () => 'its own');
    await answers(here, 'double', { n: 14n, bytes: Uint8Array.of(255, 1) });
    expect(await here.ask('nothing', null)).toEqual([]);
  }));

test('whoever throws answers nothing, at once or later, and goes on', () =>
  withBuses(async (here, there) => {
    there.on('throws', () => {
      throw new Error('at once');
    });
    there.on('rejects', async () => {
      throw new Error('later');
    });
    there.on('well', () => 'well');
    await answers(here, 'well', 'well');
    expect(await here.ask('throws', null)).toEqual([]);
    expect(await here.ask('rejects', null)).toEqual([]);
    await answers(here, 'well', 'well');
  }));

test('a database that throws everybody out is connected to again', () =>
  withBuses(async (here, there, url) => {
    there.on('well', () => 'well');
    await answers(here, 'well', 'well');
    await query(url, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tessera bus' and datname = current_database()");
    await answers(here, 'well', 'well');
  }));
