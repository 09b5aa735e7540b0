import { seedOf } from '../../shared/rng.ts';
import { Play } from './play.ts';
import type { Rival } from './rivals.ts';

/**
 * When will a job be done? What is left of it is played through some dozens of times (`Play`) with the contributors that are here, each time
 * with other departures, arrivals and orders, drawn from what the network was like lately. The answer is the median of the ends and their
 * 95th percentile. Pure: the same arguments give the same figures.
 */

/** Speeds are micro-units a millisecond, rates events a millisecond. */
export interface Fleet {
  /** Here, able and willing. */
  readonly devices: readonly FleetDevice[];
  readonly arrivalsPerMs: number;
  /** Of contributors like those that may come, and of those here whose speed is not known yet. Never empty. */
  readonly speeds: readonly number[];
  /** How fast somebody who has just come leaves again. */
  readonly leavesPerMs: number;
  readonly ordersPerMs: number;
  /** Micro-units of jobs that were ordered lately. Not empty when there are orders. */
  readonly orderUnits: readonly number[];
  /** From a hand-in until it is accepted, lately. Never empty. */
  readonly verdictMs: readonly number[];
  /** Share of results that are not accepted, and how long it took until they were given up. */
  readonly lostShare: number;
  readonly lostMs: readonly number[];
}

export interface FleetDevice {
  /** 0: not known yet. */
  readonly speed: number;
  /** Who is not known is no faster than this: it would have handed in what it holds. */
  readonly speedMax: number;
  readonly leavesPerMs: number;
  /** Until it asks for work again, and until it has done all that it holds. */
  readonly asksInMs: number;
  readonly busyMs: number;
  /** Its download before it can begin. */
  readonly fetchMs: number;
  /** Parts that it may hold until more of its results are accepted. */
  readonly allowance: number;
  /** `first`: it prefers this job to all others · `shared`: jobs take turns · `behind`: what is in `Load.ahead` comes first. */
  readonly turn: 'first' | 'shared' | 'behind';
}

/** What is left of a job, and what competes with it. */
export interface Load {
  /** Parts that nobody has. */
  readonly parts: number;
  readonly unitsPerPart: number;
  readonly partsPerLease: number;
  /** Leases of it that are out: by which of the devices, and when they should come in. */
  readonly leased: readonly { readonly device: number; readonly parts: number; readonly inMs: number }[];
  /** Some of it waits for a verdict. */
  readonly isChecking: boolean;
  /** The jobs that take turns with it, and micro-units left of all that come before it. */
  readonly others: readonly Rival[];
  readonly ahead: number;
}

export interface Finish {
  readonly p50Seconds: number;
  readonly p95Seconds: number;
}

/** Some ask and get nothing, or ask for other jobs. */
const ASKS_PER_LEASE = 4;
/** Of more devices each play takes a sample, with as much less work. */
const DEVICES_MAX = 150;
const PLAYS_MIN = 24;
const PLAYS_MAX = 64;
/** Devices in all plays together: more plays of smaller networks, where chance has more to say. */
const DEVICES_PLAYED = 3200;

/** Null when nobody is here who could take it. */
export function estimate(fleet: Fleet, load: Load, seed: number): Finish | null {
  const { devices } = fleet;
  if (devices.length === 0) return null;
  const asking = firstToAsk(devices, Math.max(DEVICES_MAX, (ASKS_PER_LEASE * load.parts * (1 + load.others.length)) / load.partsPerLease));
  const thin = Math.max(1, asking.length / DEVICES_MAX);
  const plays = Math.round(Math.min(PLAYS_MAX, Math.max(PLAYS_MIN, (DEVICES_PLAYED * thin) / asking.length)));
  const bySpeed = asking.sort((a, b) => devices[a]!.speed - devices[b]!.speed);
  const ends = Float64Array.from({ length: plays }, (_, play) => new Play(fleet, load, seedOf(seed, play), thin, bySpeed).end()).sort();
  return { p50Seconds: quantile(ends, 0.5) / 1000, p95Seconds: quantile(ends, 0.95) / 1000 };
}

/** Places of so many devices: a small job is gone before the others ask. */
function firstToAsk(devices: readonly FleetDevice[], most: number): number[] {
  const all = devices.map((_, index) => index);
  return all.length <= most ? all : all.sort((a, b) => devices[a]!.asksInMs - devices[b]!.asksInMs).slice(0, most);
}

/** Of ascending values, between the two nearest. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const [low, high] = [sorted[below]!, sorted[Math.min(sorted.length - 1, below + 1)]!];
  return low + (at - below) * (high - low);
}
