import { workloadIds } from '../../shaders/registry.ts';
import type { JobId, TileRef } from '../../shared/model.ts';
import type { Device } from '../../shared/schemas.ts';
import type { Guard } from '../comfort/guard.ts';
import { type ComfortSettings, rememberComfort, rememberedComfort } from '../comfort/settings.ts';
import { type AdapterKind, probeAdapter } from '../engine/adapter.ts';
import type { PartFact, Snapshot, TileFact } from '../engine/api.ts';
import type { PageEngine } from '../engine/host.ts';
import { asApiError } from '../net/api.ts';
import { browserKey } from '../net/browser-key.ts';
import { ENGINE_LOCK, holdEngine } from '../net/engine-lock.ts';
import { type Choices, preferencesOf, rememberChoices, rememberedChoices } from './choice.ts';
import { rememberCap, rememberedCap } from './download.ts';
import { obtainConsent } from './identity.ts';

/**
 * `software`: only a software renderer was found, and it waits for a second yes. `elsewhere`: another tab shares, and it waits for a yes to
 * share here instead. `ended`: `ending` says why.
 */
export type Phase = 'idle' | 'starting' | 'software' | 'elsewhere' | 'running' | 'stopping' | 'ended';

export interface Ending {
  readonly title: string;
  readonly message: string;
  /** The page itself is too old: it must be loaded again. */
  readonly reload: boolean;
}

/** Why something that this browser computed was not accepted. */
export interface BadNews {
  readonly verdict: 'refuted' | 'discarded';
  readonly reason: string;
}

export interface FactListener {
  tile(fact: TileFact): void;
  part(fact: PartFact): void;
}

const titles = {
  stale: 'This page is out of date',
  suspended: 'The coordinator has suspended this browser',
  gpu: 'The GPU cannot be used',
  internal: 'Sharing has stopped',
} as const;

/** Sharing this GPU. One for the whole app: the engine goes on while one moves between pages. */
class Contributor {
  #phase = $state<Phase>('idle');
  #snapshot = $state.raw<Snapshot | null>(null);
  #ending = $state.raw<Ending | null>(null);
  #badNews = $state.raw<BadNews | null>(null);
  #comfort = $state.raw<ComfortSettings>(rememberedComfort());
  #guard = $state.raw<Guard | null>(null);
  #downloadBytesMax = $state(rememberedCap());
  #choices = $state.raw<Choices>(rememberedChoices());
  #wanted: JobId | null = null;
  #softwareAllowed = false;
  #engine: PageEngine | null = null;
  /** Lets go of the lock that makes this the only engine of the browser. */
  #release = new AbortController();
  readonly #listeners = new Set<FactListener>();
  /** How many tiles of jobs that pay nothing were accepted, by the group that is helped; and which, because verdicts name parts. */
  #thanks = $state.raw<ReadonlyMap<string, number>>(new Map());
  readonly #thanked = new Set<string>();
  /** Accepted tiles of the job last worked on, for outlines; earlier jobs are not shown any more. */
  #own: { readonly job: JobId; readonly tiles: TileRef[] } | null = null;

  get phase(): Phase {
    return this.#phase;
  }
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }
  get ending(): Ending | null {
    return this.#ending;
  }
  /** The latest since the start; it outlives the end, because it may be the reason. */
  get badNews(): BadNews | null {
    return this.#badNews;
  }
  /** Something was proven wrong, here or earlier: no work until that is over. */
  get suspended(): boolean {
    return this.#badNews?.verdict === 'refuted' || (this.#snapshot?.record?.suspendedUntilMs ?? 0) > Date.now();
  }
  /** Whom this browser has helped for nothing since the start, and with how many tiles. */
  get thanks(): readonly { readonly group: string; readonly tiles: number }[] {
    return [...this.#thanks].map(([group, tiles]) => ({ group, tiles }));
  }
  get comfort(): ComfortSettings {
    return this.#comfort;
  }
  /** Keeps the comfort settings while sharing, and knows what the browser tells of the machine. */
  get guard(): Guard | null {
    return this.#guard;
  }
  /** What a job may have as inputs; remembered by this browser. */
  get downloadBytesMax(): number {
    return this.#downloadBytesMax;
  }
  /** Whose jobs and which kinds; remembered by this browser. */
  get choices(): Choices {
    return this.#choices;
  }
  get device(): Device | null {
    return this.#snapshot?.device ?? null;
  }
  get active(): boolean {
    return this.#phase === 'starting' || this.#phase === 'running' || this.#phase === 'stopping';
  }

  /** The yes. Everything before it asks nothing of the GPU and opens no contributor's socket. `instead`: of another tab that shares. */
  async start({ instead = false } = {}): Promise<void> {
    if (this.active) return;
    this.#phase = 'starting';
    this.#ending = null;
    this.#snapshot = null;
    this.#badNews = null;
    this.#thanks = new Map();
    this.#thanked.clear();
    try {
      const adapter: AdapterKind = await probeAdapter(navigator.gpu);
      if (adapter === 'none')
        return this.#end(titles.gpu, 'The browser offers no GPU adapter. Check that hardware acceleration is switched on in its settings.');
      if (adapter === 'software' && !this.#softwareAllowed) {
        this.#phase = 'software';
        return;
      }
      this.#release = new AbortController();
      const lost = (): void => void this.stop().then(() => this.#end('Sharing goes on in another tab', 'One tab of a browser shares at a time.'));
      if ((await holdEngine(ENGINE_LOCK, this.#release.signal, { steal: instead, lost })) === 'taken') {
        this.#phase = 'elsewhere';
        return;
      }
      const { consent, contributor } = await obtainConsent(workloadIds);
      const [{ openEngine }, { Guard }] = await Promise.all([import('../engine/host.ts'), import('../comfort/guard.ts')]);
      const guard = await Guard.open(this.#comfort);
      // It has failed meanwhile, or another tab has taken over: nothing of it may stay.
      if (this.#phase !== 'starting') return guard.close();
      this.#guard = guard;
      const engine = await openEngine(
        {
          origin: location.origin,
          identity: { contributor, consent: consent.id, browser: browserKey() },
          kinds: consent.kinds,
          powerPercent: this.#comfort.powerPercent,
          yieldsToOthers: this.#comfort.yieldToOthers,
          downloadBytesMax: this.#downloadBytesMax,
          preferences: preferencesOf(this.#choices, this.#wanted),
          holds: guard.holds,
        },
        {
          onState: (snapshot) => this.#take(snapshot),
          onTile: (fact) => {
            this.#remember(fact);
            this.#hear(fact);
            this.#tell((listener) => listener.tile(fact));
          },
          onPart: (fact) => this.#tell((listener) => listener.part(fact)),
        },
      );
      if (this.#phase !== 'starting') return void engine.stop();
      this.#engine = engine;
      guard.keep(engine);
      this.#phase = 'running';
    } catch (error) {
      this.#end('Sharing could not start', asApiError(error).message);
    }
  }

  async startWithSoftware(): Promise<void> {
    this.#softwareAllowed = true;
    this.#phase = 'idle';
    await this.start();
  }

  async stop(): Promise<void> {
    if (this.#phase === 'software' || this.#phase === 'elsewhere') this.#phase = 'idle';
    if (!this.#engine || this.#phase !== 'running') return;
    this.#phase = 'stopping';
    this.#guard?.close();
    await this.#engine.stop();
    this.#letGo();
    this.#phase = 'idle';
  }

  async togglePause(): Promise<void> {
    if (this.#snapshot?.holds.includes('owner')) await this.#engine?.resume('owner');
    else await this.#engine?.pause('owner');
  }

  /** Changes some of the settings, and remembers them. */
  async setComfort(change: Partial<ComfortSettings>): Promise<void> {
    this.#comfort = { ...this.#comfort, ...change };
    rememberComfort(this.#comfort);
    this.#guard?.set(this.#comfort);
    if (change.powerPercent !== undefined) await this.#engine?.setPower(change.powerPercent);
    if (change.yieldToOthers !== undefined) await this.#engine?.setYieldsToOthers(change.yieldToOthers);
  }

  async setDownloadMax(bytes: number): Promise<void> {
    this.#downloadBytesMax = bytes;
    rememberCap(bytes);
    await this.#engine?.setDownloadMax(bytes);
  }

  /** Takes effect at once: what is held of anything else goes back. */
  async choose(choices: Choices): Promise<void> {
    this.#choices = choices;
    rememberChoices(choices);
    await this.#engine?.setPreferences(preferencesOf(choices, this.#wanted));
  }

  /** This job before all others, from now on; null: none. */
  async prefer(job: JobId | null): Promise<void> {
    if (job === this.#wanted) return;
    this.#wanted = job;
    await this.#engine?.setPreferences(preferencesOf(this.#choices, job));
  }

  /** Facts for the live picture. Returns the way to unsubscribe. */
  listen(listener: FactListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ownTiles(job: JobId): readonly TileRef[] {
    return this.#own?.job === job ? this.#own.tiles : [];
  }

  #remember({ step, job, at }: TileFact): void {
    if (step !== 'accepted') return;
    if (this.#own?.job !== job.id) this.#own = { job: job.id, tiles: [] };
    this.#own.tiles.push(at);
    const tile = `${job.id}/${at.pass}/${at.tile}`;
    if (job.group === undefined || this.#thanked.has(tile)) return;
    this.#thanked.add(tile);
    this.#thanks = new Map(this.#thanks).set(job.group, (this.#thanks.get(job.group) ?? 0) + 1);
  }

  #hear(fact: TileFact): void {
    if (fact.step !== 'refuted' && fact.step !== 'discarded') return;
    // Others are dropped because of the one that was proven wrong: that one is the news.
    if (fact.step === 'discarded' && this.#badNews?.verdict === 'refuted') return;
    this.#badNews = { verdict: fact.step, reason: fact.reason };
  }

  #tell(how: (listener: FactListener) => void): void {
    for (const listener of this.#listeners) how(listener);
  }

  #take(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#guard?.take(snapshot);
    if (snapshot.mode === 'failed') this.#end(titles[snapshot.error?.kind ?? 'internal'], snapshot.error?.message ?? '', snapshot.error?.kind === 'stale');
    else if (snapshot.mode === 'stopped' && this.#phase !== 'stopping') this.#end('Sharing has stopped', snapshot.reason ?? '');
  }

  #letGo(): void {
    this.#guard?.close();
    this.#guard = null;
    this.#engine = null;
    this.#release.abort();
  }

  #end(title: string, message: string, reload = false): void {
    this.#letGo();
    this.#phase = 'ended';
    this.#ending = { title, message, reload };
  }
}

export const contributor = new Contributor();
