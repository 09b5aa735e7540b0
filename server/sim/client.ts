import { SECOND_MS } from '../../shared/limits.ts';
import { countParts } from '../../shared/model.ts';
import type { AuditView, LeaseView, Liar, News, Plan } from './adversary.ts';
import type { Audit, Grant, Identity, Submission } from './policy.ts';
import type { Device } from './population.ts';
import { ELEMENTS } from './spec.ts';
import { honestValue, tileKeyOf } from './values.ts';
import type { World } from './world.ts';

/** From a message to its effect on the other side. */
const MESSAGE_MS = 50;
/** Whoever waits asks again this often at most. */
const ASK_MS = 500;
const RENAME_MS = SECOND_MS;
const LEASES_MAX = 4;

interface Activity {
  readonly kind: 'part' | 'audit';
  readonly startedMs: number;
}

/** A lease under way. Audits come between its parts. */
interface Computation {
  readonly grant: Grant;
  readonly plan: Plan | null;
  readonly partMs: number;
  partsLeft: number;
}

/** A device under one of its names: asks, computes one thing after the other, hands in, opens, audits. */
export class Client {
  readonly identity: Identity;
  readonly device: Device;
  readonly incarnation: number;
  wasRefuted = false;
  readonly #world: World;
  readonly #fastest: number;
  readonly #queue: Grant[] = [];
  readonly #audits: Audit[] = [];
  /** A number of its own for each stay: what was planned in another one is void. */
  #stay = 0;
  #here = false;
  #gone = false;
  #untilMs = 0;
  #cameMs = 0;
  #activity: Activity | null = null;
  #computation: Computation | null = null;
  #asking = false;
  /** Of the timers to ask again only the newest counts. */
  #timer = 0;
  #handedIn = 0;
  #accepted = 0;
  #lastDrawn = 0;

  constructor(world: World, identity: Identity, device: Device, incarnation: number, fastest: number) {
    this.#world = world;
    this.identity = identity;
    this.device = device;
    this.incarnation = incarnation;
    this.#fastest = fastest;
  }

  /** The tab is opened, and closed at `untilMs`. */
  open(untilMs: number): void {
    if (this.#gone || this.#here) return;
    this.#here = true;
    this.#untilMs = untilMs;
    this.#cameMs = this.#world.now();
    const stay = ++this.#stay;
    this.#world.policy.join(this.identity);
    if (Number.isFinite(untilMs)) this.#world.in(Math.max(0, untilMs - this.#world.now()), () => stay === this.#stay && this.close());
    this.#ask();
  }

  /** The tab is closed: what was being computed is lost. */
  close(): void {
    if (!this.#here) return;
    this.#abort();
    this.#queue.length = 0;
    this.#audits.length = 0;
    this.#here = false;
    this.#stay++;
    if (!this.device.liar && !this.identity.trusted) this.#world.tally.present += this.device.speed * (this.#world.now() - this.#cameMs);
    this.#world.policy.leave(this.identity);
  }

  /** Stops what it is doing. */
  #abort(): void {
    const activity = this.#activity;
    this.#activity = null;
    const spent = activity ? this.#world.now() - activity.startedMs : 0;
    this.#count(spent);
    this.#abandon(activity?.kind === 'part' ? spent : 0);
  }

  /** What was computed for a lease is lost; of the part under way, what these milliseconds are worth. */
  #abandon(spent: number): void {
    if (!this.#computation) return;
    const { grant, partMs, partsLeft } = this.#computation;
    const begun = partMs > 0 ? Math.min(1, spent / partMs) : 0;
    this.#world.tally.lost.abandoned += ELEMENTS * (countParts(grant.parts) - partsLeft + begun);
    this.#computation = null;
  }

  #count(ms: number): void {
    if (!this.device.liar && !this.identity.trusted) this.#world.tally.busy += this.device.speed * ms;
  }

  /** Does something for a while, unless the tab is closed meanwhile. */
  #spend(kind: Activity['kind'], ms: number, done: () => void): void {
    const activity = { kind, startedMs: this.#world.now() };
    this.#activity = activity;
    this.#world.in(ms, () => {
      if (this.#activity !== activity) return;
      this.#activity = null;
      this.#count(ms);
      done();
      this.#next();
    });
  }

  /** Audits first, because results of others wait for them: between two parts of a tile too. */
  #next(): void {
    if (!this.#here || this.#activity) return;
    const audit = this.#audits.shift();
    if (audit) {
      const ms = (audit.elements.length * 1000) / this.device.speed;
      this.#spend('audit', ms, () => this.#world.policy.answer(this.identity, audit, this.#valuesOf(audit)));
      return;
    }
    const grant = this.#computation ? undefined : this.#queue.shift();
    if (grant) this.#begin(grant);
    if (this.#computation) this.#computePart(this.#computation);
    else this.#ask();
  }

  #ask(): void {
    this.#asking = false;
    if (!this.#here) return;
    const isHungry = this.#queue.length === 0 && !this.identity.trusted;
    const { leases, audits, retryMs } = this.#world.policy.work(this.identity, isHungry ? LEASES_MAX : 0);
    this.#queue.push(...leases);
    this.#audits.push(...audits);
    if (this.#queue.length > 0 || this.#audits.length > 0) this.#next();
    else if (!this.#activity) this.#askIn(this.identity.trusted ? ASK_MS : (retryMs ?? 2 * SECOND_MS));
  }

  #askIn(ms: number): void {
    const [stay, timer] = [this.#stay, ++this.#timer];
    this.#world.in(ms, () => {
      if (stay === this.#stay && timer === this.#timer && !this.#activity && !this.#asking) this.#ask();
    });
  }

  /** Told that there is something, perhaps audits: it asks at once, busy or not. */
  wake(): void {
    if (!this.#here || this.#asking) return;
    this.#asking = true;
    const stay = this.#stay;
    this.#world.in(MESSAGE_MS, () => {
      this.#asking = false;
      if (stay === this.#stay) this.#ask();
    });
  }

  #begin(grant: Grant): void {
    const plan = this.device.liar ? this.#world.brain.plan(this.#liar(), viewOf(grant)) : null;
    const honestMs = (ELEMENTS * 1000) / this.device.speed;
    // Nobody is faster than the fastest honest device, which pays for the way to the coordinator too.
    const partMs = Math.max((ELEMENTS * 1000) / this.#fastest, honestMs * (plan?.effort ?? 1));
    const partMsNow = Math.min(partMs, honestMs) * this.#world.unevenness(this.device);
    this.#computation = { grant, plan, partMs: partMsNow, partsLeft: countParts(grant.parts) };
  }

  #computePart(computation: Computation): void {
    this.#spend('part', computation.partMs, () => {
      if (--computation.partsLeft > 0) return;
      this.#computation = null;
      this.#handIn(computation);
    });
  }

  #liar(): Liar {
    const { number: device, speed } = this.device;
    return { device, incarnation: this.incarnation, speed, handedIn: this.#handedIn, accepted: this.#accepted, lastDrawn: this.#lastDrawn };
  }

  #handIn({ grant, plan }: Computation): void {
    // A hash without bytes is refused by the edge, before any decision.
    if (plan?.bytes === false) return;
    const size = countParts(grant.parts) * ELEMENTS;
    const result = plan?.result ?? null;
    const tileKey = tileKeyOf(grant.job.seed, grant.at.pass, grant.at.tile);
    const committed = plan?.committed === undefined ? result : plan.committed;
    const submission: Submission = { identity: this.identity, grant, size, tileKey, plan, result, committed };
    const columns = this.#world.policy.handIn(submission);
    this.#handedIn++;
    if (columns === null) {
      this.#world.tally.lost.conflict += size;
      return;
    }
    this.#world.handedIn(submission);
    if (columns.length > 0) this.openWanted(submission, columns);
    if (this.#here) this.#prefetch();
  }

  /** Every hand-in brings back new work: the device never waits for it. */
  #prefetch(): void {
    const { leases, audits } = this.#world.policy.work(this.identity, Math.max(0, LEASES_MAX - this.#queue.length));
    this.#queue.push(...leases);
    this.#audits.push(...audits);
  }

  openWanted(submission: Submission, columns: readonly number[]): void {
    this.#lastDrawn = columns.length;
    const { plan } = submission;
    const opening = plan && this.#world.brain.opens ? this.#world.brain.opens(this.#liar(), plan, columns) : 'opened';
    if (opening === 'withheld') return;
    const stay = this.#stay;
    this.#world.in(2 * MESSAGE_MS, () => stay === this.#stay && this.#world.policy.open(submission, opening));
  }

  leasesVoided(keys: readonly string[]): void {
    const gone = new Set(keys);
    const kept = this.#queue.filter(({ key }) => !gone.has(key));
    this.#queue.splice(0, this.#queue.length, ...kept);
    if (!this.#computation || !gone.has(this.#computation.grant.key)) return;
    // An audit that came between its parts goes on.
    if (this.#activity?.kind === 'audit') {
      this.#abandon(0);
      return;
    }
    this.#abort();
    this.#askIn(MESSAGE_MS);
  }

  #valuesOf({ job, elements }: Audit): Uint32Array {
    const { answers } = this.#world.brain;
    return Uint32Array.from(elements, ({ pass, tile, part, element }) => {
      const honest = honestValue(tileKeyOf(job.seed, pass, tile), this.identity.floatClass, part, element);
      if (!this.device.liar || !answers) return honest;
      const view: AuditView = { job: job.id, pass, tile, part, element };
      return answers.call(this.#world.brain, this.#liar(), view, honest);
    });
  }

  told(news: News): void {
    if (news.kind === 'refuted') this.wasRefuted = true;
    if (news.kind === 'accepted') this.#accepted++;
    if (!this.device.liar || !this.#world.brain.told) return;
    const move = this.#world.brain.told(this.#liar(), news);
    if (move === 'stays') return;
    this.#world.in(0, () => {
      if (this.#gone) return;
      if (move === 'renames') this.#rename();
      else this.close();
    });
  }

  /** No work for a day: it leaves for good, under this name. */
  suspend(): void {
    this.told({ kind: 'suspended' });
    this.#world.in(0, () => {
      this.close();
      this.#gone = true;
    });
  }

  #rename(): void {
    if (!this.#here) return;
    const untilMs = this.#untilMs;
    this.close();
    this.#gone = true;
    this.#world.in(RENAME_MS, () => untilMs > this.#world.now() && this.#world.rename(this, untilMs));
  }
}

const viewOf = ({ job, at, parts }: Grant): LeaseView => ({ job: job.id, pass: at.pass, tile: at.tile, parts, elements: ELEMENTS, own: job.own });
