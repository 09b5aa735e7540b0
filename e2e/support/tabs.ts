import type { Page } from 'playwright';
import { expect } from 'vitest';

/** What a browser does to tabs that are not looked at. Only those of `launchDesktop` can be hidden, and only hidden ones frozen. */

/** Brings another tab before this one. */
export async function hide(page: Page): Promise<void> {
  await (await page.context().newPage()).bringToFront();
  await expect.poll(() => page.evaluate('document.visibilityState')).toBe('hidden');
}

async function setState(page: Page, state: 'frozen' | 'active'): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Page.setWebLifecycleState', { state });
  await cdp.detach();
}

/** Its event loop stands still, and its workers' too. */
export const freeze = (page: Page): Promise<void> => setState(page, 'frozen');
export const thaw = (page: Page): Promise<void> => setState(page, 'active');
