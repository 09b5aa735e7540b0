import type { ConsentGrant } from '../../shared/schemas.ts';

/** The consent and the contributor's secret of this browser. Credits are earned under them, so they outlive the page. */

const KEY = 'tessera.contributor';

export function rememberedGrant(): ConsentGrant | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? 'null') as ConsentGrant | null;
  } catch {
    return null;
  }
}

export function rememberGrant(grant: ConsentGrant): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(grant));
  } catch {
    // Storage may be forbidden: the identity then lasts until the page is closed.
  }
}
