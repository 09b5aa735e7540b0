import type { SiteId } from '../../shared/model.ts';
import type { ConsentGrant, SiteView } from '../../shared/schemas.ts';
import type { Snapshot } from '../engine/api.ts';
import type { PageEngine } from '../engine/host.ts';
import { api, asApiError } from '../net/api.ts';
import { storedGrant, storeGrant } from './grant.ts';
import { grantOf, type StateMessage, type WidgetState } from './messages.ts';

const WINDOW_FEATURES = 'popup,width=480,height=680';
/** A window tells nobody that it was closed. */
const CLOSED_CHECK_MS = 400;

/**
 * The card's state. asking -> consenting (a window of ours is open) -> starting -> running <-> paused (not visible) ->
 * stopping -> stopped; failed from everywhere. Nothing starts but by a press on "Help".
 */
export class Card {
  readonly #site: SiteId;
  #state = $state<WidgetState>('asking');
  #siteView = $state.raw<SiteView | null>(null);
  #snapshot = $state.raw<Snapshot | null>(null);
  #message = $state<string | null>(null);
  #grant: ConsentGrant | null = null;
  #opening: Promise<PageEngine | null> = Promise.resolve(null);
  #window: Window | null = null;
  #isVisible = false;

  constructor(site: SiteId) {
    this.#site = site;
    if (!isSecureContext || !('gpu' in navigator)) this.#state = 'unsupported';
  }

  get state(): WidgetState {
    return this.#state;
  }
  get siteView(): SiteView | null {
    return this.#siteView;
  }
  /** What is wrong, for people. */
  get message(): string | null {
    return this.#message;
  }
  get tiles(): number {
    return this.#snapshot?.tiles.accepted ?? 0;
  }
  get report(): StateMessage {
    return { state: this.#state, tiles: this.tiles, earned: this.#snapshot?.earnedMicroCredits ?? '0' };
  }

  async load(): Promise<void> {
    try {
      this.#siteView = await api.site(this.#site);
    } catch (error) {
      this.#fail(asApiError(error).message);
    }
  }

  dismiss(): void {
    this.#state = 'dismissed';
  }

  /** The visitor pressed "Help". An earlier yes of this tab still stands; otherwise a window asks. */
  help(): void {
    this.#message = null;
    const before = storedGrant(this.#site, Date.now());
    if (before) void this.#start(before);
    else this.#ask();
  }

  /** Finishes within two seconds and withdraws the consent. */
  async stop(): Promise<void> {
    if (this.#state !== 'starting' && this.#state !== 'running' && this.#state !== 'paused') return;
    this.#state = 'stopping';
    await (await this.#opening)?.stop();
    this.#opening = Promise.resolve(null);
    await this.#withdraw().catch((error) => {
      this.#message = `It has stopped, but the coordinator does not know yet that your consent ended: ${asApiError(error).message}`;
    });
    this.#state = 'stopped';
  }

  /** Nothing computes while the card cannot be seen: nobody could stop it. */
  async setVisible(isVisible: boolean): Promise<void> {
    this.#isVisible = isVisible;
    await this.#follow(await this.#opening);
  }

  #ask(): void {
    this.#window = open(`/widget/consent?site=${encodeURIComponent(this.#site)}`, '_blank', WINDOW_FEATURES);
    if (!this.#window) {
      this.#message = 'The browser blocked the window that asks you. Allow pop-ups here, then press Help.';
      return;
    }
    this.#state = 'consenting';
    const answered = (event: MessageEvent): void => {
      const grant = grantOf(event, this.#window, location.origin);
      if (!grant) return;
      over();
      storeGrant(this.#site, grant);
      void this.#start(grant);
    };
    const watch = setInterval(() => {
      if (!this.#window?.closed) return;
      over();
      this.#state = 'asking';
    }, CLOSED_CHECK_MS);
    const over = (): void => {
      clearInterval(watch);
      removeEventListener('message', answered);
      this.#window = null;
    };
    addEventListener('message', answered);
  }

  /** Gives up waiting for the window's answer. */
  cancel(): void {
    this.#window?.close();
  }

  async #start(grant: ConsentGrant): Promise<void> {
    this.#state = 'starting';
    this.#snapshot = null;
    this.#grant = grant;
    this.#opening = this.#open(grant).catch((error) => {
      this.#fail(asApiError(error).message);
      return null;
    });
    await this.#follow(await this.#opening);
  }

  async #open({ consent, contributor }: ConsentGrant): Promise<PageEngine> {
    const { openEngine } = await import('../engine/host.ts');
    return openEngine(
      { origin: location.origin, identity: { contributor, consent: consent.id }, kinds: consent.kinds },
      { onState: (snapshot) => this.#take(snapshot) },
    );
  }

  async #follow(engine: PageEngine | null): Promise<void> {
    if (this.#isVisible) await engine?.resume('hidden');
    else await engine?.pause('hidden');
  }

  #take(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    if (this.#state === 'stopping') return;
    if (snapshot.mode === 'failed') this.#fail(snapshot.error?.message ?? 'It could not go on.');
    else if (snapshot.mode === 'stopped') {
      // The yes has ended elsewhere, or another window took over.
      storeGrant(this.#site, null);
      this.#message = snapshot.reason;
      this.#state = 'stopped';
    } else if (snapshot.mode === 'paused') this.#state = 'paused';
    else if (snapshot.mode === 'working') this.#state = 'running';
  }

  #fail(message: string): void {
    this.#message = message;
    this.#state = 'failed';
    // A consent that is not used is not kept; one that cannot be withdrawn now runs out by itself.
    this.#withdraw().catch(() => undefined);
  }

  async #withdraw(): Promise<void> {
    const grant = this.#grant;
    this.#grant = null;
    storeGrant(this.#site, null);
    if (grant) await api.withdrawConsent(grant.contributor, grant.consent.id);
  }
}
