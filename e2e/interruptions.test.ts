import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Desktop, launchDesktop, Visitor } from './support/browser.ts';
import { shareGpu, status } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import { PART_BYTES, readBytes, submits, watchGpu } from './support/gpu-watch.ts';
import { type Job, resultsOf, submitJob, untilJob } from './support/job.ts';
import { Relay } from './support/relay.ts';
import { freeze, hide, thaw } from './support/tabs.ts';

/** The network breaks, the lid closes, the GPU's process dies: what was finished counts, and it counts once. */

const params = { scene: 'cornell', width: 96, height: 64, samples: 32, bounces: 4, lighting: 'auto', layers: 'none' };

let desktop: Desktop;
let coordinator: TestCoordinator;
let relay: Relay;
beforeAll(async () => {
  [desktop, coordinator] = await Promise.all([launchDesktop(), TestCoordinator.start()]);
  relay = await Relay.open(coordinator);
});
afterAll(async () => {
  await desktop.close();
  relay.close();
  await coordinator.dispose();
});
afterEach(async () => {
  for (const page of desktop.context.pages()) await page.close();
});

const jobs: string[] = [];
async function submit(title: string): Promise<string> {
  const { id } = await submitJob(coordinator, { workload: 'render', params, files: {}, title, visibility: 'public', seed: 5 });
  jobs.push(id);
  return id;
}

async function openTab(url: string): Promise<Page> {
  const page = await desktop.context.newPage();
  await watchGpu(page);
  await page.goto(url);
  return page;
}

const untilBegun = (id: string): Promise<Job> => untilJob(coordinator, id, 'a tenth', ({ parts }) => parts.accepted * 10 > parts.total);

async function untilDone(id: string): Promise<Job> {
  const done = await untilJob(coordinator, id, 'the job to be done', (job) => job.status === 'done');
  expect(done.parts.accepted).toBe(done.parts.total);
  return done;
}

/** The network is cut with half of an upload on the other side; the tile at work is finished, and the lid closes. */
async function closeLid(page: Page): Promise<void> {
  await relay.breakInUpload();
  await status(page, 'Reconnecting').waitFor();
  let before = -1;
  await expect
    .poll(
      async () => {
        const still = before === (await submits(page)).length;
        before = (await submits(page)).length;
        return still;
      },
      { interval: 300, timeout: 20_000 },
    )
    .toBe(true);
  await freeze(page);
}

async function openLid(page: Page): Promise<void> {
  relay.mend();
  await thaw(page);
}

test('a lid closes in the middle of an upload', async () => {
  const first = await submit('Back in time');
  const page = await openTab(relay.url);
  await shareGpu(page);
  await hide(page);
  await untilBegun(first);
  await closeLid(page);
  await untilJob(coordinator, first, 'its leases to be given up', ({ parts }) => parts.leased === 0);
  await openLid(page);
  const { parts } = await untilDone(first);
  // Every part was computed once: those that were finished before the lid closed were handed in when it opened.
  expect(await readBytes(page)).toBe(parts.total * PART_BYTES);

  // Again, and somebody else finishes the job meanwhile.
  const second = await submit('Too late');
  await untilBegun(second);
  await closeLid(page);
  const other = await Visitor.enter(desktop.browser);
  await other.page.goto(coordinator.url);
  await shareGpu(other.page);
  await untilDone(second);
  await openLid(page);
  await status(page, 'Waiting for work').waitFor();
  await other.leave();
});

test('the process of the GPU dies: the same page goes on, and what was finished is kept', async () => {
  const id = await submit('A lost GPU');
  const page = await openTab(coordinator.url);
  await shareGpu(page);
  await untilBegun(id);
  await (await desktop.browser.newBrowserCDPSession()).send('Browser.crashGpuProcess');
  const { parts } = await untilDone(id);
  expect(await readBytes(page)).toBe(parts.total * PART_BYTES);
});

test('nothing was counted twice, and nobody was paid for nothing', async () => {
  await coordinator.stop();
  for (const job of jobs) {
    const accepted = resultsOf(coordinator, job).filter(({ state }) => state === 'accepted');
    const counted = accepted.flatMap(({ pass, tile, parts }) =>
      [...parts.toString(2)].reverse().flatMap((bit, part) => (bit === '1' ? [`${pass}/${tile}/${part}`] : [])),
    );
    expect(new Set(counted).size).toBe(counted.length);
  }
  const books = ledgerOf(coordinator);
  expect(books.map(({ unit }) => unit)).toContain('test');
  for (const { sum, unexplained } of books) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
});
