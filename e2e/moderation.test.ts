import { createHash } from 'node:crypto';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor } from './support/browser.ts';
import { shareGpu, stopSharing } from './support/contribute.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { roomGlb } from './support/glb.ts';
import { untilJob } from './support/job.ts';
import { fillOrder, order } from './support/submit.ts';

/** A job that should not be here: reported by one, taken down by the operator, gone for all, and its file refused. And what the network page tells of it. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const model = roomGlb();
const file = { name: 'room.glb', mimeType: 'model/gltf-binary', buffer: model };
const REASON = 'It shows a room without asking.';

async function submit(page: Page): Promise<string> {
  await page.goto(`${coordinator.url}/submit`);
  await page.getByLabel('Choose a file').setInputFiles(file);
  await fillOrder(page, { width: 256, height: 256, samples: 64, title: 'A room of others' });
  await order(page);
  return page.url();
}

/** By the gallery, until something of it is accepted. */
async function help(page: Page, id: string): Promise<void> {
  await page.goto(`${coordinator.url}/gallery`);
  await page.getByRole('button', { name: 'Help this one: A room of others' }).click();
  await page.getByText('“A room of others” comes first').waitFor();
  await shareGpu(page);
  await untilJob(coordinator, id, 'something is accepted', ({ parts }) => parts.accepted > 0);
  await stopSharing(page);
}

async function report(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('button', { name: 'Report this job' }).click();
  await page.getByLabel('What is wrong with it').selectOption('rights');
  await page.getByLabel('What the operator should know').fill('It is my room.');
  await page.getByRole('button', { name: 'Send report' }).click();
  await page.getByText('Reported', { exact: true }).waitFor();
}

/** Takes the job of the first report down and bans its files. */
async function takeDown(page: Page): Promise<void> {
  const row = page.getByRole('row', { name: /A room of others/ });
  await row.getByText('It is my room.').waitFor();
  await row.getByRole('button', { name: 'Take down' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill(REASON);
  await dialog.getByLabel('Ban its files').check();
  await dialog.getByRole('button', { name: 'Take down' }).click();
  await page.getByText('Taken down: 1 job. Banned: 2 files.').waitFor();
}

test('reported, taken down, gone, and not taken again', async () => {
  const [requester, reporter, operator] = await Promise.all([Visitor.enter(browser), Visitor.enter(browser), Visitor.enter(browser)]);
  const url = await submit(requester.page);
  await help(reporter.page, url.split('/').at(-1) ?? '');
  await report(reporter.page, url);

  const link = await coordinator.operatorLink();
  await operator.page.goto(link);
  await operator.page.getByRole('button', { name: /^1 Reports: 1$/ }).waitFor();
  expect(operator.page.url()).toBe(`${coordinator.url}/operator`);
  await takeDown(operator.page);
  await operator.page.keyboard.press('7');
  await operator.page.getByRole('row', { name: /job taken down/ }).waitFor();
  expect(await operator.page.getByRole('row', { name: /content banned/ }).count()).toBe(2);

  // Whoever has it open sees it go, without loading anything anew; its requester sees why.
  await reporter.page.getByRole('heading', { name: 'There is no such job' }).waitFor();
  await requester.page.getByText(`Reason given: ${REASON}`).waitFor();
  await reporter.page.goto(`${coordinator.url}/gallery`);
  await reporter.page.getByText('No public job yet').waitFor();
  const hash = createHash('sha256').update(model).digest('hex');
  expect((await fetch(`${coordinator.apiUrl}/blobs/${hash}`)).status).toBe(404);

  // Somebody else has the same file.
  await reporter.page.goto(`${coordinator.url}/submit`);
  await reporter.page.getByLabel('Choose a file').setInputFiles(file);
  await reporter.page
    .getByText(/The operator does not accept this file/)
    .first()
    .waitFor();

  // The link worked once.
  const other = await Visitor.enter(browser);
  await other.page.goto(link);
  await other.page.getByText('This link was used, has ended, or is not of this coordinator.').waitFor();

  // The refusals that they were to get are the only thing that their consoles complain of.
  expect(requester.problems.filter((text) => !/status of 40[34]/.test(text))).toEqual([]);
  expect(operator.problems).toEqual([]);
  await look(reporter.page);
  await Promise.all([requester, reporter, operator, other].map((visitor) => visitor.leave()));
});

/** The network page: figures, plots, and the table behind one of them. At its end a coordinator writes the minute under way. */
async function look(page: Page): Promise<void> {
  await coordinator.stop();
  await coordinator.startAgain();
  await page.goto(`${coordinator.url}/network`);
  await page.getByRole('heading', { name: 'Network', level: 1 }).waitFor();
  await page.getByRole('img', { name: 'Test credits paid' }).locator('canvas').waitFor();
  expect(await page.getByRole('term').count()).toBe(5);
  expect(await page.getByRole('img').count()).toBe(4);
  await page.getByRole('button', { name: 'Table' }).nth(1).click();
  const table = page.getByRole('table', { name: /^Verified work, units a second, by the minute/ });
  await table.waitFor();
  expect(await table.getByRole('columnheader').allInnerTexts()).toEqual(['From', 'Units a second', 'Tiles']);
  const tiles = await table.getByRole('row').locator('td:last-child').allInnerTexts();
  expect(tiles.reduce((sum, text) => sum + Number(text), 0)).toBeGreaterThan(0);
}
