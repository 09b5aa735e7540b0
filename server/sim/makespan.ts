import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import { Rng, seedOf } from '../../shared/rng.ts';
import { adversary as nobody } from './kinds/always.ts';
import { Ours } from './ours.ts';
import { type Device, exponential, SESSION_MS_MEAN } from './population.ts';
import { ELEMENTS, PARTS } from './spec.ts';
import { floatClasses } from './values.ts';
import { type Order, World } from './world.ts';

/** How much of what a network could do it does: jobs of many requesters, and honest contributors that come and go. */

export interface MakespanOptions {
  readonly seed: number;
  /** Contributors that are there at a time. */
  readonly present: number;
  readonly jobs: number;
  /** What all of them together would need for the jobs, if nothing was lost. */
  readonly idealMs: number;
}

export interface DayOptions {
  readonly seed: number;
  readonly sessions: number;
  readonly jobs: number;
  /** Work that is ordered, as a share of what those who come can do. */
  readonly load: number;
}

/** Jobs that did not end, or that had something to give and got nothing for a minute in which others did. */
interface Fairness {
  readonly starved: number;
  readonly longestWaitMs: number;
  readonly tiles: number;
  readonly realMs: number;
}

export interface Makespan extends Fairness {
  /** From the orders to the last end, and the time in which those who were there could have done as much. */
  readonly actualMs: number;
  readonly idealMs: number;
}

export interface Day extends Fairness {
  /** From the order to the end of a job, median. */
  readonly medianMs: number;
}

const SPREAD = 1000;
/** A tile takes the fastest device so long, the slowest a thousand times as long; in a day, which is about coming and going, longer. */
const TILE_MS = 2.5 * SECOND_MS;
const DAY_TILE_MS = 20 * SECOND_MS;
/** Of those who come, this share has been there before. */
const KNOWN = 0.5;
const RECORD = 1e7;
const UNEVENNESS = 0.15;
/** Prices over two orders of magnitude. */
const RATES = [100_000n, 300_000n, 1_000_000n, 3_000_000n, 10_000_000n] as const;
const STARVED_MS = MINUTE_MS;
/** How fast results are checked is not the question: enough cores and auditors, so that none waits for them. */
const CORES = 64;
const TRUSTED_SPEED = 1e9;
const END_FACTOR = 4;
/** After the last orders of a day. */
const AFTERWARDS_MS = 60 * MINUTE_MS;

/** Jobs that are all ordered at once, until the last one has ended. */
export function runMakespan({ seed, present, jobs, idealMs }: MakespanOptions): Makespan {
  const random = new Rng(seedOf(seed, 21));
  const endMs = END_FACTOR * idealMs;
  const devices: Device[] = [];
  for (let count = 0; count < present; count++) devices.push(deviceOf(random, devices.length, 0, true, TILE_MS));
  arrive(random, devices, { betweenMs: SESSION_MS_MEAN / present, tileMs: TILE_MS, endMs });
  const tiles = Math.floor(workedBy(devices, idealMs) / (ELEMENTS * PARTS));
  const orders = ordersOf(random, jobs, tiles, () => 0);
  const { world, ...fairness } = run(seed, devices, orders, endMs);
  const work = orders.reduce((sum, order) => sum + order.tiles, 0) * ELEMENTS * PARTS;
  return {
    ...fairness,
    actualMs: Math.max(...world.deliveries.map(({ endedMs }) => endedMs ?? Number.POSITIVE_INFINITY)),
    idealMs: timeFor(devices, work, endMs),
  };
}

/** Sessions that begin in the course of a day, and jobs that are ordered in the course of it. */
export function runDay({ seed, sessions, jobs, load }: DayOptions): Day {
  const random = new Rng(seedOf(seed, 22));
  const devices: Device[] = [];
  arrive(random, devices, { betweenMs: DAY_MS / sessions, tileMs: DAY_TILE_MS, endMs: DAY_MS });
  const tiles = Math.floor((load * workedBy(devices, DAY_MS)) / (ELEMENTS * PARTS));
  const orders = ordersOf(random, jobs, tiles, () => random.unit() * DAY_MS);
  const { world, ...fairness } = run(seed, devices, orders, DAY_MS + AFTERWARDS_MS);
  const times = world.deliveries.map(({ order, endedMs }) => (endedMs ?? Number.POSITIVE_INFINITY) - order.atMs).sort((a, b) => a - b);
  return { ...fairness, medianMs: times[Math.floor(times.length / 2)]! };
}

function run(seed: number, devices: readonly Device[], orders: readonly Order[], endMs: number): Fairness & { readonly world: World } {
  const started = performance.now();
  const world = new World({
    seed,
    devices,
    adversary: nobody,
    policy: (surroundings) => new Ours(surroundings, 1e-4, { cores: CORES }),
    trustedSpeed: TRUSTED_SPEED,
    endMs,
    tilesPerJob: 0,
    orders,
  }).run();
  const waits = [...(world.policy as Ours).longestWaitMs.values()];
  return {
    world,
    starved: world.deliveries.filter(({ endedMs }) => endedMs === null).length + waits.filter((ms) => ms > STARVED_MS).length,
    longestWaitMs: Math.max(0, ...waits),
    tiles: orders.reduce((sum, order) => sum + order.tiles, 0),
    realMs: performance.now() - started,
  };
}

function deviceOf(random: Rng, number: number, fromMs: number, isKnown: boolean, tileMs: number): Device {
  const fastest = (ELEMENTS * PARTS * SECOND_MS) / tileMs;
  return {
    number,
    speed: (fastest / SPREAD) * SPREAD ** random.unit(),
    floatClass: floatClasses[random.below(floatClasses.length)]!,
    liar: false,
    unevenness: UNEVENNESS,
    sessions: [{ fromMs, toMs: fromMs + exponential(random, SESSION_MS_MEAN) }],
    ...(isKnown ? { record: RECORD } : {}),
  };
}

/** Devices that come one after the other, so far apart in the mean. */
function arrive(random: Rng, devices: Device[], { betweenMs, tileMs, endMs }: { betweenMs: number; tileMs: number; endMs: number }): void {
  for (let at = exponential(random, betweenMs); at < endMs; at += exponential(random, betweenMs))
    devices.push(deviceOf(random, devices.length, at, random.unit() < KNOWN, tileMs));
}

/** Jobs whose sizes differ a hundredfold, each of a requester of its own. */
function ordersOf(random: Rng, jobs: number, tiles: number, atMs: () => number): Order[] {
  const sizes = Array.from({ length: jobs }, () => 100 ** random.unit());
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size, index) => ({
    atMs: atMs(),
    tiles: Math.max(1, Math.round((tiles * size) / all)),
    owner: `device:${index.toString().padStart(16, '0')}` as OwnerId,
    ratePerUnit: RATES[index % RATES.length]!,
  }));
}

/** (part, element)s that devices could do by then. */
const workedBy = (devices: readonly Device[], untilMs: number): number =>
  devices.reduce(
    (sum, { speed, sessions }) =>
      sum + sessions.reduce((done, { fromMs, toMs }) => done + (speed * Math.max(0, Math.min(toMs, untilMs) - fromMs)) / SECOND_MS, 0),
    0,
  );

/** When they could have done so much. */
function timeFor(devices: readonly Device[], work: number, endMs: number): number {
  let [from, to] = [0, endMs];
  for (let step = 0; step < 40; step++) {
    const middle = (from + to) / 2;
    if (workedBy(devices, middle) < work) from = middle;
    else to = middle;
  }
  return to;
}
