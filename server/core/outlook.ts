import { countParts } from '../../shared/model.ts';
import { seedOf } from '../../shared/rng.ts';
import { currentRate } from './ending.ts';
import { estimate, type Finish, type Fleet, type FleetDevice, type Load } from './estimate.ts';
import { fetchMs } from './fetching.ts';
import { mayTake, type Offered, rankOf } from './offer.ts';
import { isSuspended } from './reputation.ts';
import { comesInMs } from './sizing.ts';
import type { ActiveLease, Contributor, Job, State } from './state.ts';
import { arrivalRate, leavingRate, leavingRateOf, lostShare, orderRate, verdictTimes } from './traffic.ts';
import { shareOf } from './turns.ts';

/** What the core knows of who could work on a job and what stands beside it, as the estimate wants it. Changes nothing. */

/** Of a job that is asked about: who may have it, and its size. */
export interface Asked extends Offered {
  readonly parts: number;
  readonly unitsPerPart: number;
  readonly partsPerTile: number;
  readonly elementsPerPart: number;
}

/** Who could take a job now, and when it would be done. */
export interface Outlook {
  readonly contributors: number;
  /** Micro-units a millisecond, of those whose speed is known. */
  readonly speed: number;
  /** Null when nobody is here who could take it. */
  readonly finish: Finish | null;
}

/** Until somebody was measured: a phone to a large GPU, a thousandfold apart as endgame.ts has it; the middles of its fifths. */
const SPEEDS: readonly number[] = [3, 13, 50, 200, 800];
/** A job goes at most so many times faster or slower than who is here would tell. */
const PACE_MAX = 4;
/** Above it a record limits nothing. */
const LEASES_UNLIMITED = 8;

/** Of a job that is not there yet. */
export function outlookOf(state: State, asked: Asked, now: number): Outlook {
  const load = { parts: asked.parts, leased: [], isChecking: false, rate: 0 };
  return outlook(state, asked, load, now);
}

/** Of what is left of an open job. */
export function outlookOfJob(state: State, job: Job, now: number): Outlook {
  const { grid, stored } = job;
  const parts = Math.max(0, job.partsTotal - job.partsAccepted - job.partsChecking - job.partsLeased);
  const planned = job.partsTotal + job.blocks.waived;
  const at = { pass: 0, tile: 0 };
  const asked = { ...job, parts, stored, partsPerTile: planned / (grid.passes * grid.tiles), elementsPerPart: job.spec.elements(job.context, at) };
  const leases = [...job.leases].filter(({ twin, isCopy }) => !(twin && isCopy));
  return outlook(state, asked, { parts, leased: leases, isChecking: job.partsChecking > 0, rate: currentRate(job, now) * (job.unitsPerPart / 1000) }, now);
}

interface Rest {
  readonly parts: number;
  readonly leased: readonly ActiveLease[];
  readonly isChecking: boolean;
  /** Micro-units a millisecond that were accepted of it lately; 0 where nothing is known. */
  readonly rate: number;
}

function outlook(state: State, asked: Asked, rest: Rest, now: number): Outlook {
  const able = state.connected.filter((contributor) => works(contributor) && mayTake(contributor, asked) && !isSuspended(contributor, asked.record, now));
  const speed = able.reduce((sum, each) => sum + each.speed, 0);
  if (able.length === 0) return { contributors: 0, speed, finish: null };
  const competition = new Competition(state, asked, now);
  const known = [...state.contributors.values()].flatMap(({ speed: each }) => (each > 0 ? [each] : []));
  const speeds = known.length > 0 ? known : SPEEDS;
  const usual = median(speeds);
  const places = new Map(able.map(({ id }, place) => [id, place]));
  const devices = able.map((contributor) => deviceOf(state, contributor, asked, competition, usual, now));
  const leased = rest.leased.map((lease) => {
    const holder = state.contributors.get(lease.contributor);
    return { device: places.get(lease.contributor) ?? -1, parts: countParts(lease.parts), inMs: holder ? comesInMs(holder, lease, usual, now) : 0 };
  });
  const { traffic } = state;
  const share = able.length / state.connected.length;
  const fleet: Fleet = {
    devices,
    arrivalsPerMs: arrivalRate(traffic, state.connected.length) * share,
    speeds,
    leavesPerMs: leavingRate(traffic),
    ordersPerMs: asked.stored.gallery || traffic.orderUnits.length === 0 ? 0 : orderRate(traffic),
    orderUnits: traffic.orderUnits,
    verdictMs: verdictTimes(traffic),
    lostShare: lostShare(traffic),
    lostMs: traffic.lostMs,
  };
  const competing = competition.rest();
  const unitsPerPart = asked.unitsPerPart / pace(rest, speed / competing.others.reduce((sum, { share }) => sum + share, 1));
  const load: Load = { parts: rest.parts, unitsPerPart, partsPerLease: asked.partsPerTile, leased, isChecking: rest.isChecking, ...competing };
  return { contributors: able.length, speed, finish: estimate(fleet, load, seedOf(rest.parts, able.length)) };
}

/** How much faster a job really goes than it should, believed half. Near its end, and as long as nothing of it came in, that tells nothing. */
function pace({ parts, rate, leased }: Rest, expected: number): number {
  if (rate === 0 || expected === 0 || parts < leased.length) return 1;
  return Math.sqrt(Math.min(PACE_MAX, Math.max(1 / PACE_MAX, rate / expected)));
}

/** The operator's own ones may be here to audit alone. */
const works = ({ trusted, speed, leases }: Contributor): boolean => !trusted || speed > 0 || leases.size > 0;

function deviceOf(state: State, contributor: Contributor, asked: Asked, competition: Competition, usual: number, now: number): FleetDevice {
  const held = [...contributor.leases.values()];
  const busyMs = held.reduce((latest, lease) => Math.max(latest, comesInMs(contributor, lease, usual, now)), 0);
  const first = held[0] && !state.idle.has(contributor.id) ? comesInMs(contributor, held[0], usual, now) : 0;
  return {
    speed: contributor.speed,
    speedMax: speedMaxOf(contributor, now),
    leavesPerMs: leavingRateOf(state.traffic, contributor, now),
    asksInMs: Math.max(first, contributor.restUntilMs - now),
    busyMs,
    fetchMs: fetchMs(contributor, asked),
    allowance: allowanceOf(contributor, asked),
    turn: competition.turnOf(contributor),
  };
}

/** By the lease that it has been at work on since it was granted. */
function speedMaxOf({ leases }: Contributor, now: number): number {
  const [first] = leases.values();
  return first ? (first.unitsPerPart * countParts(first.parts)) / Math.max(1, now - first.grantedMs) : Number.POSITIVE_INFINITY;
}

/** As `partsAllowed` of the scheduler has it, but for what it holds: that is decided by the time it asks. */
function allowanceOf(contributor: Contributor, { record, elementsPerPart, partsPerTile }: Asked): number {
  if (contributor.trusted) return Number.POSITIVE_INFINITY;
  const verified = contributor.standings.get(record)?.verified ?? 0;
  const parts = 1 + Math.floor(verified / elementsPerPart);
  return parts > LEASES_UNLIMITED * partsPerTile ? Number.POSITIVE_INFINITY : parts;
}

/** Whose turn it is when a contributor asks. Contributors with the same groups and wishes see the same order of jobs. */
class Competition {
  readonly #state: State;
  readonly #asked: Asked;
  readonly #now: number;
  readonly #open: readonly Job[];
  readonly #turns = new Map<string, FleetDevice['turn']>();
  readonly #alike = new Set<Job>();
  readonly #ahead = new Set<Job>();

  constructor(state: State, asked: Asked, now: number) {
    this.#state = state;
    this.#now = now;
    this.#asked = asked;
    this.#open = [...state.jobs.values()].filter((job) => !job.closing && !job.paused && job.stored !== asked.stored && partsFree(job) > 0);
  }

  turnOf(contributor: Contributor): FleetDevice['turn'] {
    const { kinds, groups, preferences, owner, downloadBytesMax } = contributor;
    const wishes = Object.keys(preferences).length > 0 ? `${owner} ${JSON.stringify(preferences)}` : '';
    const key = `${[...kinds].join()} ${[...groups].join()} ${downloadBytesMax} ${wishes}`;
    const known = this.#turns.get(key);
    if (known) return known;
    const rank = rankOf(this.#state, contributor, this.#asked);
    const takes = this.#open.filter((job) => mayTake(contributor, job)).map((job) => ({ job, rank: rankOf(this.#state, contributor, job) }));
    const [before, alike] = [takes.filter((each) => each.rank < rank), takes.filter((each) => each.rank === rank)];
    const turn = before.length > 0 ? 'behind' : alike.length > 0 ? 'shared' : 'first';
    for (const { job } of before) this.#ahead.add(job);
    for (const { job } of alike) this.#alike.add(job);
    this.#turns.set(key, turn);
    return turn;
  }

  rest(): Pick<Load, 'others' | 'ahead'> {
    const units = (job: Job): number => partsFree(job) * job.unitsPerPart;
    const all = [this.#asked, ...this.#alike];
    const requesters = new Map<string, number>();
    for (const { stored } of all) requesters.set(stored.owner, (requesters.get(stored.owner) ?? 0) + 1);
    // Requesters share the network, and the jobs of each its share.
    const share = ({ stored }: Asked | Job): number => shareOf(this.#state, stored, this.#now) / requesters.get(stored.owner)!;
    const mine = share(this.#asked);
    return {
      others: [...this.#alike].map((job) => ({ units: units(job), share: share(job) / mine })),
      ahead: [...this.#ahead].reduce((sum, job) => sum + units(job), 0),
    };
  }
}

const partsFree = (job: Job): number => job.partsTotal - job.partsAccepted - job.partsChecking - job.partsLeased;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
