import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { audit } from './audit.ts';
import { AuditingBooks } from './auditing-books.ts';
import { readConfig } from './config.ts';
import { metricsRoutes } from './http/metrics.ts';
import { Metrics } from './metrics.ts';
import { openPostgresStore } from './store/postgres.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';
import { withPostgres } from './store/stores.testing.ts';
import { device, exampleTransfer, temporaryFolder } from './store/testing.ts';

const ada = device('ada');
async function run(folder: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<{ code: number; said: string }> {
  const lines: string[] = [];
  const code = await audit(args, readConfig({ DATA_DIR: folder, ...env }), (line) => lines.push(line));
  return { code, said: lines.join('\n') };
}

async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    await fn(folder.path);
  } finally {
    folder.remove();
  }
}

async function fill(store: Store): Promise<void> {
  const deposited = { debit: 'operator/exchange', credit: `${ada}/deposited`, unit: 'credit', microCredits: 500n } as const;
  const held = { debit: `${ada}/deposited`, credit: 'operator/exchange', unit: 'credit', microCredits: 200n, phase: 'pending' } as const;
  const arrived = { debit: 'chain/outside', credit: 'chain/treasury', unit: 'token', microCredits: 50n } as const;
  for (const [index, own] of [{}, deposited, held, arrived].entries())
    await store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: `t/${index}`, ...own }) }]);
}

function tamper(folder: string): void {
  const file = new Database(join(folder, 'tessera.sqlite'));
  file.exec(`update accounts set credits_posted = credits_posted + 1000 where id = '${ada}/deposited'`);
  file.close();
}

test('proves a folder that nobody holds: 0 and the figures; tampered with, 1 and the account', () =>
  withFolder(async (folder) => {
    const store = await openSqliteStore(folder);
    await fill(store);
    await store.close();
    const before = readFileSync(join(folder, 'tessera.sqlite'));
    const right = await run(folder);
    expect(right.code).toBe(0);
    for (const line of [
      'credit: 2 accounts, 2 transfers, sum 0, imbalance 0, wrong accounts 0, pending 200',
      'test: 2 accounts, 1 transfers, sum 0, imbalance 0, wrong accounts 0, pending 0',
      'operator/exchange -500',
      'chain/treasury 50',
      'chain/outside -50',
      'The books are right.',
    ])
      expect(right.said).toContain(line);
    // Nothing was written.
    expect(readFileSync(join(folder, 'tessera.sqlite')).equals(before)).toBe(true);

    tamper(folder);
    const wrong = await run(folder);
    expect(wrong.code).toBe(1);
    expect(wrong.said).toContain(`WRONG: ${ada}/deposited (credit): its stored sums differ from its transfers by 1000`);
    expect(wrong.said).toContain('sum 1000, imbalance 1000, wrong accounts 1');
    // And a coordinator can still open it.
    await (await openSqliteStore(folder)).close();
  }));

test('reads what a coordinator that was killed had committed', () =>
  withFolder(async (folder) => {
    const [alive, dead] = [join(folder, 'alive'), join(folder, 'dead')];
    const store = await openSqliteStore(alive);
    await fill(store);
    mkdirSync(dead);
    for (const name of readdirSync(alive)) copyFileSync(join(alive, name), join(dead, name));
    await store.close();
    expect(existsSync(join(dead, 'tessera.sqlite-wal'))).toBe(true);
    const { code, said } = await run(dead);
    expect([code, said]).toEqual([0, expect.stringContaining('credit: 2 accounts, 2 transfers')]);
    await (await openSqliteStore(dead)).close();
  }));

test('asks the coordinator that holds the folder, and believes no other', () =>
  withFolder(async (folder) => {
    const [mine, other] = [join(folder, 'mine'), join(folder, 'other')];
    let store = await openSqliteStore(mine);
    await fill(store);
    const stranger = await openSqliteStore(other);
    const silent = { error: () => undefined };
    let auditingBooks = new AuditingBooks({ ledger: store.ledger, clock: () => 0, log: silent });
    const app = Fastify();
    const current = {
      get proved() {
        return auditingBooks.proved;
      },
    };
    await app.register(metricsRoutes({ auditingBooks: current, metrics: new Metrics(), config: { metricsToken: null }, dataDir: mine, clock: () => 1000 }));
    await app.listen({ host: '127.0.0.1', port: 0 });
    const env = { PORT: String((app.server.address() as AddressInfo).port) };
    try {
      expect(await run(mine, env)).toMatchObject({ code: 1, said: expect.stringContaining('has not audited its books to their end yet') });
      await auditingBooks.look();
      const right = await run(mine, env);
      expect([right.code, right.said]).toEqual([0, expect.stringContaining('tessera_ledger_transfers_total{unit="credit"} 2')]);
      expect(await run(other, env)).toMatchObject({ code: 1, said: expect.stringContaining('has another folder') });

      await store.close();
      tamper(mine);
      store = await openSqliteStore(mine);
      auditingBooks = new AuditingBooks({ ledger: store.ledger, clock: () => 0, log: silent });
      await auditingBooks.look();
      expect(await run(mine, env)).toMatchObject({ code: 1, said: expect.stringContaining('tessera_ledger_imbalance{unit="credit"} 1000') });
    } finally {
      await app.close();
    }
    expect(await run(mine, env)).toMatchObject({ code: 1, said: expect.stringContaining('does not answer') });
    await Promise.all([store.close(), stranger.close()]);
  }));

test('proves a PostgreSQL database while a coordinator uses it', () =>
  withPostgres(async (url) => {
    const store = await openPostgresStore(url);
    await fill(store);
    const { code, said } = await run('unused', { DATABASE_URL: url });
    expect([code, said]).toEqual([0, expect.stringContaining('credit: 2 accounts, 2 transfers, sum 0, imbalance 0, wrong accounts 0, pending 200')]);
    await store.close();
    expect(await run('unused', { DATABASE_URL: `${url}_nowhere` })).toMatchObject({ code: 1, said: expect.not.stringContaining(url) });
  }));

test('wrong usage is 2; a file that is no database of ours is not right', () =>
  withFolder(async (folder) => {
    expect(await run(folder, {}, ['now'])).toMatchObject({ code: 2, said: expect.stringContaining('Usage') });
    expect(await run(folder)).toMatchObject({ code: 2, said: expect.stringContaining('no database in') });
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(join(folder, 'tessera.sqlite'), 'x'.repeat(5000));
    expect(await run(folder)).toMatchObject({ code: 1, said: expect.stringContaining('no database of this version') });
  }));
