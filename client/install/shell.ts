/** What the service worker may answer: our own page and its hashed files. Data, blobs, sockets and what other sites embed always go to the network. */
export type ShellPart = 'page' | 'asset' | null;

const data = /^\/(api|blobs|widget|socket\.io|healthz|\.well-known)(\/|$|\.)/;

export function shellPart({ method, mode, url }: Pick<Request, 'method' | 'mode' | 'url'>, origin: string): ShellPart {
  const { origin: from, pathname } = new URL(url);
  if (method !== 'GET' || from !== origin || data.test(pathname)) return null;
  if (pathname.startsWith('/assets/')) return 'asset';
  return mode === 'navigate' ? 'page' : null;
}
