import type { Snapshot } from '../engine/api.ts';
import type { PageEngine } from '../engine/host.ts';
import { Paying, wattsOf } from './energy.ts';
import { holdsFor, type Readings, type RuleReason, ruleReasons } from './rules.ts';
import { Sensors } from './sensors.ts';
import type { ComfortSettings } from './settings.ts';
import { WakeLock } from './wake-lock.ts';

/** Hours of the day and prices change without an event. */
const LOOK_EVERY_MS = 5000;
/** A sensor that does not answer by then holds nobody up. */
const SENSE_MS_MAX = 500;

type Guarded = Pick<PageEngine, 'pause' | 'resume'>;

/**
 * Keeps the owner's rules for one engine: holds it while one of them says so, and lets it go on when none does. Opened before the engine,
 * which stands still from its start for what `holds` says, and is then given to `keep`.
 */
export class Guard {
  #engine: Guarded | null = null;
  readonly #sensors = new Sensors(() => this.#look());
  readonly #paying = new Paying();
  readonly #wake = new WakeLock();
  readonly #timer: ReturnType<typeof setInterval>;
  #settings: ComfortSettings;
  #snapshot: Snapshot | null = null;
  /** What the engine has been told. */
  #held: ReadonlySet<RuleReason> = new Set();

  private constructor(settings: ComfortSettings) {
    this.#settings = settings;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    void this.#wake.want(settings.wakeLock);
  }

  static async open(settings: ComfortSettings): Promise<Guard> {
    const guard = new Guard(settings);
    await Promise.race([guard.#sensors.open(), new Promise((resolve) => setTimeout(resolve, SENSE_MS_MAX))]);
    guard.#held = guard.#wanted();
    return guard;
  }

  /** Why the engine has to stand still. */
  get holds(): RuleReason[] {
    return [...this.#held];
  }

  /** From now on for this engine, which was opened with `holds`. */
  keep(engine: Guarded): void {
    this.#engine = engine;
    this.#look();
  }

  /** What the browser tells. A software renderer is itself the load on the processor: then its pressure says nothing about others. */
  get readings(): Pick<Readings, 'battery' | 'pressure' | 'saveData'> {
    const told = this.#sensors.readings;
    return this.#snapshot?.device?.software ? { ...told, pressure: null } : told;
  }

  set(settings: ComfortSettings): void {
    const { watts, pricePerKwh, creditWorth } = this.#settings;
    if (watts !== settings.watts || pricePerKwh !== settings.pricePerKwh || creditWorth !== settings.creditWorth) this.#paying.forget();
    this.#settings = settings;
    void this.#wake.want(settings.wakeLock);
    this.#look();
  }

  take(snapshot: Snapshot): void {
    const isFirst = this.#snapshot?.device === undefined || this.#snapshot.device === null;
    this.#snapshot = snapshot;
    if (isFirst && snapshot.device) this.#look();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#sensors.close();
    void this.#wake.close();
  }

  #wanted(): Set<RuleReason> {
    return new Set(holdsFor(this.#settings, { ...this.readings, unpaid: this.#isUnpaid(), now: new Date() }));
  }

  #look(): void {
    const engine = this.#engine;
    if (!engine) return;
    const wanted = this.#wanted();
    for (const reason of ruleReasons) {
      if (wanted.has(reason) === this.#held.has(reason)) continue;
      void (wanted.has(reason) ? engine.pause(reason) : engine.resume(reason));
    }
    this.#held = wanted;
  }

  #isUnpaid(): boolean {
    const snapshot = this.#snapshot;
    const { onlyWhenItPays, watts, pricePerKwh, creditWorth } = this.#settings;
    if (!snapshot?.device || !onlyWhenItPays) return false;
    const microCredits = BigInt(snapshot.earnedMicroCredits) + BigInt(snapshot.vestingMicroCredits);
    const prices = { watts: watts ?? wattsOf(snapshot.device), pricePerKwh, creditWorth };
    return this.#paying.update({ busyMs: snapshot.busyMs, microCredits }, prices, Date.now());
  }
}
