import { createHash, randomBytes } from 'node:crypto';
import { commitParts, saltOf } from '../shared/commitment.ts';
import { encodeResult } from '../shared/formats.ts';
import type { BlobHash, ContributorId, JobId, OwnerId, ResultId } from '../shared/model.ts';
import { proveOpening } from './checks/evidence.ts';
import type { Answer, Kind, Question } from './checks/messages.ts';
import { Coordinator } from './coordinator.ts';
import { holds } from './core/ledger.ts';
import { priceJob } from './core/pricing.ts';
import type { ActiveLease, Event, Joining } from './core/state.ts';
import { newResultId } from './ids.ts';
import { Sharing } from './sharing.ts';
import { simSpec } from './sim/spec.ts';
import { openBlobStore } from './store/blobs.ts';
import type { Notice } from './store/sharing-store.ts';
import type { Store, StoredJob } from './store/store.ts';

const [ELEMENTS, WORDS] = [3, 4];
const log = { info: () => undefined, error: () => undefined };

/** A workload whose values nobody computes: what is drawn counts as right, unless a contributor says that it lies. */
const specOf = (tiles: number) => ({
  ...simSpec({ passes: 1, tiles }),
  parts: () => 1,
  elements: () => ELEMENTS,
  elementWords: () => WORDS,
});

/** One of several coordinators on a store, whose beats and looks the test makes. */
export class Member {
  readonly coordinator: Coordinator;
  readonly sharing: Sharing;
  readonly events: Event[] = [];

  private constructor(coordinator: Coordinator, sharing: Sharing) {
    this.coordinator = coordinator;
    this.sharing = sharing;
    coordinator.onEvents((events) => this.events.push(...events));
  }

  /** `lies`: of whose results every drawn element is wrong. */
  static async open(
    store: Store,
    folder: string,
    { tiles, lies = new Set<ContributorId>(), clock = Date.now, aliveMs = 60_000, heard = () => undefined }: MemberOptions,
  ): Promise<Member> {
    const check = async (kind: Kind, question: Question[Kind]): Promise<Answer[Kind]> => {
      if (kind === 'opening') {
        const { shape, result, opening, sample, ...commitment } = question as Question['opening'];
        return proveOpening(shape, commitment, result, opening, sample);
      }
      const { sample, claims } = question as Question['recompute'];
      // A liar's values begin with its mark.
      const isLie = claims[0] === LIE && lies.size > 0;
      const drawn = sample.elements.length;
      return { drawn, differing: isLie ? drawn : 0, unexplained: isLie ? drawn : 0, worst: 0, cpuMs: 0 };
    };
    const coordinator = await Coordinator.open({
      store,
      blobs: openBlobStore(folder),
      checks: { ask: check as Parameters<typeof Coordinator.open>[0]['checks']['ask'] },
      spec: () => specOf(tiles),
      privateSwarm: false,
      vestingMsMax: 60_000,
      holdbackMs: 0,
      clock,
      random: randomBytes,
      log,
      beginLife: () => Sharing.begin(store, aliveMs),
    });
    const sharing = await Sharing.open(
      { store, coordinator, clock, log, heard: (notice) => heard(notice, coordinator), jobChanged: () => undefined, aliveMs, idleMs: 0 },
      false,
    );
    return new Member(coordinator, sharing);
  }

  async join(id: ContributorId, standings: Joining['standings'] = new Map()): Promise<void> {
    const owner = ownerOf(id);
    await this.coordinator.dispatch({
      type: 'join',
      contributor: {
        id,
        owner,
        site: null,
        // All of one network: nobody is drawn to check another, so the coordinator does.
        network: 'home',
        deviceClass: null,
        trusted: false,
        drill: false,
        kinds: new Set([specOf(1).id]),
        downloadBytesMax: 1e9,
        standings,
      },
    });
  }

  async leases(id: ContributorId): Promise<readonly ActiveLease[]> {
    const events = await this.coordinator.dispatch({ type: 'requestWork', contributor: id, leasesMax: 4 });
    // Copied: the core goes on with its own.
    return (events.find((event) => event.type === 'leased')?.leases ?? []).map((lease) => ({ ...lease }));
  }

  /** Hands in and opens what it was leased. Returns the results that were acknowledged. */
  async work(id: ContributorId, isLying = false): Promise<ResultId[]> {
    const stored: ResultId[] = [];
    for (const lease of await this.leases(id)) {
      const result = await this.handIn(id, lease, isLying);
      if (result !== null) stored.push(result);
    }
    return stored;
  }

  /** Hands in, and opens it unless told otherwise. Null when it was refused. */
  async handIn(id: ContributorId, lease: Pick<ActiveLease, 'token' | 'parts'>, isLying = false, opens = true): Promise<ResultId | null> {
    const { root, result } = this.#made(lease, isLying);
    const { token, parts } = lease;
    const fields = { salt: saltOf(token), root, parts, hash: hashOf(result), sizeBytes: result.byteLength, inline: result, computeMs: 1 };
    const body = this.coordinator.readLease(token);
    const events = await this.coordinator.dispatch({ type: 'handIn', id: newResultId(randomBytes, Date.now()), lease: body, ...fields });
    const stored = events.find((event) => event.type === 'stored');
    if (!stored) return null;
    if (opens) await this.open(id, lease, stored.result, isLying);
    return stored.result;
  }

  async open(id: ContributorId, lease: Pick<ActiveLease, 'token' | 'parts'>, result: ResultId, isLying = false): Promise<void> {
    const wanted = this.coordinator.unopened(id).find((each) => each.result === result);
    if (!wanted) throw new Error(`nobody waits for the opening of ${result}`);
    const opening = this.#made(lease, isLying).open(wanted.elements);
    await this.coordinator.dispatch({ type: 'open', contributor: id, result, hash: hashOf(opening), inline: opening });
  }

  /** What a contributor computes under a lease; the same each time. */
  #made({ token, parts }: Pick<ActiveLease, 'token' | 'parts'>, isLying: boolean) {
    const bytes = new Uint8Array(ELEMENTS * WORDS * 4).fill(isLying ? LIE : 1);
    const made = [{ part: 0, bytes }];
    return { ...commitParts(saltOf(token), { parts, elements: ELEMENTS, words: WORDS }, made), result: encodeResult(made, ELEMENTS, WORDS) };
  }

  async turn(): Promise<void> {
    await this.sharing.beat();
    await this.sharing.look();
  }

  async close(): Promise<void> {
    await this.coordinator.close();
    await this.sharing.close();
  }
}

interface MemberOptions {
  readonly tiles: number;
  readonly lies?: ReadonlySet<ContributorId>;
  readonly clock?: () => number;
  readonly aliveMs?: number;
  readonly heard?: (notice: Notice, coordinator: Coordinator) => Promise<void> | void;
}

const LIE = 0xee;
const hashOf = (bytes: Uint8Array): BlobHash => createHash('sha256').update(bytes).digest('hex') as BlobHash;
export const ownerOf = (id: ContributorId): OwnerId => `device:${id.slice(2)}` as OwnerId;

/** On record, as everybody who has agreed is. */
export async function register(store: Store, count: number): Promise<ContributorId[]> {
  const ids = Array.from({ length: count }, (_, index) => `c_${index.toString().padStart(16, '0')}` as ContributorId);
  for (const id of ids) await store.people.createContributor({ id, secretHash: randomBytes(32), owner: ownerOf(id), createdMs: 0 });
  return ids;
}

/** Orders a job of so many tiles at one coordinator. */
export async function order(store: Store, member: Member, tiles: number, number = 1): Promise<StoredJob> {
  const spec = specOf(tiles);
  const context = { id: `j_${number.toString().padStart(16, '0')}` as JobId, seed: 1, params: {}, prepared: {} };
  const policy = { targetError: 1e-4 };
  const price = priceJob(spec, context, policy, 1_000_000n);
  const job: StoredJob = {
    ...context,
    title: 'shared',
    workload: spec.id,
    version: spec.version,
    status: 'open',
    visibility: 'public',
    gallery: false,
    group: null,
    owner: 'device:requester0000000' as OwnerId,
    inputs: [],
    checks: policy,
    unit: 'test',
    ratePerUnit: 1_000_000n,
    priceVersion: null,
    workHeld: price.work,
    checksHeld: price.checks,
    heldFrom: [{ account: 'operator/issuance', microCredits: price.work + price.checks }],
    closing: false,
    createdMs: 0,
    endedMs: null,
    summary: null,
    paused: false,
    extensions: 0,
    deletedMs: null,
    promise: null,
  };
  await store.jobs.create(job, holds(job));
  await member.coordinator.begin(job);
  return job;
}
