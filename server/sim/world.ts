import { Type } from 'typebox';
import { encodeResult } from '../../shared/formats.ts';
import {
  type BlobHash,
  type ContributorId,
  type Evidence,
  type JobId,
  type MicroUnits,
  type OwnerId,
  type PartMask,
  partsOf,
  type ResultId,
} from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import type { ChecksPolicy } from '../../shared/schemas.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { step } from '../core/coordinator.ts';
import { openLease } from '../core/lease.ts';
import { holds } from '../core/ledger.ts';
import { priceJob } from '../core/pricing.ts';
import type { ActiveLease, CheckOutcome, CheckRequest, Command, Event, State } from '../core/state.ts';
import type { StoredJob, StoredResult, Write } from '../store/store.ts';
import { SimLedger } from './ledger.ts';

/**
 * A seeded world around the real core: virtual time, contributors that are honest, slow, lying or vanish, a disk that
 * remembers what was committed, and crashes that forget everything else. The same seed gives the same history.
 */
export interface SimContributor {
  readonly name: string;
  /** Micro-units a millisecond. */
  readonly speed: number;
  /** Chance that a result is made up. */
  readonly lies: number;
  /** Chance, per lease, of closing the tab in the middle of it. */
  readonly vanishes: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly contributors: readonly SimContributor[];
  readonly tiles: number;
  readonly passes: number;
  readonly checks: ChecksPolicy;
  /** Chance, per finished lease, that the coordinator is killed and started again. */
  readonly crashes: number;
  readonly endMs: number;
}

export interface SimReport {
  readonly ended: boolean;
  readonly virtualMs: number;
  readonly ledger: SimLedger;
  readonly job: StoredJob;
  readonly earned: Readonly<Record<string, bigint>>;
  readonly wrongPartsAccepted: number;
  readonly refuted: readonly { readonly name: string; readonly lied: boolean }[];
  /** Parts computed by anybody, over the parts of the job. */
  readonly work: number;
  readonly acknowledgedTwice: number;
}

const PARTS = 4;
const PART_BYTES = 16;
const ELEMENTS = 4096;
const PICKUP_MS = 10;

/** A workload without a kernel: what it costs is known, whether a result is right is decided by the world. */
export const simSpec = (grid: { readonly passes: number; readonly tiles: number }): WorkloadSpec => ({
  id: 'sim',
  version: 1,
  title: 'Simulation',
  summary: 'Nothing runs.',
  params: Type.Object({}),
  defaults: {},
  fields: [],
  outputs: [],
  tolerance: { unit: 'steps', allowed: 1, honestMissRate: 0.001 },
  split: () => grid,
  parts: () => PARTS,
  partBytes: () => PART_BYTES,
  elements: () => ELEMENTS,
  work: () => 1000 as MicroUnits,
  auditMs: () => 1,
  region: () => null,
  picture: () => null,
});

interface Disk {
  readonly results: Map<ResultId, StoredResult>;
  jobEnded: boolean;
}

const REQUESTER = 'device:requester0000000' as OwnerId;
const hashOf = (n: number): BlobHash => n.toString(16).padStart(64, '0') as BlobHash;

export function simulate(options: SimOptions): SimReport {
  const world = new World(options);
  return world.run();
}

class World {
  readonly #options: SimOptions;
  readonly #rng: Rng;
  readonly #ledger = new SimLedger();
  readonly #disk: Disk = { results: new Map(), jobEnded: false };
  readonly #lies = new Set<BlobHash>();
  readonly #refuted: { name: string; lied: boolean }[] = [];
  readonly #job: StoredJob;
  #state: State;
  #now = 0;
  #results = 0;
  #computedParts = 0;
  #acceptedTwice = 0;
  #agenda: { readonly atMs: number; readonly order: number; readonly act: () => void }[] = [];
  #order = 0;

  constructor(options: SimOptions) {
    this.#options = options;
    this.#rng = new Rng(options.seed);
    this.#state = this.#freshState(1);
    const context = { id: 'j_simulation000000' as JobId, seed: 1, params: {}, prepared: {} };
    const price = priceJob(this.#spec(), context, options.checks, 1_000_000n);
    this.#job = {
      ...context,
      title: 'simulated',
      workload: 'sim',
      version: 1,
      status: 'open',
      visibility: 'public',
      gallery: false,
      owner: REQUESTER,
      inputs: [],
      checks: options.checks,
      unit: 'test',
      ratePerUnit: 1_000_000n,
      workHeld: price.work,
      checksHeld: price.checks,
      heldFrom: [{ account: `${REQUESTER}/grant`, microCredits: price.work + price.checks }],
      closing: false,
      createdMs: 0,
      endedMs: null,
      summary: null,
    };
    this.#ledger.apply({
      id: 'grant',
      unit: 'test',
      debit: 'operator/issuance',
      credit: `${REQUESTER}/grant`,
      microCredits: price.work + price.checks,
      kind: 'grant',
      job: null,
      at: null,
      atMs: 0,
    });
    for (const hold of holds(this.#job)) this.#ledger.apply(hold);
  }

  #spec(): WorkloadSpec {
    return simSpec({ passes: this.#options.passes, tiles: this.#options.tiles });
  }

  #freshState(epoch: number): State {
    const spec = this.#spec();
    const config = { leaseKey: new Uint8Array(32).fill(1), drawKey: new Uint8Array(32).fill(2), epoch, spec: () => spec };
    return { config, jobs: new Map(), contributors: new Map(), leases: new Map(), pending: new Map(), checksInFlight: 0 };
  }

  #at(delayMs: number, act: () => void): void {
    this.#agenda.push({ atMs: this.#now + delayMs, order: this.#order++, act });
  }

  run(): SimReport {
    this.#step({ type: 'openJob', job: this.#job, results: [] });
    for (const contributor of this.#options.contributors) this.#join(contributor);
    this.#tick();
    while (!this.#disk.jobEnded && this.#now < this.#options.endMs && this.#agenda.length > 0) {
      this.#agenda.sort((a, b) => b.atMs - a.atMs || b.order - a.order);
      const next = this.#agenda.pop()!;
      this.#now = next.atMs;
      next.act();
    }
    const parts = this.#options.tiles * this.#options.passes * PARTS;
    const accepted = [...this.#disk.results.values()].filter((result) => result.accepted !== 0);
    return {
      ended: this.#disk.jobEnded,
      virtualMs: this.#now,
      ledger: this.#ledger,
      job: this.#job,
      earned: Object.fromEntries(this.#options.contributors.map(({ name }) => [name, this.#ledger.balance(`${ownerOf(name)}/earned`)])),
      wrongPartsAccepted: accepted.filter(({ hash }) => this.#lies.has(hash)).reduce((sum, result) => sum + partsOf(result.accepted).length, 0),
      refuted: this.#refuted,
      work: this.#computedParts / parts,
      acknowledgedTwice: this.#acceptedTwice,
    };
  }

  #step(command: Command): Event[] {
    const events = step(this.#state, command, this.#now, (length) => Uint8Array.from({ length }, () => this.#rng.below(256)));
    for (const event of events) if (event.type === 'write') this.#write(event.write);
    for (const event of events) {
      if (event.type === 'checkRequested') this.#at(5, () => this.#check(event.request));
      if (event.type === 'verdict' && event.state === 'refuted') {
        const result = [...this.#disk.results.values()].find(
          ({ contributor, at, state }) => contributor === event.contributor && at === event.at && state === 'refuted',
        );
        this.#refuted.push({ name: nameOf(event.contributor), lied: result !== undefined && this.#lies.has(result.hash) });
      }
    }
    return events;
  }

  #write(write: Write): void {
    if (write.kind === 'result') {
      for (const other of this.#disk.results.values())
        if (other.at.pass === write.result.at.pass && other.at.tile === write.result.at.tile && (other.accepted & write.result.claimed) !== 0)
          this.#acceptedTwice++;
      this.#disk.results.set(write.result.id, write.result);
    }
    if (write.kind === 'verdict') {
      const result = this.#disk.results.get(write.id)!;
      this.#disk.results.set(write.id, { ...result, state: write.state, accepted: write.accepted, evidence: write.evidence });
    }
    if (write.kind === 'transfer') this.#ledger.apply(write.transfer);
    if (write.kind === 'jobEnded') this.#disk.jobEnded = true;
  }

  /** Evidence as a comparator would find it: an honest result differs almost nowhere, a made-up one everywhere. */
  #check(request: CheckRequest): void {
    const lied = this.#lies.has(request.result.hash);
    const evidence = (kind: Evidence['kind'], drawn: number, wrong: boolean): Evidence => ({
      kind,
      drawn,
      differing: wrong ? drawn : 0,
      worst: wrong ? 1e6 : 0,
      cpuMs: 1,
    });
    let outcome: CheckOutcome;
    if (request.kind === 'audit') outcome = { kind: 'audit', evidence: evidence('audit', request.count, lied) };
    else {
      const replicaLied = this.#lies.has(request.replica.hash);
      if (request.kind === 'compare')
        outcome = { kind: 'compare', evidence: evidence('replica', ELEMENTS, lied || replicaLied), sample: { parts: [0], elements: [0] } };
      else outcome = { kind: 'referee', result: evidence('audit', 32, lied), replica: evidence('audit', 32, replicaLied) };
    }
    this.#step({ type: 'checked', request, outcome });
  }

  #join(contributor: SimContributor): void {
    const id = idOf(contributor.name);
    const record = { id, owner: ownerOf(contributor.name), site: null, sharePercent: 0, kinds: new Set(['sim']), accepted: 0, refuted: 0, suspendedUntilMs: 0 };
    const known = this.#state.contributors.get(id);
    this.#step({
      type: 'join',
      contributor: known ? { ...record, accepted: known.accepted, refuted: known.refuted, suspendedUntilMs: known.suspendedUntilMs } : record,
    });
    this.#work(contributor);
  }

  /** Asks for one lease at a time and computes it; may vanish in the middle and come back later. */
  #work(contributor: SimContributor): void {
    if (this.#disk.jobEnded) return;
    const events = this.#step({ type: 'requestWork', contributor: idOf(contributor.name), leasesMax: 1 });
    const lease = events.find((event) => event.type === 'leased')?.leases[0];
    if (!lease) {
      this.#at(500, () => this.#work(contributor));
      return;
    }
    const parts = partsOf(lease.parts);
    const partMs = lease.unitsPerPart / contributor.speed;
    if (this.#rng.unit() < contributor.vanishes) {
      const finished = parts.slice(0, this.#rng.below(parts.length));
      this.#at(PICKUP_MS + partMs * finished.length, () => {
        if (finished.length > 0) this.#handIn(contributor, lease, finished);
        this.#step({ type: 'leave', contributor: idOf(contributor.name) });
        this.#at(20_000, () => this.#join(contributor));
      });
      return;
    }
    this.#at(PICKUP_MS + partMs * parts.length, () => {
      this.#handIn(contributor, lease, parts);
      if (this.#rng.unit() < this.#options.crashes) this.#crash();
      this.#work(contributor);
    });
  }

  #handIn(contributor: SimContributor, lease: ActiveLease, parts: readonly number[]): void {
    const hash = hashOf(++this.#results);
    if (this.#rng.unit() < contributor.lies) this.#lies.add(hash);
    this.#computedParts += parts.length;
    const mask = parts.reduce((sum, part) => sum | (1 << part), 0) as PartMask;
    const bytes = encodeResult(
      parts.map((part) => ({ part, bytes: new Uint8Array(PART_BYTES) })),
      PART_BYTES,
    );
    const id = `r_${this.#results.toString().padStart(16, '0')}` as ResultId;
    const opened = openLease(this.#state.config.leaseKey, lease.token);
    const command = { type: 'handIn', id, lease: opened, parts: mask, hash, sizeBytes: bytes.byteLength, inline: bytes, computeMs: 1 } as const;
    const first = this.#step(command);
    // Delivery is at most once, so engines repeat: the second time must be the same row.
    const second = this.#step({ ...command, id: `${id}x` as ResultId });
    const rowOf = (events: Event[]): string | undefined => events.find((event) => event.type === 'stored')?.result;
    if (rowOf(first) !== undefined && rowOf(second) !== undefined && rowOf(first) !== rowOf(second)) throw new Error('a repeated hand-in made a second row');
  }

  /** Kill -9: leases, checks and speeds are gone, committed rows are not. Answers to checks asked before may still arrive. */
  #crash(): void {
    const { contributors, config } = this.#state;
    this.#state = this.#freshState(config.epoch + 1);
    const results = [...this.#disk.results.values()].filter(({ state }) => state === 'committed' || state === 'accepted');
    for (const known of contributors.values()) this.#step({ type: 'join', contributor: { ...known, kinds: new Set(known.kinds) } });
    if (!this.#disk.jobEnded) this.#step({ type: 'openJob', job: this.#job, results });
  }

  #tick(): void {
    this.#step({ type: 'tick' });
    this.#at(500, () => this.#tick());
  }
}

const idOf = (name: string): ContributorId => `c_${name}` as ContributorId;
const nameOf = (id: ContributorId): string => id.slice(2);
const ownerOf = (name: string): OwnerId => `device:${name}` as OwnerId;
