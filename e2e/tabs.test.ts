import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Desktop, launchDesktop } from './support/browser.ts';
import { agreeToShare, shareGpu, status, stopSharing } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import { PART_BYTES, readBytes, submits, watchGpu } from './support/gpu-watch.ts';
import { cancelJob, submitJob, untilJob } from './support/job.ts';
import { freeze, hide, thaw } from './support/tabs.ts';

/** Tabs of one window: one that the browser puts to sleep, and two that want the same GPU. `behind.test.ts` has the one behind others. */

const params = { scene: 'cornell', width: 96, height: 64, samples: 64, bounces: 4, lighting: 'auto', layers: 'none' };
const endless = { ...params, samples: 4096 };
const PARTS_OF_TILE = 4;
/** Beside the kernels of other tests. */
const SEEN_MS_MAX = 60_000;

let desktop: Desktop;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [desktop, coordinator] = await Promise.all([launchDesktop(), TestCoordinator.start()]);
});
afterAll(async () => {
  await desktop.close();
  await coordinator.dispose();
});
afterEach(async () => {
  for (const page of desktop.context.pages()) await page.close();
});

const submit = (title: string, order: object): Promise<{ id: string; cookie: string }> =>
  submitJob(coordinator, { workload: 'render', params: order, files: {}, title, visibility: 'public', seed: 3 });

async function openTab(): Promise<Page> {
  const page = await desktop.context.newPage();
  await watchGpu(page);
  await page.goto(coordinator.url);
  return page;
}

test('a tab that the browser freezes gives back what it holds, and goes on when it wakes up', async () => {
  const { id } = await submit('Asleep', params);
  const page = await openTab();
  await shareGpu(page);
  await hide(page);
  await untilJob(coordinator, id, 'a tile, and others at work', ({ parts }) => parts.accepted >= PARTS_OF_TILE && parts.leased > PARTS_OF_TILE);
  await freeze(page);
  const asleep = await untilJob(coordinator, id, 'nothing to be held', ({ parts }) => parts.leased === 0);
  expect(asleep.status).toBe('open');
  await thaw(page);
  const done = await untilJob(coordinator, id, 'the job to be done', ({ status }) => status === 'done');
  expect(done.parts.accepted).toBe(done.parts.total);
  // What was finished before it slept counts: at most one tile was computed twice.
  expect(await readBytes(page)).toBeLessThanOrEqual((done.parts.total + PARTS_OF_TILE) * PART_BYTES);
  expect(await page.evaluate('document.visibilityState')).toBe('hidden');
});

const engines = (page: Page): number => page.workers().filter((worker) => worker.url().includes('engine.worker')).length;

test('of two tabs one has the GPU: the other says so, can take over, and can begin when the first is gone', async () => {
  const job = await submit('Wanted by two', endless);
  const first = await openTab();
  await shareGpu(first);
  const second = await openTab();
  await agreeToShare(second);
  const taken = second.getByText('Another tab of this browser is sharing');
  await taken.waitFor();
  expect([engines(first), engines(second)]).toEqual([1, 0]);
  await second.getByRole('button', { name: 'Leave it there' }).click();
  await second.getByRole('button', { name: 'Share my GPU' }).click();
  await taken.waitFor();
  await second.getByRole('button', { name: 'Share here instead' }).click();
  await status(second, 'Your GPU is working').waitFor();
  await first.getByText('Sharing goes on in another tab').waitFor();
  expect([engines(first), engines(second)]).toEqual([0, 1]);

  // It closes with a tile in its hands that nobody gives back.
  await untilJob(coordinator, job.id, 'a tile', ({ parts }) => parts.accepted >= PARTS_OF_TILE);
  await second.getByRole('button', { name: 'Pause' }).click();
  await untilJob(coordinator, job.id, 'the tile at work to be all that is held', ({ parts }) => parts.checking === 0 && parts.leased <= PARTS_OF_TILE);
  await second.close();
  await first.bringToFront();
  await first.getByRole('button', { name: 'Share my GPU' }).click();
  await status(first, 'Your GPU is working').waitFor();
  const before = (await submits(first)).length;
  await expect.poll(async () => (await submits(first)).length, { timeout: SEEN_MS_MAX }).toBeGreaterThan(before);
  expect(engines(first)).toBe(1);
  await stopSharing(first);
  await cancelJob(coordinator, job);
});

test('nobody was paid for nothing', async () => {
  await coordinator.stop();
  const books = ledgerOf(coordinator);
  expect(books.map(({ unit }) => unit)).toContain('test');
  for (const { sum, unexplained } of books) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
});
