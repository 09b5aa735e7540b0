import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Desktop, launchDesktop } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { stays, watchGpu } from './support/gpu-watch.ts';
import { jobOf, submitJob, untilJob } from './support/job.ts';
import { hide } from './support/tabs.ts';

/** A tab behind others: the browser gives its timers less, so its slices of the GPU are longer. `tabs.test.ts` has more of tabs. */

const params = { scene: 'cornell', width: 96, height: 64, samples: 4096, bounces: 4, lighting: 'auto', layers: 'none' };
const PARTS_OF_TILE = 4;
const SEEN_MS_MAX = 20_000;

let desktop: Desktop;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [desktop, coordinator] = await Promise.all([launchDesktop(), TestCoordinator.start()]);
});
afterAll(async () => {
  await desktop.close();
  await coordinator.dispose();
});

/** Milliseconds that the middle one of the next slices is on the GPU. */
async function sliceMs(page: Page, slices: number): Promise<number> {
  const before = (await stays(page)).length;
  await expect.poll(async () => (await stays(page)).length, { timeout: SEEN_MS_MAX, interval: 50 }).toBeGreaterThanOrEqual(before + slices);
  const sorted = (await stays(page))
    .slice(before)
    .map(({ from, to }) => to - from)
    .sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

test('a tab behind others works on, in longer slices', async () => {
  const job = await submitJob(coordinator, { workload: 'render', params, files: {}, title: 'Behind', visibility: 'public', seed: 3 });
  const page = await desktop.context.newPage();
  await watchGpu(page);
  await page.goto(coordinator.url);
  await shareGpu(page);
  await sliceMs(page, 20);
  const seen = await sliceMs(page, 40);
  await hide(page);
  const { accepted } = (await jobOf(coordinator, job.id)).parts;
  await sliceMs(page, 10);
  expect(await sliceMs(page, 20)).toBeGreaterThan(2 * seen);
  await untilJob(coordinator, job.id, 'a hidden tab’s tiles', ({ parts }) => parts.accepted >= accepted + 2 * PARTS_OF_TILE);
  expect(await page.evaluate('document.visibilityState')).toBe('hidden');
});
