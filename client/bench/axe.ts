import type { AxeResults } from 'axe-core';
import type { Browser } from 'playwright';

const SETTLE_MS = 700;

/** One rule that one page in one theme breaks. */
export interface Violation {
  readonly page: string;
  readonly theme: 'light' | 'dark';
  readonly rule: string;
  readonly impact: string;
  /** Elements that break it. */
  readonly elements: readonly string[];
}

/** Every rule of axe-core as it is delivered, on every page in both themes. Null where axe-core is not installed. */
export async function axeViolations(browser: Browser, origin: string, paths: readonly string[]): Promise<Violation[] | null> {
  const axe = await import('axe-core').catch(() => null);
  if (!axe) return null;
  const found: Violation[] = [];
  for (const theme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme: theme, reducedMotion: 'reduce' });
    for (const path of paths) {
      const page = await context.newPage();
      await page.goto(origin + path, { waitUntil: 'networkidle' });
      // What is folded away is part of the page.
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true;
      });
      await page.waitForTimeout(SETTLE_MS);
      // By the debugger: the pages' policy allows no foreign script.
      await page.evaluate(axe.default.source);
      const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
      for (const { id, impact, nodes } of violations)
        found.push({ page: path, theme, rule: id, impact: impact ?? 'unknown', elements: nodes.map(({ target }) => target.join(' ')) });
      await page.close();
    }
    await context.close();
  }
  return found;
}
