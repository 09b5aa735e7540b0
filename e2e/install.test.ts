import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor } from './support/browser.ts';
import { TestCoordinator } from './support/coordinator.ts';

/** An installed page without a network: it opens, says so, and holds nothing but itself. */

let browser: Browser;
let coordinator: TestCoordinator;

beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

test('opens offline and keeps no data', { timeout: 120_000 }, async () => {
  const visitor = await Visitor.enter(browser);
  await visitor.page.goto(coordinator.url);
  await visitor.page.evaluate(async () => void (await navigator.serviceWorker.ready));
  // A second visit runs under the worker, which keeps what is loaded later.
  await visitor.page.reload({ waitUntil: 'networkidle' });
  await visitor.page.getByRole('button', { name: 'Share my GPU' }).waitFor();
  const kept = await visitor.page.evaluate(async () => (await (await caches.open('tessera-shell')).keys()).map(({ url }) => new URL(url).pathname));
  expect(kept).toContain('/');
  expect(kept.filter((path) => path !== '/' && !path.startsWith('/assets/'))).toEqual([]);
  expect(visitor.problems).toEqual([]);

  await visitor.context.setOffline(true);
  await visitor.page.getByText('This device is offline').waitFor();
  // Since version 150 Chromium tells new documents that they are online, whatever is emulated; that nothing answers they find out.
  const again = await visitor.context.newPage();
  await again.goto(`${coordinator.url}/`);
  await again.getByText('No connection to the coordinator').first().waitFor();
  await again.getByRole('link', { name: 'Contribute' }).waitFor();
  await visitor.leave();
});
