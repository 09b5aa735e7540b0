import { expect, test } from 'vitest';
import { openPostgresStore } from './postgres.ts';
import { withPostgres } from './stores.testing.ts';

test('two that start at once on an empty database both work', () =>
  withPostgres(async (url) => {
    const both = await Promise.all([openPostgresStore(url), openPostgresStore(url)]);
    expect((await Promise.all(both.map((store) => store.nextEpoch()))).sort()).toEqual([1, 2]);
    const secrets = await Promise.all(both.map((store) => store.secret('lease')));
    expect(secrets[0]).toEqual(secrets[1]);
    await Promise.all(both.map((store) => store.close()));
  }));
