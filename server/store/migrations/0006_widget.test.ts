import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../sqlite.ts';
import { EmbeddedDialect, openDatabaseFile } from '../sqlite-dialect.ts';
import { exampleConsent, exampleContributor, exampleSite, temporaryFolder } from '../testing.ts';
import * as start from './0001_start.ts';
import * as trust from './0002_trust.ts';
import * as adaptive from './0003_adaptive.ts';

test('consents of before had no cap, sites of before have a token each and prove themselves', async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'tessera.sqlite');
  const db = new Kysely({ dialect: new EmbeddedDialect(openDatabaseFile(path, folder.path)) });
  const before = { '0001_start': start, '0002_trust': trust, '0003_adaptive': adaptive };
  expect((await new Migrator({ db, provider: { getMigrations: async () => before } }).migrateToLatest()).error).toBeUndefined();
  await db.destroy();
  const [consent, contributor, site] = [exampleConsent(), exampleContributor(), exampleSite()];
  const file = new Database(path);
  file.exec(`
    insert into contributors (id, secret_hash, owner, created_ms) values ('${contributor.id}', x'07', '${contributor.owner}', 5);
    insert into sites (id, owner, name, origin, share_percent, created_ms) values
      ('${site.id}', '${site.owner}', 'a', 'https://a.example', 20, 1), ('s_000000000000000b', '${site.owner}', 'b', 'https://b.example', 20, 1);
    insert into consents (id, contributor, kinds_json, site, granted_ms, expires_ms) values ('${consent.id}', '${contributor.id}', '[]', '${site.id}', 1, 2);`);
  file.close();
  const store = await openSqliteStore(folder.path);
  expect(await store.people.consent(consent.id)).toMatchObject({ powerPercent: 100 });
  const sites = await store.people.sitesOf(site.owner);
  expect(sites).toMatchObject([1, 2].map(() => ({ provenMs: null, switchedOffMs: null, network: null, token: expect.stringMatching(/^[\w-]{32}$/) })));
  expect(sites[0]?.token).not.toBe(sites[1]?.token);
  await store.close();
  folder.remove();
});
