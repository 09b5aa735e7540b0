import { createSecretKey } from 'node:crypto';
import { fromHex } from '../../shared/formats.ts';
import { limits, MINUTE_MS } from '../../shared/limits.ts';
import type { BlobHash, ContributorId, JobId, ResultId } from '../../shared/model.ts';
import { pcgHash, seedOf } from '../../shared/rng.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { emptyState, step } from '../core/coordinator.ts';
import type { Finish } from '../core/estimate.ts';
import { openLease } from '../core/lease.ts';
import { holds } from '../core/ledger.ts';
import { requesterTag } from '../core/offer.ts';
import { outlookOf } from '../core/outlook.ts';
import { priceJob } from '../core/pricing.ts';
import { newStanding, type Standing } from '../core/reputation.ts';
import type { CheckRequest, Command, Event, State } from '../core/state.ts';
import type { StoredJob, StoredResult, Write } from '../store/store.ts';
import type { Opening } from './adversary.ts';
import { checkCpuMs, outcomeOf } from './checks.ts';
import { Cpu } from './cpu.ts';
import { Disk } from './disk.ts';
import { type Audit, type Grant, type Identity, NO_WORK, type Policy, type SimJob, type Submission, type Surroundings, type Work } from './policy.ts';
import { ELEMENTS, PARTS, type SimParams, simSpec } from './spec.ts';

/** `jitter`: how far apart results of one tile are about what it wants, as a share. */
interface Adaptive {
  readonly passes: number;
  readonly jitter: number;
}

const CPU_CORES = 2;
const MEASURE_MS = 5;
const RATE_PER_UNIT = 1_000_000n;
const COMPACT_MS = MINUTE_MS;
/** As the coordinator has it when the operator says nothing. */
const VESTING_MS_MAX = 10 * MINUTE_MS;
/** The salt of a real lease follows from its token; here only the commitment's hash sees it. */
const SALT = new Uint8Array(32).fill(3);
const keyOfAll = (byte: number) => createSecretKey(new Uint8Array(32).fill(byte));
const hexOf = (n: number): string => n.toString(16).padStart(64, '0');

/** The real core, with a disk that remembers what was committed, and checks that are computed from what is known of the values. */
export class Ours implements Policy {
  readonly disk = new Disk();
  readonly #world: Surroundings;
  readonly #targetError: number;
  readonly #repeats: boolean;
  readonly #adaptive: Adaptive | null;
  /** As many tiles as the parameters of a job say. */
  readonly #spec: WorkloadSpec = simSpec();
  readonly #jobs = new Map<JobId, SimJob>();
  readonly #identities = new Map<ContributorId, Identity>();
  readonly #connected = new Set<ContributorId>();
  readonly #submissions = new Map<ResultId, Submission>();
  readonly #results = new Map<Submission, ResultId>();
  /** The longest that a job had something to give and nothing of it was granted, milliseconds in which others got something, by job. */
  readonly longestWaitMs = new Map<JobId, number>();
  readonly #served = new Map<JobId, { readonly tag: number; readonly waitedMs: number }>();
  #watched = { atMs: 0, attempts: 0 };
  readonly #forged = new Set<ResultId>();
  readonly #tokens = new WeakMap<Grant, string>();
  readonly #cpu: Cpu;
  #state: State;
  #handedIn = 0;
  #compactAtMs = COMPACT_MS;

  /** `repeats`: engines that had no answer hand in again. `adaptive`: jobs have further passes, which tiles that are good enough do without. */
  constructor(
    world: Surroundings,
    targetError: number,
    { repeats = false, adaptive = null, cores = CPU_CORES }: { repeats?: boolean; adaptive?: Adaptive | null; cores?: number } = {},
  ) {
    this.#world = world;
    this.#targetError = targetError;
    this.#repeats = repeats;
    this.#adaptive = adaptive;
    this.#cpu = new Cpu(cores);
    this.#state = this.#freshState(1);
  }

  #freshState(epoch: number): State {
    const config = {
      leaseKeys: [keyOfAll(1)],
      drawKey: keyOfAll(2),
      epoch,
      spec: () => this.#spec,
      privateSwarm: false,
      vestingMsMax: VESTING_MS_MAX,
      holdbackMs: 0,
    };
    return emptyState(config, this.#world.now());
  }

  openJob(job: SimJob): void {
    const stored = this.#stored(job);
    this.#jobs.set(job.id, job);
    const held = stored.workHeld + stored.checksHeld;
    this.disk.ledger.apply({
      id: `grant/${job.id}`,
      unit: 'test',
      debit: 'operator/issuance',
      credit: `${job.owner}/grant`,
      microCredits: held,
      kind: 'grant',
      job: null,
      at: null,
      atMs: 0,
    });
    for (const hold of holds(stored)) this.disk.ledger.apply(hold);
    this.disk.jobs.set(job.id, stored);
    this.#step({ type: 'openJob', job: stored, results: [], paid: 0n });
  }

  quote(job: SimJob): Finish | null {
    const stored = this.#stored(job);
    const { passes, tiles } = stored.params as SimParams;
    const asked = {
      stored,
      spec: this.#spec,
      record: this.#spec.id,
      requester: requesterTag(this.#state.config.drawKey, job.owner),
      inputBytes: 0,
      fetchedBy: new Set<ContributorId>(),
      parts: passes * tiles * PARTS,
      unitsPerPart: this.#spec.work(stored, { pass: 0, tile: 0 }),
      partsPerTile: PARTS,
      elementsPerPart: ELEMENTS,
    };
    return outlookOf(this.#state, asked, this.#world.now()).finish;
  }

  #stored(job: SimJob): StoredJob {
    const context = { id: job.id, seed: job.seed, params: { passes: this.#adaptive?.passes ?? 1, tiles: job.tiles }, prepared: {} };
    const checks = { targetError: this.#targetError };
    const ratePerUnit = job.ratePerUnit ?? RATE_PER_UNIT;
    const price = priceJob(this.#spec, context, checks, ratePerUnit);
    return {
      ...context,
      title: 'simulated',
      workload: this.#spec.id,
      version: this.#spec.version,
      status: 'open',
      visibility: 'public',
      gallery: job.gallery === true,
      group: null,
      owner: job.owner,
      inputs: [],
      checks,
      unit: 'test',
      ratePerUnit,
      priceVersion: null,
      workHeld: price.work,
      checksHeld: price.checks,
      heldFrom: [{ account: `${job.owner}/grant`, microCredits: price.work + price.checks }],
      closing: false,
      createdMs: this.#world.now(),
      endedMs: null,
      summary: null,
      paused: false,
      extensions: 0,
      deletedMs: null,
      promise: null,
    };
  }

  supply(): number {
    let parts = 0;
    for (const job of this.#state.jobs.values()) parts += job.partsTotal - job.partsAccepted - job.partsChecking - job.partsLeased;
    return parts / PARTS;
  }

  join(identity: Identity): void {
    this.#identities.set(identity.id, identity);
    this.#connected.add(identity.id);
    const { id, owner, network, trusted, record } = identity;
    const standings = this.disk.standings.get(id) ?? knownBefore(this.#spec.id, record, this.#world.now());
    this.#step({
      type: 'join',
      contributor: {
        id,
        owner,
        network,
        deviceClass: `float/${identity.floatClass.index}`,
        trusted,
        site: null,
        drill: false,
        kinds: new Set([this.#spec.id]),
        downloadBytesMax: limits.downloadBytesDefault,
        standings,
      },
    });
    // A tab that was closed and opened again has nothing of what it is said to hold, and says so.
    const tokens = [...(this.#state.contributors.get(id)?.leases.values() ?? [])].map(({ token }) => token);
    const unopened = [...this.#state.pending.values()].flatMap(({ stored, stage }) => (stored.contributor === id && stage === 'opening' ? [stored.id] : []));
    if (tokens.length + unopened.length > 0) this.#step({ type: 'giveBack', contributor: id, tokens, unopened });
  }

  leave({ id }: Identity): void {
    this.#connected.delete(id);
    this.#step({ type: 'leave', contributor: id });
  }

  work({ id }: Identity, leasesMax: number): Work {
    const events = this.#step({ type: 'requestWork', contributor: id, leasesMax });
    const event = events.find((each) => each.type === 'leased');
    if (!event) return { ...NO_WORK, retryMs: null };
    return {
      leases: event.leases.map(({ key, token, job, at, parts }) => {
        const grant = { key: `${this.#state.config.epoch}/${key}`, job: this.#jobs.get(job)!, at, parts };
        this.#tokens.set(grant, token);
        return grant;
      }),
      audits: event.audits.map(({ token, job, elements }) => ({ token, job: this.#jobs.get(job)!, elements })),
      retryMs: event.retryMs,
    };
  }

  handIn(submission: Submission): readonly number[] | null {
    const number = ++this.#handedIn;
    const id = `r_${number.toString().padStart(16, '0')}` as ResultId;
    const lease = openLease(this.#state.config.leaseKeys, this.#tokens.get(submission.grant)!);
    const { parts } = submission.grant;
    this.#submissions.set(id, submission);
    this.#results.set(submission, id);
    const hash = hexOf(number) as BlobHash;
    const root = fromHex(hash);
    const command = { type: 'handIn', id, lease, salt: SALT, root, parts, hash, sizeBytes: 0, inline: null, computeMs: 1 } as const;
    const stored = this.#step(command).find((event) => event.type === 'stored');
    if (stored && this.#repeats) this.#repeat(command, stored.result);
    if (stored) return stored.open;
    this.#forget(id);
    return null;
  }

  #repeat(command: Command & { type: 'handIn' }, row: ResultId): void {
    const again = this.#step({ ...command, id: `${command.id}x` as ResultId });
    // Refused when the job has ended with it; a second row it must never be.
    for (const event of again) if (event.type === 'stored' && event.result !== row) throw new Error(`${command.id} handed in again became ${event.result}`);
  }

  open(submission: Submission, opening: Exclude<Opening, 'withheld'>): void {
    const result = this.#results.get(submission);
    if (!result) return;
    if (opening === 'forged') this.#forged.add(result);
    this.#step({ type: 'open', contributor: submission.identity.id, result, hash: hexOf(0) as BlobHash, inline: null });
  }

  answer({ id }: Identity, { token }: Audit, values: Uint32Array): void {
    this.#step({ type: 'answer', contributor: id, token, values: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
  }

  tick(): void {
    this.#step({ type: 'tick' });
    this.#watchTurns();
    if (this.#world.now() < this.#compactAtMs) return;
    this.#compactAtMs += COMPACT_MS;
    this.disk.compact();
  }

  #watchTurns(): void {
    const { jobs, attempts } = this.#state;
    const passedMs = attempts === this.#watched.attempts ? 0 : this.#world.now() - this.#watched.atMs;
    this.#watched = { atMs: this.#world.now(), attempts };
    for (const [id, { blocks, turn }] of jobs) {
      const before = this.#served.get(id);
      const waitedMs = before?.tag === turn.tag && blocks.peek() !== undefined ? before.waitedMs + passedMs : 0;
      this.#served.set(id, { tag: turn.tag, waitedMs });
      if (waitedMs > (this.longestWaitMs.get(id) ?? 0)) this.longestWaitMs.set(id, waitedMs);
    }
  }

  /** Killed and started again: leases, audits and speeds are gone, committed rows are not. Answers to checks asked before still arrive. */
  crash(): void {
    this.#state = this.#freshState(this.#state.config.epoch + 1);
    const vesting = this.disk.vesting();
    const needed = new Set(vesting.map(({ contributor }) => contributor));
    for (const id of this.#identities.keys()) {
      if (!this.#connected.has(id) && !needed.has(id)) continue;
      const wasHere = this.#connected.has(id);
      this.join(this.#identities.get(id)!);
      if (!wasHere) this.leave(this.#identities.get(id)!);
    }
    this.#step({ type: 'restoreVesting', results: vesting });
    for (const job of [...this.disk.jobs.values()]) {
      const paid = job.workHeld + job.checksHeld - this.disk.ledger.balance(`job/${job.id}`);
      this.#step({ type: 'openJob', job, results: this.disk.results(job.id), paid });
    }
  }

  #step(command: Command): Event[] {
    const events = step(this.#state, command, this.#world.now(), (length) => this.#world.bytes(length));
    for (const event of events) if (event.type === 'write') this.#write(event.write);
    for (const event of events) this.#happened(event);
    return events;
  }

  #write(write: Write): void {
    this.disk.write(write);
    if (write.kind === 'standing' && write.standing.suspendedUntilMs > this.#world.now()) this.#world.suspended(write.contributor);
    if (write.kind === 'jobEnded') {
      this.#jobs.delete(write.id);
      this.#served.delete(write.id);
      this.#world.jobEnded(write.id);
    }
    if (write.kind === 'settled') this.#forget(write.id);
    if (write.kind !== 'verdict') return;
    const submission = this.#submissions.get(write.id);
    if (!submission) throw new Error(`a verdict about ${write.id}, which nobody handed in`);
    if (write.state === 'accepted') {
      this.#world.decided(submission, 'accepted');
      this.#results.delete(submission);
      if (write.vesting === null) this.#forget(write.id);
      return;
    }
    // A result that is open has its entry in `#results`; one that was accepted has not.
    this.#world.decided(submission, this.#results.has(submission) ? write.state : 'revoked');
    this.#forget(write.id);
  }

  #forget(id: ResultId): void {
    const submission = this.#submissions.get(id);
    if (submission) this.#results.delete(submission);
    this.#submissions.delete(id);
    this.#forged.delete(id);
  }

  #happened(event: Event): void {
    switch (event.type) {
      case 'checkRequested':
        this.#check(event.request);
        return;
      case 'measureRequested':
        this.#measure(event.result);
        return;
      case 'openWanted': {
        const submission = this.#submissions.get(event.result);
        if (submission) this.#world.openWanted(submission, event.open);
        return;
      }
      case 'leasesVoided': {
        const keys = event.tokens.map((token) => keyOf(openLease(this.#state.config.leaseKeys, token)));
        this.#world.leasesVoided(event.contributor, keys);
        return;
      }
      case 'workAvailable':
        this.#world.workAvailable(event.contributors);
        return;
      default:
        return;
    }
  }

  #measure(result: StoredResult): void {
    const job = this.#jobs.get(result.job);
    const share = (pcgHash(Number(result.id.slice(2)) >>> 0) / 2 ** 32) * 2 - 1;
    const { passes, jitter } = this.#adaptive ?? { passes: 1, jitter: 0 };
    // Null when the job has ended with this very result.
    const passesWanted = job ? wantedOf(job.seed, result.at.tile, passes) * (1 + jitter * share) : null;
    this.#world.in(MEASURE_MS, () => this.#step({ type: 'measured', result, passesWanted }));
  }

  #check(request: CheckRequest): void {
    const submission = this.#submissions.get(request.result.id);
    if (!submission) throw new Error(`a check of ${request.result.id}, which nobody handed in`);
    const forged = this.#forged.has(request.result.id);
    const ms = checkCpuMs(request);
    this.#world.in(this.#cpu.take(this.#world.now(), ms), () => {
      const outcome = outcomeOf(request, submission, forged, ms);
      this.#world.tally.cpuMs += ms;
      if (outcome.kind === 'recomputed') this.#world.tally.checked.cpu += outcome.evidence.drawn;
      if (outcome.kind === 'compared' && request.kind === 'compare')
        this.#world.tally.checked[this.#identities.get(request.auditor)?.trusted ? 'trusted' : 'contributor'] += outcome.result.drawn;
      this.#step({ type: 'checked', request, outcome });
    });
  }
}

/** Standings of a contributor whose elements were verified before the world began. */
const knownBefore = (workload: string, record: number | undefined, now: number): Map<string, Standing> =>
  new Map(record === undefined ? [] : [[workload, { ...newStanding(now), accepted: 10, verified: record }]]);

/** How many passes of so many a tile wants: up to a fifth more than there are. */
export const wantedOf = (seed: number, tile: number, passes: number): number => (pcgHash(seedOf(seed, tile, 77)) / 2 ** 32) * passes * 1.2;

const keyOf = ({ epoch, job, at, attempt }: ReturnType<typeof openLease>): string => `${epoch}/${job}/${at.pass}/${at.tile}/${attempt}`;
