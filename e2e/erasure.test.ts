import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accountOf, launchBrowser, Visitor } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { injectWallet } from './support/wallet.ts';

/** Somebody has all that is his deleted while his GPU works, and comes back as somebody new. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

async function connect(page: Page): Promise<string> {
  await page.goto(`${coordinator.url}/account`);
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await page.getByText('Signed in as').waitFor();
  return (await accountOf(page)).owner;
}

test('the yes, the end of his engine, and nothing of him in the database', async () => {
  const visitor = await Visitor.enter(browser);
  const { page } = visitor;
  await page.goto(coordinator.url);
  await shareGpu(page);
  const account = await visitor.context.newPage();
  await injectWallet(account);
  const owner = await connect(account);
  await account.getByRole('button', { name: 'Delete my data' }).click();
  const dialog = account.getByRole('dialog');
  await dialog.getByText('What stays, and why').waitFor();
  const erase = dialog.getByRole('button', { name: 'Delete everything' });
  expect(await erase.isDisabled()).toBe(true);
  await dialog.getByLabel('Delete my data. I know that nobody can bring it back.').check();
  await erase.click();
  await account.getByText('Your data is deleted').waitFor();
  expect(await account.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('tessera.')))).toEqual([]);
  await page.getByText('The consent was withdrawn.').waitFor();
  await page.close();

  await account.getByRole('button', { name: 'Make a new account' }).click();
  expect(await connect(account)).toBe(owner);
  expect((await accountOf(account)).microCredits).toBe(0n);
  await account.getByText('None given.').waitFor();
  await account.getByRole('button', { name: 'Delete my data' }).click();
  await dialog.getByLabel('Delete my data. I know that nobody can bring it back.').check();
  await erase.click();
  await account.getByText('Your data is deleted').waitFor();
  await visitor.leave();
  await coordinator.stop();
  const tables = coordinator.rows<{ name: string }>("select name from sqlite_master where type = 'table'");
  const rows = tables.flatMap(({ name }) => coordinator.rows<object>(`select * from "${name}"`).map((row) => JSON.stringify(row)));
  expect(rows.filter((row) => row.includes('gone:')).length).toBeGreaterThan(0);
  expect(rows.filter((row) => row.includes(owner.slice('wallet:'.length)))).toEqual([]);
});
