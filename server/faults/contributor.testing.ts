import { createHash } from 'node:crypto';
import { decodeAuditElements, toHex } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { ConsentId, ContributorId, OwnerId, ResultId } from '../../shared/model.ts';
import {
  type Ack,
  type Answered,
  type AuditLease,
  type HandedIn,
  type Lease,
  type OpenRequest,
  PROTOCOL_VERSION,
  type Welcome,
  type Work,
} from '../../shared/protocol.ts';
import type { Rng } from '../../shared/rng.ts';
import type { Store } from '../store/store.ts';
import type { Line } from './line.testing.ts';
import { sleep } from './time.testing.ts';
import { compute, hashOf, spec, valuesOf } from './work.testing.ts';

/** An answer that takes longer is taken for lost, and the message is sent again. */
const ANSWER_MS_MAX = 2500;
const BACK_MS_MAX = 400;
const AGAIN_MS = [20, 200] as const;
const AWAY_MS = [200, 600] as const;
const IDLE_MS = 500;
const LANES = 2;
const NEVER_MS = 1e15;

export interface Person {
  readonly id: ContributorId;
  readonly owner: OwnerId;
  readonly consent: ConsentId;
  readonly secret: Buffer;
}

export function personOf(index: number): Person {
  const suffix = index.toString().padStart(16, '0');
  const secret = createHash('sha256').update(`contributor ${suffix}`).digest();
  return { id: `c_${suffix}` as ContributorId, owner: `device:${suffix}` as OwnerId, consent: `k_${suffix}` as ConsentId, secret };
}

/** On record, as everybody who has agreed is. */
export async function register({ people }: Store, { id, owner, consent, secret }: Person): Promise<void> {
  await people.createContributor({ id, secretHash: createHash('sha256').update(secret).digest(), owner, createdMs: 0 });
  const grant = { kinds: [spec.id], site: null, powerPercent: 100, grantedMs: 0, expiresMs: NEVER_MS, revokedMs: null };
  await people.createConsent({ id: consent, contributor: id, ...grant });
}

export interface ContributorOptions {
  readonly person: Person;
  readonly rng: Rng;
  /** Of its tiles, the share that it makes up. */
  readonly lies: number;
  /** How long a tile takes it at most. */
  readonly computeMsMax: number;
  /** To whichever coordinator the balancer chooses; null when that one is not there. */
  readonly connect: (fact: (name: string, message: unknown) => void) => Promise<Line | null>;
  readonly log: (what: string) => void;
}

/**
 * An engine that computes nothing, over bad lines to whichever coordinator is there. It remembers what it was told is stored, and repeats everything
 * until it is answered. What a coordinator thinks it holds, and it does not, it gives back when it says hello.
 */
export class Contributor {
  readonly acknowledged = new Set<ResultId>();
  /** Of these it was told that their opening is stored, or that none is wanted. */
  readonly opened = new Set<ResultId>();
  /** Refusals of what nobody may refuse. */
  readonly misunderstood: string[] = [];
  readonly #options: ContributorOptions;
  readonly #leases: Lease[] = [];
  readonly #audits: AuditLease[] = [];
  readonly #held = new Set<string>();
  readonly #made = new Map<ResultId, ReturnType<typeof compute>>();
  #line: Line | undefined;
  #woken = Promise.withResolvers<void>();
  #ends = false;

  constructor(options: ContributorOptions) {
    this.#options = options;
  }

  get id(): ContributorId {
    return this.#options.person.id;
  }

  get isLiar(): boolean {
    return this.#options.lies > 0;
  }

  start(): void {
    void this.#stayConnected();
    for (let lane = 0; lane < LANES; lane++) void this.#lane();
  }

  stop(): void {
    this.#ends = true;
    this.#line?.cut();
  }

  #between([from, to]: readonly [number, number]): number {
    return from + this.#options.rng.unit() * (to - from);
  }

  async #stayConnected(): Promise<void> {
    while (!this.#ends) {
      const line = await this.#options.connect((name, message) => this.#hear(name, message));
      if (line && (await this.#hello(line))) {
        this.#line = line;
        await line.ended;
        this.#line = undefined;
      } else line?.cut();
      // Full jitter.
      await sleep(this.#options.rng.unit() * BACK_MS_MAX);
    }
  }

  #hear(name: string, message: unknown): void {
    if (name === 'open:wanted') void this.#open(message as OpenRequest);
    if (name === 'work:available') this.#woken.resolve();
    if (name === 'leases:void') for (const token of (message as { tokens: readonly string[] }).tokens) this.#drop(token);
  }

  #drop(token: string): void {
    const at = this.#leases.findIndex((lease) => lease.token === token);
    if (at < 0) return;
    this.#leases.splice(at, 1);
    this.#held.delete(token);
  }

  async #hello(line: Line): Promise<boolean> {
    const { id, consent, secret } = this.#options.person;
    const device = { vendor: 'chaos', architecture: '', backend: 'none', description: '', software: true };
    const ack = (await this.#answer(line, 'hello', {
      protocol: PROTOCOL_VERSION,
      contributor: id,
      secret: secret.toString('base64url'),
      consent,
      device,
      downloadBytesMax: limits.downloadBytesDefault,
    })) as Ack<Welcome> | undefined;
    if (!ack || 'error' in ack) return false;
    for (const request of ack.data.open) void this.#open(request);
    const unknown = ack.data.held.filter((token) => !this.#held.has(token));
    if (unknown.length > 0) void this.#ask('giveBack', { tokens: unknown });
    return true;
  }

  /** A line on which no answer comes is given up, because nobody knows what was on it: leases perhaps. */
  async #answer(line: Line, command: string, message: object): Promise<unknown> {
    const late = setTimeout(() => line.cut(), ANSWER_MS_MAX);
    const answer = await line.ask(command, message);
    clearTimeout(late);
    return answer;
  }

  /** Until it is answered with anything but a refusal that passes. Null when it is refused for good, or all is over. */
  async #ask<T>(command: string, message: object): Promise<{ readonly data: T } | null> {
    while (!this.#ends) {
      const ack = this.#line && ((await this.#answer(this.#line, command, message)) as Ack<T> | undefined);
      if (ack && 'data' in ack) return ack;
      const code = ack?.error.code;
      if (ack && code !== 'busy' && code !== 'internal' && code !== 'too_many' && ack.error.message !== 'Say hello first.') {
        this.#options.log(`${command} refused: ${code} ${ack.error.message}`);
        if (code === 'bad_input') this.misunderstood.push(`${command} of ${this.id} was refused: ${ack.error.message}`);
        return null;
      }
      await sleep(this.#between(this.#line ? AGAIN_MS : AWAY_MS));
    }
    return null;
  }

  async #lane(): Promise<void> {
    while (!this.#ends) {
      const audit = this.#audits.shift();
      const lease = this.#leases.shift();
      if (audit) await this.#audit(audit);
      if (lease) await this.#complete(lease);
      if (!audit && !lease) await this.#fetch();
    }
  }

  async #fetch(): Promise<void> {
    this.#woken = Promise.withResolvers();
    const work = await this.#ask<Work>('work', { leasesMax: 4 });
    if (work) this.#take(work.data);
    if (this.#leases.length + this.#audits.length === 0) await Promise.race([this.#woken.promise, sleep(work?.data.retryMs ?? IDLE_MS)]);
  }

  #take({ leases, audits }: Work): void {
    this.#leases.push(...leases);
    this.#audits.push(...audits);
    for (const { token } of [...leases, ...audits]) this.#held.add(token);
  }

  async #complete(lease: Lease): Promise<void> {
    const { token, parts, job, at } = lease;
    const isLie = this.#options.rng.unit() < this.#options.lies;
    await sleep(this.#options.rng.unit() * this.#options.computeMsMax);
    const made = compute(lease, isLie);
    const message = { token, parts, root: toHex(made.root), ...inlineOf(made.result), computeMs: 1, leasesMax: this.#leases.length === 0 ? 2 : 0 };
    const answer = await this.#ask<HandedIn>('handIn', message);
    this.#held.delete(token);
    if (!answer) return;
    const { result, open, work } = answer.data;
    this.acknowledged.add(result);
    this.#options.log(`told that ${result} is stored: ${job} ${at.pass}/${at.tile}/${parts}${isLie ? ', a lie' : ''}`);
    this.#made.set(result, made);
    this.#take(work);
    if (open.length > 0) await this.#open({ result, elements: open });
    else this.opened.add(result);
  }

  /** What it does not know was handed in, and its answer was lost: the hand-in will be repeated. */
  async #open({ result, elements }: OpenRequest): Promise<void> {
    const made = this.#made.get(result);
    if (made && (await this.#ask<null>('open', { result, ...inlineOf(made.open(elements)) }))) this.opened.add(result);
  }

  async #audit({ token, elements }: AuditLease): Promise<void> {
    const refs = decodeAuditElements(elements);
    await sleep(this.#options.rng.unit() * this.#options.computeMsMax);
    const isLie = this.#options.rng.unit() < this.#options.lies;
    const answer = await this.#ask<Answered>('answer', { token, values: Buffer.from(valuesOf(refs, isLie)), computeMs: 1, leasesMax: 0 });
    this.#held.delete(token);
    if (answer) this.#take(answer.data.work);
  }
}

const inlineOf = (bytes: Uint8Array) => ({ hash: hashOf(bytes), inline: Buffer.from(bytes) });
