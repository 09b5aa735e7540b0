/** The token behind the #, which then leaves the address: it is a secret, and works once. */
export function takeToken(): string | null {
  const token = /^#([A-Za-z0-9_-]{43})$/.exec(location.hash)?.[1] ?? null;
  if (location.hash) history.replaceState(null, '', location.pathname);
  return token;
}
