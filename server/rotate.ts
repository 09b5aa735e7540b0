import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { SECOND_MS } from '../shared/limits.ts';
import { type Config, readConfig, readOrExit } from './config.ts';
import { askRotation, LOOK_MS } from './key-rotation.ts';
import { KEY_GRACE_MS, type KeyName, keyNames, SqlKeys } from './store/keys.ts';
import { openDialect } from './store/postgres-dialect.ts';
import type { Tables } from './store/schema.ts';

/*
 *   npm run rotate -- KEY...     a new version of each key signs from now on
 *
 * With the settings of the coordinator, which may be running or not. Exits with 0, with 1 when the database cannot be reached, with 2 on wrong usage.
 */
const [DONE, FAILED, WRONG_USAGE] = [0, 1, 2];

const USAGE = `Usage: npm run rotate -- KEY..., with the settings of the coordinator.

  lease      seals leases; what the old one sealed is taken for half an hour
  cursor     seals where pages of lists go on; what the old one sealed is taken for a day
  receipt    signs receipts; what the old one signed stays good for ever

The key of draws cannot be rotated: results that wait for their verdict would be checked elsewhere than was decided. Nor can that of networks: sites
and contributors of one network would not be known as such. That of earnings, which salts epochs, has one version. Sessions have no key: each has a
random token, and signing out everywhere ends them.`;

const isKey = (name: string): name is KeyName => (keyNames as readonly string[]).includes(name);

/** Answers with the exit code. */
export async function rotate(args: readonly string[], config: Config, say: (line: string) => void): Promise<number> {
  const names = args.filter(isKey);
  if (names.length === 0 || names.length < args.length) {
    say(USAGE);
    return WRONG_USAGE;
  }
  const { databaseUrl, dataDir } = config;
  if (databaseUrl !== null) return rotateShared(names, databaseUrl, say);
  if (!existsSync(join(dataDir, 'tessera.sqlite'))) {
    say(`There is no database in ${dataDir}; DATA_DIR must be the folder of a coordinator.`);
    return WRONG_USAGE;
  }
  for (const name of names) askRotation(dataDir, name);
  say(
    `The coordinator of ${dataDir} makes a new key of ${names.join(', ')} within ${LOOK_MS / SECOND_MS} s, or at its next start; it signs ${KEY_GRACE_MS / SECOND_MS} s later.`,
  );
  return DONE;
}

async function rotateShared(names: readonly KeyName[], url: string, say: (line: string) => void): Promise<number> {
  const db = new Kysely<Tables>({ dialect: openDialect(url) });
  try {
    const keys = new SqlKeys(db);
    for (const name of names) say(`A new key of ${name} signs from ${new Date(await keys.rotate(name)).toISOString()} on.`);
    return DONE;
  } catch (error) {
    say(`The database of DATABASE_URL could not be changed: ${error instanceof Error ? error.message : String(error)}. Start the coordinator once.`);
    return FAILED;
  } finally {
    await db.destroy();
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await rotate(process.argv.slice(2), await readOrExit(() => readConfig(process.env)), (line) => console.log(line));
