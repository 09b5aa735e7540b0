import type { StateMessage } from './messages.ts';

/*
 * <script src="https://tessera.example/widget.js" async></script>
 * <tessera-widget site="s_..."></tessera-widget>
 *
 * A card of 320 x 96 pixels that asks visitors for their GPU, in a frame of the script's own origin. The embedding page
 * cannot start anything: the visitor agrees in a window of that origin. The element tells what happens by `tessera-state`
 * events with `{ state, tiles, earned }` as their detail.
 *
 * One file without imports, and inside a function: it runs as a classic script in pages that are not ours, so it must leave
 * no names behind.
 */
(() => {
  const TAG = 'tessera-widget';
  const SIZE = { width: '320', height: '96' };

  // `currentScript` is null in a module; then the script is found by its name.
  const script = document.currentScript ?? document.querySelector('script[src$="/widget.js"]');
  if (!(script instanceof HTMLScriptElement) || !script.src || customElements.get(TAG)) return;
  const { origin } = new URL(script.src);

  const isState = (data: unknown): data is StateMessage => {
    const { state, tiles, earned } = (data ?? {}) as Partial<StateMessage>;
    return typeof state === 'string' && typeof tiles === 'number' && typeof earned === 'string';
  };

  class TesseraWidget extends HTMLElement {
    static readonly observedAttributes = ['site'];
    readonly #frame = document.createElement('iframe');

    constructor() {
      super();
      const style = document.createElement('style');
      style.textContent = ':host{display:inline-block}:host([hidden]){display:none}iframe{display:block;border:0;max-width:100%;color-scheme:light dark}';
      Object.assign(this.#frame, SIZE, { title: 'Help with your GPU', referrerPolicy: 'no-referrer' });
      this.attachShadow({ mode: 'open' }).append(style, this.#frame);
    }

    connectedCallback(): void {
      addEventListener('message', this.#relay);
    }

    /** The frame, and with it everything that runs, is gone as soon as the element is. */
    disconnectedCallback(): void {
      removeEventListener('message', this.#relay);
    }

    attributeChangedCallback(_name: string, _before: string | null, site: string | null): void {
      if (site) this.#frame.src = `${origin}/widget/frame?site=${encodeURIComponent(site)}`;
      else this.#frame.removeAttribute('src');
    }

    readonly #relay = ({ source, origin: from, data }: MessageEvent): void => {
      if (source === null || source !== this.#frame.contentWindow || from !== origin || !isState(data)) return;
      const { state, tiles, earned } = data;
      this.dispatchEvent(new CustomEvent('tessera-state', { bubbles: true, composed: true, detail: { state, tiles, earned } }));
    };
  }

  customElements.define(TAG, TesseraWidget);
})();
