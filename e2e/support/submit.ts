import type { Page } from 'playwright';

/** What a story orders: pixels, samples a pixel and a title. */
interface Order {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly title: string;
}

/** Fills the submit page's form in, by its fields rather than its sliders. What is to be rendered is chosen already. */
export async function fillOrder(page: Page, { width, height, samples, title }: Order): Promise<void> {
  await page.getByText('Advanced').click();
  await page.getByLabel('Width, px').fill(String(width));
  await page.getByLabel('Height, px').fill(String(height));
  await page.getByLabel('Samples', { exact: true }).and(page.getByRole('spinbutton')).fill(String(samples));
  await page.getByLabel('Title').fill(title);
}

/** Orders what the form says for its price, and waits for the job's page. Returns the job's id. */
export async function order(page: Page): Promise<string> {
  await page.getByRole('button', { name: /^\w+ for .* test credits$/ }).click({ timeout: 30_000 });
  await page.waitForURL(/\/jobs\/j_/);
  return new URL(page.url()).pathname.split('/')[2] ?? '';
}
