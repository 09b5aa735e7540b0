import { gzipSync } from 'node:zlib';
import type { Browser, Locator, Page, Response } from 'playwright';

/** Kinds of resources that make up a page; pictures and data are what it is about. */
const counted: ReadonlySet<string> = new Set(['document', 'script', 'stylesheet', 'font']);
export const scriptsOnly: ReadonlySet<string> = new Set(['script']);
const SETTLE_MS = 1500;

export interface Transfer {
  readonly bytes: number;
  /** Largest first. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/** What an empty browser fetches for a page until it rests, each file through `gzip -9` as a host would send it. `ready`: seen once the page is there. */
export async function transferOf(browser: Browser, url: string, ready: (page: Page) => Locator, kinds: ReadonlySet<string> = counted): Promise<Transfer> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const responses: Response[] = [];
    page.on('response', (response) => void responses.push(response));
    await page.goto(url, { waitUntil: 'networkidle' });
    await ready(page).waitFor();
    await page.waitForTimeout(SETTLE_MS);
    const own = responses.filter((response) => kinds.has(response.request().resourceType()));
    const files = await Promise.all(
      own.map(async (response) => ({ path: new URL(response.url()).pathname, bytes: gzipSync(await response.body(), { level: 9 }).byteLength })),
    );
    return { bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), files: files.sort((a, b) => b.bytes - a.bytes) };
  } finally {
    await context.close();
  }
}
