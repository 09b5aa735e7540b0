import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext } from 'playwright';
import { snippetOf } from '../ui/snippet.ts';

/** A bare page of another site: with the lines that the owner of a site places, without them, and with our frame but no script of ours. */

const ROUNDS = 9;
const SETTLE_MS = 1000;
const SHARE_PERCENT = 20;

export interface HostCost {
  /** Worst layout shift of all loads. */
  readonly cls: number;
  /** Median processor time of the main thread with the widget, less the median without it. */
  readonly widgetMs: number;
  /** The same, less the median with the frame alone: what the loader costs. */
  readonly loaderMs: number;
  readonly site: string;
}

interface Load {
  readonly cls: number;
  readonly taskMs: number;
}

const median = (loads: readonly Load[]): number => loads.map(({ taskMs }) => taskMs).sort((a, b) => a - b)[Math.floor(loads.length / 2)]!;

/** What the text around a card is moved by shows as a shift, so there is some. */
const hostPage = (snippet: string): string =>
  `<!doctype html><meta charset="utf-8"><title>Museum</title><h1>Museum of small things</h1><p>Open on Sundays.</p>
${snippet}
<p>${'The collection of small things was begun in 1873. '.repeat(40)}</p>`;

export async function hostCost(browser: Browser, coordinator: string): Promise<HostCost> {
  let site = '';
  const frame = (): string => `<iframe src="${coordinator}/widget/frame?site=${site}" width="320" height="96" style="border:0"></iframe>`;
  const pages: Readonly<Record<string, () => string>> = { '/card': () => snippetOf(coordinator, site), '/frame': frame, '/nothing': () => '' };
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(hostPage(pages[request.url ?? '']?.() ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://site.localhost:${(server.address() as AddressInfo).port}`;
  try {
    site = await register(browser, coordinator, origin);
    const [card, bare, nothing]: [Load[], Load[], Load[]] = [[], [], []];
    // By turns, so that what else the machine does weighs on all alike. The first of each fills the caches.
    for (let round = 0; round <= ROUNDS; round++) {
      const loads = [
        await load(browser, `${origin}/card`, coordinator),
        await load(browser, `${origin}/frame`, coordinator),
        await load(browser, `${origin}/nothing`, null),
      ] as const;
      if (round === 0) continue;
      card.push(loads[0]);
      bare.push(loads[1]);
      nothing.push(loads[2]);
    }
    const less = (a: readonly Load[], b: readonly Load[]): number => Math.max(0, median(a) - median(b));
    return { site, cls: Math.max(...card.map(({ cls }) => cls)), widgetMs: less(card, nothing), loaderMs: less(card, bare) };
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
    return { cls: await page.evaluate(layoutShift), taskMs: ms('TaskDuration') };
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
