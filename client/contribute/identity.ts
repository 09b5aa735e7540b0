import { HOUR_MS } from '../../shared/limits.ts';
import type { ConsentGrant } from '../../shared/schemas.ts';
import { ApiError, api } from '../net/api.ts';
import { rememberedGrant, rememberGrant } from '../net/grant.ts';

/** Whether a consent given earlier covers this start too. An hour is left, so that it does not end at once. */
export const covers = ({ consent }: ConsentGrant, kinds: readonly string[], nowMs: number): boolean =>
  consent.site === null && consent.revokedMs === null && consent.expiresMs > nowMs + HOUR_MS && kinds.every((kind) => consent.kinds.includes(kind));

/** Call after the yes: the earlier consent while the coordinator still knows it as valid, otherwise a new one for the same contributor. */
export async function obtainConsent(kinds: readonly string[]): Promise<ConsentGrant> {
  const before = rememberedGrant();
  let known = before;
  if (before) {
    try {
      const { consents } = await api.contributor(before.contributor);
      const consent = consents.find(({ id }) => id === before.consent.id);
      if (consent && covers({ ...before, consent }, kinds, Date.now())) return before;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code === 'offline') throw error;
      // The coordinator does not know this contributor (another database): start over as a new one.
      known = null;
    }
  }
  const grant = await api.grantConsent({ kinds: [...kinds], site: null, ...(known ? { contributor: known.contributor } : {}) });
  rememberGrant(grant);
  return grant;
}
