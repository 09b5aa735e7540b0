import { type Browser, type BrowserContext, type BrowserContextOptions, type ConsoleMessage, chromium, type Page } from 'playwright';
import { findChromium, softwareGpuFlags } from '../../scripts/chromium.ts';
import { freePort } from './coordinator.ts';

/** Long enough for a software GPU on two busy cores. */
export const WORK_MS_MAX = 180_000;

export async function launchBrowser(flags: readonly string[] = softwareGpuFlags): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium; run npm test, which installs one');
  return chromium.launch({ executablePath, args: [...flags] });
}

export interface Desktop {
  readonly browser: Browser;
  /** The browser's own profile. */
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/**
 * A browser as people have it: its tabs share one window, and those behind are hidden, throttled and can be frozen. In the contexts that
 * Playwright makes every tab counts as seen, so this is the browser's own profile, attached to without Playwright's emulation of focus.
 */
export async function launchDesktop(): Promise<Desktop> {
  const port = await freePort();
  const launched = await launchBrowser([...softwareGpuFlags, `--remote-debugging-port=${port}`]);
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  const [context] = browser.contexts();
  if (!context) throw new Error('a browser without a profile');
  return {
    browser,
    context,
    async close() {
      await browser.close();
      await launched.close();
    },
  };
}

/** A visitor: a browser profile of his own. What goes wrong in his pages is kept for the test to look at. */
export class Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Uncaught exceptions, refused content policies and other console errors. */
  readonly problems: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    const keep = (message: ConsoleMessage): void => {
      if (message.type() === 'error') this.problems.push(`${message.text()} ${message.location().url}`.trimEnd());
    };
    context.on('console', keep);
    context.on('weberror', (error) => this.problems.push(error.error().message));
  }

  static async enter(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext(options);
    return new Visitor(context, await context.newPage());
  }

  async leave(): Promise<void> {
    await this.context.close();
  }
}

/** What the coordinator answers to a page of its own, with that visitor's cookies. */
export const fetchAs = <T>(page: Page, path: string): Promise<T> => page.evaluate(async (from) => (await (await fetch(from)).json()) as T, path);

interface Account {
  readonly owner: string;
  readonly wallet: string | null;
  readonly balances: readonly { readonly unit: string; readonly earnedMicroCredits: string }[];
}

/** Who a visitor is to the coordinator, and the test credits he has earned. */
export async function accountOf(page: Page): Promise<{ owner: string; wallet: string | null; microCredits: bigint }> {
  const { owner, wallet, balances } = await fetchAs<Account>(page, '/api/account');
  return { owner, wallet, microCredits: BigInt(balances.find(({ unit }) => unit === 'test')?.earnedMicroCredits ?? '0') };
}
