import { MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import { Rng, seedOf } from '../../shared/rng.ts';
import { adversary as always } from './kinds/always.ts';
import { policies } from './policies.ts';
import { type Device, exponential, type Session } from './population.ts';
import { ELEMENTS, PARTS } from './spec.ts';
import { floatClasses } from './values.ts';
import { type Delivery, type Order, World } from './world.ts';

/** Worlds for quotes: networks of several sizes and habits, jobs of several sizes that compete, and what was promised against what came. */

export interface FleetWorld {
  /** How many are there at a time, from and to. */
  readonly present: readonly [number, number];
  /** Of a session, in the mean. */
  readonly stayMs: number;
  /** Work that is ordered, as a share of what the network can do. */
  readonly load: number;
  /** The gallery keeps whoever has nothing else to do busy. */
  readonly gallery: boolean;
  /** Two thirds of those present leave in the course of ten minutes, in the middle of the time, and fewer come. */
  readonly night?: boolean;
  /** Share of contributors that always lie. */
  readonly liars?: number;
}

/** One world, as it goes to a thread, and what it reports. */
export interface FleetCell {
  readonly kind: string;
  readonly seed: number;
}
export interface FleetReport {
  readonly cell: FleetCell;
  readonly report: readonly Delivery[];
}

export const fleetWorlds: Readonly<Record<string, FleetWorld>> = {
  home: { present: [3, 6], stayMs: 60 * MINUTE_MS, load: 0.5, gallery: false },
  friends: { present: [6, 20], stayMs: 25 * MINUTE_MS, load: 0.5, gallery: true },
  tabs: { present: [20, 80], stayMs: 12 * MINUTE_MS, load: 0.6, gallery: true },
  idle: { present: [20, 80], stayMs: 12 * MINUTE_MS, load: 0.2, gallery: false },
  busy: { present: [20, 60], stayMs: 15 * MINUTE_MS, load: 0.9, gallery: true },
  evening: { present: [30, 80], stayMs: 15 * MINUTE_MS, load: 0.5, gallery: true, night: true },
  large: { present: [120, 220], stayMs: 12 * MINUTE_MS, load: 0.6, gallery: true },
  liars: { present: [30, 60], stayMs: 15 * MINUTE_MS, load: 0.5, gallery: true, liars: 0.1 },
};

/** Orders come within this; after it nothing is ordered any more, and what is open may end. */
const ORDERED_MS = 40 * MINUTE_MS;
const END_MS = 5 * ORDERED_MS;
const FIRST_ORDER_MS = MINUTE_MS;
/** What the whole network would need for a job: log-uniform between these. */
const JOB_MS = [10 * SECOND_MS, 8 * MINUTE_MS] as const;
const TILES = [4, 4000] as const;
/** Of the median device, in (part, element)s a second: a part in three seconds. */
const MEDIAN_SPEED = ELEMENTS / 3;
const SPREAD = 1000;
const UNEVENNESS = 0.15;
/** After a session half of the contributors come back. */
const RETURNING = 0.5;
const BREAK_MS_MEAN = 20 * MINUTE_MS;
const NIGHT_MS = [15 * MINUTE_MS, 25 * MINUTE_MS] as const;
const NIGHT_SHARE = 2 / 3;

const logUniform = (random: Rng, [least, most]: readonly [number, number]): number => least * (most / least) ** random.unit();

/** What was promised for every order of one world, and what came of it. The same seed gives the same. */
export function runFleet(name: string, seed: number): readonly Delivery[] {
  const kind = fleetWorlds[name];
  if (!kind) throw new RangeError(`there is no world ${name}; there are ${Object.keys(fleetWorlds).join(', ')}`);
  const random = new Rng(seedOf(seed, 11));
  const present = Math.round(logUniform(random, kind.present));
  const devices = populate(random, kind, present);
  return new World({
    seed,
    devices,
    adversary: always,
    policy: (surroundings) => policies.ours!(surroundings, 1e-4),
    trustedSpeed: 0,
    endMs: END_MS,
    tilesPerJob: kind.gallery ? 64 + 4 * present : 0,
    orders: ordersOf(random, kind, devices),
  }).run().deliveries;
}

/** Devices so that about `present` are here at a time; those at the beginning have been here before. */
function populate(random: Rng, { stayMs, night, liars = 0 }: FleetWorld, present: number): Device[] {
  const arrivalsPerMs = (present * RETURNING) / stayMs;
  const devices: Device[] = [];
  const add = (from: number): void => {
    const number = devices.length;
    const sessions = sessionsFrom(random, from, stayMs);
    devices.push({
      number,
      speed: (MEDIAN_SPEED / Math.sqrt(SPREAD)) * SPREAD ** random.unit(),
      floatClass: floatClasses[random.below(floatClasses.length)]!,
      liar: Math.floor((number + 1) * liars) > Math.floor(number * liars),
      unevenness: UNEVENNESS,
      sessions: night ? sessions.flatMap((session) => throughNight(random, session)) : sessions,
    });
  };
  for (let count = 0; count < present; count++) add(0);
  for (let at = exponential(random, 1 / arrivalsPerMs); at < END_MS; at += exponential(random, 1 / arrivalsPerMs)) add(at);
  return devices;
}

function sessionsFrom(random: Rng, from: number, stayMs: number): Session[] {
  const sessions: Session[] = [];
  let at = from;
  do {
    const to = at + exponential(random, stayMs);
    sessions.push({ fromMs: at, toMs: to });
    at = to + exponential(random, BREAK_MS_MEAN);
  } while (random.unit() < RETURNING && at < END_MS);
  return sessions;
}

/** Most sessions end in the evening, and most of those that would begin later do not. */
function throughNight(random: Rng, { fromMs, toMs }: Session): Session[] {
  if (toMs < NIGHT_MS[0] || random.unit() >= NIGHT_SHARE) return [{ fromMs, toMs }];
  const bed = NIGHT_MS[0] + random.unit() * (NIGHT_MS[1] - NIGHT_MS[0]);
  return fromMs < bed ? [{ fromMs, toMs: Math.min(toMs, bed) }] : [];
}

/** At random times, so many that they are the wanted share of what those present can do. */
function ordersOf(random: Rng, { load }: FleetWorld, devices: readonly Device[]): Order[] {
  const worked = devices.reduce((sum, { speed, sessions }) => sum + speed * sessions.reduce((ms, { fromMs, toMs }) => ms + inTime(fromMs, toMs), 0), 0);
  const tilesPerMs = worked / ORDERED_MS / 1000 / (ELEMENTS * PARTS);
  const orders: Order[] = [];
  let [at, tilesLeft] = [FIRST_ORDER_MS, load * tilesPerMs * ORDERED_MS];
  while (at < ORDERED_MS && tilesLeft > 0) {
    const tiles = Math.round(Math.min(TILES[1], Math.max(TILES[0], logUniform(random, JOB_MS) * tilesPerMs)));
    orders.push({ atMs: at, tiles });
    tilesLeft -= tiles;
    at += exponential(random, tiles / tilesPerMs / load);
  }
  return orders;
}

const inTime = (fromMs: number, toMs: number): number => Math.max(0, Math.min(toMs, ORDERED_MS) - fromMs);
