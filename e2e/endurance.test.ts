import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { ledgerOf, referencePng, TestCoordinator } from './support/coordinator.ts';
import { jobOf, type ResultRow, resultsOf, submitJob, untilJob } from './support/job.ts';
import { Liar } from './support/liar.ts';
import { comparePictures } from './support/picture.ts';

/** A tab closes, a liar joins, the power fails: the picture is finished all the same, and nobody is paid for nothing. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

const params = { scene: 'cornell', width: 96, height: 64, samples: 96, bounces: 4, lighting: 'auto', layers: 'none' };
/** Tiles of this picture are 16 pixels wide and high. */
const TILE_PIXELS = 256;

const kept = ({ state }: ResultRow): boolean => state === 'committed' || state === 'accepted';

/** Results in `later` that compute a part which `acknowledged` already has. */
function repeated(acknowledged: readonly ResultRow[], later: readonly ResultRow[]): ResultRow[] {
  const has = new Map<string, number>();
  const key = ({ pass, tile }: ResultRow): string => `${pass}/${tile}`;
  for (const row of acknowledged) has.set(key(row), (has.get(key(row)) ?? 0) | row.parts);
  return later.filter((row) => ((has.get(key(row)) ?? 0) & row.parts) !== 0);
}

test('a tab closes, a liar joins, the coordinator is killed', { timeout: 3 * WORK_MS_MAX }, async () => {
  const { id } = await submitJob(coordinator, { workload: 'render', params, files: {}, title: 'Through thick and thin', visibility: 'public', seed: 7 });

  // The first contributor's tab closes in mid-tile.
  const first = await Visitor.enter(browser);
  await first.page.goto(coordinator.url);
  await shareGpu(first.page);
  const begun = await untilJob(coordinator, id, 'some parts accepted, others in work', ({ parts }) => parts.accepted >= 12 && parts.leased > 0);
  expect(begun.status).toBe('open');
  await first.leave();

  // A liar takes a tile and is found out; after that it gets none.
  const liar = await Liar.join(coordinator, ['render']);
  // Not before the coordinator has noticed that the first is gone: until then the rest of the job is his.
  await expect.poll(() => liar.lie(TILE_PIXELS), { timeout: 30_000 }).toBe(true);
  await expect.poll(() => liar.verdicts.length, { timeout: 30_000 }).toBe(1);
  expect(liar.verdicts[0]).toMatchObject({ verdict: 'refuted', microCredits: '0' });
  expect(await liar.lie(TILE_PIXELS)).toBe(false);
  const refuted = await jobOf(coordinator, id);
  expect(refuted.checksDone.refuted).toBe(1);
  expect(refuted.status).toBe('open');
  liar.leave();

  // A second contributor works on; the coordinator dies at an arbitrary moment and comes back.
  const second = await Visitor.enter(browser);
  await second.page.goto(coordinator.url);
  await shareGpu(second.page);
  const middle = refuted.parts.accepted + Math.ceil((refuted.parts.total - refuted.parts.accepted) / 3);
  const before = await untilJob(coordinator, id, 'a third of the rest is accepted', ({ parts }) => parts.accepted >= middle);
  expect(before.status).toBe('open');
  await coordinator.kill();
  const atKill = resultsOf(coordinator, id);
  // What is not opened stays with who can open it: of the first, who is gone, only what was accepted lasts.
  const gone = atKill[0]?.contributor;
  const acknowledged = atKill.filter((row) => kept(row) && row.contributor !== liar.id && (row.state === 'accepted' || row.contributor !== gone));
  expect(acknowledged.length).toBeGreaterThan(0);
  await second.page.getByRole('heading', { name: 'Reconnecting' }).waitFor();
  await coordinator.startAgain();

  const done = await untilJob(coordinator, id, 'the job is done', ({ status }) => status === 'done');
  expect(done.parts.accepted).toBe(done.parts.total);
  // What was found wrong before the kill is not forgotten.
  expect(done.checksDone.refuted).toBe(1);
  expect(await liar.earned()).toBe(0n);
  const png = Buffer.from(await (await fetch(`${coordinator.apiUrl}/api/jobs/${id}/files/png`)).arrayBuffer());
  await second.leave();
  await coordinator.stop();

  // What was acknowledged before the kill is in the picture, and nothing of it was computed again.
  const results = resultsOf(coordinator, id);
  const byId = new Map(results.map((row) => [row.id, row]));
  expect(acknowledged.map((row) => byId.get(row.id)?.state)).toEqual(acknowledged.map(() => 'accepted'));
  expect(results.slice(0, atKill.length).map(({ id }) => id)).toEqual(atKill.map(({ id }) => id));
  expect(repeated(acknowledged, results.slice(atKill.length))).toEqual([]);
  const liarRows = results.filter(({ contributor }) => contributor === liar.id);
  expect(liarRows.map(({ state }) => state)).toEqual(['refuted']);
  for (const { sum, unexplained } of ledgerOf(coordinator)) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });

  const difference = comparePictures(png, await referencePng(params, 7, null));
  expect(difference.closeShare).toBeGreaterThanOrEqual(0.99);
  expect(difference.mean).toBeLessThanOrEqual(0.5);
});
