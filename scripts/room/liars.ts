import { createHash, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { commitParts, saltOf } from '../../shared/commitment.ts';
import { encodeResult, toHex } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import { partsOf } from '../../shared/model.ts';
import { type Ack, type HandedIn, type JobBrief, type Lease, namespaces, PROTOCOL_VERSION, type VerdictMessage, type Work } from '../../shared/protocol.ts';
import type { ConsentGrant } from '../../shared/schemas.ts';

/** Planted liars: drills (`hello` with the operator's key) that speak the protocol well, commit to what they hand in, and have computed nothing. */

const ANSWER_MS_MAX = 10_000;
const REST_MS = 1000;
/** As long as an honest device of a middling speed takes. */
const PRETENDS_MS = 700;
/** Of a value that could be true. */
const [WORD_MIN, WORD_MAX] = [1000, 60_000];

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

class Liar {
  readonly #origin: string;
  readonly #grant: ConsentGrant;
  readonly #socket: Socket;
  readonly #jobs = new Map<string, JobBrief>();
  #isFound = false;

  private constructor(origin: string, grant: ConsentGrant) {
    this.#origin = origin;
    this.#grant = grant;
    this.#socket = io(`${origin}${namespaces.contribute}`, { transports: ['websocket'], parser: msgpack, reconnection: false, forceNew: true });
    this.#socket.on('verdicts', (verdicts: readonly VerdictMessage[]) => {
      if (verdicts.some(({ verdict }) => verdict === 'refuted')) this.#isFound = true;
    });
  }

  static async join(origin: string, key: string): Promise<Liar> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ kinds: workloadIds, site: null });
    const answer = await fetch(`${origin}/api/consents`, { method: 'POST', headers, body, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (!answer.ok) throw new Error(`no consent: ${answer.status}`);
    const grant = (await answer.json()) as ConsentGrant;
    const liar = new Liar(origin, grant);
    await liar.#ask('hello', {
      protocol: PROTOCOL_VERSION,
      contributor: grant.contributor.id,
      secret: grant.contributor.secret,
      consent: grant.consent.id,
      device: { vendor: 'planted', architecture: 'liar', backend: 'none', description: '', software: true },
      downloadBytesMax: limits.downloadBytesDefault,
      trusted: key,
      drill: true,
    });
    return liar;
  }

  get id(): string {
    return this.#grant.contributor.id;
  }
  get isFound(): boolean {
    return this.#isFound;
  }
  get isHere(): boolean {
    return this.#socket.connected;
  }

  /** Lies once, if there is something to lie about. */
  async lie(): Promise<void> {
    const { leases, jobs, retryMs } = await this.#ask<Work>('work', { leasesMax: 1 });
    for (const job of jobs) this.#jobs.set(job.id, job);
    const [lease] = leases;
    if (!lease) return void (await sleep(retryMs ?? REST_MS));
    await sleep(PRETENDS_MS);
    await this.#handIn(lease);
  }

  async #handIn({ token, job: id, at, parts }: Lease): Promise<void> {
    const job = this.#jobs.get(id);
    const spec = job && workload(job.workload)?.spec;
    if (!job || !spec) throw new Error(`the job ${id} is not known here`);
    const elements = spec.elements(job, at);
    const words = spec.elementWords(job, at);
    const made = partsOf(parts).map((part) => ({ part, bytes: new Uint8Array(new Uint32Array(elements * words).fill(randomInt(WORD_MIN, WORD_MAX)).buffer) }));
    const { root, open } = commitParts(saltOf(token), { parts, elements, words }, made);
    const message = { token, parts, root: toHex(root), ...(await this.#send(encodeResult(made, elements, words))), computeMs: PRETENDS_MS, leasesMax: 0 };
    const answer = await this.#ask<HandedIn>('handIn', message);
    if (answer.open.length > 0) await this.#ask('open', { result: answer.result, ...(await this.#send(open(answer.open))) });
  }

  /** What is too long for a message is put to /blobs first. */
  async #send(bytes: Uint8Array): Promise<{ hash: string; inline: Buffer | null }> {
    const hash = sha256(bytes);
    // The msgpack parser sends a Buffer as binary, and any other view with its whole memory.
    if (bytes.byteLength <= limits.inlineResultBytesMax) return { hash, inline: Buffer.from(bytes) };
    const { id, secret } = this.#grant.contributor;
    const headers = { authorization: `Contributor ${id}.${secret}`, 'content-type': 'application/octet-stream' };
    const put = await fetch(`${this.#origin}/blobs/${hash}`, { method: 'PUT', headers, body: Buffer.from(bytes), signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (!put.ok) throw new Error(`a blob was not taken: ${put.status}`);
    return { hash, inline: null };
  }

  /** All that it was ever paid or may be, in micro-credits. */
  async earned(): Promise<bigint> {
    const { id, secret } = this.#grant.contributor;
    const answer = await fetch(`${this.#origin}/api/contributors/me`, { headers: { authorization: `Contributor ${id}.${secret}` } });
    if (!answer.ok) throw new Error(`what a liar earned is not known: ${answer.status}`);
    const me = (await answer.json()) as { earnedMicroCredits: string; vestingMicroCredits: string };
    return BigInt(me.earnedMicroCredits) + BigInt(me.vestingMicroCredits);
  }

  leave(): void {
    this.#socket.disconnect();
  }

  async #ask<T>(command: string, message: object): Promise<T> {
    const ack = (await this.#socket.timeout(ANSWER_MS_MAX).emitWithAck(command, message)) as Ack<T>;
    if ('error' in ack) throw new Error(`${command}: ${ack.error.message}`);
    return ack.data;
  }
}

/** Keeps so many liars in the room that they are the wanted share of all; one that is found out goes, and another comes under a new name. */
export class Liars {
  readonly #origin: string;
  readonly #key: string;
  /** Honest contributors that are here. */
  readonly #honest: () => number;
  readonly #here = new Set<Liar>();
  readonly #all: Liar[] = [];
  percent = 0;
  #joining = 0;
  #timer: NodeJS.Timeout;

  constructor(origin: string, key: string, honest: () => number) {
    this.#origin = origin;
    this.#key = key;
    this.#honest = honest;
    this.#timer = setInterval(() => this.#tend(), REST_MS);
  }

  get here(): number {
    return this.#here.size;
  }
  get found(): number {
    return this.#all.filter(({ isFound }) => isFound).length;
  }
  get ids(): ReadonlySet<string> {
    return new Set(this.#all.map(({ id }) => id));
  }

  async earned(): Promise<bigint> {
    let sum = 0n;
    for (const liar of this.#all) sum += await liar.earned();
    return sum;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const liar of this.#here) liar.leave();
    this.#here.clear();
  }

  #tend(): void {
    const wanted = this.percent === 0 ? 0 : Math.max(1, Math.round((this.percent / (100 - this.percent)) * this.#honest()));
    for (const liar of [...this.#here].slice(wanted)) this.#dismiss(liar);
    for (let missing = wanted - this.#here.size - this.#joining; missing > 0; missing--) void this.#plant();
  }

  #dismiss(liar: Liar): void {
    this.#here.delete(liar);
    liar.leave();
  }

  /** What goes wrong, as while the coordinator is away, ends this one; another comes when it can. */
  async #plant(): Promise<void> {
    this.#joining++;
    const liar = await Liar.join(this.#origin, this.#key).catch(() => undefined);
    this.#joining--;
    if (!liar) return;
    this.#all.push(liar);
    this.#here.add(liar);
    try {
      while (this.#here.has(liar) && liar.isHere && !liar.isFound) await liar.lie();
    } catch {
      // Suspended while it pretended to compute, or cut off.
      await sleep(REST_MS);
    }
    this.#dismiss(liar);
  }
}
