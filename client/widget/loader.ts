import type { StateMessage } from './messages.ts';

/*
 * <script src="https://tessera.example/widget.js" async></script>
 * <tessera-widget site="s_..."><svg width="320" height="96"></svg></tessera-widget>
 *
 * A card of 320 x 96 pixels that asks visitors for their GPU, in a frame of the script's own origin. The embedding page
 * cannot start anything: the visitor agrees in a window of that origin. The element tells what happens by `tessera-state`
 * events with `{ state, tiles, earned }` as their detail, and by read-only properties of the same names. README.md has what
 * a page with a strict policy allows for it.
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

  // Not a style element: pages may forbid those, and what scripts construct is theirs to allow already.
  const style = new CSSStyleSheet();
  style.replaceSync(
    ':host{display:inline-block;width:320px;max-width:100%;height:96px}:host([hidden]){display:none}iframe{display:block;border:0;max-width:100%;color-scheme:light dark}',
  );

  const isState = (data: unknown): data is StateMessage => {
    const { state, tiles, earned } = (data ?? {}) as Partial<StateMessage>;
    return typeof state === 'string' && typeof tiles === 'number' && typeof earned === 'string';
  };

  class TesseraWidget extends HTMLElement {
    static readonly observedAttributes = ['site'];
    readonly #root = this.attachShadow({ mode: 'open' });
    readonly #frame = document.createElement('iframe');
    #told: StateMessage = { state: 'asking', tiles: 0, earned: '0' };

    constructor() {
      super();
      // `loading` before `src`: a card far down the page costs nothing until the visitor comes near.
      Object.assign(this.#frame, SIZE, { title: 'Help with your GPU', loading: 'lazy', referrerPolicy: 'no-referrer' });
      this.#root.adoptedStyleSheets = [style];
    }

    get state(): string {
      return this.#told.state;
    }
    /** Accepted tiles since the visitor agreed. */
    get tiles(): number {
      return this.#told.tiles;
    }
    /** Micro-credits of this visitor, as a decimal string. */
    get earned(): string {
      return this.#told.earned;
    }

    connectedCallback(): void {
      addEventListener('message', this.#relay);
    }

    /** The frame, and with it everything that runs, is gone as soon as the element is. */
    disconnectedCallback(): void {
      removeEventListener('message', this.#relay);
    }

    attributeChangedCallback(_name: string, _before: string | null, site: string | null): void {
      if (!site) {
        this.#frame.remove();
        return;
      }
      this.#frame.src = `${origin}/widget/frame?site=${encodeURIComponent(site)}`;
      // Not before it has an address: browsers load an empty page into a frame without one, which costs the embedding page more than all this.
      if (!this.#frame.parentNode) this.#root.append(this.#frame);
    }

    readonly #relay = ({ source, origin: from, data }: MessageEvent): void => {
      if (source === null || source !== this.#frame.contentWindow || from !== origin || !isState(data)) return;
      const { state, tiles, earned } = data;
      this.#told = { state, tiles, earned };
      this.dispatchEvent(new CustomEvent('tessera-state', { bubbles: true, composed: true, detail: { state, tiles, earned } }));
    };
  }

  customElements.define(TAG, TesseraWidget);
})();
