import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext } from 'playwright';
import { snippetOf } from '../ui/snippet.ts';

/** A bare page of another site, with the lines that the owner of a site places, and the same page without them. */

const ROUNDS = 9;
const SETTLE_MS = 1000;
const SHARE_PERCENT = 20;

export interface HostCost {
  /** Worst layout shift of all loads. */
  readonly cls: number;
  /** Median processor time of the main thread with the widget, less the median without it. */
  readonly taskMs: number;
  /** The same of script alone. */
  readonly scriptMs: number;
  readonly site: string;
}

interface Load {
  readonly cls: number;
  readonly taskMs: number;
  readonly scriptMs: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** What the text around a card is moved by shows as a shift, so there is some. */
const hostPage = (snippet: string): string =>
  `<!doctype html><meta charset="utf-8"><title>Museum</title><h1>Museum of small things</h1><p>Open on Sundays.</p>
${snippet}
<p>${'The collection of small things was begun in 1873. '.repeat(40)}</p>`;

export async function hostCost(browser: Browser, coordinator: string): Promise<HostCost> {
  let site = '';
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(hostPage(request.url === '/with' ? snippetOf(coordinator, site) : ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://site.localhost:${(server.address() as AddressInfo).port}`;
  try {
    site = await register(browser, coordinator, origin);
    const withCard: Load[] = [];
    const without: Load[] = [];
    // By turns, so that what else the machine does weighs on both alike. The first of each fills the caches.
    for (let round = 0; round <= ROUNDS; round++) {
      const [a, b] = [await load(browser, `${origin}/with`, coordinator), await load(browser, `${origin}/without`, null)];
      if (round === 0) continue;
      withCard.push(a);
      without.push(b);
    }
    const extra = (of: (load: Load) => number): number => Math.max(0, median(withCard.map(of)) - median(without.map(of)));
    return { site, cls: Math.max(...withCard.map(({ cls }) => cls)), taskMs: extra(({ taskMs }) => taskMs), scriptMs: extra(({ scriptMs }) => scriptMs) };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** Registers the host page as a site of a fresh device, and returns its id. */
async function register(browser: Browser, coordinator: string, origin: string): Promise<string> {
  const context: BrowserContext = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(coordinator);
    return await page.evaluate(
      async ([siteOrigin, sharePercent]) => {
        const post = async (path: string, body: unknown) => {
          const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
          if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
          return response.json();
        };
        await post('/api/session', {});
        const answer = await post('/api/sites', { name: 'Museum', origin: siteOrigin, sharePercent });
        return String(answer.site?.id ?? answer.id);
      },
      [origin, SHARE_PERCENT] as const,
    );
  } finally {
    await context.close();
  }
}

async function load(browser: Browser, url: string, coordinator: string | null): Promise<Load> {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  try {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    // The thread's own time: what else the machine does weighs less.
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    await page.goto(url, { waitUntil: 'load' });
    await page.waitForTimeout(SETTLE_MS);
    // Before anything is evaluated in the page: what Playwright brings with it would count.
    const { metrics } = await devtools.send('Performance.getMetrics');
    // A card that never came would cost nothing.
    if (coordinator !== null && !page.frames().some((frame) => frame.url().startsWith(`${coordinator}/widget/frame`)))
      throw new Error('the card was not shown');
    const ms = (name: string): number => 1000 * (metrics.find((metric) => metric.name === name)?.value ?? Number.NaN);
    return { cls: await page.evaluate(layoutShift), taskMs: ms('TaskDuration'), scriptMs: ms('ScriptDuration') };
  } finally {
    await context.close();
  }
}

/** The sum of all layout shifts so far; runs in the page. */
function layoutShift(): Promise<number> {
  return new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) sum += (entry as PerformanceEntry & { value: number }).value;
    }).observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => resolve(sum), 100);
  });
}
