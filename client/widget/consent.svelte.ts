import { workloadIds } from '../../shaders/registry.ts';
import type { SiteId } from '../../shared/model.ts';
import type { ConsentGrant, SiteView } from '../../shared/schemas.ts';
import { probeAdapter } from '../engine/device.ts';
import { api, asApiError } from '../net/api.ts';
import type { GrantMessage } from './messages.ts';

/** `framed`: shown inside another page, which could cover or move what is agreed to. `lost`: nobody is there to tell the answer. */
export type ConsentState = 'loading' | 'ready' | 'granting' | 'software' | 'framed' | 'lost' | 'failed';

export class ConsentForm {
  readonly #site: SiteId;
  #state = $state<ConsentState>('loading');
  #siteView = $state.raw<SiteView | null>(null);
  #message = $state<string | null>(null);

  constructor(site: SiteId) {
    this.#site = site;
  }

  get state(): ConsentState {
    return this.#state;
  }
  get siteView(): SiteView | null {
    return this.#siteView;
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
        this.#state = 'ready';
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
      this.#tell(await api.grantConsent({ kinds: [...workloadIds], site: this.#site }));
    });
  }

  decline(): void {
    window.close();
  }

  #tell(grant: ConsentGrant): void {
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
