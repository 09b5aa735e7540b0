import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { decodeResult } from '../shared/formats.ts';
import type { BlobHash, ElementRef, JobId, MicroUnits, OwnerId } from '../shared/model.ts';
import type { WorkloadSpec } from '../shared/workload.ts';
import { compareSample, type Judge, proveOpening, recomputeSample } from './checks/evidence.ts';
import type { Answer, Kind, Question } from './checks/messages.ts';
import { type Config, readConfig } from './config.ts';
import { Coordinator } from './coordinator.ts';
import { holds } from './core/ledger.ts';
import { priceJob } from './core/pricing.ts';
import type { Event } from './core/state.ts';
import { blobRoutes } from './http/blobs.ts';
import { answerError } from './http/errors.ts';
import { addParsers } from './http/parsing.ts';
import type { Jobs } from './jobs.ts';
import { createSockets } from './sockets/connect.ts';
import { serveContributors } from './sockets/contribute.ts';
import { serveViewers } from './sockets/watch.ts';
import { openBlobStore } from './store/blobs.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { BlobStore, Store, StoredJob } from './store/store.ts';
import { temporaryFolder } from './store/testing.ts';
import { Watching } from './watching.ts';

/**
 * A coordinator with real sockets, store and core around a workload whose values are a formula: what contributors, auditors and
 * checks say to each other, without a kernel.
 */

export const ELEMENTS = 512;
export const WORDS = 2;
export const KEY = 'the operator’s own key, 32 letters';

/** The truth. */
const trueValue = ({ pass, tile, part, element }: ElementRef, word: number): number => 1e6 * (pass + tile + 1) + 1e4 * part + 8 * element + word;

export const valuesOf = (elements: readonly ElementRef[], change = 0): Uint32Array =>
  Uint32Array.from(elements.flatMap((element) => Array.from({ length: WORDS }, (_, word) => trueValue(element, word) + change)));

const passesOf = (params: unknown): number => (params as { readonly passes?: number }).passes ?? 1;

export const spec: WorkloadSpec = {
  id: 'formula',
  version: 1,
  title: 'Formula',
  summary: 'Values that everybody can compute.',
  defaults: {},
  outputs: () => [],
  tolerance: { unit: 'steps', allowed: 1, honestMissRate: 1e-3, unexplainedRate: 1e-6 },
  checking: 'audit',
  elementWords: () => WORDS,
  split: (params) => ({ passes: passesOf(params), tiles: 8 }),
  parts: () => 3,
  elements: () => ELEMENTS,
  work: () => 1000 as MicroUnits,
  // 100 elements are the coordinator's share of a result.
  auditMs: () => 5,
  region: () => null,
  picture: () => null,
  // The last pass always runs.
  adaptivePasses: ({ params }) => Array.from({ length: passesOf(params) - 1 }, (_, pass) => pass),
};

export const hashOf = (bytes: Uint8Array): BlobHash => createHash('sha256').update(bytes).digest('hex') as BlobHash;

export class World {
  readonly folder = temporaryFolder();
  /** The coordinator's clock; tests turn it. */
  now = Date.UTC(2026, 0, 1);
  /** So many differing elements are not explained by the referee; the rest is. */
  unexplained = Number.POSITIVE_INFINITY;
  /** How many passes a tile wants; undefined: a thread dies of it, null: it never answers. */
  wants: (tile: number) => number | undefined | null = () => 1;
  measured = 0;
  readonly events: Event[] = [];
  readonly config: Pick<Config, 'trustedKeys' | 'privateSwarm' | 'trustProxy'>;
  store!: Store;
  blobs!: BlobStore;
  coordinator!: Coordinator;
  job!: StoredJob;
  #server!: FastifyInstance;
  #stop: () => Promise<void> = async () => undefined;

  private constructor(config: Partial<Config>) {
    this.config = { ...readConfig({}), trustedKeys: [KEY], ...config };
  }

  static async open(config: Partial<Config> = {}, job: Partial<Pick<StoredJob, 'params' | 'inputs'>> = {}): Promise<World> {
    const world = new World(config);
    await world.start();
    world.job = jobOf(job);
    await world.store.jobs.create(world.job, holds(world.job));
    await world.coordinator.dispatch({ type: 'openJob', job: world.job, results: [], paid: 0n });
    return world;
  }

  async start(): Promise<void> {
    const clock = (): number => this.now;
    const log = { info: () => undefined, error: () => undefined };
    this.store = await openSqliteStore(this.folder.path);
    this.blobs = openBlobStore(join(this.folder.path, 'blobs'));
    const { store, blobs, config } = this;
    const checks = { ask: this.#answer } as Parameters<typeof Coordinator.open>[0]['checks'];
    const random = randomBytes;
    const coordinator = await Coordinator.open({
      store,
      blobs,
      checks,
      spec: () => spec,
      privateSwarm: config.privateSwarm,
      vestingMsMax: 600_000,
      holdbackMs: 0,
      clock,
      random,
      log,
    });
    this.coordinator = coordinator;
    coordinator.onEvents((events) => this.events.push(...events));
    const app = Fastify();
    app.setErrorHandler(answerError);
    addParsers(app);
    await app.register(blobRoutes({ blobs, coordinator, clock }));
    const sockets = createSockets(app.server, () => true);
    serveContributors(sockets, {
      store,
      blobs,
      coordinator,
      config,
      isSuspended: () => false,
      networkKey: await store.secret('network'),
      clock,
      randomBytes,
      log,
    });
    const watching = new Watching({ jobs: noJobs, coordinator });
    serveViewers(sockets, { jobs: noJobs, watching, ownerOf: async () => undefined, sessionOf: () => undefined, log });
    await app.listen({ host: '127.0.0.1', port: 0 });
    this.#server = app;
    this.#stop = async () => {
      watching.close();
      await sockets.close();
      await app.close();
      await coordinator.close();
      await store.close();
    };
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  async close(): Promise<void> {
    await this.stop();
    this.folder.remove();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.server.address() as AddressInfo).port}`;
  }

  async put(token: string, bytes: Uint8Array, hash = hashOf(bytes)): Promise<{ status: number; text: string }> {
    const headers = { authorization: `Lease ${token}`, 'content-type': 'application/octet-stream' };
    const response = await fetch(`${this.url}/blobs/${hash}`, { method: 'PUT', headers, body: new Uint8Array(bytes) });
    return { status: response.status, text: await response.text() };
  }

  /** What a worker thread would answer. */
  readonly #answer = async <K extends Kind>(kind: K, asked: Question[K]): Promise<Answer[K]> => {
    if (kind === 'measure') return this.#measure(asked as Question['measure']) as Promise<Answer[K]>;
    const judge: Judge = {
      words: WORDS,
      allowed: spec.tolerance.allowed,
      recompute: (elements) => valuesOf(elements),
      distance: (_element, a, b) => Math.max(...a.map((value, index) => Math.abs(value - b[index]!))),
      explains: () => this.unexplained-- <= 0,
    };
    return (await this.#evidence(judge, { kind, asked } as { [Each in Kind]: { kind: Each; asked: Question[Each] } }[Kind])) as Answer[K];
  };

  async #measure({ at, parts, result }: Question['measure']): Promise<number> {
    this.measured++;
    decodeResult(result, parts, ELEMENTS, WORDS);
    const wanted = this.wants(at.tile);
    if (wanted === undefined) throw new Error('the thread died');
    return wanted ?? new Promise<never>(() => undefined);
  }

  async #evidence(judge: Judge, { kind, asked }: { [Each in Kind]: { kind: Each; asked: Question[Each] } }[Kind]): Promise<Answer[Kind]> {
    if (kind === 'opening') return proveOpening(asked.shape, asked, asked.result, asked.opening, asked.sample);
    if (kind === 'recompute') return { ...(await recomputeSample(judge, asked.at, asked.sample, asked.claims, asked.enough)), cpuMs: 1 };
    if (kind !== 'compare') throw new Error(`no ${kind} is expected here`);
    const { result, auditor, apart } = await compareSample(judge, asked.at, asked.sample, asked.claims, asked.values, asked.enough);
    return { result: { ...result, cpuMs: 1 }, auditor: { ...auditor, cpuMs: 0 }, apart };
  }
}

/** Viewers here only listen. */
const noJobs = { view: async () => ({}), shown: async () => ({}), visible: async () => ({}), accepted: async () => [] } as unknown as Jobs;

function jobOf({ params = {}, inputs = [] }: Partial<Pick<StoredJob, 'params' | 'inputs'>>): StoredJob {
  const owner = 'device:requester0000000' as OwnerId;
  const context = { id: 'j_formula000000000' as JobId, seed: 1, params, prepared: {} };
  // Sets half of the price aside for auditors: none of them works for nothing.
  const checks = { targetError: 1e-5 };
  const price = priceJob(spec, context, checks, 1_000_000n);
  const held = price.work + price.checks;
  const money = { unit: 'test', ratePerUnit: 1_000_000n, priceVersion: null, workHeld: price.work, checksHeld: price.checks } as const;
  const from = [{ account: 'operator/issuance', microCredits: held }] as const;
  const state = { status: 'open', visibility: 'public', gallery: false, group: null, closing: false, createdMs: 0, endedMs: null, summary: null } as const;
  const life = { paused: false, extensions: 0, deletedMs: null, promise: null };
  return { ...context, ...money, ...state, ...life, title: 'Formula', workload: spec.id, version: spec.version, owner, inputs, checks, heldFrom: from };
}
