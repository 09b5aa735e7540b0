import type { SiteId } from '../../shared/model.ts';
import type { SiteView } from '../../shared/schemas.ts';
import { api } from '../net/api.ts';
import { storedGrant, storeGrant } from './grant.ts';
import { type RunMessage, saysStop } from './messages.ts';
import { Working } from './working.svelte.ts';

/**
 * Our own small window that works where a frame cannot tell whether it is seen. It begins with the yes that was given in this same
 * window just before, and with nothing else: the yes is taken out of the storage, so that a reload starts nothing.
 */
export class RunWindow {
  readonly #site: SiteId;
  readonly working: Working;
  #siteView = $state.raw<SiteView | null>(null);
  /** False when nobody has just said yes here. */
  readonly hasGrant: boolean;

  constructor(site: SiteId) {
    this.#site = site;
    this.working = new Working(site);
    const grant = window.top === window ? storedGrant(site, Date.now()) : null;
    storeGrant(site, null);
    this.hasGrant = grant !== null;
    if (!grant) return;
    void this.working.setSeen(true);
    void this.working.start(grant);
    addEventListener('pagehide', () => this.working.abandon());
    addEventListener('message', (event) => {
      if (saysStop(event, window.opener, location.origin)) void this.stop();
    });
  }

  get siteView(): SiteView | null {
    return this.#siteView;
  }

  async load(): Promise<void> {
    // The name of the site is all that is missed without it.
    this.#siteView = await api.site(this.#site).catch(() => null);
  }

  async stop(): Promise<void> {
    await this.working.stop();
    // What has to be read keeps the window open.
    if (this.working.message === null) window.close();
  }

  /** The card that opened us shows what happens here, if it is still there. */
  tell(): void {
    const { report, message } = this.working;
    const told: RunMessage = { type: 'tessera-run', report, message };
    (window.opener as Window | null)?.postMessage(told, location.origin);
  }
}
