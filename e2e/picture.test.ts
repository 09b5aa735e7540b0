import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accountOf, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { ledgerOf, referencePng, TestCoordinator } from './support/coordinator.ts';
import { roomGlb } from './support/glb.ts';
import { jobOf, untilJob } from './support/job.ts';
import { comparePictures } from './support/picture.ts';
import { fillOrder, order } from './support/submit.ts';
import { injectWallet } from './support/wallet.ts';

/** From a file in a form to a picture and a paid wallet, by three people in three browsers. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start(undefined, { VESTING_SECONDS: '6' })]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const model = roomGlb();
/** Far more than this coordinator is told. */
const VESTING_MS_MAX = 40_000;

async function submitByForm(page: Page): Promise<string> {
  await page.goto(`${coordinator.url}/submit`);
  await page.getByLabel('Choose a file').setInputFiles({ name: 'room.glb', mimeType: 'model/gltf-binary', buffer: model });
  await fillOrder(page, { width: 64, height: 48, samples: 64, title: 'A small room' });
  await page.getByLabel('Bounces').fill('4');
  return order(page);
}

async function connectWallet(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByRole('button', { name: `Connect ${name}` }).click();
  await page.getByText('Signed in as').waitFor();
}

test('one submits a file, one contributes with a wallet, one watches', { timeout: 2 * WORK_MS_MAX }, async () => {
  const [requester, contributor, viewer] = await Promise.all([Visitor.enter(browser), Visitor.enter(browser), Visitor.enter(browser)]);
  const wallet = await injectWallet(contributor.page);

  const id = await submitByForm(requester.page);
  expect((await jobOf(coordinator, id)).params).toMatchObject({ scene: 'file', width: 64, height: 48, samples: 64, bounces: 4, lighting: 'auto' });

  await viewer.page.goto(`${coordinator.url}/jobs/${id}`);
  await viewer.page.getByRole('heading', { name: 'A small room' }).waitFor();
  const bar = viewer.page.getByRole('progressbar', { name: 'Accepted parts' });
  await expect.poll(() => bar.getAttribute('aria-valuenow')).toBe('0');

  // The contributor begins as a guest, and signs in with earnings already there: they move to the wallet.
  await contributor.page.goto(coordinator.url);
  await shareGpu(contributor.page);
  await untilJob(coordinator, id, 'first parts are paid', ({ paidMicroCredits }) => BigInt(paidMicroCredits) > 0n);
  const guest = await accountOf(contributor.page);
  expect(guest.wallet).toBe(null);
  expect(guest.owner).toMatch(/^device:/);
  await connectWallet(contributor.page, wallet.name);
  expect(await contributor.page.getByText(wallet.address).isVisible()).toBe(true);

  const done = await untilJob(coordinator, id, 'the job is done', ({ status }) => status === 'done');
  expect(done.parts.accepted).toBe(done.parts.total);
  expect(done.checksDone.refuted).toBe(0);
  expect(done.checksDone.cpu).toBeGreaterThanOrEqual(64 * done.grid.passes * done.grid.tiles);
  expect(done.checksDone.errorBound).toBeGreaterThan(0);
  expect(done.checksDone.errorBound).toBeLessThan(1e-3);

  // The viewer, who never reloaded, sees it done and downloads it.
  await expect.poll(() => bar.getAttribute('aria-valuenow'), { timeout: 10_000 }).toBe('100');
  const [download] = await Promise.all([viewer.page.waitForEvent('download'), viewer.page.getByRole('link', { name: /Download PNG, 8 bit/ }).click()]);
  const png = readFileSync(await download.path());
  const difference = comparePictures(png, await referencePng(done.params, done.seed, model));
  expect(difference.colours).toBeGreaterThan(100);
  expect(difference.closeShare).toBeGreaterThanOrEqual(0.99);
  expect(difference.mean).toBeLessThanOrEqual(0.5);

  // Everything the job paid goes to the wallet once it has vested, also what the guest had earned before.
  await expect.poll(async () => (await accountOf(contributor.page)).microCredits, { timeout: VESTING_MS_MAX }).toBe(BigInt(done.paidMicroCredits));
  const paid = await accountOf(contributor.page);
  expect(paid).toEqual({ owner: `wallet:${wallet.address}`, wallet: wallet.address, microCredits: BigInt(done.paidMicroCredits) });
  expect(paid.microCredits).toBeGreaterThan(0n);
  await contributor.page.goto(`${coordinator.url}/account`);
  await contributor.page.getByText(/ granted, .* earned/).waitFor();
  await contributor.page.getByRole('cell').first().waitFor();
  const rows = contributor.page.getByRole('row');
  for (const older = contributor.page.getByRole('button', { name: 'Show older rows' }); await older.isVisible(); ) {
    const shown = await rows.count();
    await older.click();
    await expect.poll(() => rows.count()).toBeGreaterThan(shown);
  }
  const amounts = await rows
    .getByRole('cell')
    .filter({ hasText: /^[+−-]\d/ })
    .allInnerTexts();
  expect(amounts.length).toBeGreaterThan(2);
  expect(
    amounts.reduce((sum, text) => sum + Math.round(Number.parseFloat(text.replace('−', '-')) * 1e6), 0),
    amounts.join(' '),
  ).toBe(Number(paid.microCredits));

  expect([...requester.problems, ...contributor.problems, ...viewer.problems]).toEqual([]);
  await Promise.all([requester.leave(), contributor.leave(), viewer.leave()]);
  await coordinator.stop();
  const books = ledgerOf(coordinator);
  expect(books.map(({ unit }) => unit)).toContain('test');
  for (const { sum, unexplained, transfers } of books) {
    expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
    expect(transfers).toBeGreaterThan(0);
  }
});
