import { type Browser, chromium, type Page } from 'playwright';
import { type Child, startChild } from '../child.ts';
import { findChromium, softwareGpuFlags } from '../chromium.ts';
import { root } from '../pages.ts';

/** Percent of its time that each page computes, in turns: so they are of different speeds. */
const POWERS = [100, 60, 30, 85] as const;
const CLICK_MS_MAX = 60_000;
/** One after the other, so that one sees them come. */
const APART_MS = 1500;

export async function launch(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('There is no Chromium. `npx playwright install --with-deps chromium` installs one.');
  return chromium.launch({ executablePath, args: [...softwareGpuFlags] });
}

/** A visitor who says yes on the page, with a profile of his own. */
async function share(browser: Browser, url: string, power: number): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(CLICK_MS_MAX);
  await page.goto(url);
  await page.getByRole('slider', { name: /^Power/ }).fill(String(power));
  await page.getByRole('button', { name: 'Share my GPU' }).click();
  const working = page.getByRole('heading', { name: /^(Your GPU is working|Waiting for work)$/ });
  const anyway = page.getByRole('button', { name: 'Use the software renderer anyway' });
  // Asked only where no GPU is.
  await working.or(anyway).first().waitFor();
  if (await anyway.isVisible()) await anyway.click();
  await working.waitFor();
  return page;
}

/** The room's own contributors: pages of one browser, and, from two on, one more through Dawn in Node. */
export class LocalFleet {
  readonly #children: Child[] = [];
  readonly #pages: Page[] = [];

  async join(browser: Browser, url: string, count: number): Promise<void> {
    // Another implementation of WebGPU than the browser's, and another driver where no GPU is.
    if (count > 1) this.#children.push(startChild(process.execPath, ['client/headless.ts', '--url', url, '--json'], { cwd: root, env: process.env }));
    const pages = count > 1 ? count - 1 : count;
    for (let index = 0; index < pages; index++) {
      this.#pages.push(await share(browser, url, POWERS[index % POWERS.length]!));
      await new Promise((resolve) => setTimeout(resolve, APART_MS));
    }
  }

  async leave(): Promise<void> {
    await Promise.all([...this.#children.map((child) => child.stop()), ...this.#pages.map((page) => page.context().close())]);
  }

  /** Rejects when one of the processes ends early. */
  async ended(): Promise<never> {
    if (this.#children.length === 0) return new Promise(() => undefined);
    return Promise.race(
      this.#children.map(async (child) => {
        const code = await child.exited;
        throw new Error(`a contributor ended early (${code ?? 'signal'}):\n${child.tail()}`);
      }),
    );
  }
}
