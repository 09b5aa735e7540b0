import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify from 'fastify';
import type { ConsentId, ContributorId, JobId, MicroUnits, OwnerId } from '../../shared/model.ts';
import { proveOpening } from '../checks/evidence.ts';
import type { Answer, Kind, Question } from '../checks/messages.ts';
import { readConfig } from '../config.ts';
import { Coordinator } from '../coordinator.ts';
import { holds } from '../core/ledger.ts';
import { priceJob } from '../core/pricing.ts';
import { blobRoutes } from '../http/blobs.ts';
import { answerError } from '../http/errors.ts';
import { addParsers } from '../http/parsing.ts';
import { simSpec } from '../sim/spec.ts';
import { createSockets } from '../sockets/connect.ts';
import { serveContributors } from '../sockets/contribute.ts';
import { openBlobStore } from '../store/blobs.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { StoredJob } from '../store/store.ts';

/**
 * The process that `engine.bench.ts` of the client contributes to: the real sockets, blob routes, core and SQLite store. Every contributor has
 * a workload of its own, without a kernel, and one endless job of it. Openings are proven as ever, drawn elements count as recomputed at
 * once: that is all that is left out. Arguments: data folder, the workloads as JSON. Prints one line of JSON: port and identities in their order.
 */
interface Workload {
  readonly id: string;
  readonly parts: number;
  readonly elements: number;
  readonly words: number;
  readonly unitsPerPart: number;
}
const folder = process.argv[2] ?? '';
const workloads = JSON.parse(process.argv[3] ?? '[]') as readonly Workload[];
const NEVER_MS = 1e15;
const GRID = { passes: 1, tiles: 1_000_000 };
const RATE = 1000n;
const specOf = ({ id, parts, elements, words, unitsPerPart }: Workload) => ({
  ...simSpec(GRID),
  id,
  parts: () => parts,
  elements: () => elements,
  elementWords: () => words,
  work: () => unitsPerPart as MicroUnits,
});
const specs = new Map(workloads.map((workload) => [workload.id, specOf(workload)]));

const passed = async (kind: Kind, question: Question[Kind]): Promise<Answer[Kind]> => {
  if (kind === 'opening') {
    const { shape, result, opening, sample, ...commitment } = question as Question['opening'];
    return proveOpening(shape, commitment, result, opening, sample);
  }
  if (kind !== 'recompute') throw new Error(`no ${kind} is expected here`);
  return { drawn: (question as Question['recompute']).sample.elements.length, differing: 0, unexplained: 0, worst: 0, cpuMs: 0 };
};

const store = await openSqliteStore(folder);
const blobs = openBlobStore(join(folder, 'blobs'));
const checks = { ask: passed } as Parameters<typeof Coordinator.open>[0]['checks'];
const log = { info: () => undefined, error: (fields: object, message: string) => console.error(message, fields) };
const timing = { vestingMsMax: 20_000, holdbackMs: 0, clock: Date.now, random: randomBytes };
const coordinator = await Coordinator.open({ store, blobs, checks, spec: (id) => specs.get(id), privateSwarm: false, ...timing, log });

const owner = 'device:bench00000000000' as OwnerId;
const policy = { targetError: 1e-4 };
for (const [index, spec] of [...specs.values()].entries()) {
  const context = { id: `j_${index.toString().padStart(16, '0')}` as JobId, seed: 1, params: {}, prepared: {} };
  const price = priceJob(spec, context, policy, RATE);
  const job: StoredJob = {
    ...context,
    title: spec.id,
    workload: spec.id,
    version: spec.version,
    status: 'open',
    visibility: 'unlisted',
    gallery: true,
    group: null,
    owner,
    inputs: [],
    checks: policy,
    unit: 'test',
    ratePerUnit: RATE,
    priceVersion: null,
    workHeld: price.work,
    checksHeld: price.checks,
    heldFrom: [{ account: 'operator/issuance', microCredits: price.work + price.checks }],
    closing: false,
    createdMs: Date.now(),
    endedMs: null,
    summary: null,
    paused: false,
    extensions: 0,
    deletedMs: null,
    promise: null,
  };
  await store.jobs.create(job, holds(job));
  await coordinator.dispatch({ type: 'openJob', job, results: [], paid: 0n });
}

const identities = await Promise.all(
  workloads.map(async ({ id: kind }, index) => {
    const secret = randomBytes(32);
    const suffix = index.toString().padStart(16, '0');
    const id = `c_${suffix}` as ContributorId;
    const consent = `k_${suffix}` as ConsentId;
    const createdMs = Date.now();
    await store.people.createContributor({ id, secretHash: createHash('sha256').update(secret).digest(), owner: `device:${suffix}` as OwnerId, createdMs });
    const consented = { kinds: [kind], site: null, powerPercent: 100, grantedMs: createdMs, expiresMs: NEVER_MS, revokedMs: null };
    await store.people.createConsent({ id: consent, contributor: id, ...consented });
    return { contributor: { id, secret: secret.toString('base64url') }, consent };
  }),
);

const app = Fastify({ logger: false });
app.setValidatorCompiler(TypeBoxValidatorCompiler);
app.setErrorHandler(answerError);
addParsers(app);
await app.register(blobRoutes({ blobs, coordinator, clock: Date.now }));
const io = createSockets(app.server, () => true);
const networkKey = await store.secret('network');
serveContributors(io, { store, blobs, coordinator, config: readConfig({}), isSuspended: () => false, networkKey, clock: Date.now, randomBytes, log });
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(JSON.stringify({ port: (app.server.address() as AddressInfo).port, identities }));

// Ends with whoever started it, however that came about.
process.stdin.resume().once('end', () => process.exit(1));

process.once('SIGTERM', async () => {
  await io.close();
  await app.close();
  await coordinator.close();
  const [books] = await store.ledger.audit();
  console.log(JSON.stringify({ sum: String(books?.sum), wrongAccounts: books?.wrongAccounts }));
  await store.close();
  process.exit(0);
});
