import { randomUUID } from 'node:crypto';
import { HOUR_MS, limits, MINUTE_MS, SECOND_MS } from '../shared/limits.ts';
import type { NetworkNow, NetworkSeries, NetworkView } from '../shared/schemas.ts';
import { type Bus, silentBus } from './bus.ts';
import type { Coordinator } from './coordinator.ts';
import { type Able, ableOf, type Everywhere, nobody, onlyHere, sumOf } from './core/everywhere.ts';
import type { Contributor, Event, Job } from './core/state.ts';
import type { Sharing } from './sharing.ts';
import { type NetworkSample, type NetworkStore, spans } from './store/network.ts';

export interface NetworkDeps {
  readonly store: NetworkStore;
  readonly coordinator: Pick<Coordinator, 'state' | 'onEvents'>;
  readonly clock: () => number;
  readonly log: { error(fields: object, message: string): void };
  /** To other coordinators of the database; both left out where there are none. */
  readonly bus?: Bus;
  readonly sharing?: Pick<Sharing, 'isFirst' | 'partsFree' | 'partsOf'>;
}

type Counts = { -readonly [Name in keyof NetworkSample]: NetworkSample[Name] };
type Done = Pick<NetworkSample, 'tiles' | 'microUnits'>;

/** What one coordinator sees; the others add it up. */
interface Seen {
  readonly contributors: number;
  /** By class, also of classes too small to be named: they may be large enough in all. */
  readonly classes: readonly (readonly [name: string, contributors: number])[];
  /** Accepted in the last minute. */
  readonly tiles: number;
  readonly microUnits: number;
  /** The minute under way. */
  readonly minute: NetworkSample;
}

interface Told extends Seen {
  /** Names a coordinator. */
  readonly from: string;
  /** By workload, who does it. Coordinators that are not updated yet leave it out. */
  readonly able?: readonly (readonly [kind: string, Able])[];
}

const CACHED_MS = SECOND_MS;
const CLASSES_MAX = 12;
const CLASSES_TOLD_MAX = 100;
/** Who has not told for longer is gone. */
const TOLD_MS_MAX = 5 * SECOND_MS;
/** By then all have written the minute that is over. */
const WRITTEN_MS = 5 * SECOND_MS;

const nothing = (atMs: number): Counts => ({
  atMs,
  samples: 0,
  contributors: 0,
  tiles: 0,
  microUnits: 0,
  elements: 0,
  recomputed: 0,
  wrong: 0,
  microCredits: 0n,
});

const added = (a: NetworkSample, b: NetworkSample): NetworkSample => ({
  atMs: a.atMs,
  samples: a.samples + b.samples,
  contributors: a.contributors + b.contributors,
  tiles: a.tiles + b.tiles,
  microUnits: a.microUnits + b.microUnits,
  elements: a.elements + b.elements,
  recomputed: a.recomputed + b.recomputed,
  wrong: a.wrong + b.wrong,
  microCredits: a.microCredits + b.microCredits,
});

/**
 * Figures of the whole network. Counts what the coordinator reports, looks once a second at who is here, and writes one row a minute; what the
 * page shows is kept in memory as well, so that a request reads nothing. A crash loses the minute under way.
 *
 * Where several coordinators share the database each tells the others once a second what it sees, adds to the row what happened at itself, and reads
 * the rows back a few seconds later. How many contributors are here all of them count, and one writes it.
 */
export class Network implements Everywhere {
  readonly #deps: NetworkDeps;
  readonly #timer: NodeJS.Timeout;
  /** Rows of each span, oldest first. */
  readonly #series: Map<number, NetworkSample[]>;
  readonly #bus: Bus;
  readonly #name = randomUUID();
  readonly #others = new Map<string, Told & { readonly untilMs: number }>();
  /** What was accepted in each of the last seconds, oldest first. */
  readonly #seconds: { readonly atMs: number; tiles: number; microUnits: number }[] = [];
  #minute: Counts;
  #readAtMs: number;
  #saving: Promise<void> = Promise.resolve();
  #cached: { readonly now: NetworkNow; readonly untilMs: number } | undefined;

  private constructor(deps: NetworkDeps, series: Map<number, NetworkSample[]>) {
    this.#deps = deps;
    this.#series = series;
    this.#minute = nothing(startOf(deps.clock(), MINUTE_MS));
    this.#readAtMs = this.#minute.atMs;
    this.#bus = deps.bus ?? silentBus;
    this.#bus.on('network', (told: Told) => void this.#others.set(told.from, { ...told, untilMs: deps.clock() + TOLD_MS_MAX }));
    deps.coordinator.onEvents((events) => events.forEach((event) => void this.#count(event)));
    this.#timer = setInterval(() => this.look(), SECOND_MS);
  }

  static async open(deps: NetworkDeps): Promise<Network> {
    return new Network(deps, await readSeries(deps));
  }

  /** Once a second: how many are here, and whether a minute is over. */
  look(): void {
    const now = this.#deps.clock();
    this.#turn(now);
    this.#minute.samples++;
    this.#minute.contributors += this.#here().length + countOf(this.#told());
    if (this.#bus === silentBus) return;
    this.#bus.tell('network', { from: this.#name, ...this.#seen(), able: [...ableOf(this.#deps.coordinator.state.connected)] } satisfies Told);
    if (this.#readAtMs === this.#minute.atMs || now < this.#minute.atMs + WRITTEN_MS) return;
    this.#readAtMs = this.#minute.atMs;
    this.#saving = this.#saving
      .then(async () => (await readSeries(this.#deps)).forEach((rows, spanMs) => void this.#series.set(spanMs, rows)))
      .catch((error: unknown) => this.#deps.log.error({ error: String(error) }, 'the figures of the network could not be read back'));
  }

  /** `sinceMs`: samples of spans that had ended by then are left out. */
  view(sinceMs = 0): NetworkView {
    const seriesOf = (spanMs: number): NetworkSeries =>
      columnsOf(
        spanMs,
        (this.#series.get(spanMs) ?? []).filter(({ atMs }) => atMs + spanMs > sinceMs),
      );
    return { now: this.#now(), minutes: seriesOf(MINUTE_MS), hours: seriesOf(HOUR_MS) };
  }

  /** Of a workload, who is connected to other coordinators. */
  others(kind: string): Able {
    return sumOf(this.#told().map(({ able }) => able?.find(([name]) => name === kind)?.[1] ?? nobody));
  }

  /** Parts of an open job that nobody is at work on, as of a moment ago. Every coordinator knows all jobs, and of a shared one how far the others are. */
  partsFree(job: Job): number {
    return this.#deps.sharing?.partsFree(job) ?? onlyHere.partsFree(job);
  }

  progress(job: Job): number {
    const parts = this.#deps.sharing?.partsOf(job);
    return parts ? parts.accepted / Math.max(1, parts.total) : onlyHere.progress(job);
  }

  /** Writes the minute under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#save();
    await this.#saving;
  }

  #count(event: Event): void {
    if (event.type === 'write' && event.write.kind === 'transfer') {
      const { kind, unit, microCredits } = event.write.transfer;
      // Test credits and credits are never added up; nothing else is paid yet.
      if (unit !== 'test') return;
      if (kind === 'pay' || kind === 'audit') this.#minute.microCredits += microCredits;
      if (kind === 'void') this.#minute.microCredits -= microCredits;
    }
    if (event.type !== 'tileAccepted') return;
    const now = this.#deps.clock();
    this.#turn(now);
    const { amount, result } = event;
    this.#minute.tiles += amount.tiles;
    this.#minute.microUnits += amount.microUnits;
    this.#minute.elements += amount.elements;
    this.#minute.recomputed += Math.min(result.drawn, amount.elements);
    this.#minute.wrong += result.errorBound * amount.elements;
    const second = startOf(now, SECOND_MS);
    const last = this.#seconds.at(-1);
    if (last?.atMs === second) {
      last.tiles += amount.tiles;
      last.microUnits += amount.microUnits;
    } else this.#seconds.push({ atMs: second, tiles: amount.tiles, microUnits: amount.microUnits });
  }

  /** Begins another minute when the clock is there. */
  #turn(now: number): void {
    const minute = startOf(now, MINUTE_MS);
    if (minute !== this.#minute.atMs) {
      this.#save();
      this.#minute = nothing(minute);
    }
    while (this.#seconds[0] && this.#seconds[0].atMs <= now - MINUTE_MS) this.#seconds.shift();
  }

  #save(): void {
    const sample = this.#minute;
    if (sample.samples === 0 && sample.elements === 0 && sample.microCredits === 0n) return;
    for (const { spanMs, keptMs } of spans) {
      const rows = this.#series.get(spanMs) ?? [];
      const atMs = startOf(sample.atMs, spanMs);
      const last = rows.at(-1);
      if (last?.atMs === atMs) rows[rows.length - 1] = added(last, sample);
      else rows.push({ ...sample, atMs });
      while (rows[0] && rows[0].atMs < atMs - keptMs) rows.shift();
    }
    const { sharing } = this.#deps;
    const written = sharing?.isFirst === false ? { ...sample, samples: 0, contributors: 0 } : sample;
    this.#saving = this.#saving
      .then(() => this.#deps.store.add(written))
      .catch((error: unknown) => this.#deps.log.error({ error: String(error) }, 'the figures of a minute could not be stored'));
  }

  /** Drills are the operator's: nothing of theirs is ever accepted. */
  #here(): Contributor[] {
    return this.#deps.coordinator.state.connected.filter(({ drill }) => !drill);
  }

  #seen(): Seen {
    const doneOf = (of: keyof Done): number => this.#seconds.reduce((sum, second) => sum + second[of], 0);
    const here = this.#here();
    return { contributors: here.length, classes: countsOf(here), tiles: doneOf('tiles'), microUnits: doneOf('microUnits'), minute: this.#minute };
  }

  /** What others see, as of a moment ago. */
  #told(): Told[] {
    const now = this.#deps.clock();
    for (const [name, { untilMs }] of this.#others) if (untilMs < now) this.#others.delete(name);
    return [...this.#others.values()];
  }

  #partsWaiting(): number {
    let waiting = 0;
    for (const job of this.#deps.coordinator.state.jobs.values()) waiting += this.partsFree(job);
    return waiting;
  }

  #now(): NetworkNow {
    const now = this.#deps.clock();
    if (this.#cached && now < this.#cached.untilMs) return this.#cached.now;
    this.#turn(now);
    const { jobs, halted } = this.#deps.coordinator.state;
    const everywhere = [this.#seen(), ...this.#told()];
    const day = [...(this.#series.get(MINUTE_MS) ?? []), ...everywhere.map(({ minute }) => minute)].reduce(added);
    const rate = (of: keyof Done): number => everywhere.reduce((sum, seen) => sum + seen[of], 0) / (MINUTE_MS / SECOND_MS);
    const view: NetworkNow = {
      atMs: now,
      contributors: countOf(everywhere),
      classes: classesOf(everywhere),
      tilesPerSecond: rate('tiles'),
      unitsPerSecond: rate('microUnits') / 1e6,
      openJobs: jobs.size,
      partsWaiting: this.#partsWaiting(),
      errorBound: shareOf(day, 'wrong'),
      recomputed: shareOf(day, 'recomputed'),
      paidMicroCredits: day.microCredits.toString(),
      paused: halted,
    };
    this.#cached = { now: view, untilMs: now + CACHED_MS };
    return view;
  }
}

async function readSeries({ store, clock }: NetworkDeps): Promise<Map<number, NetworkSample[]>> {
  const series = new Map<number, NetworkSample[]>();
  for (const { spanMs, keptMs } of spans) series.set(spanMs, await store.samples(spanMs, clock() - keptMs));
  return series;
}

const startOf = (ms: number, spanMs: number): number => ms - (ms % spanMs);

const shareOf = (sample: NetworkSample, of: 'wrong' | 'recomputed'): number | null =>
  sample.elements === 0 ? null : Math.min(1, sample[of] / sample.elements);

/** Enough digits for a plot; a page holds two thousand rows. */
const short = (value: number): number => Number(value.toPrecision(5));
const shortOrNull = (value: number | null): number | null => (value === null ? null : short(value));

const columnsOf = (spanMs: number, rows: readonly NetworkSample[]): NetworkSeries => ({
  spanMs,
  atMs: rows.map(({ atMs }) => atMs),
  contributors: rows.map(({ contributors, samples }) => short(contributors / Math.max(1, samples))),
  tiles: rows.map(({ tiles }) => short(tiles)),
  units: rows.map(({ microUnits }) => short(microUnits / 1e6)),
  recomputed: rows.map((row) => shortOrNull(shareOf(row, 'recomputed'))),
  errorBound: rows.map((row) => shortOrNull(shareOf(row, 'wrong'))),
  paidMicroCredits: rows.map(({ microCredits }) => microCredits.toString()),
});

const OTHER = 'other';

/** By maker and architecture, as devices say; most numerous first, '' those that say nothing, or are one class too many. */
function countsOf(here: readonly Contributor[]): Seen['classes'] {
  const counts = new Map<string, number>();
  for (const { deviceClass } of here) {
    const [vendor = '', architecture = ''] = (deviceClass ?? '').split('/');
    const name = [vendor, architecture].filter(Boolean).join('/');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, x], [, y]) => y - x);
  const rest = sorted.splice(CLASSES_TOLD_MAX).reduce((sum, [, count]) => sum + count, 0);
  return rest > 0 ? [...sorted, ['', rest]] : sorted;
}

const countOf = (seen: readonly Seen[]): number => seen.reduce((sum, { contributors }) => sum + contributors, 0);

/** A class of few in the whole network would tell about the few, so it has no name. */
function classesOf(everywhere: readonly Seen[]): NetworkNow['classes'] {
  const counts = new Map<string, number>();
  for (const { classes } of everywhere) for (const [name, count] of classes) counts.set(name, (counts.get(name) ?? 0) + count);
  const named = [...counts]
    .filter(([name, count]) => name !== '' && name !== OTHER && count >= limits.classMembersMin)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, CLASSES_MAX)
    .map(([name, contributors]) => ({ name, contributors }));
  const others = countOf(everywhere) - named.reduce((sum, { contributors }) => sum + contributors, 0);
  return others > 0 ? [...named, { name: OTHER, contributors: others }] : named;
}
