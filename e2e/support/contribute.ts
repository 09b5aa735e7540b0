import type { Locator, Page } from 'playwright';

/** What the heading says while sharing. */
export const status = (page: Page, title: 'Your GPU is working' | 'Waiting for work' | 'Paused' | 'Reconnecting'): Locator =>
  page.getByRole('heading', { name: title, exact: true });

/** Presses the one big button, and agrees to the software renderer that test machines have. */
export async function agreeToShare(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Share my GPU' }).click();
  await page.getByRole('button', { name: 'Use the software renderer anyway' }).click();
}

/** The same, until it shares. */
export async function shareGpu(page: Page): Promise<void> {
  await agreeToShare(page);
  await status(page, 'Your GPU is working').or(status(page, 'Waiting for work')).waitFor();
}

/** Presses Stop, and waits until everything was handed in or given back. */
export async function stopSharing(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Stop' }).last().click();
  await page.getByRole('button', { name: 'Share my GPU' }).waitFor();
}

/** The yes in the window that the card of another site opens; it closes by itself. */
export async function shareGpuByCard(asked: Page): Promise<void> {
  await asked.getByRole('button', { name: 'Yes, share my GPU' }).click();
  const closed = asked.waitForEvent('close');
  await asked.getByRole('button', { name: 'Use the software renderer anyway' }).click();
  await closed;
}
