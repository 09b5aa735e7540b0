import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor } from './support/browser.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { jobOf } from './support/job.ts';

/** A requester with a program of his own: he reads the reference, makes a key, and a page of another site orders with it. */

let browser: Browser;
let coordinator: TestCoordinator;
let elsewhere: Server;
let elsewhereUrl = '';
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
  elsewhere = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>Elsewhere</title>'));
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  elsewhereUrl = `http://elsewhere.localhost:${(elsewhere.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  await browser.close();
  elsewhere.close();
  await coordinator.dispose();
});

const small = { scene: 'cornell', width: 32, height: 32, samples: 4, bounces: 2, lighting: 'auto', layers: 'none' };
const large = { ...small, width: 1024, height: 1024, samples: 1024 };

interface Told {
  readonly id?: string;
  readonly code?: string;
  readonly field?: string;
  readonly status?: number;
}

/** What is used here of `/sdk.js`, as its reader knows it from the reference. */
interface Sdk {
  readonly Tessera: new (options: { server: string; key: string }) => { submit(order: object): Promise<{ id: string }> };
}

/** A page of another site, which imports the client of the API from the coordinator. */
async function openElsewhere(): Promise<Visitor> {
  const visitor = await Visitor.enter(browser);
  await visitor.page.goto(elsewhereUrl);
  await visitor.page.addScriptTag({ type: 'module', content: `import { Tessera } from '${coordinator.apiUrl}/sdk.js'; Object.assign(window, { Tessera });` });
  await visitor.page.waitForFunction('window.Tessera');
  return visitor;
}

/** What it is told of an order. */
function orderBySdk(page: Page, key: string, params: object): Promise<Told> {
  return page.evaluate(
    async ({ server, key, params }) => {
      const { Tessera } = window as unknown as Sdk;
      const tessera = new Tessera({ server, key });
      try {
        const { id } = await tessera.submit({ workload: 'render', params, files: {}, title: 'From elsewhere', visibility: 'unlisted' });
        return { id };
      } catch (error) {
        const { code, field, status } = error as { code: string; field: string; status: number };
        return { code, field, status };
      }
    },
    { server: coordinator.apiUrl, key, params },
  );
}

test('a key that is made on the page orders from elsewhere, within its budget and until it is revoked', async () => {
  const visitor = await Visitor.enter(browser);
  const { page } = visitor;
  await page.goto(`${coordinator.url}/account`);
  await page.getByLabel('Name of the key').fill('Render farm');
  await page.getByLabel('Budget, credits').fill('1.5 million');
  expect(await page.getByRole('button', { name: 'Make key' }).isEnabled()).toBe(false);
  await page.getByLabel('Budget, credits').fill('0.05');
  await page.getByRole('button', { name: 'Make key' }).click();
  const key = await page.getByText(/^tk_[\w-]{16}\.\S+$|^tk_\S{30,}$/).innerText();
  await page.getByRole('button', { name: 'I have it' }).click();
  await expect.poll(() => page.getByText(key, { exact: true }).count()).toBe(0);

  const other = await openElsewhere();
  const made = await orderBySdk(other.page, key, small);
  expect(await jobOf(coordinator, made.id ?? '')).toMatchObject({ status: 'open' });
  expect(await orderBySdk(other.page, key, large)).toMatchObject({ code: 'insufficient_credits', field: 'budget' });
  expect(await orderBySdk(other.page, `${key.slice(0, -4)}AAAA`, small)).toMatchObject({ status: 401 });

  await page.reload();
  await page.getByText(/of 0\.05 credits/).waitFor();
  await page.getByRole('button', { name: 'Revoke Render farm' }).click();
  await page.getByText(/^Revoked/).waitFor();
  expect(await orderBySdk(other.page, key, small)).toMatchObject({ status: 401 });
  expect(visitor.problems).toEqual([]);
  await Promise.all([visitor.leave(), other.leave()]);
});

test('a webhook to an address that only the coordinator can reach is refused beside its field', async () => {
  const visitor = await Visitor.enter(browser);
  const { page } = visitor;
  await page.goto(`${coordinator.url}/account`);
  const address = page.getByRole('textbox', { name: 'Address' });
  await address.fill('https://127.0.0.1/hooks');
  await page.getByRole('button', { name: 'Add webhook' }).click();
  const said = page.locator(`#${await address.getAttribute('aria-describedby').then((ids) => ids?.split(' ').at(-1))}`);
  await expect.poll(() => said.innerText()).toMatch(/private|public/);
  expect(await address.getAttribute('aria-invalid')).toBe('true');
  await visitor.leave();
});

test('the reference has every operation at an address of its own, with a command to copy', async () => {
  const visitor = await Visitor.enter(browser, { viewport: { width: 390, height: 844 } });
  const { page } = visitor;
  await page.goto(`${coordinator.url}/account`);
  await page.getByRole('link', { name: 'How to use it' }).click();
  await page.getByRole('heading', { name: 'API', level: 1 }).waitFor();
  await page.getByRole('navigation', { name: 'Operations' }).getByRole('link', { name: 'Submit a job' }).click();
  const operation = page.getByRole('article').filter({ has: page.getByRole('heading', { name: 'Submit a job' }) });
  await expect.poll(async () => Math.abs((await operation.boundingBox())?.y ?? Number.NaN)).toBeLessThan(100);
  expect(await operation.getByLabel('Example with curl').innerText()).toContain(`curl -X POST ${coordinator.url}/api/jobs`);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(visitor.problems).toEqual([]);
  await visitor.leave();
});
