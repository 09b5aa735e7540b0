import { SECOND_MS } from '../../shared/limits.ts';
import type { ContributorId, JobId, OwnerId } from '../../shared/model.ts';
import { Rng, seedOf } from '../../shared/rng.ts';
import type { Finish } from '../core/estimate.ts';
import type { Adversary, Brain } from './adversary.ts';
import { Agenda } from './agenda.ts';
import { Client } from './client.ts';
import type { Identity, Policy, SimJob, Submission, Surroundings } from './policy.ts';
import { type Device, FASTEST, MEAN_SPEED } from './population.ts';
import { Tally } from './tally.ts';
import { floatClasses } from './values.ts';

/**
 * A seeded world around a policy: virtual time, jobs that do not run dry, devices that are honest, slow, lying or gone. The same
 * seed gives the same devices and jobs to every policy. What may happen between them is in `policy.ts`, what liars do in `adversary.ts`.
 */
export interface WorldOptions {
  readonly seed: number;
  readonly devices: readonly Device[];
  readonly adversary: Adversary;
  readonly policy: (surroundings: Surroundings) => Policy;
  /** (part, element)s a second of all trusted contributors together; 0 for none. */
  readonly trustedSpeed: number;
  readonly endMs: number;
  readonly tilesPerJob: number;
  /** How many jobs there are; a stream without an end when it is missing. */
  readonly jobs?: number;
  /** Jobs that are ordered at their time, each quoted before; what does not run dry is the gallery then. */
  readonly orders?: readonly Order[];
  /** Called after every hand-in: where tests kill the coordinator. */
  readonly afterHandIn?: (policy: Policy, random: Rng) => unknown;
}

export interface Order {
  readonly atMs: number;
  readonly tiles: number;
  /** Everybody's requester, at the usual price, where they are missing. */
  readonly owner?: OwnerId;
  readonly ratePerUnit?: bigint;
}

/** What was promised for an order, and what came of it. */
export interface Delivery {
  readonly order: Order;
  readonly quote: Finish | null;
  /** Null: not by the end. */
  readonly endedMs: number | null;
}

const TRUSTED = 2;
const REQUESTER = 'device:requester' as OwnerId;
const ADVERSARY_REQUESTER = 'device:adversary' as OwnerId;

interface Detection {
  firstLieMs: number;
  lies: number;
}

export class World implements Surroundings {
  readonly tally = new Tally();
  readonly brain: Brain;
  readonly policy: Policy;
  readonly detections: { readonly ms: number; readonly lies: number }[] = [];
  readonly #options: WorldOptions;
  readonly #agenda = new Agenda();
  readonly #clients = new Map<ContributorId, Client>();
  /** Chance of the policy, of the jobs, and of tests: apart, so that none disturbs another. */
  readonly #policyRandom: Rng;
  readonly #jobRandom: Rng;
  readonly #testRandom: Rng;
  readonly #workRandom: Rng;
  readonly #lying = new Map<ContributorId, Detection>();
  readonly #deliveries = new Map<JobId, Delivery>();
  /** Of the first job. */
  firstSeed = 0;
  #jobsOpened = 0;
  #jobsEnded = 0;
  #delivered = 0;
  #names = 0;
  #caught = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#policyRandom = new Rng(seedOf(options.seed, 1));
    this.#jobRandom = new Rng(seedOf(options.seed, 2));
    this.#testRandom = new Rng(seedOf(options.seed, 3));
    this.#workRandom = new Rng(seedOf(options.seed, 6));
    this.brain = options.adversary.begin({
      random: new Rng(seedOf(options.seed, 4)),
      devices: options.devices.filter(({ liar }) => liar).length,
      nowMs: () => this.now(),
    });
    this.policy = options.policy(this);
  }

  now(): number {
    return this.#agenda.now;
  }

  in(delayMs: number, act: () => void): void {
    this.#agenda.in(delayMs, act);
  }

  unit(): number {
    return this.#policyRandom.unit();
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#policyRandom.u32() & 255);
  }

  /** Until the end of time, or of the jobs. */
  run(): this {
    this.#supply();
    for (const order of this.#options.orders ?? []) this.in(order.atMs, () => this.#order(order));
    for (const device of this.#options.devices) for (const session of device.sessions) this.in(session.fromMs, () => this.#arrive(device, session.toMs));
    if (this.#options.trustedSpeed > 0) for (let index = 0; index < TRUSTED; index++) this.#employ(index);
    this.#tick();
    const { orders, jobs, endMs } = this.#options;
    this.#agenda.runUntil(endMs, () => (orders ? this.#delivered === orders.length : this.#jobsEnded === jobs));
    for (const client of this.#clients.values()) client.close();
    return this;
  }

  get jobs(): { readonly opened: number; readonly ended: number } {
    return { opened: this.#jobsOpened, ended: this.#jobsEnded };
  }

  /** Names that liars have used, and those of them that lied and were not suspended. */
  get liars(): { readonly lied: number; readonly unseen: number } {
    return { lied: this.#lying.size + this.#caught, unseen: this.#lying.size };
  }

  #tick(): void {
    this.policy.tick();
    this.#supply();
    this.in(SECOND_MS, () => this.#tick());
  }

  #supply(): void {
    const { tilesPerJob, jobs } = this.#options;
    while ((jobs === undefined || this.#jobsOpened < jobs) && this.policy.supply() < tilesPerJob) {
      const share = this.brain.ordersShare ?? 0;
      const own = Math.floor((this.#jobsOpened + 1) * share) > Math.floor(this.#jobsOpened * share);
      const id = `j_${(++this.#jobsOpened).toString().padStart(16, '0')}` as JobId;
      const owner = own ? ADVERSARY_REQUESTER : REQUESTER;
      const job: SimJob = { id, seed: this.#jobRandom.u32(), tiles: tilesPerJob, owner, own, gallery: this.#options.orders !== undefined };
      if (this.#jobsOpened === 1) this.firstSeed = job.seed;
      this.policy.openJob(job);
    }
  }

  #order(order: Order): void {
    const id = `j_order${(this.#deliveries.size + 1).toString().padStart(11, '0')}` as JobId;
    const job: SimJob = {
      id,
      seed: this.#jobRandom.u32(),
      tiles: order.tiles,
      owner: order.owner ?? REQUESTER,
      own: false,
      ratePerUnit: order.ratePerUnit,
    };
    this.#deliveries.set(id, { order, quote: this.policy.quote?.(job) ?? null, endedMs: null });
    this.policy.openJob(job);
  }

  /** What became of the orders so far, in their order. */
  get deliveries(): readonly Delivery[] {
    return [...this.#deliveries.values()];
  }

  /** By what a part takes longer than it should: log-normal, 1 in the median. */
  unevenness({ unevenness = 0 }: Device): number {
    if (unevenness === 0) return 1;
    const [a, b] = [this.#workRandom.unit(), this.#workRandom.unit()];
    return Math.exp(unevenness * Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b));
  }

  /** A device opens its tab, under the name it had when it was last here. */
  #arrive(device: Device, untilMs: number): void {
    const known = this.#byDevice.get(device.number);
    const client = known ?? this.#name(device, 0);
    client.open(untilMs);
  }

  readonly #byDevice = new Map<number, Client>();

  #name(device: Device, incarnation: number): Client {
    const name = (++this.#names).toString().padStart(16, '0');
    const id = `c_${name}` as ContributorId;
    const identity: Identity = { id, owner: `device:${name}` as OwnerId, network: name, trusted: false, floatClass: device.floatClass, record: device.record };
    const client = new Client(this, identity, device, incarnation, FASTEST);
    this.#clients.set(id, client);
    this.#byDevice.set(device.number, client);
    return client;
  }

  /** The same device as somebody else. */
  rename(client: Client, untilMs: number): void {
    if (client.device.liar) this.#name(client.device, client.incarnation + 1).open(untilMs);
  }

  #employ(index: number): void {
    const name = `trusted${index}`;
    const id = `c_${name.padEnd(16, '0')}` as ContributorId;
    const identity: Identity = { id, owner: 'device:operator' as OwnerId, network: 'operator', trusted: true, floatClass: floatClasses[1 + index]! };
    const speed = this.#options.trustedSpeed / TRUSTED;
    const device: Device = { number: -1 - index, speed, floatClass: identity.floatClass, liar: false, sessions: [] };
    const client = new Client(this, identity, device, 0, FASTEST);
    this.#clients.set(id, client);
    client.open(Number.POSITIVE_INFINITY);
  }

  handedIn(submission: Submission): void {
    this.#options.afterHandIn?.(this.policy, this.#testRandom);
    if (submission.result === null || submission.grant.job.own) return;
    const known = this.#lying.get(submission.identity.id);
    if (known) known.lies++;
    else this.#lying.set(submission.identity.id, { firstLieMs: this.now(), lies: 1 });
  }

  workAvailable(contributors: readonly ContributorId[]): void {
    for (const id of contributors) this.#clients.get(id)?.wake();
  }

  openWanted(submission: Submission, columns: readonly number[]): void {
    this.#clients.get(submission.identity.id)?.openWanted(submission, columns);
  }

  leasesVoided(contributor: ContributorId, keys: readonly string[]): void {
    this.#clients.get(contributor)?.leasesVoided(keys);
  }

  decided(submission: Submission, state: 'accepted' | 'refuted' | 'discarded' | 'revoked'): void {
    const client = this.#clients.get(submission.identity.id)!;
    const honest = !client.device.liar;
    if (state === 'accepted') this.tally.accepted(submission);
    else if (state === 'revoked') this.tally.revoked(submission);
    else this.tally.lost[state] += submission.size;
    if (honest && state !== 'revoked') this.tally.judgedHonest += submission.size;
    if (honest && state === 'refuted') this.tally.falseAccusations++;
    if (honest && state === 'discarded') this.tally.honestDiscarded += submission.size;
    client.told({ kind: state, plan: submission.plan });
  }

  confirmed(submission: Submission): void {
    const client = this.#clients.get(submission.identity.id)!;
    if (!client.device.liar) this.tally.judgedHonest += submission.size;
    client.told({ kind: 'accepted', plan: submission.plan });
  }

  suspended(contributor: ContributorId): void {
    const client = this.#clients.get(contributor)!;
    const lying = this.#lying.get(contributor);
    if (lying) {
      this.detections.push({ ms: this.now() - lying.firstLieMs, lies: lying.lies });
      this.#lying.delete(contributor);
      this.#caught++;
    }
    // An honest result that is refuted is counted by its verdict; this is an honest auditor who was blamed.
    if (!client.device.liar && !client.wasRefuted) this.tally.falseAccusations++;
    client.suspend();
  }

  jobEnded(id: JobId): void {
    this.#jobsEnded++;
    const delivery = this.#deliveries.get(id);
    if (!delivery) return;
    this.#deliveries.set(id, { ...delivery, endedMs: this.now() });
    this.#delivered++;
  }
}

/** (part, element)s a second of trusted contributors that are this share of what everybody present computes. */
export const trustedSpeedOf = (share: number, present: number): number => (share / Math.max(1e-9, 1 - share)) * present * MEAN_SPEED;
