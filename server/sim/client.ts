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
  readonly startedMs: number;
  readonly ms: number;
  readonly grant: Grant | null;
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
  #asking = false;
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

  #abort(): void {
    const activity = this.#activity;
    this.#activity = null;
    if (!activity) return;
    const spent = this.#world.now() - activity.startedMs;
    this.#count(spent);
    if (activity.grant && activity.ms > 0)
      this.#world.tally.lost.abandoned += (countParts(activity.grant.parts) * ELEMENTS * Math.min(spent, activity.ms)) / activity.ms;
  }

  #count(ms: number): void {
    if (!this.device.liar && !this.identity.trusted) this.#world.tally.busy += this.device.speed * ms;
  }

  /** Does something for a while, unless the tab is closed meanwhile. */
  #spend(ms: number, grant: Grant | null, done: () => void): void {
    const activity = { startedMs: this.#world.now(), ms, grant };
    this.#activity = activity;
    this.#world.in(ms, () => {
      if (this.#activity !== activity) return;
      this.#activity = null;
      this.#count(ms);
      done();
      this.#next();
    });
  }

  #next(): void {
    if (!this.#here || this.#activity) return;
    const audit = this.#audits.shift();
    if (audit) {
      const ms = (audit.elements.length * 1000) / this.device.speed;
      this.#spend(ms, null, () => this.#world.policy.answer(this.identity, audit, this.#valuesOf(audit)));
      return;
    }
    const grant = this.#queue.shift();
    if (grant) this.#compute(grant);
    else this.#ask();
  }

  #ask(): void {
    this.#asking = false;
    if (!this.#here) return;
    const { leases, audits, retryMs } = this.#world.policy.work(this.identity, this.identity.trusted ? 0 : LEASES_MAX);
    this.#queue.push(...leases);
    this.#audits.push(...audits);
    if (this.#queue.length > 0 || this.#audits.length > 0) this.#next();
    else if (!this.#activity) this.#askIn(this.identity.trusted ? ASK_MS : (retryMs ?? 2 * SECOND_MS));
  }

  #askIn(ms: number): void {
    const stay = this.#stay;
    this.#world.in(ms, () => {
      if (stay === this.#stay && !this.#activity && !this.#asking) this.#ask();
    });
  }

  /** Told that there is work. */
  wake(): void {
    if (!this.#here || this.#asking || this.#activity) return;
    this.#asking = true;
    const stay = this.#stay;
    this.#world.in(MESSAGE_MS, () => {
      this.#asking = false;
      if (stay === this.#stay && !this.#activity) this.#ask();
    });
  }

  #compute(grant: Grant): void {
    const lease = viewOf(grant);
    const plan = this.device.liar ? this.#world.brain.plan(this.#liar(), lease) : null;
    const size = countParts(grant.parts) * ELEMENTS;
    const honestMs = (size * 1000) / this.device.speed;
    // Nobody is faster than the fastest honest device, which pays for the way to the coordinator too.
    const ms = Math.max((size * 1000) / this.#fastest, honestMs * (plan?.effort ?? 1));
    this.#spend(Math.min(ms, honestMs), grant, () => this.#handIn(grant, plan, size));
  }

  #liar(): Liar {
    const { number: device, speed } = this.device;
    return { device, incarnation: this.incarnation, speed, handedIn: this.#handedIn, accepted: this.#accepted, lastDrawn: this.#lastDrawn };
  }

  #handIn(grant: Grant, plan: Plan | null, size: number): void {
    // A hash without bytes is refused by the edge, before any decision.
    if (plan?.bytes === false) return;
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
    if (!this.#activity?.grant || !gone.has(this.#activity.grant.key)) return;
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
