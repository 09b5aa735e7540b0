import { existsSync } from 'node:fs';
import { get } from 'node:http';
import { get as getSecure } from 'node:https';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { areRight, Books, type ProvedBooks } from './books.ts';
import { type Config, readConfig, readOrExit } from './config.ts';
import { infoLine } from './http/metrics.ts';
import { lookAtLedger } from './store/ledger-audit.ts';
import { openDialect } from './store/postgres-dialect.ts';
import type { Tables } from './store/schema.ts';
import { EmbeddedDialect } from './store/sqlite-dialect.ts';
import type { AccountId } from './store/store.ts';
import { inSnapshot } from './store/transaction.ts';

/*
 *   npm run audit     proves the books of DATA_DIR, or of DATABASE_URL: every balance from the transfers it is made of
 *
 * Reads the database and changes nothing in it; PostgreSQL's while coordinators use it. Where a coordinator runs on the folder, which holds it for itself, asks that one what its own
 * audit came to. Exits with 0 when the books are right, with 1 when they are not or could not be proved, with 2 on wrong usage.
 */
const RIGHT = 0;
const WRONG = 1;
const WRONG_USAGE = 2;
const ANSWER_MS_MAX = 10_000;

type Say = (line: string) => void;

/** Accounts whose balances tell what was issued, and where the tokens are. */
const told: readonly AccountId[] = ['operator/issuance', 'operator/exchange', 'chain/outside', 'chain/treasury', 'chain/hot'];

/** Answers with the exit code. */
export async function audit(args: readonly string[], config: Config, say: Say): Promise<number> {
  if (args.length > 0) {
    say('Usage: npm run audit; it takes no arguments, and the settings of the coordinator.');
    return WRONG_USAGE;
  }
  if (config.databaseUrl !== null) return auditShared(config.databaseUrl, say);
  const path = join(config.dataDir, 'tessera.sqlite');
  if (!existsSync(path)) {
    say(`There is no database in ${config.dataDir}; DATA_DIR must be the folder of a coordinator.`);
    return WRONG_USAGE;
  }
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  try {
    database.defaultSafeIntegers(true);
    // Everything that is read is of one moment.
    database.exec('begin');
    return await prove(new Kysely<Tables>({ dialect: new EmbeddedDialect(database) }), config.dataDir, say);
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    if (/^SQLITE_(BUSY|LOCKED)/.test(error.code)) return askCoordinator(config, say);
    say(`${path} is no database of this version: ${error.message}. Start the coordinator once, or restore a backup.`);
    return WRONG;
  } finally {
    database.close();
  }
}

async function auditShared(url: string, say: Say): Promise<number> {
  const db = new Kysely<Tables>({ dialect: openDialect(url) });
  try {
    return await inSnapshot(db, (trx) => prove(trx, 'The database of DATABASE_URL', say));
  } catch (error) {
    say(`The database of DATABASE_URL could not be read: ${error instanceof Error ? error.message : String(error)}. Start the coordinator once.`);
    return WRONG;
  } finally {
    await db.destroy();
  }
}

async function prove(db: Kysely<Tables>, place: string, say: Say): Promise<number> {
  const books = new Books((from, rowsMax) => lookAtLedger(db, from, rowsMax));
  let proved: ProvedBooks | undefined;
  while (!proved) proved = await books.step();
  say(`${place}, as it is stored:`);
  if (proved.units.length === 0) say('  nothing was ever moved');
  for (const { unit, accounts, transfers, sum, imbalance, wrongAccounts, pending } of proved.units) {
    say(`  ${unit}: ${accounts} accounts, ${transfers} transfers, sum ${sum}, imbalance ${imbalance}, wrong accounts ${wrongAccounts}, pending ${pending}`);
    for (const account of told) {
      const balance = books.balance(account, unit);
      if (balance !== 0n) say(`    ${account} ${balance}`);
    }
  }
  for (const { id, unit, why } of proved.wrong) say(`  WRONG: ${id} (${unit}): ${why}`);
  return verdict(areRight(proved), say);
}

function verdict(isRight: boolean, say: Say): number {
  say(isRight ? 'The books are right.' : 'The books are WRONG.');
  return isRight ? RIGHT : WRONG;
}

async function askCoordinator({ dataDir, port, tls }: Config, say: Say): Promise<number> {
  const url = `${tls === null ? 'http' : 'https'}://localhost:${port}/metrics`;
  let text: string;
  try {
    text = await fetchText(url);
  } catch (error) {
    say(`A coordinator holds ${dataDir}, and ${url} does not answer (${String(error)}). PORT and HTTPS must be those of that coordinator.`);
    return WRONG;
  }
  const lines = text.split('\n');
  if (!lines.includes(infoLine(dataDir))) {
    say(`A coordinator holds ${dataDir}, and the one at ${url} has another folder. PORT and HTTPS must be those of the first.`);
    return WRONG;
  }
  const figures = lines.filter((line) => /^tessera_ledger_/.test(line));
  if (!figures.some((line) => line.startsWith('tessera_ledger_audited_seconds'))) {
    say(`A coordinator holds ${dataDir} and has not audited its books to their end yet (${url}). Try again later.`);
    return WRONG;
  }
  say(`${dataDir}, as its coordinator tells it (${url}):`);
  for (const line of figures) say(`  ${line}`);
  return verdict(
    figures.every((line) => !/^tessera_ledger_(imbalance|wrong_accounts)/.test(line) || line.endsWith(' 0')),
    say,
  );
}

function fetchText(url: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // It stays on this machine, and a certificate names the machine as others know it.
  const options = { rejectUnauthorized: false, timeout: ANSWER_MS_MAX };
  const request = (url.startsWith('https:') ? getSecure : get)(url, options, (response) => {
    response.setEncoding('utf8');
    let text = '';
    response.on('data', (part: string) => {
      text += part;
    });
    response.on('error', reject);
    response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`status ${response.statusCode}`))));
  });
  request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
  request.on('error', reject);
  return promise;
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await audit(process.argv.slice(2), await readOrExit(() => readConfig(process.env)), (line) => console.log(line));
