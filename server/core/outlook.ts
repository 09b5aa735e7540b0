import { countParts, type OwnerId } from '../../shared/model.ts';
import { seedOf } from '../../shared/rng.ts';
import { partsPerTile } from './endgame.ts';
import { currentRate } from './ending.ts';
import { estimate, type Finish, type Fleet, type FleetDevice, type Load } from './estimate.ts';
import { type Able, type Everywhere, nobody, onlyHere, works } from './everywhere.ts';
import { fetchMs } from './fetching.ts';
import { mayTake, type Offered, rankOf, type Taker } from './offer.ts';
import { isSuspended } from './reputation.ts';
import { comesInMs } from './sizing.ts';
import type { ActiveLease, Contributor, Job, State } from './state.ts';
import { arrivalRate, leavingRate, leavingRateOf, lostShare, orderRate, verdictTimes } from './traffic.ts';
import { shareOf } from './turns.ts';

/**
 * What the core knows of who could work on a job and what stands beside it, as the estimate wants it. Changes nothing.
 *
 * Where several coordinators share the network each knows its own contributors. They stand for all: a job and what competes with it are as much
 * smaller as the whole network is faster. A coordinator that has none counts the others' as if they were here, each as fast as all are on average.
 */

/** Of a job that is asked about: who may have it, and its size. */
export interface Asked extends Offered {
  readonly parts: number;
  readonly unitsPerPart: number;
  readonly partsPerTile: number;
  readonly elementsPerPart: number;
}

/** Who could take a job now, everywhere, and when it would be done. */
export interface Outlook {
  readonly contributors: number;
  /** Micro-units a millisecond, of those whose speed is known. */
  readonly speed: number;
  /** Null when nobody is there who could take it. */
  readonly finish: Finish | null;
}

/** Until somebody was measured: a phone to a large GPU, a thousandfold apart as endgame.ts has it; the middles of its fifths. */
const SPEEDS: readonly number[] = [3, 13, 50, 200, 800];
/** A job goes at most so many times faster or slower than who is here would tell. */
const PACE_MAX = 4;
/** Above it a record limits nothing. */
const LEASES_UNLIMITED = 8;
/** Contributors of other coordinators that are played one by one. */
const STRANGERS_MAX = 1000;

/** Of a job that is not there yet. */
export function outlookOf(state: State, asked: Asked, now: number, everywhere: Everywhere = onlyHere): Outlook {
  const load = { parts: asked.parts, leased: [], isChecking: false, rate: 0 };
  return outlook(state, asked, load, everywhere, now);
}

/** Of what is left of an open job. */
export function outlookOfJob(state: State, job: Job, now: number, everywhere: Everywhere = onlyHere): Outlook {
  const parts = everywhere.partsFree(job);
  const asked = { ...job, parts, partsPerTile: partsPerTile(job), elementsPerPart: job.spec.elements(job.context, { pass: 0, tile: 0 }) };
  const leased = [...job.leases].filter(({ twin, isCopy }) => !(twin && isCopy));
  const rate = currentRate(job, now) * (job.unitsPerPart / 1000);
  return outlook(state, asked, { parts, leased, isChecking: job.partsChecking > 0, rate }, everywhere, now);
}

interface Rest {
  readonly parts: number;
  readonly leased: readonly ActiveLease[];
  readonly isChecking: boolean;
  /** Micro-units a millisecond that were accepted of it lately; 0 where nothing is known. */
  readonly rate: number;
}

function outlook(state: State, asked: Asked, rest: Rest, everywhere: Everywhere, now: number): Outlook {
  const able = state.connected.filter((contributor) => works(contributor) && mayTake(contributor, asked) && !isSuspended(contributor, asked.record, now));
  const speed = able.reduce((sum, each) => sum + each.speed, 0);
  const others = ableElsewhere(state, asked, able, everywhere);
  const all = { contributors: able.length + others.contributors, speed: speed + others.speed };
  if (all.contributors === 0) return { ...all, finish: null };
  const share = shareOfWork({ contributors: able.length, speed }, all);
  const competition = new Competition(state, asked, everywhere, now);
  const known = [...state.contributors.values()].flatMap(({ speed: each }) => (each > 0 ? [each] : []));
  const speeds = known.length > 0 ? known : SPEEDS;
  const usual = median(speeds);
  const places = new Map(able.map(({ id }, place) => [id, place]));
  const devices =
    able.length > 0 ? able.map((contributor) => deviceOf(state, contributor, asked, competition, usual, now)) : strangers(state, others, competition);
  const leased = rest.leased.map((lease) => {
    const holder = state.contributors.get(lease.contributor);
    return { device: places.get(lease.contributor) ?? -1, parts: countParts(lease.parts), inMs: holder ? comesInMs(holder, lease, usual, now) : 0 };
  });
  const { traffic } = state;
  const fleet: Fleet = {
    devices,
    // Of those elsewhere nobody has seen here how many come: as many as go.
    arrivalsPerMs:
      able.length > 0 ? (arrivalRate(traffic, state.connected.length) * able.length) / state.connected.length : leavingRate(traffic) * devices.length,
    speeds,
    leavesPerMs: leavingRate(traffic),
    ordersPerMs: asked.stored.gallery || traffic.orderUnits.length === 0 ? 0 : orderRate(traffic),
    orderUnits: traffic.orderUnits.map((units) => units * share),
    verdictMs: verdictTimes(traffic),
    lostShare: lostShare(traffic),
    lostMs: traffic.lostMs,
  };
  const competing = competition.rest(share);
  const unitsPerPart = asked.unitsPerPart / pace(rest, speed / competing.others.reduce((sum, { share }) => sum + share, 1));
  const parts = Math.ceil(rest.parts * share);
  const load: Load = { parts, unitsPerPart, partsPerLease: asked.partsPerTile, leased, isChecking: rest.isChecking, ...competing };
  return { ...all, finish: estimate(fleet, load, seedOf(parts, devices.length)) };
}

/** Who is in a group only its own coordinator knows: among the others' they are taken to be as many as here. */
function ableElsewhere(state: State, { spec, stored }: Asked, able: readonly Contributor[], everywhere: Everywhere): Able {
  const others = everywhere.others(spec.id);
  if (others.contributors === 0 || stored.group?.mode !== 'only') return others;
  const ofKind = state.connected.filter((contributor) => works(contributor) && contributor.kinds.has(spec.id)).length;
  if (ofKind === 0) return nobody;
  const share = able.length / ofKind;
  return { contributors: Math.round(others.contributors * share), speed: others.speed * share };
}

/** What is here of the whole network, by speed where it is known. All of it where the others' are counted as if they were here. */
function shareOfWork(here: Able, all: Able): number {
  if (here.contributors === 0) return 1;
  const isKnown = here.speed > 0 && all.speed > here.speed;
  return isKnown ? here.speed / all.speed : here.contributors / all.contributors;
}

/** How much faster a job really goes than it should, believed half. Near its end, and as long as nothing of it came in, that tells nothing. */
function pace({ parts, rate, leased }: Rest, expected: number): number {
  if (rate === 0 || expected === 0 || parts < leased.length) return 1;
  return Math.sqrt(Math.min(PACE_MAX, Math.max(1 / PACE_MAX, rate / expected)));
}

/** Contributors of other coordinators, of whom no more is known than how many and how fast they are together. */
function strangers({ traffic }: State, { contributors, speed }: Able, competition: Competition): FleetDevice[] {
  const one: FleetDevice = {
    speed: speed / contributors,
    speedMax: Number.POSITIVE_INFINITY,
    leavesPerMs: leavingRate(traffic),
    ...{ asksInMs: 0, busyMs: 0, fetchMs: 0 },
    allowance: Number.POSITIVE_INFINITY,
    turn: competition.turnOfStranger(),
  };
  return new Array<FleetDevice>(Math.min(STRANGERS_MAX, contributors)).fill(one);
}

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
  readonly #everywhere: Everywhere;
  readonly #now: number;
  readonly #open: readonly Job[];
  readonly #turns = new Map<string, FleetDevice['turn']>();
  readonly #alike = new Set<Job>();
  readonly #ahead = new Set<Job>();

  constructor(state: State, asked: Asked, everywhere: Everywhere, now: number) {
    this.#state = state;
    this.#everywhere = everywhere;
    this.#now = now;
    this.#asked = asked;
    this.#open = [...state.jobs.values()].filter((job) => !job.closing && !job.paused && job.stored !== asked.stored && everywhere.partsFree(job) > 0);
  }

  /** Of somebody who does this kind of work and wants nothing else. */
  turnOfStranger(): FleetDevice['turn'] {
    const kinds = new Set([this.#asked.spec.id]);
    return this.turnOf({ owner: '' as OwnerId, kinds, groups: new Set(), preferences: {}, downloadBytesMax: Number.POSITIVE_INFINITY });
  }

  turnOf(contributor: Taker): FleetDevice['turn'] {
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

  /** `part`: of all that is open, what is done here. */
  rest(part: number): Pick<Load, 'others' | 'ahead'> {
    const units = (job: Job): number => this.#everywhere.partsFree(job) * job.unitsPerPart * part;
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

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
