import { workloadIds } from '../../shaders/registry.ts';
import { limits } from '../../shared/limits.ts';
import type { SiteId } from '../../shared/model.ts';
import type { SiteView } from '../../shared/schemas.ts';
import { rememberedComfort } from '../comfort/settings.ts';
import { probeAdapter } from '../engine/adapter.ts';
import { api, asApiError } from '../net/api.ts';
import { browserKey } from '../net/browser-key.ts';
import { storeGrant, type WidgetGrant } from './grant.ts';
import type { GrantMessage } from './messages.ts';

/** `refused`: nothing may run for this site. `framed`: shown inside another page, which could cover or move what is agreed to. `lost`: nobody is there to tell the answer. */
export type ConsentState = 'loading' | 'ready' | 'granting' | 'software' | 'framed' | 'lost' | 'refused' | 'failed';

export class ConsentForm {
  readonly #site: SiteId;
  /** Where a frame cannot tell whether it is seen, this window itself goes on to work. */
  readonly #worksHere: boolean;
  /** Most of the GPU's time that may be used, in percent. */
  powerPercent = $state<number>(limits.sitePowerPercentDefault);
  #state = $state<ConsentState>('loading');
  #siteView = $state.raw<SiteView | null>(null);
  #message = $state<string | null>(null);

  constructor(site: SiteId, worksHere: boolean) {
    this.#site = site;
    this.#worksHere = worksHere;
  }

  get state(): ConsentState {
    return this.#state;
  }
  get siteView(): SiteView | null {
    return this.#siteView;
  }
  get worksHere(): boolean {
    return this.#worksHere;
  }
  get message(): string | null {
    return this.#message;
  }

  async load(): Promise<void> {
    if (window.top !== window) this.#state = 'framed';
    else if (!window.opener) this.#state = 'lost';
    else
      await this.#trying(async () => {
        this.#siteView = await api.site(this.#site);
        this.#state = this.#siteView.state === 'ready' ? 'ready' : 'refused';
      });
  }

  /** The yes. Only now is a GPU asked for; a software renderer needs a yes of its own. */
  async agree(software: boolean): Promise<void> {
    this.#state = 'granting';
    await this.#trying(async () => {
      const adapter = await probeAdapter(navigator.gpu);
      if (adapter === 'none') throw new Error('The browser offers no GPU. Check that hardware acceleration is switched on in its settings.');
      if (adapter === 'software' && !software) {
        this.#state = 'software';
        return;
      }
      // What the visitor earns belongs to this browser's account, so there has to be one.
      await api.session();
      const grant = await api.grantConsent({ kinds: [...workloadIds], site: this.#site, powerPercent: this.powerPercent });
      this.#tell({ ...grant, browser: browserKey(), comfort: rememberedComfort() });
    });
  }

  decline(): void {
    window.close();
  }

  #tell(grant: WidgetGrant): void {
    if (this.#worksHere) {
      if (!storeGrant(this.#site, grant)) throw new Error('The browser keeps nothing for this address. Allow storage in its settings, then press Try again.');
      location.replace(`/widget/run?site=${encodeURIComponent(this.#site)}`);
      return;
    }
    const message: GrantMessage = { type: 'tessera-grant', grant };
    (window.opener as Window).postMessage(message, location.origin);
    window.close();
  }

  async #trying(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#state = 'failed';
      this.#message = asApiError(error).message;
    }
  }
}
