import { shellPart } from './shell.ts';

/**
 * Keeps the page and the hashed files that were used, so that an installed Tessera opens without a network and says that it has none. It never
 * takes over or reloads an open page: an engine may be running there. A page gets a new worker when it is opened the next time.
 */

// The project's types are those of pages, which have no such names.
interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
  waitUntil(work: Promise<unknown>): void;
}
interface Scope {
  addEventListener(type: 'install', listener: (event: Pick<FetchEvent, 'waitUntil'>) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}
const scope = self as unknown as Scope;

const CACHE = 'tessera-shell';
const PAGE = '/';
/** Several versions of everything; the oldest go first. */
const FILES_MAX = 200;

async function keep(key: string, response: Response): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.put(key, response);
  const keys = await cache.keys();
  const spare = keys.filter(({ url }) => new URL(url).pathname !== PAGE).slice(0, Math.max(0, keys.length - FILES_MAX));
  await Promise.all(spare.map((each) => cache.delete(each)));
}

/** Always the newest page; the kept one only where no network is. */
async function page(event: FetchEvent): Promise<Response> {
  try {
    const response = await fetch(event.request);
    if (response.ok) event.waitUntil(keep(PAGE, response.clone()));
    return response;
  } catch (error) {
    const kept = await caches.match(PAGE, { cacheName: CACHE });
    if (kept) return kept;
    throw error;
  }
}

/** Named by its content: what is kept is right for ever. */
async function asset(event: FetchEvent): Promise<Response> {
  const kept = await caches.match(event.request, { cacheName: CACHE });
  if (kept) return kept;
  const response = await fetch(event.request);
  if (response.ok) event.waitUntil(keep(event.request.url, response.clone()));
  return response;
}

/** The page and the files that it names, which the first visit has loaded before there was a worker. */
async function keepFirst(): Promise<void> {
  const cache = await caches.open(CACHE);
  const response = await fetch(PAGE);
  if (!response.ok) throw new Error(`the page answers ${response.status}`);
  const files = [...(await response.clone().text()).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
  await cache.addAll(files);
  await cache.put(PAGE, response);
}

scope.addEventListener('install', (event) => event.waitUntil(keepFirst()));
scope.addEventListener('fetch', (event) => {
  const part = shellPart(event.request, location.origin);
  if (part !== null) event.respondWith(part === 'page' ? page(event) : asset(event));
});
