import { accessSync, constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { parseCredits } from '../../shared/credits.ts';
import type { Options } from './options.ts';
import type { Outcome, Report } from './outcome.ts';

/**
 * The last resort: a headless Chromium opens the coordinator's own page and does what a person would do. There is no
 * switch by which a page begins by itself.
 */

/** SwiftShader as WebGPU adapter; the Vulkan lines keep a page with a WebGPU canvas from crashing (Chromium 156). */
const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-angle=vulkan',
  '--use-vulkan=swiftshader',
  '--enable-features=Vulkan',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const SYSTEM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];
const PAGE_MS_MAX = 30_000;
const LOOK_MS = 500;

const loadPlaywright = () => import('playwright-core').catch(() => null);

/** `CHROMIUM_PATH`, else Playwright's own, else the system's. Null without one, or without playwright-core. Throws when `CHROMIUM_PATH` is wrong. */
export async function findChromium(): Promise<string | null> {
  const playwright = await loadPlaywright();
  if (!playwright) return null;
  const named = process.env.CHROMIUM_PATH;
  if (named && !isExecutable(named)) throw new Error(`CHROMIUM_PATH names no executable file: ${named}`);
  return [named ?? playwright.chromium.executablePath(), ...SYSTEM_PATHS].find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Works until `--tiles` are accepted or the signal aborts. Throws when the page says that it cannot. */
export async function contributeByPage(executablePath: string, options: Options, report: Report, signal: AbortSignal): Promise<Outcome> {
  const playwright = await loadPlaywright();
  if (!playwright) throw new Error('playwright-core is not installed');
  const browser = await playwright.chromium.launch({ executablePath, args: FLAGS, handleSIGINT: false, handleSIGTERM: false });
  try {
    const page = await browser.newPage();
    await page.goto(options.origin, { timeout: PAGE_MS_MAX });
    await page.getByRole('button', { name: /share my gpu/i }).click({ timeout: PAGE_MS_MAX });
    await agreeToSoftware(page);
    await page.getByLabel(/power/i).fill(String(options.powerPercent));
    return await watch(page, options, report, signal);
  } finally {
    await browser.close();
  }
}

/** The page asks once more before it uses a software renderer. */
async function agreeToSoftware(page: Page): Promise<void> {
  const agree = page.getByRole('button', { name: /use the software renderer/i });
  const stop = page.getByRole('button', { name: 'Stop', exact: true });
  await agree.or(stop).first().waitFor({ timeout: PAGE_MS_MAX });
  if (await agree.isVisible()) await agree.click();
  await stop.waitFor({ timeout: PAGE_MS_MAX });
}

async function watch(page: Page, options: Options, report: Report, signal: AbortSignal): Promise<Outcome> {
  const figure = async (label: string): Promise<string> =>
    page
      .locator('dt', { hasText: label })
      .locator('xpath=following-sibling::dd')
      .allInnerTexts()
      .then((texts) => texts.join(' '));
  const stop = page.getByRole('button', { name: 'Stop', exact: true });
  for (;;) {
    const tiles = await figure('Tiles accepted');
    const [accepted = 0, refuted = 0] = (tiles.match(/\d[\d,]*/g) ?? []).map((digits) => Number(digits.replaceAll(',', '')));
    const earned = (await figure('Earned')).match(/\d+(\.\d{1,6})?/)?.[0] ?? '0';
    const outcome: Outcome = { tiles: accepted + refuted, accepted, refuted, earnedMicroCredits: parseCredits(earned).toString() };
    report(outcome);
    const isDone = options.tiles !== null && accepted >= options.tiles;
    if (isDone || signal.aborted) {
      await stop.click();
      await page.getByRole('button', { name: /share my gpu/i }).waitFor({ timeout: PAGE_MS_MAX });
      return outcome;
    }
    if (!(await stop.isVisible())) throw new Error(`the page has stopped: ${(await page.getByRole('heading').allInnerTexts()).join(', ')}`);
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
