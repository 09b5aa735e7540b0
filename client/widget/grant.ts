import { HOUR_MS } from '../../shared/limits.ts';
import type { SiteId } from '../../shared/model.ts';
import type { ConsentGrant } from '../../shared/schemas.ts';
import type { ComfortSettings } from '../comfort/settings.ts';

/**
 * What the consent window hands to who works: the yes, and what a frame on another site cannot read itself: what all engines of this
 * browser have in common (net/browser-key.ts), and its owner's rules.
 */
export interface WidgetGrant extends ConsentGrant {
  readonly browser?: string;
  readonly comfort?: ComfortSettings;
}

/** The visitor's yes, for as long as the tab lives. Browsers that forbid storage in frames just ask again. */
const keyOf = (site: SiteId): string => `tessera.grant.${site}`;

export function storedGrant(site: SiteId, nowMs: number): WidgetGrant | null {
  try {
    const grant = JSON.parse(sessionStorage.getItem(keyOf(site)) ?? 'null') as WidgetGrant | null;
    const stands = grant?.consent.site === site && grant.consent.expiresMs > nowMs + HOUR_MS && Number.isInteger(grant.consent.powerPercent);
    return stands ? grant : null;
  } catch {
    return null;
  }
}

/** Null forgets it. False where the browser forbids storage, a SecurityError in a cross-site frame: the grant lives in memory then. */
export function storeGrant(site: SiteId, grant: WidgetGrant | null): boolean {
  try {
    if (grant) sessionStorage.setItem(keyOf(site), JSON.stringify(grant));
    else sessionStorage.removeItem(keyOf(site));
    return true;
  } catch {
    return false;
  }
}
