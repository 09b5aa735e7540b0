import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor } from './support/browser.ts';
import { TestCoordinator } from './support/coordinator.ts';

/** Everything that a coordinator says it can compute can be chosen, linked and priced on its pages, on a phone as well. */

interface Workload {
  readonly id: string;
  readonly title: string;
  readonly defaults: Readonly<Record<string, string>>;
  readonly fields: readonly {
    readonly kind: string;
    readonly required?: boolean;
    readonly when?: { readonly field: string; readonly is: readonly string[] };
  }[];
}
interface Example {
  readonly workload: string;
  readonly title: string;
}

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const ask = async <T>(path: string): Promise<T> => (await fetch(coordinator.apiUrl + path)).json() as Promise<T>;

/** As the description of the API says: nothing can be ordered without it, while the field is used. */
const needsFile = ({ fields, defaults }: Workload): boolean =>
  fields.some(({ required, when }) => required && (!when || when.is.includes(defaults[when.field] ?? '')));

test('each kind of job is chosen on its card, remembered by the address, and priced from an example or without a file', { timeout: 60_000 }, async () => {
  const { workloads } = await ask<{ workloads: Workload[] }>('/api/workloads');
  const { examples } = await ask<{ examples: Example[] }>('/api/examples');
  const visitor = await Visitor.enter(browser, { viewport: { width: 390, height: 844 } });
  const { page } = visitor;
  await page.goto(`${coordinator.url}/submit`);
  // The first is chosen already: it comes last.
  for (const { id, title } of workloads.length > 1 ? [...workloads.slice(1), ...workloads.slice(0, 1)] : []) {
    await page.getByRole('radio', { name: title }).check();
    await page.waitForURL(`**/submit?what=${id}`);
  }
  for (const workload of workloads) {
    const verb = workload.title.split(' ')[0];
    const price = page.getByRole('button', { name: new RegExp(`^${verb} for .* test credits$`) }).and(page.locator(':enabled'));
    await page.goto(`${coordinator.url}/submit?what=${workload.id}`);
    const example = examples.find((each) => each.workload === workload.id);
    await page.getByRole('button', { name: example?.title ?? '' }).click();
    await page.getByRole('heading', { name: workload.title }).waitFor();
    await price.waitFor({ timeout: 20_000 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await page.reload();
    const plain = page.getByRole('button', { name: /^Start/ });
    await page.getByRole('button', { name: example?.title ?? '' }).waitFor();
    expect(await plain.count()).toBe(needsFile(workload) ? 0 : 1);
    if (needsFile(workload)) continue;
    await plain.click();
    await price.waitFor({ timeout: 20_000 });
  }
  expect(visitor.problems).toEqual([]);
  await visitor.leave();
});
