import { accessSync, constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator } from 'playwright';
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
/** What else a page pauses for by itself; a command follows its arguments. */
const ARGUMENTS_ALONE = { batteryPercent: 0, yieldToMachine: false, saveData: false };
const PAGE_MS_MAX = 30_000;
const LOOK_MS = 500;

const loadPlaywright = () => import('playwright').catch(() => null);

/** `CHROMIUM_PATH`, else Playwright's own, else the system's. Null without one, or without Playwright. Throws when `CHROMIUM_PATH` is wrong. */
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
  if (!playwright) throw new Error('the npm package playwright is not installed');
  const browser = await playwright.chromium.launch({ executablePath, args: FLAGS, handleSIGINT: false, handleSIGTERM: false });
  try {
    const page = await browser.newPage();
    // Where the page remembers them: client/contribute/download.ts, which offers a choice of four, and client/comfort/settings.ts.
    const remembered = {
      'tessera.downloadBytesMax': String(options.downloadBytesMax),
      'tessera.comfort': JSON.stringify({ ...ARGUMENTS_ALONE, powerPercent: options.powerPercent, hours: options.hours }),
    };
    await page.addInitScript((entries) => {
      for (const [key, value] of Object.entries(entries)) localStorage.setItem(key, value);
    }, remembered);
    await page.goto(options.origin, { timeout: PAGE_MS_MAX });
    const main = page.getByRole('main');
    await shareButton(main).click({ timeout: PAGE_MS_MAX });
    await agreeToSoftware(main);
    return await watch(main, options, report, signal);
  } finally {
    await browser.close();
  }
}

const shareButton = (main: Locator): Locator => main.getByRole('button', { name: /share my gpu/i });
const stopButton = (main: Locator): Locator => main.getByRole('button', { name: 'Stop', exact: true });

/** The page asks once more before it uses a software renderer. */
async function agreeToSoftware(main: Locator): Promise<void> {
  const agree = main.getByRole('button', { name: /use the software renderer/i });
  await agree.or(stopButton(main)).waitFor({ timeout: PAGE_MS_MAX });
  if (await agree.isVisible()) await agree.click();
  await stopButton(main).waitFor({ timeout: PAGE_MS_MAX });
}

async function watch(main: Locator, options: Options, report: Report, signal: AbortSignal): Promise<Outcome> {
  for (;;) {
    const outcome = await readFigures(main);
    report(outcome);
    if (signal.aborted || (options.tiles !== null && outcome.accepted >= options.tiles)) {
      await stopButton(main).click();
      await shareButton(main).waitFor({ timeout: PAGE_MS_MAX });
      return outcome;
    }
    if (!(await stopButton(main).isVisible())) throw new Error(`the page has stopped: ${(await main.innerText()).slice(0, 300)}`);
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** What the page shows; its amounts are rounded to the decimals that matter. */
async function readFigures(main: Locator): Promise<Outcome> {
  const texts = async (label: string): Promise<string> => {
    const lines = await main.locator('dl > div').filter({ hasText: label }).locator('dd').allInnerTexts();
    return lines.join(' ').replaceAll(',', '');
  };
  const tiles = await texts('Tiles accepted');
  const [accepted, refuted, discarded] = [figureOf(tiles), noteOf(tiles, 'refuted'), noteOf(tiles, 'not judged')].map(Number) as [number, number, number];
  return {
    tiles: accepted + refuted + discarded,
    accepted,
    refuted,
    discarded,
    audits: Number(figureOf(await texts('Audits answered'))),
    earnedMicroCredits: parseCredits(figureOf(await texts('Earned'))).toString(),
    vestingMicroCredits: parseCredits(figureOf(await texts('Vesting'))).toString(),
  };
}

/** The figure itself, which comes first: `12` of `12 2 refuted`. */
const figureOf = (text: string): string => /^\D*(\d+(\.\d{1,6})?)/.exec(text)?.[1] ?? '0';

/** The number that a note below the figure gives before a word: `2` of `12 2 refuted`. */
const noteOf = (text: string, word: string): string => new RegExp(`(\\d+(\\.\\d{1,6})?)[^\\d]*${word}`).exec(text)?.[1] ?? '0';
