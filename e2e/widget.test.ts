import type { Browser, Frame, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accountOf, fetchAs, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpuByCard } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import { jobOf, submitJob, untilJob } from './support/job.ts';
import { cardIn as cardOf, Museum, registerSite } from './support/museum.ts';

/** A museum's page on another site carries the card: from the yes to split earnings to Stop. */

const SHARE_PERCENT = 40;
/** Twice what the coordinator of these stories is told. */
const VESTING_MS_MAX = 40_000;

let browser: Browser;
let coordinator: TestCoordinator;
let museum: Museum;
const listening = `<script>window.states = []; addEventListener('tessera-state', (event) => states.push(event.detail));</script>`;

beforeAll(async () => {
  // Owner and visitor have one address here, and a site cannot be its own visitors: in a private swarm addresses tell nothing.
  [browser, coordinator, museum] = await Promise.all([
    launchBrowser(),
    TestCoordinator.start('app.localhost', { PRIVATE_SWARM: 'on', VESTING_SECONDS: '6' }),
    Museum.open(),
  ]);
});
afterAll(async () => {
  await browser.close();
  museum.close();
  await coordinator.dispose();
});

const cardIn = (page: Page): Frame | undefined => cardOf(page, coordinator);

async function siteEarned(owner: Page): Promise<bigint> {
  const { sites } = await fetchAs<{ sites: { earnedMicroCredits: string }[] }>(owner, '/api/sites');
  return BigInt(sites[0]?.earnedMicroCredits ?? '-1');
}

test('from consent to split earnings to stop', { timeout: 2 * WORK_MS_MAX }, async () => {
  const params = { scene: 'cornell', width: 256, height: 192, samples: 256, bounces: 4, lighting: 'auto', layers: 'none' };
  const { id } = await submitJob(coordinator, { workload: 'render', params, files: {}, title: 'For the museum', visibility: 'public' });
  const [owner, visitor] = await Promise.all([Visitor.enter(browser), Visitor.enter(browser)]);
  const { snippet } = await registerSite(owner.page, coordinator, museum, SHARE_PERCENT);
  museum.pages.set('/', { html: `<h1>Museum of small things</h1>${snippet}${listening}` });
  museum.pages.set('/module', { html: `${snippet.replace('<script ', '<script type="module" ')}${listening}` });
  expect(snippet).toContain(`${coordinator.url}/widget.js`);

  // Nothing runs before the visitor agrees.
  const sockets: string[] = [];
  visitor.page.on('websocket', (socket) => sockets.push(socket.url()));
  await visitor.page.goto(museum.url());
  await expect.poll(() => cardIn(visitor.page)?.url() ?? visitor.problems.join('\n'), { timeout: 10_000 }).toContain('/widget/frame?site=');
  const card = cardIn(visitor.page) as Frame;
  await card.getByText(`${SHARE_PERCENT} % of what it earns goes to this site`).waitFor();
  expect(sockets).toEqual([]);
  expect((await jobOf(coordinator, id)).parts.leased).toBe(0);

  // The question is asked in a window of the coordinator's own origin.
  const [asked] = await Promise.all([visitor.context.waitForEvent('page'), card.getByRole('button', { name: 'Help' }).click()]);
  expect(new URL(asked.url()).origin).toBe(coordinator.url);
  await asked.getByRole('heading', { name: 'Share your GPU with Museum of small things?' }).waitFor();
  expect(await asked.getByText(`${SHARE_PERCENT} % go to the site`).isVisible()).toBe(true);
  expect((await jobOf(coordinator, id)).parts.leased).toBe(0);
  const power = asked.getByLabel(/How much/);
  expect(await power.inputValue()).toBe('50');
  await power.fill('80');
  await shareGpuByCard(asked);

  // It runs, and says so.
  await card.getByText('Running').waitFor();
  await untilJob(coordinator, id, 'some tiles are accepted', ({ parts }) => parts.accepted >= 16);
  await expect.poll(() => visitor.page.evaluate('states.at(-1)?.state'), { timeout: 15_000 }).toBe('running');
  // The site's share vests with the visitor's pay.
  await expect.poll(() => siteEarned(owner.page), { timeout: VESTING_MS_MAX }).toBeGreaterThan(0n);

  // Stop stops.
  await card.getByRole('button', { name: 'Stop' }).click();
  await card.getByText(/Stopped after [1-9]/).waitFor();
  const stopped = await untilJob(coordinator, id, 'nothing is leased or being checked', ({ parts }) => parts.leased === 0 && parts.checking === 0);
  expect(stopped.status).toBe('open');
  await visitor.page.waitForTimeout(3_000);
  expect((await jobOf(coordinator, id)).parts).toEqual(stopped.parts);
  expect(await visitor.page.evaluate('states.at(-1)?.state')).toBe('stopped');

  // Both got their share of every payment, in the account of the one and of the other.
  const own = await visitor.context.newPage();
  await own.goto(`${coordinator.url}/account`);
  await own.getByText(/ granted, .* earned/).waitFor();
  const all = async (): Promise<bigint> => (await siteEarned(owner.page)) + (await accountOf(own)).microCredits;
  await expect.poll(all, { timeout: VESTING_MS_MAX }).toBe(BigInt(stopped.paidMicroCredits));
  expect(visitor.problems).toEqual([]);

  // The loader works as a module too, and a visit later nothing runs by itself.
  await visitor.page.goto(`${museum.url()}/module`);
  await expect.poll(() => cardIn(visitor.page)?.getByRole('button', { name: 'Help' }).count(), { timeout: 10_000 }).toBe(1);
  expect(visitor.problems).toEqual([]);
  expect((await jobOf(coordinator, id)).parts).toEqual(stopped.parts);

  // A page of any other site shows no card, whatever it copies.
  const thief = await Visitor.enter(browser);
  await thief.page.goto(museum.url('other.localhost'));
  await expect.poll(() => thief.problems.join('\n'), { timeout: 10_000 }).toContain('frame-ancestors');
  expect(await cardIn(thief.page)?.getByRole('button').count()).toBeFalsy();

  await Promise.all([owner.leave(), visitor.leave(), thief.leave()]);
  await coordinator.stop();
  const payments = coordinator.rows<{ share: number; rest: number }>(`
    select s.amount as share, p.amount as rest from transfers s join transfers p on replace(p.id, 'vest/', 'share/') = s.id
    where s.kind = 'site share' and p.kind = 'vest'`);
  expect(payments.length).toBeGreaterThan(3);
  for (const { share, rest } of payments) expect(share).toBe(Math.floor(((share + rest) * SHARE_PERCENT) / 100));
  expect(coordinator.rows<{ standing: number }>('select count(*) as standing from consents where revoked_ms is null')).toEqual([{ standing: 0 }]);
  for (const { sum, unexplained } of ledgerOf(coordinator)) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
});
