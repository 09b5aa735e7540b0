import { MINUTE_MS } from '../../shared/limits.ts';
import type { Contributor, State } from './state.ts';

/**
 * What coming, going, ordering and checking were like lately, measured from what happens here: what forecasts rest on. Old observations fade,
 * so that an evening is noticed within a quarter of an hour. Not stored: a restart begins anew.
 */
export interface Traffic {
  atMs: number;
  /** When this began. In the first minute nobody counts as arriving: at a start all come back at once. */
  readonly startedMs: number;
  /** Fading sums: time that passed, of it the time in which arrivals were counted, time that contributors were here (each for itself), and how many came, left and ordered. */
  elapsedMs: number;
  countedMs: number;
  presentMs: number;
  arrivals: number;
  departures: number;
  orders: number;
  /** The latest: micro-units of jobs that were ordered, milliseconds from a hand-in until it was accepted, or until it was lost. */
  readonly orderUnits: number[];
  readonly verdictMs: number[];
  readonly lostMs: number[];
  /** Fading: results accepted and lost. */
  accepted: number;
  lost: number;
}

const HALF_LIFE_MS = 20 * MINUTE_MS;
const SETTLING_MS = MINUTE_MS;
const KEPT_MAX = 128;
/** What is believed before anything was seen, with the weight of one event: how long somebody stays. */
const STAY_MS = 15 * MINUTE_MS;
/** Orders are counted over this long at least. */
const ORDERS_SEEN_MS = 2 * MINUTE_MS;
const VERDICT_MS: readonly number[] = [500, 1000, 2000];

export const newTraffic = (now: number): Traffic => ({
  atMs: now,
  startedMs: now,
  elapsedMs: 0,
  countedMs: 0,
  presentMs: 0,
  arrivals: 0,
  departures: 0,
  orders: 0,
  orderUnits: [],
  verdictMs: [],
  lostMs: [],
  accepted: 0,
  lost: 0,
});

/** Lets time pass. To be called before the number of those connected changes, and now and then. */
export function observe({ traffic, connected }: State, now: number): void {
  const ms = Math.max(0, now - traffic.atMs);
  const fade = 2 ** (-ms / HALF_LIFE_MS);
  traffic.elapsedMs = traffic.elapsedMs * fade + ms;
  traffic.countedMs = traffic.countedMs * fade + Math.min(ms, Math.max(0, now - traffic.startedMs - SETTLING_MS));
  traffic.presentMs = traffic.presentMs * fade + ms * connected.length;
  traffic.arrivals *= fade;
  traffic.departures *= fade;
  traffic.orders *= fade;
  traffic.accepted *= fade;
  traffic.lost *= fade;
  traffic.atMs = now;
}

const keep = (values: number[], value: number): void => {
  values.push(value);
  if (values.length > KEPT_MAX) values.shift();
};

export function noteArrival({ traffic }: State, now: number): void {
  if (now >= traffic.startedMs + SETTLING_MS) traffic.arrivals++;
}

export const noteDeparture = ({ traffic }: State): void => {
  traffic.departures++;
};

/** Somebody who had lost its connection for a moment was not away after all. */
export const takeBackDeparture = ({ traffic }: State): void => {
  traffic.departures = Math.max(0, traffic.departures - 1);
};

/** A job, unless it is one that is read back at a start. */
export function noteOrder({ traffic }: State, units: number, createdMs: number): void {
  if (createdMs < traffic.startedMs) return;
  traffic.orders++;
  keep(traffic.orderUnits, units);
}

export function noteVerdict({ traffic }: State, isAccepted: boolean, committedMs: number, now: number): void {
  if (committedMs < traffic.startedMs) return;
  keep(isAccepted ? traffic.verdictMs : traffic.lostMs, now - committedMs);
  if (isAccepted) traffic.accepted++;
  else traffic.lost++;
}

/** Departures a millisecond of one contributor, by what everybody does. */
export const leavingRate = ({ departures, presentMs }: Traffic): number => (departures + 1) / (presentMs + STAY_MS);

/** The same of one whose habits are known: who has stayed for long mostly goes on to stay. */
export const leavingRateOf = (traffic: Traffic, { stays, stayedMs, sinceMs }: Contributor, now: number): number =>
  (stays + 1) / (stayedMs + (now - sinceMs) + 1 / leavingRate(traffic));

/** Arrivals a millisecond. Before any was seen as many come as go, where so many are here. */
export const arrivalRate = (traffic: Traffic, here: number): number => (traffic.arrivals + 1) / (traffic.countedMs + 1 / (here * leavingRate(traffic)));

export const orderRate = ({ orders, elapsedMs }: Traffic): number => orders / (elapsedMs + ORDERS_SEEN_MS);

export const verdictTimes = ({ verdictMs }: Traffic): readonly number[] => (verdictMs.length > 0 ? verdictMs : VERDICT_MS);

/** Share of results that are not accepted. */
export const lostShare = ({ accepted, lost }: Traffic): number => lost / (accepted + lost + 1);
