import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { workloadIds } from '../../shaders/registry.ts';
import type { ConsentId, GroupId, OwnerId, SiteId } from '../../shared/model.ts';
import type { ConsentGrant, OwnSiteView, Problem } from '../../shared/schemas.ts';
import { buildApp } from '../app.ts';
import type { Certificate } from '../certificate.ts';
import { type Config, readConfig } from '../config.ts';
import { Load } from '../load.ts';
import type { LogStream } from '../logging.ts';
import { Metrics } from '../metrics.ts';
import { ProofError } from '../proof.ts';
import { openBlobStore } from '../store/blobs.ts';
import type { Erased } from '../store/erasure.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { BlobStore, Store } from '../store/store.ts';
import { temporaryFolder } from '../store/testing.ts';

/** The HTTP edge on a real store in a folder of its own, without a port. */
export interface TestApp {
  readonly app: FastifyInstance;
  readonly config: Config;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** The clock; tests turn it. */
  readonly now: { ms: number };
  /** What the coordinator was told. */
  readonly ended: ConsentId[];
  readonly moved: (readonly [OwnerId, OwnerId])[];
  readonly regrouped: (readonly [OwnerId, GroupId | null])[];
  readonly endedSites: SiteId[];
  /** Hashes of sessions, in hexadecimal. */
  readonly endedSessions: string[];
  /** What sites answer to who asks for their proof, by origin. */
  readonly proofs: Map<string, string>;
  /** Sites that the operator has suspended. */
  readonly suspended: Set<SiteId>;
  readonly erased: Erased[];
  readonly load: Load;
  readonly metrics: Metrics;
}

export interface TestOptions {
  readonly config?: Partial<Config>;
  readonly clientFolder?: string;
  readonly certificate?: Certificate;
  readonly logStream?: LogStream;
}

export async function withApp<T>(run: (test: TestApp) => Promise<T>, options: TestOptions = {}): Promise<T> {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  const blobs = openBlobStore(join(folder.path, 'blobs'));
  const now = { ms: Date.UTC(2026, 0, 1) };
  const ended: ConsentId[] = [];
  const moved: (readonly [OwnerId, OwnerId])[] = [];
  const regrouped: (readonly [OwnerId, GroupId | null])[] = [];
  const endedSites: SiteId[] = [];
  const erased: Erased[] = [];
  const endedSessions: string[] = [];
  const proofs = new Map<string, string>();
  const suspended = new Set<SiteId>();
  const config = { ...readConfig({ DATA_DIR: folder.path, LOG_LEVEL: 'silent' }), ...options.config };
  const load = new Load();
  const metrics = new Metrics();
  const app = await buildApp({
    config,
    store,
    blobs,
    clock: () => now.ms,
    randomBytes,
    consentEnded: (consent) => void ended.push(consent),
    groupsChanged: (owner, left) => void regrouped.push([owner, left]),
    sessionEnded: (hash) => void endedSessions.push(Buffer.from(hash).toString('hex')),
    isSuspended: (site) => suspended.has(site),
    siteEnded: (site) => void endedSites.push(site),
    readProof: async (origin) => {
      const proof = proofs.get(origin);
      if (proof === undefined) throw new ProofError('There is no file.');
      return proof;
    },
    networkOf: ({ ip }) => `net of ${ip}`,
    erased: (all) => void erased.push(all),
    ownerChanged: (from, to) => void moved.push([from, to]),
    load,
    metrics,
    logStream: options.logStream,
    certificate: options.certificate ?? null,
    clientFolder: options.clientFolder ?? join(folder.path, 'no-pages'),
  });
  try {
    return await run({ app, load, metrics, config, store, blobs, now, ended, moved, regrouped, endedSites, erased, endedSessions, proofs, suspended });
  } finally {
    await app.close();
    await store.close();
    folder.remove();
  }
}

export interface Reply<Body> {
  readonly status: number;
  readonly body: Body;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD' | 'OPTIONS';

let addresses = 0;

/** A browser: keeps its cookie and names its origin. Every one has an address of its own, because requests are counted by address. */
export class Visitor {
  readonly #app: FastifyInstance;
  readonly address = `10.1.${Math.floor(++addresses / 250)}.${(addresses % 250) + 1}`;
  host = 'localhost:8080';
  cookie: string | undefined;

  constructor({ app }: Pick<TestApp, 'app'>) {
    this.#app = app;
  }

  async ask<Body = Problem>(
    method: Method,
    url: string,
    payload?: object | string | Buffer,
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Reply<Body>> {
    const sent = { host: this.host, ...(method === 'GET' ? {} : { origin: `http://${this.host}` }), cookie: this.cookie, ...headers };
    const response = await this.#app.inject({
      method,
      url,
      remoteAddress: this.address,
      headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined)),
      ...(payload === undefined ? {} : { payload }),
    });
    const [cookie] = response.cookies;
    if (cookie) this.cookie = `${cookie.name}=${cookie.value}`;
    const isJson = /^application\/(problem\+)?json/.test(String(response.headers['content-type']));
    return {
      status: response.statusCode,
      // An answer to HEAD has a type and no body.
      body: (isJson && response.payload !== '' ? response.json() : undefined) as Body,
      text: response.payload,
      headers: response.headers as Record<string, string | undefined>,
    };
  }

  /** Starts a session and tells whose it is. */
  async start(): Promise<OwnerId> {
    return (await this.ask<{ owner: OwnerId }>('POST', '/api/session', {})).body.owner;
  }

  async consent(own: object = {}): Promise<ConsentGrant> {
    return (await this.ask<ConsentGrant>('POST', '/api/consents', { kinds: [workloadIds[0]], site: null, ...own })).body;
  }

  async site(own: object = {}): Promise<OwnSiteView> {
    return (await this.ask<OwnSiteView>('POST', '/api/sites', { name: 'Museum', origin: 'https://museum.example', sharePercent: 20, ...own })).body;
  }

  /** A site whose domain is proven, so that visitors may agree on it. */
  async provenSite({ proofs }: Pick<TestApp, 'proofs'>, own: object = {}): Promise<OwnSiteView> {
    const { id, origin, token } = await this.site(own);
    proofs.set(origin, `${token}\n`);
    return (await this.ask<OwnSiteView>('POST', `/api/sites/${id}/prove`)).body;
  }
}

/** The header by which a widget, which has no session, speaks for its contributor. */
export const credentialOf = ({ contributor }: Pick<ConsentGrant, 'contributor'>): { authorization: string } => ({
  authorization: `Contributor ${contributor.id}.${contributor.secret}`,
});
