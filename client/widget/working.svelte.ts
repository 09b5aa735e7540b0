import type { SiteId } from '../../shared/model.ts';
import type { Guard } from '../comfort/guard.ts';
import { comfortOf } from '../comfort/settings.ts';
import { holdWords } from '../comfort/words.ts';
import type { Snapshot } from '../engine/api.ts';
import type { PageEngine } from '../engine/host.ts';
import { api, asApiError } from '../net/api.ts';
import { ENGINE_LOCK, holdEngine } from '../net/engine-lock.ts';
import { storeGrant, type WidgetGrant } from './grant.ts';
import type { StateMessage, WidgetState } from './messages.ts';

/**
 * The work under one yes, in the frame or in our own window. starting -> running <-> paused (not seen, or by the owner’s rules) -> stopping ->
 * stopped; failed from everywhere; elsewhere when another tab of this browser runs. No engine is made before somebody can see that it runs.
 */
export class Working {
  readonly #site: SiteId;
  #state = $state<WidgetState>('starting');
  #snapshot = $state.raw<Snapshot | null>(null);
  #message = $state<string | null>(null);
  #grant: WidgetGrant | null = null;
  #engine: PageEngine | null = null;
  #guard: Guard | null = null;
  #isSeen = false;
  /** What is done to the engine is done one after the other. */
  #queue: Promise<void> = Promise.resolve();
  /** Of the lock. */
  #life = new AbortController();

  constructor(site: SiteId) {
    this.#site = site;
  }

  get state(): WidgetState {
    return this.#state;
  }
  /** What is wrong, why it ended, or what it waits for, for people. */
  get message(): string | null {
    return this.#state === 'paused' ? holdWords[this.#snapshot?.holds[0] ?? 'hidden'] : this.#message;
  }
  get powerPercent(): number {
    return this.#grant?.consent.powerPercent ?? 0;
  }
  get report(): StateMessage {
    return { state: this.#state, tiles: this.#snapshot?.tiles.accepted ?? 0, earned: this.#snapshot?.earnedMicroCredits ?? '0' };
  }

  async start(grant: WidgetGrant): Promise<void> {
    this.#grant = grant;
    const lock = await holdEngine(ENGINE_LOCK, this.#life.signal);
    if (this.#state !== 'starting') return;
    if (lock === 'taken') {
      this.#state = 'elsewhere';
      return;
    }
    if (!this.#isSeen) this.#state = 'paused';
    await this.#follow();
  }

  /** Nothing computes while nobody could see it and stop it. */
  async setSeen(isSeen: boolean): Promise<void> {
    if (isSeen === this.#isSeen) return;
    this.#isSeen = isSeen;
    if (this.#state !== 'starting') await this.#follow();
  }

  /** Finishes within two seconds and withdraws the yes. */
  async stop(): Promise<void> {
    if (this.#state !== 'starting' && this.#state !== 'running' && this.#state !== 'paused') return;
    this.#state = 'stopping';
    await this.#queue;
    await this.#engine?.stop();
    await this.#withdraw().catch((error) => {
      this.#message = `It has stopped, but the coordinator does not know yet that your consent ended: ${asApiError(error).message}`;
    });
    this.#end('stopped');
  }

  /** The window closes: no time to hand anything in. The browser still delivers that the yes has ended. */
  abandon(): void {
    void this.#withdraw().catch(() => undefined);
  }

  #follow(): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#apply())
      .catch((error) => {
        this.#fail(asApiError(error).message);
      });
    return this.#queue;
  }

  async #apply(): Promise<void> {
    if (!this.#grant || (this.#state !== 'starting' && this.#state !== 'running' && this.#state !== 'paused')) return;
    if (this.#engine) await (this.#isSeen ? this.#engine.resume('hidden') : this.#engine.pause('hidden'));
    else if (this.#isSeen) this.#engine = await this.#open(this.#grant);
  }

  async #open({ consent, contributor, browser, comfort }: WidgetGrant): Promise<PageEngine> {
    this.#state = 'starting';
    const [{ openEngine }, { Guard }] = await Promise.all([import('../engine/host.ts'), import('../comfort/guard.ts')]);
    // Whether the screen stays on is for the page around us to say.
    const rules = { ...comfortOf(comfort), wakeLock: false };
    const guard = await Guard.open(rules);
    this.#guard = guard;
    const { kinds, powerPercent } = consent;
    const engine = await openEngine(
      {
        origin: location.origin,
        identity: { contributor, consent: consent.id, ...(browser !== undefined && { browser }) },
        kinds,
        powerPercent,
        yieldsToOthers: rules.yieldToOthers,
        holds: guard.holds,
      },
      { onState: (snapshot) => this.#take(snapshot) },
    );
    guard.keep(engine);
    return engine;
  }

  #take(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#guard?.take(snapshot);
    if (this.#state === 'stopping' || this.#state === 'stopped') return;
    if (snapshot.mode === 'failed') this.#fail(snapshot.error?.message ?? 'It could not go on.');
    else if (snapshot.mode === 'stopped') {
      // The yes has ended elsewhere, the site was stopped, or another window took over.
      this.#message = snapshot.reason;
      this.#forget();
      this.#end('stopped');
    } else if (snapshot.mode === 'paused') this.#state = 'paused';
    else if (snapshot.mode === 'working') this.#state = 'running';
  }

  #fail(message: string): void {
    this.#message = message;
    // A consent that is not used is not kept; one that cannot be withdrawn now runs out by itself.
    this.#withdraw().catch(() => undefined);
    this.#end('failed');
  }

  #end(state: 'stopped' | 'failed'): void {
    this.#state = state;
    this.#guard?.close();
    this.#life.abort();
  }

  #forget(): WidgetGrant | null {
    const grant = this.#grant;
    this.#grant = null;
    storeGrant(this.#site, null);
    return grant;
  }

  async #withdraw(): Promise<void> {
    const grant = this.#forget();
    if (grant) await api.withdrawConsent(grant.contributor, grant.consent.id);
  }
}
