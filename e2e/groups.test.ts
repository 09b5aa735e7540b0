import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchAs, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import type { Job } from './support/job.ts';
import { fillOrder } from './support/submit.ts';

/** A private swarm: one invites, one joins by the link and computes, a stranger sees nothing of it, and no money moves. */

let browser: Browser;
let coordinator: TestCoordinator;
beforeAll(async () => {
  [browser, coordinator] = await Promise.all([launchBrowser(), TestCoordinator.start()]);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
});

async function makeGroup(page: Page): Promise<string> {
  await page.goto(`${coordinator.url}/groups`);
  await page.getByLabel('Name').fill('Night studio');
  await page.getByRole('button', { name: 'Make group' }).click();
  await page.getByRole('button', { name: 'Make an invite link' }).click();
  return page.getByLabel('Invite link').inputValue();
}

async function joinBy(page: Page, link: string): Promise<void> {
  const requested: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(link);
  await page.getByRole('heading', { name: 'Join Night studio?' }).waitFor();
  await page.getByLabel('Your name in the group').fill('Ben');
  await page.getByRole('button', { name: 'Join Night studio' }).click();
  await page.getByRole('heading', { name: 'You are in Night studio' }).waitFor();
  // The code is a secret: it stands in no address that anything on the way could log.
  const code = new URL(link).hash.slice(1);
  expect(code).toHaveLength(60);
  expect(requested.filter((url) => new URL(url).pathname.includes(code) || new URL(url).search.includes(code))).toEqual([]);
  await page.getByRole('button', { name: 'Go on to share my GPU' }).click();
}

async function submitToGroup(page: Page): Promise<string> {
  await page.goto(`${coordinator.url}/submit`);
  await page.getByRole('button', { name: /Cornell box/ }).click();
  await fillOrder(page, { width: 32, height: 32, samples: 16, title: 'For us alone' });
  await page.getByText('My group only').click();
  await page.getByText('Costs nothing: the members of your group compute it').waitFor();
  await page.getByRole('button', { name: 'Render with my group' }).click();
  await page.waitForURL(/\/jobs\/j_/);
  return new URL(page.url()).pathname.split('/')[2] ?? '';
}

test('a group computes its own picture, for thanks', { timeout: 2 * WORK_MS_MAX }, async () => {
  const [owner, member, stranger] = await Promise.all([Visitor.enter(browser), Visitor.enter(browser), Visitor.enter(browser)]);
  const link = await makeGroup(owner.page);
  await joinBy(member.page, link);
  const grantBefore = await fetchAs<{ balances: unknown }>(owner.page, '/api/account');
  const id = await submitToGroup(owner.page);

  // The stranger shares a GPU too, and has the address of the job: neither helps.
  await stranger.page.goto(coordinator.url);
  await shareGpu(stranger.page);
  await shareGpu(member.page);
  const view = (): Promise<Job> => fetchAs<Job>(owner.page, `/api/jobs/${id}`);
  await expect.poll(async () => (await view()).status, { timeout: WORK_MS_MAX, interval: 250 }).toBe('done');
  expect(await view()).toMatchObject({ heldMicroCredits: '0', paidMicroCredits: '0', checksDone: { refuted: 0 } });
  await member.page.getByText(/^\d+ tiles? for Night studio: thanks$/).waitFor({ timeout: 10_000 });
  await owner.page.getByText(/^1 member of Night studio computed \d+ tiles?\. Only the group sees it, and nobody pays\.$/).waitFor({ timeout: 10_000 });
  expect(await fetchAs(owner.page, '/api/account')).toMatchObject({ balances: grantBefore.balances });
  await stranger.page.getByRole('heading', { name: 'Waiting for work' }).waitFor();
  await stranger.page.goto(`${coordinator.url}/jobs/${id}`);
  await stranger.page.getByRole('heading', { name: 'There is no such job' }).waitFor();
  // The refusals that the stranger was to get are the only thing that its console complains of.
  expect(stranger.problems.filter((text) => !text.includes('404'))).toEqual([]);
  expect([...owner.problems, ...member.problems]).toEqual([]);

  await Promise.all([owner.leave(), member.leave(), stranger.leave()]);
  await coordinator.stop();
  for (const { sum, unexplained } of ledgerOf(coordinator)) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
  expect(coordinator.rows('select id from transfers where job = ?', id)).toEqual([]);
  const contributors = coordinator.rows<{ contributor: string; state: string }>('select distinct contributor, state from results where job = ?', id);
  expect(contributors.map(({ state }) => state)).toEqual(['accepted']);
});
