import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor } from './support/browser.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { dropFiles } from './support/drop.ts';
import { roomGlb } from './support/glb.ts';
import { jobOf } from './support/job.ts';

/** From a file that is dropped to an order, without a manual; and what is dropped by mistake. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const room = { name: 'room.glb', bytes: roomGlb() };

const canvasOf = (page: Page) => page.getByRole('application', { name: 'Preview of the picture' });
const shown = (page: Page): Promise<void> => page.locator('[data-preview=shown]').waitFor({ timeout: 10_000 });

/** The same scene with so many more bytes: an unknown chunk, which glTF 2.0 (4.4.3) has readers ignore. */
function padded(glb: Buffer, bytes: number): Buffer {
  const chunk = Buffer.alloc(8 + bytes);
  chunk.writeUInt32LE(bytes, 0);
  chunk.write('PADS', 4, 'latin1');
  const whole = Buffer.concat([glb, chunk]);
  whole.writeUInt32LE(whole.byteLength, 8);
  return whole;
}

/** Different colours of what is seen of the preview. */
async function look(page: Page): Promise<{ colours: number; bytes: string }> {
  const bytes = await canvasOf(page).screenshot();
  const { data } = PNG.sync.read(bytes);
  const colours = new Set<number>();
  for (let at = 0; at < data.length; at += 4) colours.add(data.readUIntBE(at, 3));
  return { colours: colours.size, bytes: bytes.toString('base64') };
}

const price = async (page: Page): Promise<number> => {
  const button = page.getByRole('button', { name: /^Render for .* test credits$/ });
  await button.and(page.locator(':enabled')).waitFor({ timeout: 15_000 });
  return Number((await button.innerText()).split(' ')[2]);
};

/** Sets a slider to one of its stops, as a hand does. */
const slide = (page: Page, label: RegExp, stop: number): Promise<void> => page.getByRole('slider', { name: label }).fill(String(stop));

test('a file is dropped, seen, turned, priced and ordered', { timeout: 60_000 }, async () => {
  const visitor = await Visitor.enter(browser);
  const { page } = visitor;
  /** Scripts with three.js in them: nothing else of the preview is nearly so large. */
  const previews: string[] = [];
  page.on('response', async (response) => {
    if (!response.url().includes('/assets/preview-')) return;
    if ((await response.body()).length > 100_000) previews.push(response.url());
  });
  await page.goto(`${coordinator.url}/submit`);
  await page.getByText('Drop a .glb anywhere').waitFor();
  await page.getByRole('button', { name: /Kitchen at dusk/ }).waitFor();
  // Nobody pays for three.js before there is something to show.
  expect(previews).toEqual([]);

  const dropped = performance.now();
  await dropFiles(page, [room]);
  await shown(page);
  console.log(`submit: ${((performance.now() - dropped) / 1000).toFixed(2)} s from the drop to the preview`);
  await expect.poll(() => previews.length).toBeGreaterThan(0);
  const before = await look(page);
  expect(before.colours).toBeGreaterThan(100);
  expect(await page.getByLabel('Title').inputValue()).toBe('room');
  const first = await price(page);

  await canvasOf(page).focus();
  for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowUp', '+']) await page.keyboard.press(key);
  await page.getByRole('button', { name: 'Use the file’s camera' }).waitFor();
  await expect.poll(async () => (await look(page)).bytes).not.toBe(before.bytes);
  expect(await canvasOf(page).evaluate((canvas) => canvas === document.activeElement)).toBe(true);

  await slide(page, /^Quality: /, 0);
  await slide(page, /^Size: /, 1);
  await page.getByText('Quality: 16 samples a pixel').waitFor();
  await page.getByText('Size: 240 × 135 px').waitFor();
  await expect.poll(() => price(page), { timeout: 15_000 }).toBeLessThan(first / 20);

  await page.getByRole('button', { name: /^Render for / }).click();
  await page.waitForURL(/\/jobs\/j_/);
  await page.getByRole('heading', { name: 'room' }).waitFor();
  const { params } = await jobOf(coordinator, new URL(page.url()).pathname.split('/')[2] ?? '');
  expect(params).toMatchObject({ width: 240, height: 135, samples: 16, view: { fieldOfViewDegrees: expect.closeTo((0.75 * 180) / Math.PI, 3) } });
  const { position, target } = (params as { view: { position: number[]; target: number[] } }).view;
  expect(position[0]).toBeLessThan(-0.2);
  expect(target[0]).toBeCloseTo(0, 3);
  expect(visitor.problems).toEqual([]);
  await visitor.leave();
});

test('what is dropped by mistake is told, with what would do; the next file takes its place', { timeout: 60_000 }, async () => {
  const visitor = await Visitor.enter(browser, { viewport: { width: 390, height: 844 } });
  const { page } = visitor;
  await page.goto(`${coordinator.url}/submit`);
  await page.getByText('Drop a .glb anywhere').waitFor();
  await dropFiles(page, [{ name: 'photo.jpg', bytes: Buffer.from('no scene') }]);
  await page
    .getByRole('alert')
    .getByText(/photo\.jpg.? cannot be used here\. Accepted: \.glb \(glTF file\), \.hdr \(Environment map\)\.$/)
    .waitFor();

  await dropFiles(page, [{ name: `\u202E${'😀'.repeat(2500)}.glb`, bytes: Buffer.from('no scene, but of the right name') }]);
  await page.getByText('Nothing to show yet. This is not a binary glTF file').waitFor();
  await page.getByText('This is not a binary glTF file', { exact: false }).nth(1).waitFor();
  expect(await page.getByLabel('Title').inputValue()).toBe('😀'.repeat(80));
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);

  await dropFiles(page, [room]);
  await shown(page);
  await expect.poll(() => page.getByText('This is not a binary glTF file').count()).toBe(0);
  expect(await price(page)).toBeGreaterThan(0);

  // An example takes the place of everything, as if it had been dropped.
  await page.reload();
  await page.getByRole('button', { name: /Spheres from mirror to matte/ }).click();
  await shown(page);
  await page.getByText('Quality: 192 samples a pixel').waitFor();
  expect(await price(page)).toBeGreaterThan(0);
  // The refusal that the broken file was to get is all that its console complains of.
  expect(visitor.problems.filter((text) => !text.includes('422'))).toEqual([]);
  await visitor.leave();
});

test('an upload goes on over a broken network and a reload; where nobody is online the quote says what helps', { timeout: 60_000 }, async () => {
  const visitor = await Visitor.enter(browser);
  const { page, context } = visitor;
  /** Where each piece that was sent began. */
  const offsets: number[] = [];
  let broken = true;
  await context.route('**/api/uploads/*', async (route) => {
    const offset = route.request().headers()['upload-offset'];
    if (broken && offset !== '0') return route.abort('connectionreset');
    if (offset !== undefined) offsets.push(Number(offset));
    return route.continue();
  });
  // More than one piece: bytes after the scene, in a chunk that readers of glTF pass over.
  const folder = mkdtempSync(join(tmpdir(), 'tessera-upload-'));
  const file = join(folder, 'room.glb');
  writeFileSync(file, padded(room.bytes, 1_000_000));
  await page.goto(`${coordinator.url}/submit`);
  await page.getByLabel('Choose a file').setInputFiles(file);
  await page.getByText(/^\d+ % uploaded\. Waiting for the network; it goes on by itself\.$/).waitFor();
  const before = Number((await page.getByText(/% uploaded/).innerText()).split(' ')[0]);
  expect(before).toBeGreaterThan(0);

  await page.reload();
  broken = false;
  await page.getByLabel('Choose a file').setInputFiles(file);
  expect(await price(page)).toBeGreaterThan(0);
  // Each byte was sent once.
  expect(offsets.filter((offset) => offset === 0)).toHaveLength(1);
  expect(new Set(offsets).size).toBe(offsets.length);

  await page.getByText('Nobody is online who could compute it.', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Copy the command' }).waitFor();
  const own = page.getByRole('link', { name: 'Share your own GPU' });
  const [tab] = await Promise.all([context.waitForEvent('page'), own.click()]);
  await tab.getByRole('button', { name: 'Share my GPU' }).waitFor();
  await visitor.leave();
  rmSync(folder, { recursive: true });
});

test('without WebGL there is no preview, and the order works all the same', { timeout: 60_000 }, async () => {
  const visitor = await Visitor.enter(browser);
  const { page } = visitor;
  await page.addInitScript('HTMLCanvasElement.prototype.getContext = () => null;');
  await page.goto(`${coordinator.url}/submit`);
  await page.getByLabel('Choose a file').setInputFiles({ name: 'room.glb', mimeType: 'model/gltf-binary', buffer: room.bytes });
  await page.getByText('This browser gives no WebGL. The order works all the same.').waitFor();
  expect(await price(page)).toBeGreaterThan(0);
  await visitor.leave();
});
