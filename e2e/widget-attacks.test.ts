import type { Browser, Frame, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchAs, launchBrowser, Visitor } from './support/browser.ts';
import { shareGpuByCard } from './support/contribute.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { jobOf, submitJob } from './support/job.ts';
import { cardIn, Museum, registerSite } from './support/museum.ts';

/** Hostile pages around the card: whatever they do, nothing is leased without a standing yes, and nothing runs where it cannot be seen. */

const SEEN_MS_MAX = 30_000;
/** A card that is hidden has stopped within a second; the rest is for a busy test machine. */
const HIDDEN_MS_MAX = 4_000;
/** Long enough for an engine that should not be there to ask for work. */
const WOULD_LEASE_MS = 1_000;

let browser: Browser;
let coordinator: TestCoordinator;
let museum: Museum;
let owner: Visitor;
let site = '';
let snippet = '';
let job = '';

beforeAll(async () => {
  [browser, coordinator, museum] = await Promise.all([launchBrowser(), TestCoordinator.start('app.localhost', { PRIVATE_SWARM: 'on' }), Museum.open()]);
  const params = { scene: 'cornell', width: 512, height: 512, samples: 256, bounces: 4, lighting: 'auto', layers: 'none' };
  ({ id: job } = await submitJob(coordinator, { workload: 'render', params, files: {}, title: 'Waits for helpers', visibility: 'public' }));
  owner = await Visitor.enter(browser);
  ({ id: site, snippet } = await registerSite(owner.page, coordinator, museum, 40));
});
afterAll(async () => {
  await browser.close();
  museum.close();
  await coordinator.dispose();
});

const leased = async (): Promise<number> => {
  const { parts } = await jobOf(coordinator, job);
  return parts.leased + parts.checking + parts.accepted;
};

/** Nothing was leased, and nobody even holds a yes. */
async function expectNothing(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, WOULD_LEASE_MS));
  expect(await leased()).toBe(0);
}

/** Visits a page of the museum and waits for its card. */
async function visit(path: string, html: string, headers: Record<string, string> = {}): Promise<{ visitor: Visitor; card: Frame }> {
  museum.pages.set(path, { html, headers });
  const visitor = await Visitor.enter(browser);
  await visitor.page.goto(`${museum.url()}${path}`);
  await expect.poll(() => cardIn(visitor.page, coordinator)?.url() ?? visitor.problems.join('\n'), { timeout: SEEN_MS_MAX }).toContain('/widget/frame?site=');
  return { visitor, card: cardIn(visitor.page, coordinator) as Frame };
}

/** Presses Help by script, which no foreign page can do: the visitor himself may be tricked into it. */
async function help(visitor: Visitor, card: Frame): Promise<Page> {
  const [asked] = await Promise.all([visitor.context.waitForEvent('page'), card.getByRole('button', { name: 'Help' }).click({ force: true })]);
  await asked.getByRole('heading', { name: 'Share your GPU with' }).waitFor();
  return asked;
}

/** The window closes itself at the click, which Playwright now and then takes for a failure of the click. */
async function sayNo(asked: Page): Promise<void> {
  const click = asked.getByRole('button', { name: 'No', exact: true }).click();
  await Promise.all([asked.waitForEvent('close'), click.catch(() => undefined)]);
}

test('a press on Help without a yes leases nothing, and a window that was closed is a no', async () => {
  const { visitor, card } = await visit('/no', snippet);
  const asked = await help(visitor, card);
  await expectNothing();
  await sayNo(asked);
  await card.getByRole('button', { name: 'Help' }).waitFor();
  await expectNothing();
  await visitor.leave();
});

test('without WebGPU nobody is asked, and a software renderer needs a yes of its own', async () => {
  const { visitor, card } = await visit('/software', snippet);
  const asked = await help(visitor, card);
  await asked.getByRole('button', { name: 'Yes, share my GPU' }).click();
  await asked.getByText('Only a software renderer was found').waitFor();
  await expectNothing();
  await sayNo(asked);
  await card.getByRole('button', { name: 'Help' }).waitFor();

  await visitor.context.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'));
  await visitor.page.reload();
  await expect.poll(() => cardIn(visitor.page, coordinator)?.getByText('This browser has no WebGPU here').count() ?? 0, { timeout: SEEN_MS_MAX }).toBe(1);
  expect(await cardIn(visitor.page, coordinator)?.getByRole('button', { name: 'Help' }).count()).toBe(0);
  const page = await visitor.context.newPage();
  await page.goto(coordinator.url);
  await page.getByText('No WebGPU in this browser').waitFor();
  expect(await page.getByRole('button', { name: 'Share my GPU' }).count()).toBe(0);
  await visitor.leave();
});

test('the visitor’s own rules hold on other people’s pages: outside of his hours nothing is leased', async () => {
  const { visitor, card } = await visit('/hours', snippet);
  const own = await visitor.context.newPage();
  await own.goto(coordinator.url);
  const other = (new Date().getHours() + 12) % 24;
  await own.evaluate((hours) => localStorage.setItem('tessera.comfort', JSON.stringify({ hours })), `${other}-${other + 1}`);
  await own.close();
  await shareGpuByCard(await help(visitor, card));
  await card.getByText('Now is not one of your hours.').waitFor();
  await expectNothing();
  await card.getByRole('button', { name: 'Stop' }).click();
  await card.getByText('Stopped after 0 tiles').waitFor();
  await visitor.leave();
});

test('synthetic clicks, every message and every method of a hostile page start nothing', async () => {
  const forged = { id: 'k_0000000000000000', kinds: ['render'], site, siteName: 'x', powerPercent: 100, grantedMs: 0, expiresMs: 9e15, revokedMs: null };
  const grant = { consent: forged, contributor: { id: 'c_0000000000000000', secret: 'A'.repeat(43) } };
  const { visitor, card } = await visit(
    '/messages',
    `${snippet}<script>
      const element = document.querySelector('tessera-widget');
      window.attack = () => {
        const frame = element.shadowRoot.querySelector('iframe');
        for (const type of ['click', 'pointerdown', 'keydown', 'submit']) {
          element.dispatchEvent(new MouseEvent(type, { bubbles: true, composed: true, clientX: 40, clientY: 80 }));
          frame.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: 40, clientY: 80 }));
        }
        const grant = ${JSON.stringify(grant)};
        for (const data of [{ type: 'tessera-grant', grant }, { type: 'tessera-run', report: { state: 'running', tiles: 9, earned: '9' }, message: null },
          { type: 'tessera-stop' }, { type: 'start' }, { state: 'running', tiles: 1, earned: '1' }, 'start', null, 7])
          frame.contentWindow.postMessage(data, '*');
        for (const name of ['autostart', 'start', 'grant', 'consent', 'state']) element.setAttribute(name, 'running');
        return [typeof element.start, typeof element.help, element.state, element.tiles];
      };
    </script>`,
  );
  await card.getByRole('button', { name: 'Help' }).waitFor();
  const pages = visitor.context.pages().length;
  expect(await visitor.page.evaluate('attack()')).toEqual(['undefined', 'undefined', 'asking', 0]);
  // The same while the card waits for its own window's answer.
  const asked = await help(visitor, card);
  await visitor.page.evaluate('attack()');
  await expectNothing();
  await card.getByText('A window asks you what may run.').waitFor();
  expect(visitor.context.pages()).toHaveLength(pages + 1);
  await asked.close();
  await visitor.leave();
});

test('a page of another origin cannot say yes for the visitor: neither by request, nor by framing the question', async () => {
  const visitor = await Visitor.enter(browser);
  // Somebody with a session, whose cookie would be worth having.
  await visitor.page.goto(`${coordinator.url}/account`);
  await visitor.page.getByRole('heading', { name: 'Balance' }).waitFor();
  museum.pages.set('/frames', {
    html: `<iframe id="consent" src="${coordinator.url}/widget/consent?site=${site}"></iframe><iframe id="run" src="${coordinator.url}/widget/run?site=${site}"></iframe>`,
  });
  await visitor.page.goto(`${museum.url()}/frames`);
  await expect.poll(() => visitor.problems.filter((problem) => problem.includes('frame-ancestors')).length, { timeout: SEEN_MS_MAX }).toBe(2);
  for (const frame of visitor.page.frames().slice(1)) expect(await frame.getByRole('button').count()).toBe(0);
  const body = JSON.stringify({ kinds: ['render'], site });
  const answers = await visitor.page.evaluate(
    async ([url, text]) => {
      const tries: RequestInit[] = [
        { headers: { 'content-type': 'application/json' } },
        { headers: { 'content-type': 'text/plain' } },
        { mode: 'no-cors', headers: { 'content-type': 'text/plain' } },
      ];
      const answered: string[] = [];
      for (const init of tries)
        answered.push(
          await fetch(url as string, { method: 'POST', credentials: 'include', body: text as string, ...init }).then(
            ({ status, type }) => `${type} ${status}`,
            () => 'refused',
          ),
        );
      return answered;
    },
    [`${coordinator.url}/api/consents`, body],
  );
  expect(answers).toEqual(['refused', 'refused', 'refused']);
  await visitor.page.goto(`${coordinator.url}/account`);
  await visitor.page.getByRole('heading', { name: 'Balance' }).waitFor();
  expect(await fetchAs<{ consents: unknown[] }>(visitor.page, '/api/account/consents')).toEqual({ consents: [] });
  await expectNothing();
  await visitor.leave();
});

test('where pop-ups are blocked, the card says so', async () => {
  const { visitor, card } = await visit('/popups', snippet);
  await card.evaluate(() => {
    window.open = () => null;
  });
  await card.getByRole('button', { name: 'Help' }).click();
  await card.getByText('Allow pop-ups for this page').waitFor();
  await expectNothing();
  await visitor.leave();
});

test('a site that is unproven, unknown, switched off or suspended has no Help button, and says why', async () => {
  const unproven = await owner.page.evaluate(async () => {
    const site = { name: 'Unproven', origin: document.querySelector('article .muted')?.textContent?.split(',')[0]?.trim(), sharePercent: 10 };
    const answer = await fetch('/api/sites', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(site) });
    return ((await answer.json()) as { id: string }).id;
  });
  const of = (id: string): string => snippet.replace(site, id);
  const first = await visit('/unproven', of(unproven));
  await first.card.getByText('has not proven yet that the domain is theirs').waitFor();
  expect(await first.card.getByRole('button').count()).toBe(0);
  const asked = await first.visitor.context.newPage();
  await asked.goto(`${coordinator.url}/widget/consent?site=${unproven}`);
  expect(await asked.getByRole('button', { name: 'Yes' }).count()).toBe(0);
  await first.visitor.leave();

  museum.pages.set('/unknown', { html: of(`s_${'0'.repeat(16)}`) });
  const unknown = await Visitor.enter(browser);
  await unknown.page.goto(`${museum.url()}/unknown`);
  await expect.poll(() => unknown.problems.join('\n'), { timeout: SEEN_MS_MAX }).toContain('frame-ancestors');
  expect(cardIn(unknown.page, coordinator)).toBeUndefined();
  await unknown.leave();

  const own = owner.page.getByRole('article', { name: 'Museum of small things' });
  await own.getByRole('button', { name: 'Switch off' }).click();
  await own.getByText('Switched off by you.').waitFor();
  const off = await visit('/off', snippet);
  await off.card.getByText('has switched this card off').waitFor();
  expect(await off.card.getByRole('button').count()).toBe(0);
  await off.visitor.leave();
  await own.getByRole('button', { name: 'Switch on' }).click();
  await own.getByText('On: visitors can help.').waitFor();
  await expectNothing();
});

test('strict pages show the card: no inline style, embedding policies', async () => {
  const policy = `default-src 'none'; script-src ${coordinator.url}; frame-src ${coordinator.url}`;
  const { visitor, card } = await visit('/strict', snippet, { 'content-security-policy': policy, 'cross-origin-embedder-policy': 'require-corp' });
  await card.getByRole('button', { name: 'Help' }).waitFor();
  expect(visitor.problems).toEqual([]);
  expect(await visitor.page.locator('tessera-widget').boundingBox()).toMatchObject({ width: 320, height: 96 });
  await visitor.leave();
});

/** From here on somebody has said yes. */
const hiding: readonly (readonly [string, string, string])[] = [
  [
    'covered',
    `const over = document.createElement('div'); over.id = 'over'; over.style.cssText = 'position:fixed;inset:0;background:white'; document.body.append(over);`,
    `document.getElementById('over').remove();`,
  ],
  ['transparent', `element.style.opacity = '0';`, `element.style.opacity = '';`],
  ['one pixel', `frame.width = '1'; frame.height = '1';`, `frame.width = '320'; frame.height = '96';`],
  ['moved away', `element.style.cssText = 'position:absolute;left:-5000px';`, `element.style.cssText = '';`],
];

test('a card that is hidden pauses, one that is seen goes on; revoked, switched off and suspended stop it at once', { timeout: 240_000 }, async () => {
  const { visitor, card } = await visit('/hiding', snippet);
  await shareGpuByCard(await help(visitor, card));
  await card.getByText('Running', { exact: true }).waitFor();
  for (const [what, hide, show] of hiding) {
    const act = (script: string) =>
      visitor.page.evaluate(
        `{ const element = document.querySelector('tessera-widget'); const frame = element.shadowRoot.querySelector('iframe'); ${script} }`,
      );
    await act(hide);
    await expect.poll(() => visitor.page.evaluate(`document.querySelector('tessera-widget').state`), { timeout: HIDDEN_MS_MAX, message: what }).toBe('paused');
    await act(show);
    await expect.poll(() => visitor.page.evaluate(`document.querySelector('tessera-widget').state`), { timeout: SEEN_MS_MAX, message: what }).toBe('running');
  }

  // A second card of the same browser does not fight for the GPU.
  const second = await visitor.context.newPage();
  await second.goto(`${museum.url()}/hiding`);
  await expect.poll(() => cardIn(second, coordinator)?.getByRole('button', { name: 'Help' }).count() ?? 0, { timeout: SEEN_MS_MAX }).toBe(1);
  const other = cardIn(second, coordinator) as Frame;
  await shareGpuByCard(await help(visitor, other));
  await other.getByText('Runs in another tab').waitFor();
  await second.close();
  await visitor.page.bringToFront();

  // Revoked on the account page.
  const account = await visitor.context.newPage();
  await account.goto(`${coordinator.url}/account`);
  await account.getByText('at most 50 % of the GPU’s time').first().waitFor();
  for (const button of await account
    .getByRole('button', { name: 'Revoke' })
    .all()
    .then((all) => all.reverse()))
    await button.click();
  await expect.poll(() => visitor.page.evaluate(`document.querySelector('tessera-widget').state`), { timeout: SEEN_MS_MAX }).toBe('stopped');
  await account.close();

  await visitor.page.bringToFront();
  await shareGpuByCard(await help(visitor, card));
  await card
    .getByText('Running', { exact: true })
    .or(card.getByText('Paused', { exact: true }))
    .waitFor();
  await coordinator.sites('suspend', site);
  await expect.poll(() => visitor.page.evaluate(`document.querySelector('tessera-widget').state`), { timeout: SEEN_MS_MAX }).toBe('stopped');
  await visitor.page.reload();
  await expect.poll(() => cardIn(visitor.page, coordinator)?.getByText('has suspended this site').count() ?? 0, { timeout: SEEN_MS_MAX }).toBe(1);
  await coordinator.sites('resume', site);
  // The running coordinator looks for what the command has written every few seconds.
  await expect.poll(async () => (await coordinator.get<{ state: string }>(`/api/sites/${site}`)).state, { timeout: SEEN_MS_MAX }).toBe('ready');
  await visitor.leave();
});

test('where a frame may keep nothing, the card says that it will ask again', { timeout: 120_000 }, async () => {
  const { visitor, card } = await visit('/storage', snippet);
  await card.evaluate(() => {
    Object.defineProperty(window, 'sessionStorage', {
      get() {
        throw new DOMException('forbidden', 'SecurityError');
      },
    });
  });
  await shareGpuByCard(await help(visitor, card));
  await card.getByText('This browser keeps nothing for cards').waitFor();
  await card.getByRole('button', { name: 'Stop' }).click();
  await card.getByText('Stopped').waitFor();
  await visitor.leave();
});

test('where a browser cannot tell what is seen, work runs in our own window, and ends with it', { timeout: 120_000 }, async () => {
  const visitor = await Visitor.enter(browser);
  await visitor.context.addInitScript(() => {
    // As in Firefox and Safari.
    Reflect.deleteProperty(IntersectionObserverEntry.prototype, 'isVisible');
  });
  museum.pages.set('/window', { html: snippet });
  await visitor.page.goto(`${museum.url()}/window`);
  await expect.poll(() => cardIn(visitor.page, coordinator)?.getByRole('button', { name: 'Help' }).count() ?? 0, { timeout: SEEN_MS_MAX }).toBe(1);
  const card = cardIn(visitor.page, coordinator) as Frame;
  const window = await help(visitor, card);
  await window.getByText('Only while this small window is open').waitFor();
  await window.getByRole('button', { name: 'Yes, share my GPU' }).click();
  await window.getByRole('button', { name: 'Use the software renderer anyway' }).click();
  await window.getByRole('heading', { name: 'Helping Museum of small things' }).waitFor();
  await window.getByText('Your GPU works for').waitFor();
  await card.getByText('It runs in the small window.').waitFor();
  const closed = window.waitForEvent('close');
  await card.getByRole('button', { name: 'Stop' }).click();
  await closed;
  await card.getByText(/Stopped after/).waitFor();
  await visitor.leave();
});
