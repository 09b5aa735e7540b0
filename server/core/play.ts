import { DAY_MS, limits, SECOND_MS } from '../../shared/limits.ts';
import { seedOf } from '../../shared/rng.ts';
import { Chance } from './chance.ts';
import { isWorthIt } from './copies.ts';
import { allowanceMs, mayBeUnknown, typicalSpeed } from './endgame.ts';
import type { Fleet, FleetDevice, Load } from './estimate.ts';
import { Rivals } from './rivals.ts';
import { LEASE_MS, partsWorth, leaseMs as worthMs } from './sizing.ts';
import { Timetable } from './timetable.ts';

/**
 * One possible course of a job. It follows the scheduler: a device holds two leases and asks when it hands one in, jobs take turns, newcomers
 * get one part and twice as many each time, who leaves or is too slow loses what it holds, the last leases are copied, and the last result still
 * has to be checked. As long as single leases do not matter, devices work in chunks of what is left.
 */

/** Chunks in which a device works on what is left, as long as they are longer than some leases. */
const CHUNKS = 8;
const CHUNK_LEASES_MIN = 4;
const REST_MS = 15 * SECOND_MS;
const EXPIRED_MAX = 5;
/** A lease goes back this long after its contributor has gone: the grace, and the next tick. */
const RETURN_MS = limits.absenceGraceMsMax + SECOND_MS / 2;
/** Until somebody asks who should have a copy. */
const COPY_WAIT_MS = SECOND_MS;
/** From news of work to the lease, and from a hand-in to its opening: a round trip. */
const WAKE_MS = 100;
const OPENING_MS = 100;
/** Whoever gets nothing asks again. */
const RETRY_MS = 2 * SECOND_MS;
/** Longer than anybody plans. */
const HORIZON_MS = 30 * DAY_MS;
/** A burst of orders does not go on for ever, and fewer contributors get fewer: no more is ordered than this share of what can be done. */
const ORDERED_SHARE_MAX = 0.7;
/** Of those who come, who have not been here before. */
const NEWCOMERS = 0.5;
/** How wrong what is known may be: standard deviations of logarithms. */
const SPREAD = { leaving: 0.4, arriving: 0.4, ordering: 0.8, speed: 0.2, all: 0.3 } as const;
/** By what real ends were later than played ones in the median, in the worlds that this was tuned on (fleet.bench.ts): refused auditors, messages, uneven tiles. */
const LEFT_OUT = 1.06;
/** Of parts that come out of fractions. */
const NOTHING = 1e-6;

/** What a play may take, with so many more for each device: an ordinary one takes a third of it. */
const EVENTS_MAX = 500;
const EVENTS_PER_DEVICE_MAX = 50;

/** What happens, but for a device asking, which is its index; returns of leases follow below. */
const ARRIVAL = -1;
const ORDER = -2;
const RETURN = -3;

export class Play {
  readonly #fleet: Fleet;
  readonly #load: Load;
  readonly #thin: number;
  readonly #agenda = new Timetable();
  readonly #factor: Readonly<Record<'leaving' | 'arriving' | 'ordering' | 'all', number>>;
  readonly #chance: Chance;
  readonly #rivals: Rivals;
  /* By device. */
  readonly #speed: number[] = [];
  readonly #leavesAt: number[] = [];
  readonly #freeAt: number[] = [];
  readonly #fetchMs: number[] = [];
  readonly #allowance: number[] = [];
  readonly #turn: FleetDevice['turn'][] = [];
  readonly #expired: number[] = [];
  /** Whether it was seen to work, and when it hands in its first lease otherwise. */
  readonly #isKnown: boolean[] = [];
  readonly #knownAt: number[] = [];
  /** Devices that found nothing to do. */
  #parked: number[] = [];
  /** Parts that come back, by the number of their return; and how many returns are still to come. */
  readonly #returns: number[] = [];
  #awaited = 0;
  #parts: number;
  #ahead: number;
  /** In a network that is thinned, orders are as many and as much smaller. */
  readonly #arrivalsPerMs: number;
  readonly #ordersPerMs: number;
  readonly #orderUnits: number;
  /** Speed of all that are here, and of those that the coordinator has seen work. */
  #rate = 0;
  #knownRate = 0;
  /** `typicalSpeed` of those at the beginning. */
  readonly #typical: number;
  /** When the latest verdict so far comes; and of single leases, when they should be handed in, how long their verdict takes then, and their parts. */
  #lastMs = 0;
  readonly #out: { readonly device: number; readonly atMs: number; readonly verdictMs: number; readonly parts: number }[] = [];

  /** Of every `thin` devices one plays, and the work is as much less. */
  constructor(fleet: Fleet, load: Load, seed: number, thin: number, bySpeed: readonly number[]) {
    this.#fleet = fleet;
    this.#load = load;
    this.#thin = thin;
    this.#chance = new Chance(seed);
    this.#rivals = new Rivals(load.others.map(({ units, share }) => ({ units: units / thin, share })));
    this.#parts = load.parts / thin;
    this.#ahead = load.ahead / thin;
    const spread = (sigma: number): number => Math.exp(sigma * this.#chance.normal());
    this.#factor = {
      leaving: spread(SPREAD.leaving),
      arriving: spread(SPREAD.arriving),
      // What was measured is right in the mean; so many are seldom ordered.
      ordering: spread(SPREAD.ordering) * Math.exp(-(SPREAD.ordering ** 2) / 2),
      all: spread(SPREAD.all),
    };
    const places = new Map<number, number>();
    const offset = this.#chance.unit();
    for (let at = 0; at < bySpeed.length / thin; at++) {
      const index = bySpeed[Math.min(bySpeed.length - 1, Math.floor((at + (thin > 1 ? offset : 0)) * thin))]!;
      places.set(index, this.#speed.length);
      this.#join(fleet.devices[index]!, seedOf(seed, index));
    }
    this.#typical = typicalSpeed(this.#speed.map((whole) => ({ whole, here: whole })));
    if (load.isChecking) this.#lastMs = this.#verdictMs();
    for (const { device, parts, inMs } of load.leased) {
      const place = places.get(device);
      if (place !== undefined) this.#expect(place, parts, 0, inMs);
      else if (device < 0 && thin === 1) this.#comeBack(RETURN_MS, parts);
      else if (thin === 1) this.#lastMs = Math.max(this.#lastMs, inMs);
    }
    this.#arrivalsPerMs = (fleet.arrivalsPerMs * this.#factor.arriving) / thin;
    this.#comes(ARRIVAL, this.#arrivalsPerMs);
    this.#orderUnits = fleet.orderUnits.reduce((sum, units) => sum + units, 0) / Math.max(1, fleet.orderUnits.length) / thin;
    this.#ordersPerMs = fleet.ordersPerMs * this.#factor.ordering;
    this.#nextOrder();
  }

  /** Milliseconds until the last verdict. */
  end(): number {
    const eventsMax = EVENTS_MAX + EVENTS_PER_DEVICE_MAX * this.#speed.length;
    for (let events = 0; this.#parts > NOTHING || this.#awaited > 0; events++) {
      if (this.#agenda.isEmpty) return HORIZON_MS;
      if (events === eventsMax) return this.#end(this.#goingOn());
      const what = this.#agenda.next();
      if (this.#agenda.now >= HORIZON_MS) return HORIZON_MS;
      if (what >= 0) this.#ask(what);
      else if (what === ARRIVAL) this.#arrive();
      else if (what === ORDER) this.#order();
      else this.#takeBack(RETURN - what);
    }
    return this.#end(this.#lastVerdictMs());
  }

  /** Nobody has anything left to begin: what is out far longer than others would take for it is copied. */
  #lastVerdictMs(): number {
    const { now } = this.#agenda;
    let last = this.#lastMs;
    for (const { device, atMs, verdictMs, parts } of this.#out) {
      const copyMs = (parts * this.#load.unitsPerPart) / Math.min(this.#typical, this.#othersRate(device));
      const isCopied = isWorthIt(atMs - now - COPY_WAIT_MS - copyMs, copyMs, this.#rivals.shares === 0);
      last = Math.max(last, (isCopied ? now + COPY_WAIT_MS + copyMs : atMs) + verdictMs);
    }
    return last;
  }

  #end(ms: number): number {
    return Math.min(HORIZON_MS, ms * this.#factor.all * LEFT_OUT);
  }

  /** Where playing on would take too long: as it goes now. */
  #goingOn(): number {
    const speed = Math.max(this.#rate, NOTHING) * (1 - this.#orderedShare);
    return this.#agenda.now + (this.#parts * this.#load.unitsPerPart * (1 + this.#rivals.shares)) / speed;
  }

  #verdictMs(): number {
    return this.#chance.oneOf(this.#fleet.verdictMs);
  }

  #comes(what: number, perMs: number): void {
    if (perMs > 0) this.#agenda.add(this.#agenda.now + this.#chance.waiting(perMs), what);
  }

  /** A device's own numbers do not depend on who else is here. */
  #join({ speed, speedMax, leavesPerMs, asksInMs, busyMs, fetchMs, allowance, turn }: FleetDevice, seed: number): void {
    const own = new Chance(seed);
    const { now } = this.#agenda;
    const place = this.#speed.length;
    const stays = own.waiting(leavesPerMs * this.#factor.leaving);
    const guess = own.oneOf(this.#fleet.speeds);
    const real = (speed > 0 ? speed : guess <= speedMax ? guess : speedMax * own.unit()) * Math.exp(SPREAD.speed * own.normal());
    this.#speed.push(real);
    this.#rate += real;
    if (speed > 0) this.#knownRate += real;
    this.#leavesAt.push(now + stays);
    this.#freeAt.push(now + busyMs);
    this.#fetchMs.push(fetchMs);
    this.#allowance.push(allowance);
    this.#turn.push(turn);
    this.#expired.push(0);
    this.#isKnown.push(speed > 0);
    this.#knownAt.push(Number.POSITIVE_INFINITY);
    this.#agenda.add(now + asksInMs + WAKE_MS, place);
  }

  #arrive(): void {
    const fleet = this.#fleet;
    const like = fleet.devices[Math.floor(this.#chance.unit() * fleet.devices.length)]!;
    const habits = this.#chance.unit() < NEWCOMERS ? { speed: 0, allowance: 1 } : { speed: this.#chance.oneOf(fleet.speeds) };
    this.#join({ ...like, ...habits, leavesPerMs: fleet.leavesPerMs, speedMax: Number.POSITIVE_INFINITY, asksInMs: 0, busyMs: 0 }, this.#chance.u32());
    this.#comes(ARRIVAL, this.#arrivalsPerMs);
  }

  #order(): void {
    this.#rivals.add(this.#chance.oneOf(this.#fleet.orderUnits) / this.#thin);
    this.#nextOrder();
  }

  /** What is ordered, as a share of what those who are here can do. */
  get #orderedShare(): number {
    return Math.min(ORDERED_SHARE_MAX, (this.#ordersPerMs * this.#orderUnits) / Math.max(this.#rate, NOTHING));
  }

  #nextOrder(): void {
    if (this.#ordersPerMs > 0) this.#comes(ORDER, (this.#orderedShare * this.#rate) / this.#orderUnits);
  }

  #ask(device: number): void {
    const { now } = this.#agenda;
    if (now >= this.#leavesAt[device]!) {
      this.#leaveUnopened(device);
      this.#rate -= this.#speed[device]!;
      if (this.#isKnown[device]) this.#knownRate -= this.#speed[device]!;
      return;
    }
    if (!this.#isKnown[device] && now >= this.#knownAt[device]!) {
      this.#isKnown[device] = true;
      this.#knownRate += this.#speed[device]!;
    }
    if (this.#parts <= NOTHING) {
      this.#parked.push(device);
      return;
    }
    const speed = this.#speed[device]!;
    const { unitsPerPart } = this.#load;
    const leaseParts = this.#leaseParts(device);
    const leaseMs = (unitsPerPart * leaseParts) / speed;
    if (this.#turn[device] === 'behind' && this.#ahead > 0) {
      const ms = Math.max(leaseMs, this.#ahead / this.#rate / CHUNKS);
      this.#ahead -= ms * speed;
      this.#work(device, now + ms);
      return;
    }
    const jobs = this.#turn[device] === 'first' ? 1 : 1 + this.#rivals.shares;
    const chunkMs = (this.#parts * unitsPerPart * jobs) / this.#rate / CHUNKS;
    if (chunkMs > CHUNK_LEASES_MIN * leaseMs && this.#allowance[device]! >= 2 * leaseParts) this.#chunk(device, chunkMs, jobs, leaseMs);
    else if (jobs > 1 && this.#rivals.isTheirTurn) {
      const ms = Math.max(leaseMs, LEASE_MS);
      this.#rivals.serve((ms * speed) / this.#rivals.shares);
      this.#lease(device, ms);
    } else this.#take(device, leaseMs);
  }

  /** What it handed in just before may be of this job, and not opened yet: that is waited for, and then done again. */
  #leaveUnopened(device: number): void {
    const parts = this.#leaseParts(device);
    const leaseMs = (parts * this.#load.unitsPerPart) / this.#speed[device]!;
    if (this.#chance.unit() * (1 + this.#rivals.shares) * Math.max(leaseMs, OPENING_MS) < OPENING_MS)
      this.#comeBack(this.#leavesAt[device]! + limits.openingAbsentMsMax, parts);
  }

  /** Speed of all others whose speed is known. */
  #othersRate(device: number): number {
    return Math.max(0, this.#knownRate - (this.#isKnown[device] ? this.#speed[device]! : 0));
  }

  #leftMs(): number {
    return (this.#parts * this.#load.unitsPerPart * (1 + this.#rivals.shares)) / this.#knownRate;
  }

  /** What a lease is worth now: less towards the end. */
  #worthMs(): number {
    return worthMs(this.#leftMs(), 0);
  }

  /** As many parts of a tile as are worth a lease to this device. */
  #leaseParts(device: number): number {
    const { unitsPerPart, partsPerLease } = this.#load;
    const parts = this.#isKnown[device] ? partsWorth(unitsPerPart / this.#speed[device]!, partsPerLease, this.#worthMs()) : 1;
    return Math.min(parts, this.#allowance[device]!);
  }

  /** Many leases at once, of all jobs alike. */
  #chunk(device: number, ms: number, jobs: number, leaseMs: number): void {
    const { now } = this.#agenda;
    const begins = Math.max(now, this.#freeAt[device]!) + this.#fetchMs[device]!;
    this.#fetchMs[device] = 0;
    const ends = begins + ms;
    const leaves = this.#leavesAt[device]!;
    const done = Math.max(0, Math.min(ends, leaves) - begins);
    const units = (this.#speed[device]! * done) / jobs;
    const parts = Math.min(this.#parts, units / this.#load.unitsPerPart);
    this.#parts -= parts;
    if (jobs > 1) {
      this.#rivals.given += units;
      this.#rivals.serve(units);
    }
    if (parts > 0) this.#lastMs = Math.max(this.#lastMs, Math.min(ends, leaves) + this.#verdictMs());
    this.#parts += parts * this.#fleet.lostShare;
    if (leaves < ends) this.#comeBack(leaves + RETURN_MS, Math.min(parts, (2 * leaseMs * this.#speed[device]!) / this.#load.unitsPerPart / jobs));
    this.#work(device, ends);
  }

  /** Busy with one thing until then. */
  #work(device: number, until: number): void {
    this.#freeAt[device] = until;
    this.#agenda.add(Math.min(until, this.#leavesAt[device]!), device);
  }

  /** Another lease behind the one it has: it asks again when that one is handed in. Returns when the new one will be. */
  #lease(device: number, ms: number): number {
    const { now } = this.#agenda;
    const before = this.#freeAt[device]!;
    const ends = Math.max(now, before) + ms;
    this.#freeAt[device] = ends;
    this.#agenda.add(Math.min(before > now ? before : now, this.#leavesAt[device]!), device);
    return ends;
  }

  /** A lease of this job. */
  #take(device: number, leaseMs: number): void {
    const { now } = this.#agenda;
    const { unitsPerPart, partsPerLease } = this.#load;
    const allowance = this.#allowance[device]!;
    const leaseParts = this.#leaseParts(device);
    const leases = this.#isKnown[device] ? Math.max(1, Math.floor(this.#worthMs() / leaseMs)) : 1;
    const speed = this.#speed[device]!;
    const heldMs = Math.max(0, this.#freeAt[device]! - now);
    const allowedMs = this.#timeAllowedMs(device);
    const unknown = mayBeUnknown(allowedMs) ? Number.POSITIVE_INFINITY : 0;
    const inTime = this.#isKnown[device] ? ((allowedMs - heldMs) * speed) / unitsPerPart : unknown;
    const parts = Math.min(this.#parts, leases * leaseParts, allowance, inTime < partsPerLease ? Math.floor(inTime) : inTime);
    if (parts <= NOTHING) {
      this.#refuse(device, leaseMs);
      return;
    }
    const units = parts * unitsPerPart;
    const ms = units / speed + this.#fetchMs[device]!;
    this.#parts -= parts;
    this.#rivals.given += units;
    if (!this.#isKnown[device]) this.#knownAt[device] = Math.min(this.#knownAt[device]!, Math.max(now, this.#freeAt[device]!) + ms);
    if (ms - this.#fetchMs[device]! > limits.leaseDeadlineMsMax) {
      this.#expire(device, parts);
      return;
    }
    this.#fetchMs[device] = 0;
    if (allowance >= 2 * leaseParts) this.#expect(device, parts, now, this.#lease(device, ms));
    else {
      // What it may hold is all out: it waits for the verdict.
      const ends = Math.max(now, this.#freeAt[device]!) + ms;
      this.#expect(device, parts, now, ends);
      this.#allowance[device] = allowance + parts;
      this.#work(device, ends + this.#verdictMs());
    }
  }

  /** As the scheduler decides near the end of a job. */
  #timeAllowedMs(device: number): number {
    if (this.#othersRate(device) <= NOTHING) return Number.POSITIVE_INFINITY;
    const { unitsPerPart, partsPerLease } = this.#load;
    return allowanceMs(this.#leftMs(), unitsPerPart * partsPerLease, Math.min(this.#typical, this.#knownRate));
  }

  /** Too slow for what is left: it does something else for a while. */
  #refuse(device: number, leaseMs: number): void {
    if (this.#rivals.shares === 0) {
      this.#agenda.add(this.#agenda.now + RETRY_MS, device);
      return;
    }
    const ms = Math.max(leaseMs, LEASE_MS);
    this.#rivals.serve((ms * this.#speed[device]!) / this.#rivals.shares);
    this.#lease(device, ms);
  }

  /** Parts that should come in at that time. */
  #expect(device: number, parts: number, now: number, inMs: number): void {
    const leaves = this.#leavesAt[device]!;
    const { lostShare, lostMs } = this.#fleet;
    if (inMs > leaves) this.#comeBack(Math.max(now, leaves) + RETURN_MS, parts);
    else if (lostShare > 0 && this.#chance.unit() < lostShare) this.#comeBack(inMs + this.#chance.oneOf(lostMs), parts);
    else this.#out.push({ device, atMs: inMs, verdictMs: this.#verdictMs(), parts });
  }

  /** Too slow for a lease: it goes to somebody else when it runs out, if not before, and the device rests. */
  #expire(device: number, parts: number): void {
    const at = Math.max(this.#agenda.now, this.#freeAt[device]!) + limits.leaseDeadlineMsMax;
    const leaves = this.#leavesAt[device]! + RETURN_MS;
    if (leaves < at || this.#othersRate(device) < this.#speed[device]!) this.#comeBack(Math.min(at, leaves), parts);
    else this.#out.push({ device, atMs: at, verdictMs: this.#verdictMs(), parts });
    const expired = Math.min(EXPIRED_MAX, this.#expired[device]!++);
    this.#work(device, at + REST_MS * 2 ** expired);
  }

  #comeBack(at: number, parts: number): void {
    this.#returns.push(parts);
    this.#awaited++;
    this.#agenda.add(at, RETURN - (this.#returns.length - 1));
  }

  #takeBack(number: number): void {
    this.#parts += this.#returns[number]!;
    this.#awaited--;
    const parked = this.#parked;
    this.#parked = [];
    const { now } = this.#agenda;
    const { unitsPerPart, partsPerLease } = this.#load;
    for (const device of parked) {
      // Where there is other work it is in the middle of that.
      const leaseMs = this.#rivals.shares > 0 ? Math.max(LEASE_MS, (unitsPerPart * partsPerLease) / this.#speed[device]!) : 0;
      this.#freeAt[device] = now + leaseMs;
      this.#agenda.add(now + WAKE_MS + leaseMs * this.#chance.unit(), device);
    }
  }
}
