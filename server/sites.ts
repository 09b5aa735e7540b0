import { Value } from 'typebox/value';
import type { SiteId } from '../shared/model.ts';
import { siteId } from '../shared/schemas.ts';
import { readConfig, readOrExit } from './config.ts';
import { readSuspended, writeSuspended } from './suspensions.ts';

/*
 *   npm run sites -- suspend SITE     its cards stop within a second, and nobody can agree there any more
 *   npm run sites -- resume SITE
 *   npm run sites                     lists what is suspended
 *
 * The operator's kill switch, on the machine of the coordinator, with its DATA_DIR; the coordinator may be running or not.
 */
const USAGE = 'Usage: npm run sites -- [suspend SITE | resume SITE]; a site is like s_0123456789abcdef.';
const WRONG_USAGE = 2;

function run([command, site, ...more]: readonly string[], dataDir: string): number {
  const suspended = new Set(readSuspended(dataDir));
  if (command === undefined) {
    console.log(suspended.size === 0 ? 'No site is suspended.' : [...suspended].join('\n'));
    return 0;
  }
  if ((command !== 'suspend' && command !== 'resume') || more.length > 0 || !Value.Check(siteId, site)) {
    console.error(USAGE);
    return WRONG_USAGE;
  }
  if (command === 'suspend') suspended.add(site as SiteId);
  else suspended.delete(site as SiteId);
  writeSuspended(dataDir, suspended);
  console.log(`${site} ${command === 'suspend' ? 'is suspended' : 'is not suspended'} (${dataDir}).`);
  return 0;
}

const { dataDir } = await readOrExit(() => readConfig(process.env));
process.exitCode = run(process.argv.slice(2), dataDir);
