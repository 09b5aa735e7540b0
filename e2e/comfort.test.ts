import type { Browser, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor } from './support/browser.ts';
import { agreeToShare, shareGpu, status, stopSharing } from './support/contribute.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { busyShare, submits, watchGpu } from './support/gpu-watch.ts';
import { jobOf, submitJob } from './support/job.ts';
import { ownMachine, tellMachine } from './support/machine.ts';

/** The owner of the GPU comes first: what he has chosen, what his machine needs, and which tab is his. */

/** Far more than these stories compute, in parts of a tenth of a second. */
const params = { scene: 'cornell', width: 96, height: 64, samples: 4096, bounces: 4, lighting: 'auto', layers: 'none' };
/** Of a tile: the one at work is kept over a short pause. */
const PARTS_OF_TILE = 4;
/** Long enough for an engine that should stand still to fetch or compute something. */
const WOULD_WORK_MS = 1000;
/** Dozens of slices at a tenth of the power, hundreds at all of it. */
const MEASURED_MS = 1500;
/** A GPU that works without pauses is busy nearly all of the time; one whose kernel is still compiled hardly ever. */
const WORKS_SHARE_MIN = 0.3;
/** For pages that look every five seconds, on a busy test machine. */
const SEEN_MS_MAX = 20_000;

let browser: Browser;
let coordinator: TestCoordinator;
let job = '';
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
  ({ id: job } = await submitJob(coordinator, { workload: 'render', params, files: {}, title: 'Without end', visibility: 'public', seed: 3 }));
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

let visitor: Visitor;
afterEach(async () => {
  // Its leases go back at once: those of a tab that just closes are kept for a while.
  await stopSharing(visitor.page);
  await visitor.leave();
});

async function enter(told: Parameters<typeof ownMachine>[1] = {}): Promise<Page> {
  visitor = await Visitor.enter(browser);
  const { page } = visitor;
  await Promise.all([watchGpu(page), ownMachine(page, told)]);
  await page.goto(coordinator.url);
  return page;
}

const leased = async (): Promise<number> => (await jobOf(coordinator, job)).parts.leased;
const slices = async (page: Page): Promise<number> => (await submits(page)).length;

/** Waits until so many more slices were submitted. Returns how many there were before. */
async function works(page: Page, more = 10): Promise<number> {
  const before = await slices(page);
  await expect.poll(() => slices(page), { timeout: SEEN_MS_MAX, interval: 50 }).toBeGreaterThanOrEqual(before + more);
  return before;
}

/** It says why it stands still, and does: nothing is computed or fetched, and at most the tile at work is held. */
async function expectPaused(page: Page, why: string, heldMax = PARTS_OF_TILE): Promise<void> {
  await status(page, 'Paused').waitFor({ timeout: SEEN_MS_MAX });
  expect(await page.getByRole('status').allInnerTexts()).toContain(why);
  await expect.poll(leased, { timeout: SEEN_MS_MAX }).toBeLessThanOrEqual(heldMax);
  const [held, done] = [await leased(), await slices(page)];
  await new Promise((resolve) => setTimeout(resolve, WOULD_WORK_MS));
  expect(await leased()).toBeLessThanOrEqual(held);
  expect(await slices(page)).toBe(done);
}

async function expectResumed(page: Page): Promise<void> {
  await status(page, 'Your GPU is working').waitFor({ timeout: SEEN_MS_MAX });
  await works(page);
}

test('at a tenth of the power it uses a tenth of the time', async () => {
  const page = await enter();
  await shareGpu(page);
  /** Once the change was heard. */
  const share = async (): Promise<number> => {
    await works(page);
    return busyShare(page, MEASURED_MS);
  };
  let full = 0;
  const measureFull = async (): Promise<number> => (full = await share());
  // While the kernel of the picture itself is compiled, nothing is on the GPU.
  await expect.poll(measureFull, { timeout: SEEN_MS_MAX }).toBeGreaterThan(WORKS_SHARE_MIN);
  await page.getByRole('slider', { name: /^Power/ }).fill('10');
  expect(await share()).toBeLessThan(full / 2);
});

test('on a battery below the threshold it stands still, says why, and goes on when plugged in', async () => {
  const page = await enter({ charging: false, level: 0.4 });
  await page.getByText('When it pauses by itself').click();
  await page.getByLabel('On battery').selectOption('below 50 %');
  await agreeToShare(page);
  const why = 'The device runs on battery. It goes on when it is plugged in.';
  await expectPaused(page, why, 0);
  await tellMachine(page, { charging: true });
  await expectResumed(page);
  // Unplugged, but well charged.
  await tellMachine(page, { charging: false, level: 0.8 });
  await works(page);
  await tellMachine(page, { level: 0.49 });
  await expectPaused(page, why);
  await tellMachine(page, { charging: true });
  await expectResumed(page);
});

test('while the browser saves data it stands still', async () => {
  const page = await enter();
  await shareGpu(page);
  await works(page);
  await tellMachine(page, { saveData: true });
  await expectPaused(page, 'The browser is told to save data. It goes on when that is switched off.');
  await tellMachine(page, { saveData: false });
  await expectResumed(page);
});

test('outside of its hours it does not begin, and within them it does', async () => {
  const page = await enter();
  const hour = new Date().getHours();
  const range = (from: number, until: number): string => `${(hour + from) % 24}-${(hour + until) % 24}`;
  const setHours = async (hours: string): Promise<void> => {
    await page.getByLabel('Only in these hours').fill(hours);
    await page.getByLabel('Only in these hours').blur();
  };
  await page.getByText('When it pauses by itself').click();
  await setHours(range(2, 4));
  await agreeToShare(page);
  const why = 'Now is not one of your hours. It goes on by itself when they begin.';
  await expectPaused(page, why, 0);
  await page.getByText('When it pauses by itself').click();
  await setHours(range(0, 2));
  await expectResumed(page);
  await setHours(range(2, 4));
  await expectPaused(page, why);
});
