import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { expect, vi } from 'vitest';
import { workload, workloadIds } from '../shaders/registry.ts';
import { type Committed, commitParts, saltOf } from '../shared/commitment.ts';
import { encodeResult, toHex } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import type { JobContext } from '../shared/model.ts';
import {
  type Ack,
  type HandedIn,
  type JobBrief,
  type Lease,
  namespaces,
  PROTOCOL_VERSION,
  type VerdictMessage,
  type Welcome,
  type Work,
} from '../shared/protocol.ts';
import type { ConsentGrant, Problem } from '../shared/schemas.ts';
import { PatientLoad } from './load.testing.ts';
import { main } from './main.ts';

/** The whole coordinator over real HTTP and real sockets; contributors compute on the CPU with the reference implementation. */

export const entry = workload(workloadIds[0]!)!;
export const small = { scene: 'cornell', width: 32, height: 32, samples: 2, bounces: 1, lighting: 'auto' };
export const order = { workload: entry.spec.id, params: small, files: {}, title: 'Box', visibility: 'public' };

let running: Pick<Awaited<ReturnType<typeof main>>, 'url' | 'close'>;
let folder: string;

/** One for a test file, on a data folder of its own; it can be stopped and started on it again. */
export const whole = {
  get url(): string {
    return running.url;
  },
  get folder(): string {
    return folder;
  },
  /** `own`: settings beside the usual ones; who sets some empties them again. */
  async open(own: Readonly<Record<string, string>> = {}): Promise<void> {
    folder = await mkdtemp(join(tmpdir(), 'tessera-main-'));
    await this.start(own);
  },
  async start(own: Readonly<Record<string, string>> = {}): Promise<void> {
    const env = {
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: folder,
      DATABASE_URL: '',
      GALLERY: 'off',
      LOG_LEVEL: 'silent',
      PUBLIC_ORIGIN: '',
      VESTING_SECONDS: '1',
      ...own,
    };
    Object.assign(process.env, env);
    running = await main(new PatientLoad());
  },
  /** One that runs already, in a process of its own. */
  at(url: string): void {
    running = { url, close: async () => undefined };
  },
  async stop(): Promise<void> {
    await running.close();
  },
  async close(): Promise<void> {
    await this.stop();
    await rm(folder, { recursive: true, force: true });
  },
};

/** One browser: keeps its session cookie. */
export class Visitor {
  #cookie = '';

  async call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T & Partial<Omit<Problem, 'status'>> }> {
    const response = await fetch(whole.url + path, {
      method,
      headers: { cookie: this.#cookie, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    this.#cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.#cookie;
    return { status: response.status, body: (await response.json()) as T & Partial<Omit<Problem, 'status'>> };
  }

  async text(path: string): Promise<string> {
    return (await fetch(whole.url + path, { headers: { cookie: this.#cookie } })).text();
  }

  async upload(bytes: string): Promise<string> {
    const headers = { cookie: this.#cookie, 'content-type': 'application/octet-stream' };
    const response = await fetch(`${whole.url}/api/uploads`, { method: 'POST', headers, body: bytes });
    expect(response.status).toBe(200);
    return ((await response.json()) as { hash: string }).hash;
  }
}

export async function requester(): Promise<Visitor> {
  const visitor = new Visitor();
  await visitor.call('POST', '/api/session', {});
  return visitor;
}

/** A result and what is kept of it until its verdict. */
export interface Made {
  readonly bytes: Buffer;
  readonly committed: Committed;
}

/** A contributor's connection, with the honest answer to any lease. */
export class Contributor {
  readonly verdicts: VerdictMessage[] = [];
  readonly #jobs = new Map<string, JobBrief>();
  readonly grant: ConsentGrant;
  readonly socket: Socket;

  private constructor(grant: ConsentGrant, socket: Socket) {
    this.grant = grant;
    this.socket = socket;
    socket.on('verdicts', (messages: VerdictMessage[]) => this.verdicts.push(...messages));
  }

  static async join(visitor = new Visitor()): Promise<Contributor> {
    const { body: grant } = await visitor.call<ConsentGrant>('POST', '/api/consents', { kinds: [entry.spec.id], site: null });
    const contributor = await Contributor.connect(grant);
    await contributor.ask<Welcome>('hello', contributor.hello());
    return contributor;
  }

  static async connect(grant: ConsentGrant): Promise<Contributor> {
    const socket = io(whole.url + namespaces.contribute, { transports: ['websocket'], parser, reconnection: false, forceNew: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return new Contributor(grant, socket);
  }

  hello(): Record<string, unknown> {
    const { contributor, consent } = this.grant;
    const device = { vendor: 'test', architecture: '', backend: 'cpu', description: '', software: true };
    return {
      protocol: PROTOCOL_VERSION,
      contributor: contributor.id,
      secret: contributor.secret,
      consent: consent.id,
      device,
      downloadBytesMax: limits.downloadBytesDefault,
    };
  }

  async raw<T>(command: string, message: unknown): Promise<Ack<T>> {
    return (await this.socket.timeout(5000).emitWithAck(command, message)) as Ack<T>;
  }

  async ask<T>(command: string, message: unknown): Promise<T> {
    const ack = await this.raw<T>(command, message);
    if ('error' in ack) throw new Error(`${command}: ${ack.error.message}`);
    return ack.data;
  }

  async lease(leasesMax = 1): Promise<Lease[]> {
    const work = await this.ask<Work>('work', { leasesMax });
    for (const job of work.jobs) this.#jobs.set(job.id, job);
    return [...work.leases];
  }

  /** What an honest device would hand in. */
  async compute({ token, job: id, at, parts }: Lease, lie: (values: Uint32Array) => void = () => undefined): Promise<Made> {
    const brief = this.#jobs.get(id)!;
    const check = await entry.check();
    const inputs: Record<string, Uint8Array> = {};
    for (const { name, hash } of brief.inputs) inputs[name] = new Uint8Array(await (await fetch(`${whole.url}/blobs/${hash}`)).arrayBuffer());
    const job: JobContext = { id: brief.id, seed: brief.seed, params: brief.params, prepared: brief.prepared };
    const rendered = await check.render(check.load(job, inputs), job, at, parts);
    for (const { bytes } of rendered) lie(new Uint32Array(bytes.buffer));
    const shape = { parts, elements: entry.spec.elements(job, at), words: entry.spec.elementWords(job, at) };
    return { bytes: Buffer.from(encodeResult(rendered, shape.elements, shape.words)), committed: commitParts(saltOf(token), shape, rendered) };
  }

  handIn({ token, parts }: Lease, { bytes, committed }: Made, more: object = {}): Promise<Ack<HandedIn>> {
    const root = toHex(committed.root);
    return this.raw('handIn', { token, parts, root, hash: hashOf(bytes), inline: bytes, computeMs: 1, leasesMax: 0, ...more });
  }

  /** Hands in and opens what is asked for. */
  async deliver(lease: Lease, made: Made): Promise<HandedIn> {
    const ack = await this.handIn(lease, made);
    if ('error' in ack) throw new Error(ack.error.message);
    const { result, open } = ack.data;
    if (open.length === 0) return ack.data;
    const opening = Buffer.from(made.committed.open(open));
    const small = opening.byteLength <= limits.inlineResultBytesMax;
    if (!small) expect(await put(`Lease ${lease.token}`, opening)).toBe(200);
    await this.ask('open', { result, hash: hashOf(opening), inline: small ? opening : null });
    return ack.data;
  }

  /** Works until there is nothing more to do. A newcomer gets one part after the other, each when the one before it was accepted. */
  async workOff(): Promise<void> {
    for (let verdicts = this.verdicts.length + 1; ; verdicts++) {
      const [lease] = await this.lease();
      if (!lease) break;
      expect(await this.deliver(lease, await this.compute(lease))).toHaveProperty('stored', true);
      await this.untilVerdicts(verdicts);
    }
  }

  async untilVerdicts(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.verdicts.length).toBe(count), { timeout: 10_000 });
  }
}

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const put = async (authorization: string, body: Uint8Array, hash = hashOf(body)): Promise<number> =>
  (
    await fetch(`${whole.url}/blobs/${hash}`, {
      method: 'PUT',
      headers: { authorization, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(body),
    })
  ).status;
