import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { postgresBus } from '../bus.ts';
import { proveOpening } from '../checks/evidence.ts';
import type { Answer, Kind, Question } from '../checks/messages.ts';
import { readConfig } from '../config.ts';
import { Coordinator } from '../coordinator.ts';
import { Sharing } from '../sharing.ts';
import { createSockets } from '../sockets/connect.ts';
import { serveContributors } from '../sockets/contribute.ts';
import { openBlobStore } from '../store/blobs.ts';
import { openPostgresStore } from '../store/postgres.ts';
import { ALIVE_MS, chaosSpec } from './shape.ts';

/**
 * A coordinator to be killed: real sockets, core, store, bus and sharing, over a workload without a kernel, of which every drawn element counts as
 * right. Arguments: database URL, blobs folder, port. Prints a line once it listens. Ends with whoever started it.
 */
const [url = '', folder = '', port = '0'] = process.argv.slice(2);

const passed = async (kind: Kind, question: Question[Kind]): Promise<Answer[Kind]> => {
  if (kind === 'opening') {
    const { shape, result, opening, sample, ...commitment } = question as Question['opening'];
    return proveOpening(shape, commitment, result, opening, sample);
  }
  if (kind !== 'recompute') throw new Error(`no ${kind} is expected here`);
  return { drawn: (question as Question['recompute']).sample.elements.length, differing: 0, unexplained: 0, worst: 0, cpuMs: 0 };
};

const say = (level: string) => (fields: object, message: string) => console.error(level, message, JSON.stringify(fields));
const log = { info: () => undefined, error: say('error') };
const store = await openPostgresStore(url);
const blobs = openBlobStore(folder);
const clock = Date.now;
const coordinator = await Coordinator.open({
  store,
  blobs,
  checks: { ask: passed as Parameters<typeof Coordinator.open>[0]['checks']['ask'] },
  spec: () => chaosSpec,
  privateSwarm: false,
  vestingMsMax: 20_000,
  holdbackMs: 0,
  clock,
  random: randomBytes,
  log,
  beginLife: () => Sharing.begin(store, ALIVE_MS),
});
const bus = postgresBus(url, log);
const server = createServer();
const io = createSockets(server, () => true);
const networkKey = await store.secret('network');
const wanted: Sharing['want'] = (...tile) => sharing?.want(...tile);
let sharing: Sharing | undefined;
serveContributors(io, { store, blobs, coordinator, config: readConfig({}), isSuspended: () => false, wanted, networkKey, clock, randomBytes, log }, bus);
sharing = await Sharing.open({ store, coordinator, clock, log, heard: () => undefined, jobChanged: () => undefined, aliveMs: ALIVE_MS });
server.listen(Number(port), '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.stdin.resume().once('end', () => process.exit(1));
