import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ConsentId, ContributorId, JobId, OwnerId } from '../../shared/model.ts';
import { proveOpening } from '../checks/evidence.ts';
import type { Answer, Kind, Question } from '../checks/messages.ts';
import { readConfig } from '../config.ts';
import { Coordinator } from '../coordinator.ts';
import { holds } from '../core/ledger.ts';
import { newStanding } from '../core/reputation.ts';
import { IdleMemory } from '../idle-memory.ts';
import { issuedJob } from '../order.testing.ts';
import { pooledRandom } from '../random.ts';
import { Sharing } from '../sharing.ts';
import { simSpec } from '../sim/spec.ts';
import { createSockets } from '../sockets/connect.ts';
import { serveContributors } from '../sockets/contribute.ts';
import { openBlobStore } from '../store/blobs.ts';
import { openStore } from '../store/open.ts';
import { ELEMENTS, WORDS } from './shape.ts';

/**
 * The process that `coordinator.bench.ts` loads: the real sockets, core and store, with one endless job of a workload
 * without a kernel. Openings are proven as ever, drawn elements count as recomputed at once: that is all that is left out.
 * Arguments: data folder, number of new contributors, URL of a PostgreSQL database or nothing for SQLite, port or nothing for any. Prints one line
 * of JSON: port and identities.
 */
const [folder = '', contributors = '1', databaseUrl = '', port = '0'] = process.argv.slice(2);
const NEVER_MS = 1e15;
const GRID = { passes: 1, tiles: 1_000_000 };
const VERIFIED = 3_000_000;
const spec = { ...simSpec(GRID), parts: () => 1, elements: () => ELEMENTS, elementWords: () => WORDS };

/** Pay vests after a second, so that as much vests in every round as is earned. */
const VESTING_MS_MAX = 20_000;

const passed = async (kind: Kind, question: Question[Kind]): Promise<Answer[Kind]> => {
  if (kind === 'opening') {
    const { shape, result, opening, sample, ...commitment } = question as Question['opening'];
    return proveOpening(shape, commitment, result, opening, sample);
  }
  if (kind !== 'recompute') throw new Error(`no ${kind} is expected here`);
  return { drawn: (question as Question['recompute']).sample.elements.length, differing: 0, unexplained: 0, worst: 0, cpuMs: 0 };
};

const idleMemory = new IdleMemory();
idleMemory.start();
const random = pooledRandom();
const store = await openStore({ dataDir: folder, databaseUrl: databaseUrl || null });
const blobs = openBlobStore(join(folder, 'blobs'));
const checks = { ask: passed } as Parameters<typeof Coordinator.open>[0]['checks'];
const log = { info: () => undefined, error: (fields: object, message: string) => console.error(message, fields) };
const coordinator = await Coordinator.open({
  store,
  blobs,
  checks,
  spec: () => spec,
  privateSwarm: false,
  vestingMsMax: VESTING_MS_MAX,
  holdbackMs: 0,
  clock: Date.now,
  random,
  log,
  ...(databaseUrl && { beginLife: () => Sharing.begin(store) }),
});
const sharing = databaseUrl ? await Sharing.open({ store, coordinator, clock: Date.now, log, heard: () => undefined, jobChanged: () => undefined }) : undefined;

const job = issuedJob(spec, { id: 'j_bench00000000000' as JobId, seed: 1, params: {}, prepared: {} }, 1_000_000n, { gallery: true });
// After a kill the job is there, and read back.
if (!coordinator.openJob(job.id)) {
  await store.jobs.create(job, holds(job));
  await coordinator.begin(job);
}

const identities = await Promise.all(
  Array.from({ length: Number(contributors) }, async (_, index) => {
    const secret = randomBytes(32);
    const suffix = index.toString().padStart(16, '0');
    const id = `c_${suffix}` as ContributorId;
    const consent = `k_${suffix}` as ConsentId;
    await store.people.createContributor({
      id,
      secretHash: createHash('sha256').update(secret).digest(),
      owner: `device:${suffix}` as OwnerId,
      createdMs: Date.now(),
    });
    await store.people.createConsent({
      id: consent,
      contributor: id,
      kinds: [spec.id],
      site: null,
      powerPercent: 100,
      grantedMs: Date.now(),
      expiresMs: NEVER_MS,
      revokedMs: null,
    });
    return { id, secret: secret.toString('base64url'), consent };
  }),
);
// They have been here before: a newcomer risks one part at a time, and its first messages are small.
const standing = { ...newStanding(Date.now()), accepted: VERIFIED / ELEMENTS, verified: VERIFIED };
await store.commit(
  identities.map(({ id }) => ({ kind: 'standing', contributor: id, workload: spec.id, standing })),
  databaseUrl ? coordinator.epoch : undefined,
);

const server = createServer();
const io = createSockets(server, () => true);
serveContributors(io, {
  store,
  blobs,
  coordinator,
  config: readConfig({}),
  isSuspended: () => false,
  networkKey: await store.secret('network'),
  clock: Date.now,
  randomBytes: random,
  log,
});
server.listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port, identities })));

// Ends with whoever started it, however that came about.
process.stdin.resume().once('end', () => process.exit(1));

process.once('SIGTERM', async () => {
  idleMemory.close();
  await io.close();
  await coordinator.close();
  await sharing?.close();
  const [books] = await store.ledger.audit();
  console.log(JSON.stringify({ sum: String(books?.sum), wrongAccounts: books?.wrongAccounts, transfers: books?.transfers }));
  await store.close();
  process.exit(0);
});
