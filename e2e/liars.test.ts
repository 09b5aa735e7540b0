import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchAs, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import { jobOf, resultsOf, submitJob, untilJob } from './support/job.ts';
import { type Lie, lies, patchEngine } from './support/patch.ts';

/** Pages that were patched to lie earn nothing and are told so; an honest page beside them loses nothing. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

interface Account {
  readonly balances: readonly { readonly earnedMicroCredits: string; readonly vestingMicroCredits: string }[];
}

/** What a visitor has, and what it will have. */
async function earningsOf(visitor: Visitor): Promise<bigint> {
  const { balances } = await fetchAs<Account>(visitor.page, '/api/account');
  return balances.reduce((sum, { earnedMicroCredits, vestingMicroCredits }) => sum + BigInt(earnedMicroCredits) + BigInt(vestingMicroCredits), 0n);
}

/** A visitor with a patched page, until it was found out. What it had earned before must be gone. */
async function lieUntilFound(job: string, lie: Lie): Promise<void> {
  const before = (await jobOf(coordinator, job)).checksDone.refuted;
  const visitor = await Visitor.enter(browser);
  patchEngine(visitor.page, lie);
  await visitor.page.goto(coordinator.url);
  await shareGpu(visitor.page);
  await untilJob(coordinator, job, `${lie}: found out`, ({ checksDone }) => checksDone.refuted > before);
  await visitor.page
    .getByText(/wrong when they were computed again/)
    .first()
    .waitFor();
  expect(await earningsOf(visitor), lie).toBe(0n);
  await visitor.leave();
}

test('five ways of lying, and an honest page beside them', { timeout: 3 * WORK_MS_MAX }, async () => {
  const params = { scene: 'cornell', width: 160, height: 128, samples: 512, bounces: 5, lighting: 'auto', layers: 'none' };
  const { id } = await submitJob(coordinator, { workload: 'render', params, files: {}, title: 'Among liars', visibility: 'public', seed: 11 });

  const honest = await Visitor.enter(browser);
  await honest.page.goto(coordinator.url);
  await shareGpu(honest.page);
  await untilJob(coordinator, id, 'the honest page has results accepted', ({ parts }) => parts.accepted >= 4);
  // It goes on, and leaves the liars most of a machine that has no GPU.
  await honest.page.getByRole('slider', { name: /^Power/ }).fill('10');
  for (const lie of Object.keys(lies) as Lie[]) await lieUntilFound(id, lie);

  const job = await jobOf(coordinator, id);
  expect(job.status).toBe('open');
  expect(job.checksDone.refuted).toBe(Object.keys(lies).length);
  const earnings = await earningsOf(honest);
  expect(earnings).toBeGreaterThan(0n);
  await honest.page.getByRole('main').getByRole('button', { name: 'Stop' }).click();
  const stopped = await untilJob(coordinator, id, 'nothing is leased or being checked', ({ parts }) => parts.leased === 0 && parts.checking === 0);
  // Nobody but the honest page was paid, and none of its results was refuted or taken back.
  expect(await earningsOf(honest)).toBe(BigInt(stopped.paidMicroCredits));
  expect(honest.problems).toEqual([]);
  await honest.leave();
  await coordinator.stop();
  const rows = resultsOf(coordinator, id);
  const refuted = new Set(rows.filter(({ state }) => state === 'refuted').map(({ contributor }) => contributor));
  expect(refuted.size).toBe(Object.keys(lies).length);
  expect(rows.filter(({ state, contributor }) => state === 'accepted' && refuted.has(contributor))).toEqual([]);
  expect(rows.filter(({ state, contributor }) => state !== 'accepted' && !refuted.has(contributor))).toEqual([]);
  for (const { sum, unexplained } of ledgerOf(coordinator)) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
});
