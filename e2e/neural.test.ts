import type { Browser } from 'playwright';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import { jobOf, resultsOf, untilJob } from './support/job.ts';
import { patchEngine } from './support/patch.ts';
import { order } from './support/submit.ts';

/** Neural networks from the web form: pictures are labelled, one is enlarged, by two contributors of whom one lies. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const SIDE = 48;

/** Discs on stripes, smooth and with edges. */
function picture(): Buffer {
  const png = new PNG({ width: SIDE, height: SIDE });
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const isDisc = Math.hypot(x - 20, y - 26) < 14;
      const grey = isDisc ? 210 : 40 + 2 * x;
      png.data.set([grey, isDisc ? 90 : grey, 60, 255], (y * SIDE + x) * 4);
    }
  return PNG.sync.write(png);
}

const download = async (job: string, output: string): Promise<Buffer> => {
  const response = await fetch(`${coordinator.apiUrl}/api/jobs/${job}/files/${output}`);
  expect(response.status, output).toBe(200);
  return Buffer.from(await response.arrayBuffer());
};

test('a labelled set of pictures and an enlargement, ordered on the page, computed by an honest contributor and a liar', {
  timeout: 2 * WORK_MS_MAX,
}, async () => {
  const requester = await Visitor.enter(browser);
  const { page } = requester;
  await page.goto(`${coordinator.url}/submit?what=infer`);
  await page.getByRole('button', { name: /Which shape is it/ }).click();
  const labelling = await order(page);

  await page.goto(`${coordinator.url}/submit?what=upscale`);
  await page.getByLabel('Choose a file').setInputFiles({ name: 'disc.png', mimeType: 'image/png', buffer: picture() });
  const enlarging = await order(page);

  const liar = await Visitor.enter(browser);
  patchEngine(liar.page, 'nothing computed');
  await liar.page.goto(coordinator.url);
  await shareGpu(liar.page);
  for (const id of [labelling, enlarging]) await untilJob(coordinator, id, 'the liar is found out', ({ checksDone }) => checksDone.refuted > 0);
  await liar.page
    .getByText(/wrong when they were computed again/)
    .first()
    .waitFor();

  const honest = await Visitor.enter(browser);
  await honest.page.goto(coordinator.url);
  await shareGpu(honest.page);
  for (const id of [labelling, enlarging]) await untilJob(coordinator, id, 'it is done', ({ status }) => status === 'done');

  // What was computed: each picture is named after what it shows.
  const rows = (await download(labelling, 'csv')).toString('utf8').trim().split('\r\n').slice(1);
  const best = rows.map((row) => row.split(',')).filter(([, rank]) => rank === '1');
  expect(best).toHaveLength(48);
  expect(best.filter(([input = '', , , label = '-']) => input.startsWith(label)).length).toBeGreaterThanOrEqual(46);
  const [small, large] = [PNG.sync.read(picture()), PNG.sync.read(await download(enlarging, 'png'))];
  expect([large.width, large.height]).toEqual([2 * SIDE, 2 * SIDE]);
  let off = 0;
  for (let y = 0; y < 2 * SIDE; y++)
    for (let x = 0; x < 2 * SIDE; x++) off += Math.abs(large.data[(y * 2 * SIDE + x) * 4]! - small.data[((y >> 1) * SIDE + (x >> 1)) * 4]!) / (4 * SIDE * SIDE);
  expect(off).toBeGreaterThan(0.05);
  expect(off).toBeLessThan(8);

  // The page shows the labels as text.
  await page.goto(`${coordinator.url}/jobs/${labelling}`);
  await page
    .getByRole('cell', { name: /-1\.png$/ })
    .first()
    .waitFor();

  expect([...requester.problems, ...honest.problems]).toEqual([]);

  // Paid is who computed, and nothing else.
  const jobs = await Promise.all([labelling, enlarging].map((id) => jobOf(coordinator, id)));
  await coordinator.stop();
  const results = [labelling, enlarging].flatMap((id) => resultsOf(coordinator, id));
  const lied = new Set(results.filter(({ state }) => state === 'refuted').map(({ contributor }) => contributor));
  expect(lied.size).toBe(1);
  expect(results.filter(({ state, contributor }) => state === 'accepted' && lied.has(contributor))).toEqual([]);
  expect(results.filter(({ state, contributor }) => state === 'refuted' && !lied.has(contributor))).toEqual([]);
  expect(jobs.every(({ paidMicroCredits }) => BigInt(paidMicroCredits) > 0n)).toBe(true);
  for (const { sum, unexplained } of ledgerOf(coordinator)) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
});
