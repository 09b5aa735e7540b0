import { randomBytes } from 'node:crypto';
import { limits, MINUTE_MS } from '../shared/limits.ts';
import { readConfig, readOrExit } from './config.ts';
import { makeLink } from './operator-link.ts';

/*
 *   npm run operator     prints a link to the operator's page: it works once, within ten minutes
 *
 * On the machine of the coordinator, with its DATA_DIR; the coordinator need not be running yet.
 */
const SECRET_BYTES = 32;
const WRONG_USAGE = 2;

if (process.argv.length > 2) {
  console.error('Usage: npm run operator; it takes no arguments.');
  process.exit(WRONG_USAGE);
}
const { dataDir, publicOrigin, tls, port } = await readOrExit(() => readConfig(process.env));
const origin = publicOrigin ?? `${tls === null ? 'http' : 'https'}://localhost:${port}`;
// Behind the #, which browsers send to nobody.
console.log(`${origin}/operator#${makeLink(dataDir, randomBytes(SECRET_BYTES), Date.now())}`);
console.log(`It works once, within ${limits.operatorLinkMsMax / MINUTE_MS} minutes, for whoever opens it. A link that was made before is void.`);
