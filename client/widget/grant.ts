import { HOUR_MS } from '../../shared/limits.ts';
import type { SiteId } from '../../shared/model.ts';
import type { ConsentGrant } from '../../shared/schemas.ts';

/** The visitor's yes, for as long as the tab lives. Browsers that forbid storage in frames just ask again. */
const keyOf = (site: SiteId): string => `tessera.grant.${site}`;

export function storedGrant(site: SiteId, nowMs: number): ConsentGrant | null {
  try {
    const grant = JSON.parse(sessionStorage.getItem(keyOf(site)) ?? 'null') as ConsentGrant | null;
    return grant && grant.consent.site === site && grant.consent.expiresMs > nowMs + HOUR_MS ? grant : null;
  } catch {
    return null;
  }
}

/** Null forgets it. */
export function storeGrant(site: SiteId, grant: ConsentGrant | null): void {
  try {
    if (grant) sessionStorage.setItem(keyOf(site), JSON.stringify(grant));
    else sessionStorage.removeItem(keyOf(site));
  } catch {
    // A SecurityError in a cross-site frame: the grant lives in memory then.
  }
}
