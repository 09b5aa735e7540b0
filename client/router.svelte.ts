import type { JobId } from '../shared/model.ts';

export type Route =
  | { readonly page: 'contribute' | 'submit' | 'gallery' | 'account' | 'groups' | 'join' | 'network' | 'operator' | 'policy' | 'reference' | 'ui' | 'missing' }
  | { readonly page: 'watch' | 'receipt' | 'wall'; readonly job: JobId };

const fixed: Readonly<Record<string, Route>> = {
  '/': { page: 'contribute' },
  '/submit': { page: 'submit' },
  '/gallery': { page: 'gallery' },
  '/account': { page: 'account' },
  '/groups': { page: 'groups' },
  '/join': { page: 'join' },
  '/network': { page: 'network' },
  '/operator': { page: 'operator' },
  '/policy': { page: 'policy' },
  '/api': { page: 'reference' },
  '/ui': { page: 'ui' },
};

/** Path of a URL -> page. A trailing slash means the same page; anything unknown is `missing`. */
export function parseRoute(path: string): Route {
  const plain = path.length > 1 ? path.replace(/\/$/, '') : path;
  const [, job, more = 'watch'] = /^\/jobs\/(j_[A-Za-z0-9_-]{16})(?:\/(receipt|wall))?$/.exec(plain) ?? [];
  if (job) return { page: more as 'watch' | 'receipt' | 'wall', job: job as JobId };
  return Object.hasOwn(fixed, plain) ? (fixed[plain] as Route) : { page: 'missing' };
}

/** Whether a click on a link is ours to handle: plain left clicks on our own pages. Downloads, new tabs and /api stay with the browser. */
export function isPageClick(event: MouseEvent, link: HTMLAnchorElement, origin: string): boolean {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return false;
  if (link.target || link.hasAttribute('download')) return false;
  const url = new URL(link.href, origin);
  return url.origin === origin && parseRoute(url.pathname).page !== 'missing';
}

/** History-API navigation without reloading the document, so that a contributing engine goes on while one reads. */
class Router {
  #path = $state(location.pathname);
  #search = $state(location.search);
  /** What the address asks of the page. */
  readonly query = $derived(new URLSearchParams(this.#search));
  readonly route = $derived(parseRoute(this.#path));

  constructor() {
    addEventListener('popstate', () => this.#follow());
    addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link || !isPageClick(event, link, location.origin)) return;
      if (new URL(link.href).pathname === location.pathname && new URL(link.href).hash) return;
      event.preventDefault();
      const { pathname, search } = new URL(link.href);
      this.go(pathname + search);
    });
  }

  /** `path`: with its query, if any. */
  go(path: string): void {
    if (path !== location.pathname + location.search) history.pushState(null, '', path);
    this.#follow();
    scrollTo(0, 0);
  }

  /** The same page under an address that tells more of it; the way back does not go through it. */
  rename(path: string): void {
    history.replaceState(null, '', path);
    this.#follow();
  }

  #follow(): void {
    this.#path = location.pathname;
    this.#search = location.search;
  }
}

let router: Router | undefined;
/** Made on first use: the pure functions above are tested without a browser. */
export const useRouter = (): Router => (router ??= new Router());
