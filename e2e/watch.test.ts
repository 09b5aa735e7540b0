import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchAs, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { type Job, jobOf, untilJob } from './support/job.ts';

/** The life of a job on its page: watched closely, paused, hidden, finished, extended, deleted. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const order = {
  workload: 'render',
  params: { scene: 'cornell', width: 64, height: 64, samples: 16, bounces: 2, lighting: 'auto' },
  files: {},
  title: 'A watched box',
  visibility: 'public',
};

/** Sum of the colours that the picture's canvas has, and how many of its pixels are painted. */
const look = (page: Page): Promise<{ light: number; painted: number }> =>
  page.locator('.sheet canvas').evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
    let [light, painted] = [0, 0];
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 0) continue;
      light += data[at]! + data[at + 1]! + data[at + 2]!;
      painted++;
    }
    return { light, painted };
  });
const press = (page: Page, name: string | RegExp): Promise<void> => page.getByRole('button', { name, exact: typeof name === 'string' }).click();

test('a requester watches, pauses, hides, extends and deletes a job', { timeout: 2 * WORK_MS_MAX }, async () => {
  const [requester, contributor, stranger] = await Promise.all([Visitor.enter(browser), Visitor.enter(browser), Visitor.enter(browser)]);
  const { page } = requester;
  await page.goto(coordinator.url);
  const id = await page.evaluate(async (body) => {
    const headers = { 'content-type': 'application/json' };
    await fetch('/api/session', { method: 'POST', headers, body: '{}' });
    const answer = await fetch('/api/jobs', { method: 'POST', headers, body: JSON.stringify(body) });
    return ((await answer.json()) as { id: string }).id;
  }, order);
  const url = `${coordinator.url}/jobs/${id}`;
  await page.goto(url);

  // Paused before anybody helps: nothing is given out.
  await press(page, 'Pause');
  await page.getByText('Paused: nothing new is given out.').first().waitFor();
  await contributor.page.goto(coordinator.url);
  await shareGpu(contributor.page);
  await stranger.page.goto(url);
  await stranger.page.getByRole('heading', { name: order.title }).waitFor();
  expect((await jobOf(coordinator, id)).parts).toMatchObject({ accepted: 0, leased: 0 });
  expect(await stranger.page.getByRole('button', { name: 'Resume' }).count()).toBe(0);
  await press(page, 'Resume');
  await untilJob(coordinator, id, 'first tiles are accepted', ({ parts }) => parts.accepted > 1);

  // Closer by keys, and back.
  const picture = page.getByRole('group', { name: /^Picture/ });
  await picture.focus();
  for (const key of ['+', '+', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  await page.getByText('2.3×').waitFor();
  const sheet = page.locator('.sheet');
  expect(await sheet.evaluate((element) => [element.style.width, Number.parseFloat(element.style.left) < 0])).toEqual(['225%', true]);
  await page.keyboard.press('0');
  await page.getByText('1.0×').waitFor();

  // By wheel and drag, and back by a button.
  await picture.hover();
  await page.mouse.wheel(0, -300);
  await page.getByText('2.0×').waitFor();
  const left = (): Promise<number> => sheet.evaluate((element) => Number.parseFloat(element.style.left));
  const before = await left();
  await page.mouse.down();
  await page.mouse.move(0, 0, { steps: 4 });
  await page.mouse.up();
  expect(await left()).toBeLessThan(before);
  await press(page, 'Fit');
  await page.getByText('1.0×').waitFor();

  // What every tile tells.
  await page.getByLabel('Tiles').check();
  await page.getByRole('list', { name: 'What the signs mean' }).getByText('Being checked').waitFor();
  await page.getByText('Error bound').first().click();
  await page.getByText('1 in 1,000 at most').waitFor();

  const first = await untilJob(coordinator, id, 'the job is done', ({ status }) => status === 'done');
  await page
    .getByText(/^Done by 1 contributor/)
    .first()
    .waitFor();
  await expect.poll(async () => (await look(page)).painted).toBe(64 * 64);

  // Brighter, then another layer: the page paints anew what it has.
  await page.getByText('Layers and exposure').click();
  const ordered = await look(page);
  await page.getByLabel(/^Exposure/).fill('2');
  await expect.poll(async () => (await look(page)).light).toBeGreaterThan(ordered.light * 1.2);
  await page.getByText('Depth', { exact: true }).click();
  await expect.poll(async () => (await look(page)).painted).toBe(64 * 64);
  const depth = await look(page);
  await press(page, 'As ordered');
  await expect.poll(async () => (await look(page)).light).toBe(ordered.light);
  expect(depth.light).not.toBe(ordered.light);

  // The same as a table.
  await page.getByText('Checks and tiles').click();
  await press(page, 'All tiles as a table');
  expect(await page.getByRole('row').filter({ hasText: 'Accepted' }).count()).toBe(16);

  // Private: whoever watches loses it at once, and nobody else finds it.
  await page.getByText('Share: public').click();
  await page.getByText('Private', { exact: true }).click();
  await page.getByText('Only you see this page').waitFor();
  await stranger.page.getByRole('heading', { name: 'There is no such job' }).waitFor();
  await stranger.page.reload();
  await stranger.page.getByRole('heading', { name: 'There is no such job' }).waitFor();
  await page.getByText('Unlisted', { exact: true }).click();
  await page.getByText('whoever has the link sees it').waitFor();
  await stranger.page.getByRole('button', { name: 'Try again' }).click();
  await stranger.page.getByRole('heading', { name: order.title }).waitFor();

  // More of it, for the price that is shown.
  await press(page, 'Extend');
  await page.getByRole('spinbutton', { name: 'Samples' }).fill('32');
  await press(page, /^Extend for .* test credits$/);
  // The contributor, who has shared all along, is told what has changed.
  const more = await untilJob(coordinator, id, 'the extension is done', ({ status, parts }) => status === 'done' && parts.total > first.parts.total);
  expect(more.params).toMatchObject({ samples: 32 });
  expect([more.parts.accepted, BigInt(more.paidMicroCredits) > BigInt(first.paidMicroCredits)]).toEqual([more.parts.total, true]);
  await page
    .getByText(/^Done by/)
    .first()
    .waitFor();
  await page.getByText('Cost and keeping').click();
  await page.getByText(/extended once/).waitFor();
  await expect.poll(async () => (await look(stranger.page)).painted).toBe(64 * 64);

  // And gone.
  await press(page, 'Delete now');
  await press(page, 'Yes, delete for good');
  await page
    .getByText(/were deleted on/)
    .first()
    .waitFor();
  await stranger.page.getByRole('heading', { name: 'There is no such job' }).waitFor();
  expect(await fetchAs<Job & { deletedMs: number }>(page, `/api/jobs/${id}`)).toMatchObject({ status: 'done', deletedMs: expect.any(Number) });

  // The refusals that the pages asked for themselves: a job that is private, one that is deleted, and the picture of one that is being extended.
  const expected = /status of 404|status of 409 .*\/files\//;
  const unexpected = [...requester.problems, ...contributor.problems, ...stranger.problems].filter((problem) => !expected.test(problem));
  expect(unexpected).toEqual([]);
  await Promise.all([requester.leave(), contributor.leave(), stranger.leave()]);
});
