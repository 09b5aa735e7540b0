import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import msgpack from 'socket.io-msgpack-parser';
import { fullMask, type JobId, type PartMask, type TileRef } from '../../../shared/model.ts';
import { type Ack, type ContributorCommands, type ContributorFacts, type JobBrief, type Lease, namespaces, type Work } from '../../../shared/protocol.ts';
import type { ErrorBody, HandIn } from '../../../shared/schemas.ts';

/** A coordinator as scripted as a test needs it, over a real socket and real HTTP. It checks nothing but hashes. */
export interface StoredResult {
  readonly token: string;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly bytes: Uint8Array;
}

export interface Script {
  /** Leases of one answer at most. */
  grantMax?: number;
  /** Answers instead of the usual work. */
  onHello?: () => ErrorBody | null;
  onWork?: (leasesMax: number) => void;
  /** Called before a hand-in is answered. False: it is stored, but never answered. */
  onHandIn?: (message: HandIn, socket: Socket) => Promise<boolean | ErrorBody> | boolean | ErrorBody;
  retryMs?: number;
}

const PARTS_PER_TILE = 4;

export class FakeCoordinator {
  readonly script: Script;
  /** What lies on the disk: survives `restart`. */
  readonly stored = new Map<string, StoredResult>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly givenBack: string[] = [];
  readonly blobRequests: string[] = [];
  hellos = 0;
  handIns = 0;
  workRequests = 0;
  readonly #jobs = new Map<JobId, { brief: JobBrief; tiles: number[] }>();
  readonly #leases = new Map<string, Lease>();
  #http: HttpServer | null = null;
  #io: Server<ContributorCommands, ContributorFacts> | null = null;
  #port = 0;
  #tokens = 0;

  constructor(script: Script = {}) {
    this.script = script;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  addJob(name: string, tiles: number, input: Uint8Array | null = null, workload = 'fake'): JobId {
    const id = `j_${name.padEnd(16, '0')}` as JobId;
    const inputs = input ? [{ name: 'scene', hash: this.addBlob(input) as JobBrief['inputs'][number]['hash'], bytes: input.byteLength }] : [];
    const brief: JobBrief = { id, workload, version: 1, title: name, seed: 1, params: {}, prepared: {}, inputs, progress: 0 };
    this.#jobs.set(id, { brief, tiles: Array.from({ length: tiles }, (_, tile) => tile) });
    return id;
  }

  addBlob(bytes: Uint8Array): string {
    const hash = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(hash, bytes);
    return hash;
  }

  async start(): Promise<void> {
    this.#http = createServer((request, response) => void this.#serve(request, response));
    this.#io = new Server(this.#http, { transports: ['websocket'], parser: msgpack });
    this.#io.of(namespaces.contribute).on('connection', (socket) => this.#accept(socket as unknown as Socket));
    this.#http.listen(this.#port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await this.#io?.close();
    this.#io = null;
  }

  /** Leases are forgotten, results are not; tiles that were leased and not handed in are free again. */
  async restart(): Promise<void> {
    await this.stop();
    for (const { job, at } of this.#leases.values()) {
      const tiles = this.#jobs.get(job)?.tiles;
      if (tiles && !this.#isStored(job, at.tile) && !tiles.includes(at.tile)) tiles.push(at.tile);
      tiles?.sort((a, b) => a - b);
    }
    await this.start();
  }

  fact<F extends keyof ContributorFacts>(name: F, ...message: Parameters<ContributorFacts[F]>): void {
    this.#io?.of(namespaces.contribute).emit(name, ...(message as never));
  }

  /** Breaks every connection as a network does: no goodbye. */
  cut(): void {
    for (const socket of this.#io?.of(namespaces.contribute).sockets.values() ?? []) socket.conn.close();
  }

  hangUp(): void {
    this.#io?.of(namespaces.contribute).disconnectSockets(true);
  }

  tokensOf(job: JobId): string[] {
    return [...this.#leases.values()].filter((lease) => lease.job === job).map(({ token }) => token);
  }

  tileOf(token: string): number | undefined {
    return this.#leases.get(token)?.at.tile;
  }

  #accept(socket: Socket): void {
    const told = new Set<JobId>();
    socket.on('hello', (_message: unknown, reply: (ack: Ack<unknown>) => void) => {
      this.hellos++;
      reply(this.script.onHello?.() ?? { data: { earnedMicroCredits: '7', sharePercent: 0, serverTimeMs: Date.now() } });
    });
    socket.on('work', ({ leasesMax }: { leasesMax: number }, reply: (ack: Ack<Work>) => void) => {
      this.workRequests++;
      this.script.onWork?.(leasesMax);
      reply({ data: this.#grant(leasesMax, told) });
    });
    socket.on('giveBack', ({ tokens }: { tokens: string[] }, reply: (ack: Ack<null>) => void) => {
      this.givenBack.push(...tokens);
      for (const token of tokens) this.#free(token);
      reply({ data: null });
    });
    socket.on('handIn', async (message: HandIn, reply: (ack: Ack<unknown>) => void) => {
      this.handIns++;
      const bytes = message.inline === null ? this.blobs.get(message.hash) : message.inline;
      const lease = this.#leases.get(message.token);
      if (!bytes || !lease || createHash('sha256').update(bytes).digest('hex') !== message.hash)
        return reply({ error: { code: 'bad_input', message: 'the bytes do not have this hash' } });
      const answer = (await this.script.onHandIn?.(message, socket)) ?? true;
      if (typeof answer === 'object') return reply(answer);
      const rivals = [...this.stored.values()].filter(
        ({ token, at }) => token !== message.token && at.tile === lease.at.tile && this.#leases.get(token)?.job === lease.job,
      );
      if (rivals.some(({ parts }) => (parts & message.parts) === message.parts))
        return reply({ error: { code: 'conflict', message: 'Somebody else has finished this tile already.' } });
      const key = `${message.token}/${message.parts}`;
      if (!this.stored.has(key)) this.stored.set(key, { token: message.token, at: lease.at, parts: message.parts, bytes });
      if (answer) reply({ data: { stored: true, work: this.#grant(message.leasesMax, told) } });
    });
  }

  #grant(leasesMax: number, told: Set<JobId>): Work {
    const leases: Lease[] = [];
    for (const { brief, tiles } of this.#jobs.values()) {
      while (leases.length < Math.min(leasesMax, this.script.grantMax ?? 2) && tiles.length > 0) {
        const tile = tiles.shift()!;
        if (this.#isStored(brief.id, tile)) continue;
        const token = `t${String(++this.#tokens).padStart(40, '0')}`;
        const lease = { token, job: brief.id, at: { pass: 0, tile }, parts: fullMask(PARTS_PER_TILE), deadlineMs: Date.now() + 60_000 };
        this.#leases.set(token, lease);
        leases.push(lease);
      }
    }
    const fresh = [...new Set(leases.map(({ job }) => job))].filter((id) => !told.has(id));
    for (const id of fresh) told.add(id);
    const wasEmpty = leases.length === 0 && leasesMax > 0;
    return { leases, jobs: fresh.map((id) => this.#jobs.get(id)!.brief), retryMs: wasEmpty ? (this.script.retryMs ?? 50) : null };
  }

  #isStored(job: JobId, tile: number): boolean {
    const results = [...this.stored.values()].filter(({ token, at }) => at.tile === tile && this.#leases.get(token)?.job === job);
    return results.reduce((mask, { parts }) => mask | parts, 0) === fullMask(PARTS_PER_TILE);
  }

  #free(token: string): void {
    const lease = this.#leases.get(token);
    if (lease && !this.#isStored(lease.job, lease.at.tile)) this.#jobs.get(lease.job)?.tiles.push(lease.at.tile);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hash = request.url?.replace('/blobs/', '') ?? '';
    this.blobRequests.push(`${request.method} ${hash} ${request.headers.authorization ?? ''}`.trim());
    if (request.method === 'PUT') {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.blobs.set(hash, Buffer.concat(chunks));
      response.end('{}');
      return;
    }
    const blob = this.blobs.get(hash);
    response.statusCode = blob ? 200 : 404;
    response.end(blob ?? 'no such blob');
  }
}
