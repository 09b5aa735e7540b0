import type { SiteId } from '../../shared/model.ts';
import type { ConsentGrant, SiteView } from '../../shared/schemas.ts';
import { api, asApiError } from '../net/api.ts';
import { storedGrant, storeGrant } from './grant.ts';
import { grantOf, type RunMessage, runOf, type StateMessage, type StopMessage, type WidgetState } from './messages.ts';
import { Working } from './working.svelte.ts';

const WINDOW_FEATURES = 'popup,width=480,height=720';
/** A window tells nobody that it was closed. */
const CLOSED_CHECK_MS = 400;

const unavailable: Readonly<Record<Exclude<SiteView['state'], 'ready'>, string>> = {
  unproven: 'The owner of this site has not proven yet that the domain is theirs, so nothing can run here.',
  off: 'The owner of this site has switched this card off. Nothing runs.',
  suspended: 'The operator of the coordinator has suspended this site. Nothing runs.',
};

const nothing = { tiles: 0, earned: '0' };

/**
 * The card's state. asking -> consenting (a window of ours is open) -> the states of the work, in this frame where the browser tells
 * what the visitor sees of it (`worksHere`), else in that window, of which the card then only tells. Nothing starts but by a press on "Help".
 */
export class Card {
  readonly #site: SiteId;
  readonly #worksHere: boolean;
  #state = $state<WidgetState>('asking');
  #siteView = $state.raw<SiteView | null>(null);
  #message = $state<string | null>(null);
  #note = $state<string | null>(null);
  #working = $state.raw<Working | null>(null);
  #told = $state.raw<RunMessage | null>(null);
  #window: Window | null = null;
  #isSeen = false;
  #unwatch = (): void => undefined;

  constructor(site: SiteId, worksHere: boolean) {
    this.#site = site;
    this.#worksHere = worksHere;
    if (!isSecureContext || !('gpu' in navigator)) this.#state = 'unsupported';
  }

  get state(): WidgetState {
    return this.report.state;
  }
  get siteView(): SiteView | null {
    return this.#siteView;
  }
  get worksHere(): boolean {
    return this.#worksHere;
  }
  /** What is wrong, for people. */
  get message(): string | null {
    return this.#working?.message ?? this.#told?.message ?? this.#message;
  }
  /** What this browser cannot do, beside what runs. */
  get note(): string | null {
    return this.#note;
  }
  get tiles(): number {
    return this.report.tiles;
  }
  get report(): StateMessage {
    return this.#working?.report ?? this.#told?.report ?? { ...nothing, state: this.#state };
  }

  async load(): Promise<void> {
    try {
      this.#siteView = await api.site(this.#site);
    } catch (error) {
      this.#state = 'failed';
      this.#message = asApiError(error).message;
      return;
    }
    const { state } = this.#siteView;
    if (state === 'ready' || this.#state === 'unsupported') return;
    this.#state = 'unavailable';
    this.#message = unavailable[state];
  }

  dismiss(): void {
    this.#reset('dismissed');
  }

  /** The visitor pressed "Help". An earlier yes of this tab still stands; otherwise a window asks. */
  help(): void {
    this.#reset('asking');
    const before = this.#worksHere ? storedGrant(this.#site, Date.now()) : null;
    if (before) void this.#start(before);
    else this.#ask();
  }

  /** Wherever it runs. */
  async stop(): Promise<void> {
    const message: StopMessage = { type: 'tessera-stop' };
    this.#window?.postMessage(message, location.origin);
    await this.#working?.stop();
  }

  async setSeen(isSeen: boolean): Promise<void> {
    this.#isSeen = isSeen;
    await this.#working?.setSeen(isSeen);
  }

  /** Gives up waiting for the window's answer. */
  cancel(): void {
    this.#window?.close();
  }

  #reset(state: WidgetState): void {
    this.#state = state;
    this.#message = null;
    this.#note = null;
    this.#working = null;
    this.#told = null;
  }

  #ask(): void {
    this.#unwatch();
    const address = `/widget/consent?site=${encodeURIComponent(this.#site)}${this.#worksHere ? '' : '&window=1'}`;
    this.#window = open(address, '_blank', WINDOW_FEATURES);
    if (!this.#window) {
      this.#message = 'The browser blocked the window that asks you. Allow pop-ups for this page, then press Help.';
      return;
    }
    this.#state = 'consenting';
    addEventListener('message', this.#hear);
    const closedCheck = setInterval(() => {
      if (!this.#window?.closed) return;
      this.#unwatch();
      this.#windowClosed();
    }, CLOSED_CHECK_MS);
    this.#unwatch = () => {
      clearInterval(closedCheck);
      removeEventListener('message', this.#hear);
      this.#window = null;
    };
  }

  readonly #hear = (event: MessageEvent): void => {
    const grant = this.#worksHere ? grantOf(event, this.#window, location.origin) : null;
    if (grant) {
      this.#unwatch();
      if (!storeGrant(this.#site, grant)) this.#note = 'This browser keeps nothing for cards: it asks again on the next page.';
      void this.#start(grant);
    }
    const told = this.#worksHere ? null : runOf(event, this.#window, location.origin);
    if (told) this.#told = told;
  };

  /** What ran in it has ended with it. */
  #windowClosed(): void {
    const told = this.#told;
    if (!told) this.#state = 'asking';
    else if (told.report.state !== 'failed') this.#told = { ...told, report: { ...told.report, state: 'stopped' } };
  }

  async #start(grant: ConsentGrant): Promise<void> {
    const working = new Working(this.#site);
    this.#working = working;
    await working.setSeen(this.#isSeen);
    await working.start(grant);
  }
}
