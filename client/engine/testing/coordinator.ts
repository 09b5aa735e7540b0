import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import msgpack from 'socket.io-msgpack-parser';
import { readOpening, saltOf } from '../../../shared/commitment.ts';
import { decodeResult, encodeAuditElements, FormatError, fromHex } from '../../../shared/formats.ts';
import { type ElementRef, fullMask, type JobId, maskOf, type PartMask, partsOf, type ResultId, type TileRef } from '../../../shared/model.ts';
import {
  type Ack,
  type AuditLease,
  type ContributorCommands,
  type ContributorFacts,
  type JobBrief,
  type Lease,
  namespaces,
  type Work,
} from '../../../shared/protocol.ts';
import type { Answer, ErrorBody, GiveBack, HandIn, Hello, Open, Preferences, WorkRequest } from '../../../shared/schemas.ts';

/** A coordinator as scripted as a test needs it, over a real socket and real HTTP. It checks nothing but hashes and openings. */
export interface StoredResult {
  readonly id: ResultId;
  readonly token: string;
  readonly job: JobId;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly bytes: Uint8Array;
  readonly root: string;
  /** Elements that wait for their opening. */
  wanted: readonly number[];
  /** Elements whose opening led to the root and added up to the total. */
  readonly opened: number[];
}

export interface Script {
  /** Leases of one answer at most. */
  grantMax?: number;
  /** Answers instead of the usual work. */
  onHello?: () => ErrorBody | null;
  onWork?: (leasesMax: number) => void;
  /** Called before a hand-in is answered. False: it is stored, but never answered. */
  onHandIn?: (message: HandIn, socket: Socket) => Promise<boolean | ErrorBody> | boolean | ErrorBody;
  /** Called before an opening is answered. False: it is taken, but never answered. */
  onOpen?: (message: Open, socket: Socket) => boolean | ErrorBody;
  onAnswer?: (message: Answer) => boolean | ErrorBody;
  /** Answers with these bytes of a blob; its head is written. */
  onBlob?: (bytes: Uint8Array, response: ServerResponse) => unknown;
  retryMs?: number;
  restMs?: number;
  /** Of a part, one u32 each; as `fakeWork` has them. */
  elements?: number;
  /** Counts as held by whoever says hello. */
  held?: readonly string[];
  /** What is drawn of every result. */
  drawn?: readonly number[];
  /** Each part is leased by itself, as to a newcomer. */
  inParts?: boolean;
}

/** What is leased at once. */
interface Piece {
  readonly tile: number;
  readonly parts: PartMask;
}

const PARTS_PER_TILE = 4;
const badHash: ErrorBody = { error: { code: 'bad_input', message: 'the bytes do not have this hash' } };
/** What every contributor is told of its record. */
export const record = { accepted: 4, refuted: 0, discarded: 1, verified: 100, drawn: 50, differing: 0, unexplained: 0, suspendedUntilMs: 0 };

export class FakeCoordinator {
  readonly script: Script;
  /** What lies on the disk: survives `restart`. */
  readonly stored = new Map<string, StoredResult>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly givenBack: string[] = [];
  readonly unopened: string[] = [];
  /** Values of audits, by token. */
  readonly answers = new Map<string, Uint32Array>();
  readonly greetings: Hello[] = [];
  readonly blobRequests: string[] = [];
  /** From which byte each of them was asked for. */
  readonly blobStarts: number[] = [];
  /** Caps that came with requests for work. */
  readonly caps: (number | undefined)[] = [];
  /** What contributors said they want, after hello. */
  readonly preferences: Preferences[] = [];
  handIns = 0;
  openings = 0;
  workRequests = 0;
  readonly #jobs = new Map<JobId, { brief: JobBrief; free: Piece[] }>();
  readonly #leases = new Map<string, Lease>();
  #audits: AuditLease[] = [];
  #http: HttpServer | null = null;
  #io: Server<ContributorCommands, ContributorFacts> | null = null;
  #port = 0;
  #tokens = 0;

  constructor(script: Script = {}) {
    this.script = script;
  }

  get hellos(): number {
    return this.greetings.length;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  addJob(name: string, tiles: number, input: Uint8Array | null = null, workload = 'fake'): JobId {
    const id = `j_${name.padEnd(16, '0')}` as JobId;
    const inputs = input ? [{ name: 'scene', hash: this.addBlob(input) as JobBrief['inputs'][number]['hash'], bytes: input.byteLength }] : [];
    const brief: JobBrief = { id, workload, version: 1, title: name, seed: 1, params: {}, prepared: {}, inputs, progress: 0 };
    const pieces = this.script.inParts ? Array.from({ length: PARTS_PER_TILE }, (_, part) => maskOf([part])) : [fullMask(PARTS_PER_TILE)];
    this.#jobs.set(id, { brief, free: Array.from({ length: tiles }, (_, tile) => pieces.map((parts) => ({ tile, parts }))).flat() });
    return id;
  }

  /** Granted with the next work that is asked for. Returns its token. */
  addAudit(job: JobId, elements: readonly Omit<ElementRef, 'pass'>[]): string {
    const token = `a${String(++this.#tokens).padStart(21, '0')}`;
    const refs = elements.map((element) => ({ pass: 0, ...element }));
    this.#audits.push({ token, job, elements: Buffer.from(encodeAuditElements(refs)), deadlineMs: Date.now() + 20_000 });
    return token;
  }

  /** Draws anew of a stored result, as a second look would. */
  askToOpen(id: ResultId, elements: readonly number[]): void {
    this.#result(id).wanted = elements;
    this.fact('open:wanted', { result: id, elements });
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
    for (const lease of this.#leases.values()) this.#offer(lease);
    for (const { free } of this.#jobs.values()) free.sort((a, b) => a.tile - b.tile || a.parts - b.parts);
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
    socket.on('hello', (message: Hello, reply: (ack: Ack<unknown>) => void) => {
      this.greetings.push(message);
      const open = [...this.stored.values()].filter(({ wanted }) => wanted.length > 0).map(({ id, wanted }) => ({ result: id, elements: wanted }));
      const welcome = {
        earnedMicroCredits: '7',
        vestingMicroCredits: '3',
        record,
        open,
        held: this.script.held ?? [],
        sharePercent: 0,
        serverTimeMs: Date.now(),
      };
      reply(this.script.onHello?.() ?? { data: welcome });
    });
    socket.on('work', ({ leasesMax, downloadBytesMax }: WorkRequest, reply: (ack: Ack<Work>) => void) => {
      this.workRequests++;
      this.caps.push(downloadBytesMax);
      this.script.onWork?.(leasesMax);
      reply({ data: this.#grant(leasesMax, told) });
    });
    socket.on('prefer', (message: Preferences, reply: (ack: Ack<null>) => void) => {
      this.preferences.push(message);
      reply({ data: null });
    });
    socket.on('giveBack', ({ tokens, unopened = [] }: GiveBack, reply: (ack: Ack<null>) => void) => {
      this.givenBack.push(...tokens);
      this.unopened.push(...unopened);
      for (const token of tokens) this.#free(token);
      for (const id of unopened) this.#result(id).wanted = [];
      reply({ data: null });
    });
    socket.on('handIn', async (message: HandIn, reply: (ack: Ack<unknown>) => void) => {
      this.handIns++;
      const { token, parts, root, leasesMax } = message;
      const bytes = this.#bytesOf(message);
      const lease = this.#leases.get(token);
      if (!bytes || !lease) return reply(badHash);
      const answer = (await this.script.onHandIn?.(message, socket)) ?? true;
      if (typeof answer === 'object') return reply(answer);
      const rivals = [...this.stored.values()].filter((other) => other.token !== token && other.at.tile === lease.at.tile && other.job === lease.job);
      if (rivals.some((other) => (other.parts & parts) !== 0)) {
        const left = rivals.reduce((mask, other) => mask & ~other.parts, parts as number);
        return reply({ error: { code: 'conflict', message: 'Somebody else has finished this tile already.', field: 'parts', limit: String(left) } });
      }
      const key = `${token}/${parts}`;
      const drawn = this.script.drawn ?? [1, 2, 11];
      const id = `r_${String(this.stored.size).padStart(16, '0')}` as ResultId;
      if (!this.stored.has(key)) this.stored.set(key, { id, token, job: lease.job, at: lease.at, parts, bytes, root, wanted: drawn, opened: [] });
      const { id: result, wanted: open } = this.stored.get(key)!;
      if (answer) reply({ data: { stored: true, result, open, work: this.#grant(leasesMax, told) } });
    });
    socket.on('open', (message: Open, reply: (ack: Ack<null>) => void) => {
      this.openings++;
      const bytes = this.#bytesOf(message);
      if (!bytes) return reply(badHash);
      const answer = this.script.onOpen?.(message, socket) ?? true;
      if (typeof answer === 'object') return reply(answer);
      try {
        this.#takeOpening(this.#result(message.result), bytes);
      } catch (error) {
        // Of the draw before this one, it was on its way while the coordinator began anew.
        if (error instanceof FormatError) return reply({ error: { code: 'busy', message: error.message } });
        throw error;
      }
      if (answer) reply({ data: null });
    });
    socket.on('answer', (message: Answer, reply: (ack: Ack<unknown>) => void) => {
      const answer = this.script.onAnswer?.(message) ?? true;
      if (typeof answer === 'object') return reply(answer);
      this.answers.set(message.token, new Uint32Array(new Uint8Array(message.values).buffer));
      if (answer) reply({ data: { work: this.#grant(message.leasesMax, told) } });
    });
  }

  #bytesOf({ hash, inline }: Pick<HandIn, 'hash' | 'inline'>): Uint8Array | null {
    const given = inline ?? this.blobs.get(hash);
    if (!given) return null;
    // Not a Buffer, whose `slice` copies nothing.
    const bytes = new Uint8Array(given);
    return createHash('sha256').update(bytes).digest('hex') === hash ? bytes : null;
  }

  #result(id: ResultId): StoredResult {
    const found = [...this.stored.values()].find((result) => result.id === id);
    if (!found) throw new Error(`there is no result ${id}`);
    return found;
  }

  /** Throws unless the opening leads to the root and its columns add up to the total. A repeated one changes nothing. */
  #takeOpening(result: StoredResult, bytes: Uint8Array): void {
    const { token, parts, root, wanted, opened } = result;
    if (wanted.length === 0) return;
    const elements = this.script.elements ?? 16;
    const read = readOpening(bytes, saltOf(token), fromHex(root), { parts, elements, words: 1 }, wanted);
    const total = decodeResult(result.bytes, parts, elements, 1);
    for (const element of wanted) {
      const sum = partsOf(parts).reduce((all, part) => all + read(part, element)[0]!, 0);
      if (sum !== total(element)) throw new Error(`the parts of element ${element} do not add up`);
    }
    opened.push(...wanted);
    result.wanted = [];
  }

  #grant(leasesMax: number, told: Set<JobId>): Work {
    const leases: Lease[] = [];
    for (const { brief, free } of this.#jobs.values()) {
      while (leases.length < Math.min(leasesMax, this.script.grantMax ?? 2) && free.length > 0) {
        const { tile, parts } = free.shift()!;
        if (this.#isStored(brief.id, { tile, parts })) continue;
        const token = `t${String(++this.#tokens).padStart(40, '0')}`;
        const lease = { token, job: brief.id, at: { pass: 0, tile }, parts, deadlineMs: Date.now() + 60_000 };
        this.#leases.set(token, lease);
        leases.push(lease);
      }
    }
    const audits = leasesMax > 0 ? this.#audits.splice(0) : [];
    const fresh = [...new Set([...leases, ...audits].map(({ job }) => job))].filter((id) => !told.has(id));
    for (const id of fresh) told.add(id);
    const wasEmpty = leases.length === 0 && leasesMax > 0;
    return {
      leases,
      audits,
      jobs: fresh.map((id) => this.#jobs.get(id)!.brief),
      retryMs: wasEmpty ? (this.script.retryMs ?? 50) : null,
      restMs: this.script.restMs ?? 0,
    };
  }

  #isStored(job: JobId, { tile, parts }: Piece): boolean {
    const results = [...this.stored.values()].filter((result) => result.at.tile === tile && result.job === job);
    return (results.reduce((mask, result) => mask | result.parts, 0) & parts) === parts;
  }

  /** What is not stored and not offered already. */
  #offer({ job, at: { tile }, parts }: Lease): void {
    const free = this.#jobs.get(job)?.free;
    if (!free || this.#isStored(job, { tile, parts }) || free.some((piece) => piece.tile === tile && piece.parts === parts)) return;
    free.push({ tile, parts });
  }

  #free(token: string): void {
    const lease = this.#leases.get(token);
    if (lease) this.#offer(lease);
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
    if (!blob) return void response.writeHead(404).end('no such blob');
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    this.blobStarts.push(from);
    const head = { 'content-length': blob.byteLength - from, ...(from > 0 && { 'content-range': `bytes ${from}-${blob.byteLength - 1}/${blob.byteLength}` }) };
    response.writeHead(from > 0 ? 206 : 200, head);
    await (this.script.onBlob?.(blob.subarray(from), response) ?? response.end(blob.subarray(from)));
  }
}
