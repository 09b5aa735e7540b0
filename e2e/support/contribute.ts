import type { Page } from 'playwright';

/** Presses the one big button, and agrees to the software renderer that test machines have. */
export async function shareGpu(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Share my GPU' }).click();
  await page.getByRole('button', { name: 'Use the software renderer anyway' }).click();
  await page
    .getByRole('heading', { name: 'Your GPU is working' })
    .or(page.getByRole('heading', { name: 'Waiting for work' }))
    .waitFor();
}

/** The same in the window that the card of another site opens; it closes by itself. */
export async function shareGpuByCard(asked: Page): Promise<void> {
  await asked.getByRole('button', { name: 'Yes, share my GPU' }).click();
  const closed = asked.waitForEvent('close');
  await asked.getByRole('button', { name: 'Use the software renderer anyway' }).click();
  await closed;
}
