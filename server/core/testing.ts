import { limits } from '../../shared/limits.ts';
import type { BlobHash, ContributorId, JobId, MicroUnits, OwnerId, ResultId } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import type { Agreement, StoredJob, StoredResult, Write } from '../store/store.ts';
import { emptyState, step } from './coordinator.ts';
import { openLease } from './lease.ts';
import type { CheckOutcome, CheckRequest, Command, Event, State } from './state.ts';

export const ELEMENTS = 4096;
export const PARTS = 4;
/** Adaptive where the parameters say so: `passes` of four parts, of which the first `adaptive` may be left out. */
interface TestParams {
  readonly passes?: number;
  readonly tiles?: number;
  readonly adaptive?: number;
  readonly adaptivePasses?: readonly number[];
}

const spec: WorkloadSpec = {
  id: 'test',
  version: 1,
  title: 'Test',
  summary: '',
  defaults: {},
  outputs: () => [],
  tolerance: { unit: 'steps', allowed: 1, honestMissRate: 1e-3, unexplainedRate: 1e-6 },
  checking: 'audit',
  elementWords: () => 1,
  split: (params) => {
    const { passes = 1, tiles = 50 } = params as TestParams;
    return { passes, tiles };
  },
  adaptivePasses: ({ params }) => {
    const { adaptive = 0, adaptivePasses } = params as TestParams;
    return adaptivePasses ?? Array.from({ length: adaptive }, (_, pass) => pass);
  },
  parts: () => PARTS,
  elements: () => ELEMENTS,
  work: () => 1000 as MicroUnits,
  auditMs: () => 0.1,
  region: () => null,
  picture: () => null,
};

export const owner = 'device:requester0000000' as OwnerId;
export const storedJob: StoredJob = {
  id: 'j_test000000000000' as JobId,
  title: 'test',
  workload: 'test',
  version: 1,
  status: 'open',
  visibility: 'public',
  gallery: false,
  group: null,
  owner,
  seed: 1,
  params: {},
  prepared: {},
  inputs: [],
  checks: { targetError: 1e-4 },
  unit: 'test',
  ratePerUnit: 1_000_000n,
  priceVersion: null,
  workHeld: 200_000n,
  checksHeld: 10_000n,
  heldFrom: [{ account: `${owner}/grant`, microCredits: 210_000n }],
  closing: false,
  createdMs: 0,
  endedMs: null,
  summary: null,
  paused: false,
  extensions: 0,
  deletedMs: null,
  promise: null,
};

type Verdict = Event & { type: 'verdict' };

/** A coordinator whose checks are answered by hand. Every contributor has an owner of its own. */
export class Desk {
  readonly rows = new Map<ResultId, StoredResult>();
  readonly transfers: (Write & { kind: 'transfer' })['transfer'][] = [];
  readonly checks: CheckRequest[] = [];
  readonly verdicts: Verdict[] = [];
  readonly wanted: (Event & { type: 'openWanted' })[] = [];
  readonly revoked: ResultId[] = [];
  readonly agreements: Agreement[] = [];
  /** Accepted results that wait to be measured. */
  readonly measures: StoredResult[] = [];
  readonly ended: (Write & { kind: 'jobEnded' })[] = [];
  readonly milestones: number[] = [];
  now = 1000;
  readonly #spec: WorkloadSpec;
  #epoch = 0;
  state: State;
  #rng = new Rng(1);
  #results = 0;

  fresh(): State {
    return emptyState(
      {
        leaseKeys: [new Uint8Array(32).fill(1)],
        drawKey: new Uint8Array(32).fill(2),
        epoch: ++this.#epoch,
        spec: () => this.#spec,
        privateSwarm: true,
        vestingMsMax: 600_000,
        holdbackMs: 0,
      },
      this.now,
    );
  }

  constructor(job: Partial<StoredJob> = {}, own: Partial<WorkloadSpec> = {}) {
    this.#spec = { ...spec, ...own };
    this.state = this.fresh();
    this.do({ type: 'openJob', job: { ...storedJob, ...job }, results: [], paid: 0n });
  }

  do(command: Command): Event[] {
    const events = step(this.state, command, this.now, (length) => Uint8Array.from({ length }, () => this.#rng.below(256)));
    for (const event of events) {
      if (event.type === 'write') this.#write(event.write);
      if (event.type === 'checkRequested') this.checks.push(event.request);
      if (event.type === 'verdict') this.verdicts.push(event);
      if (event.type === 'openWanted') this.wanted.push(event);
      if (event.type === 'measureRequested') this.measures.push(event.result);
      if (event.type === 'tileRevoked') this.revoked.push(event.result);
    }
    return events;
  }

  #write(write: Write): void {
    if (write.kind === 'result') this.rows.set(write.result.id, write.result);
    if (write.kind === 'agreement') this.agreements.push(write.agreement);
    if (write.kind === 'measured') this.rows.set(write.id, { ...this.rows.get(write.id)!, passesWanted: write.passesWanted });
    if (write.kind === 'jobEnded') this.ended.push(write);
    if (write.kind === 'jobProgress') this.milestones.push(write.percent);
    if (write.kind === 'transfer') this.transfers.push(write.transfer);
    if (write.kind === 'opening') this.rows.set(write.id, { ...this.rows.get(write.id)!, opening: write.opening });
    if (write.kind === 'secondDraw')
      this.rows.set(write.id, { ...this.rows.get(write.id)!, round: 'second', drawn: write.drawn, evidence: write.evidence, opening: null });
    if (write.kind === 'verdict')
      this.rows.set(write.id, { ...this.rows.get(write.id)!, state: write.state, errorBound: write.errorBound, vesting: write.vesting });
  }

  join(name: string, extra: Partial<(Command & { type: 'join' })['contributor']> = {}): ContributorId {
    const id = `c_${name}` as ContributorId;
    const contributor = {
      id,
      owner: `device:${name}` as OwnerId,
      site: null,
      network: null,
      deviceClass: 'test/gpu/desk',
      trusted: false,
      drill: false,
      kinds: new Set(['test']),
      downloadBytesMax: limits.downloadBytesDefault,
      standings: new Map(),
      ...extra,
    };
    this.do({ type: 'join', contributor });
    return id;
  }

  ask(contributor: ContributorId, leasesMax = 64): Event & { type: 'leased' } {
    return this.do({ type: 'requestWork', contributor, leasesMax }).find((event) => event.type === 'leased')!;
  }

  handIn(token: string): { result: ResultId; open: readonly number[] } {
    const lease = openLease(this.state.config.leaseKeys, token);
    const n = ++this.#results;
    const events = this.do({
      type: 'handIn',
      id: `r_${n}` as ResultId,
      lease,
      salt: new Uint8Array(32),
      root: new Uint8Array(32),
      parts: lease.parts,
      hash: n.toString(16).padStart(64, '0') as BlobHash,
      sizeBytes: 1,
      inline: new Uint8Array(1),
      computeMs: 1,
    });
    const stored = events.find((event) => event.type === 'stored');
    if (!stored) throw new Error(JSON.stringify(events));
    return stored;
  }

  open(contributor: ContributorId, result: ResultId): Event[] {
    return this.do({ type: 'open', contributor, result, hash: 'f'.repeat(64) as BlobHash, inline: null });
  }

  /** Answers every check that waits, until there is none: `wrong` elements of each question are wrong and unexplained. */
  answer(wrong: (request: CheckRequest) => number = () => 0, auditorWrong = 0): void {
    for (let request = this.checks.shift(); request; request = this.checks.shift()) {
      const unexplained = request.kind === 'opening' ? 0 : wrong(request);
      const evidence = { drawn: request.sample.elements.length, differing: unexplained, unexplained, worst: 0, cpuMs: 1 };
      const outcome: CheckOutcome =
        request.kind === 'verify'
          ? { kind: 'verified', wrong: unexplained, worst: 3 * unexplained, where: `${unexplained} rows`, cpuMs: 1 }
          : request.kind === 'opening'
            ? { kind: 'opened', claims: new Uint8Array(request.sample.elements.length * 4) }
            : request.kind === 'recompute'
              ? { kind: 'recomputed', evidence }
              : {
                  kind: 'compared',
                  result: evidence,
                  auditor: { ...evidence, differing: auditorWrong, unexplained: auditorWrong },
                  apart: unexplained + auditorWrong,
                };
      this.do({ type: 'checked', request, outcome });
    }
  }

  /** Measures every result that waits for it. */
  measure(wanted: (result: StoredResult) => number | null): void {
    for (let result = this.measures.shift(); result; result = this.measures.shift()) this.do({ type: 'measured', result, passesWanted: wanted(result) });
  }

  /** Killed and started again from its rows: leases are gone, and nobody is here. */
  restart(job: StoredJob): void {
    this.state = this.fresh();
    this.checks.length = 0;
    this.measures.length = 0;
    const results = [...this.rows.values()].filter(({ state }) => state === 'committed' || state === 'accepted');
    this.do({ type: 'openJob', job, results, paid: this.sum('vesting/') });
  }

  /** Everybody but `except` answers what they are asked. Returns how many elements each of them answered. */
  answerAudits(except?: ContributorId): Map<ContributorId, number> {
    const counts = new Map<ContributorId, number>();
    for (const { id } of [...this.state.connected]) {
      for (const audit of this.ask(id, 0).audits) {
        if (id === except) throw new Error(`${id} was asked about its own result`);
        counts.set(id, (counts.get(id) ?? 0) + audit.elements.length);
        const events = this.do({ type: 'answer', contributor: id, token: audit.token, values: new Uint8Array(audit.elements.length * 4) });
        if (events.some(({ type }) => type === 'refused')) throw new Error(JSON.stringify(events));
      }
    }
    return counts;
  }

  /** One lease, handed in, opened and found right by whoever checks it. */
  deliver(contributor: ContributorId): ResultId {
    const [lease] = this.ask(contributor, 1).leases;
    const { result } = this.handIn(lease!.token);
    this.open(contributor, result);
    for (let round = 0; round < 10 && this.rows.get(result)!.state === 'committed'; round++) {
      this.answer();
      this.answerAudits();
    }
    return result;
  }

  record(contributor: ContributorId) {
    return this.state.contributors.get(contributor)!.standings.get('test')!;
  }

  sum(prefix: string): bigint {
    return this.transfers.reduce(
      (sum, { debit, credit, microCredits }) => sum + (credit.startsWith(prefix) ? microCredits : 0n) - (debit.startsWith(prefix) ? microCredits : 0n),
      0n,
    );
  }
}
