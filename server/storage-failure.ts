/** Codes of a store that cannot take or give anything now: a full disk, or a database that is away. SQLSTATE classes: 08, 53 and 57. */
const codes = /^(ENOSPC|EDQUOT|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|SQLITE_(FULL|BUSY|LOCKED|IOERR|CANTOPEN)(_[A-Z]+)*|(08|53|57)[0-9A-Z]{3})$/;

/** Whether this is no mistake of anybody, and passes: it is answered with `busy`. */
export function isStorageFailure(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' && codes.test(code);
}
