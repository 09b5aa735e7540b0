import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, startChild } from '../scripts/child.ts';
import { root } from '../scripts/pages.ts';
import { accountOf, fetchAs, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu } from './support/contribute.ts';
import { freePort } from './support/coordinator.ts';
import { askTls } from './support/https.ts';
import type { Job } from './support/job.ts';

/** `npm start -- --https`: a farm in the local network, reached by an address of this machine that is not localhost. */

const READY_MS_MAX = 60_000;
/** Of another machine's view: null where this one has no network, and its second loopback address stands in. */
const lan =
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? null;

let browser: Browser;
let child: Child;
let dataDir: string;
let port: number;
/** As another machine writes it, and as one that the certificate is for. */
let url: string;
let certified: string;

async function start(): Promise<void> {
  const env = {
    ...process.env,
    HOST: '',
    PUBLIC_ORIGIN: '',
    TLS_CERT: '',
    TLS_KEY: '',
    PORT: String(port),
    DATA_DIR: dataDir,
    GALLERY: 'off',
    LOG_LEVEL: 'warn',
  };
  child = startChild(process.execPath, ['scripts/start.ts', '--https'], { cwd: root, env });
  await child.line(/Tessera is ready: https:/, READY_MS_MAX);
}

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'tessera-lan-'));
  port = await freePort();
  url = `https://${lan ?? '127.0.0.2'}:${port}`;
  certified = `https://${lan ?? 'localhost'}:${port}`;
  [browser] = await Promise.all([launchBrowser(), start()]);
});
afterAll(async () => {
  await browser.close();
  await child.kill();
  rmSync(dataDir, { recursive: true, force: true });
});

const certificate = (): string => readFileSync(join(dataDir, 'tls/certificate.pem'), 'utf8');
const order = {
  workload: 'render',
  params: { scene: 'cornell', width: 64, height: 48, samples: 16, bounces: 4, lighting: 'auto', layers: 'none' },
  files: {},
  title: 'From the next room',
  visibility: 'public',
};

test.runIf(lan)('it prints its addresses, and the first of them as a code for phones', async () => {
  await child.line(new RegExp(`^  ${certified}$`), READY_MS_MAX);
  await child.line(/^[ ▄▀█]{25,}$/, READY_MS_MAX);
  expect(child.tail(40)).toContain('docs/local-network.md');
});

test('browsers in the network order, watch and compute', async () => {
  const [requester, contributor] = (await Promise.all([1, 2].map(() => Visitor.enter(browser, { ignoreHTTPSErrors: true })))) as [Visitor, Visitor];
  await requester.page.goto(`${url}/gallery`);
  expect(await requester.page.evaluate('isSecureContext')).toBe(true);
  const id = await requester.page.evaluate(async (body) => {
    const post = (path: string, json: string) => fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: json });
    await post('/api/session', '{}');
    return ((await (await post('/api/jobs', body)).json()) as { id: string }).id;
  }, JSON.stringify(order));
  const cookies = await requester.context.cookies();
  expect(cookies.length).toBeGreaterThan(0);
  for (const { secure, httpOnly } of cookies) expect({ secure, httpOnly }).toEqual({ secure: true, httpOnly: true });
  await requester.page.goto(`${url}/jobs/${id}`);
  const bar = requester.page.getByRole('progressbar', { name: 'Accepted parts' });
  await expect.poll(() => bar.getAttribute('aria-valuenow')).toBe('0');

  await contributor.page.goto(url);
  await shareGpu(contributor.page);
  // It never reloads: what it shows came by its socket.
  await expect.poll(() => bar.getAttribute('aria-valuenow'), { timeout: WORK_MS_MAX }).toBe('100');
  expect((await fetchAs<Job>(requester.page, `/api/jobs/${id}`)).status).toBe('done');
  const { owner } = await accountOf(contributor.page);
  await contributor.page.reload();
  expect((await accountOf(contributor.page)).owner).toBe(owner);
  // Past a warning browsers run no service worker (docs/local-network.md). All else goes, and no content policy refuses anything.
  const problems = [...requester.problems, ...contributor.problems].filter(
    (problem) => !problem.startsWith('An SSL certificate error occurred when fetching the script'),
  );
  expect(problems).toEqual([]);
  await Promise.all([requester.leave(), contributor.leave()]);
});

test('pages of other origins change nothing there and get no socket', async () => {
  const ca = certificate();
  const json = { 'content-type': 'application/json' };
  const session = (origin: string) => askTls(`${certified}/api/session`, { ca, method: 'POST', headers: { ...json, origin }, body: '{}' });
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  const socket = (origin: string) => askTls(`${certified}/socket.io/?EIO=4&transport=websocket`, { ca, headers: { ...upgrade, origin } });
  expect((await session(certified)).status).toBe(200);
  expect((await socket(certified)).status).toBe(101);
  for (const foreign of ['https://evil.example', certified.replace(String(port), '1'), 'null']) {
    expect((await session(foreign)).status, foreign).toBe(403);
    expect((await socket(foreign)).status, foreign).toBeGreaterThanOrEqual(400);
  }
});

test('who has its certificate trusts it, nobody else does, and a restart keeps it', async () => {
  await expect(askTls(certified, {})).rejects.toThrow(/self.signed/);
  const { fingerprint256 } = new X509Certificate(certificate());
  const { status, headers, fingerprint } = await askTls(certified, { ca: certificate() });
  expect({ status, fingerprint }).toEqual({ status: 200, fingerprint: fingerprint256 });
  expect(headers['content-security-policy']).toContain("default-src 'self'");
  // It would take away the browsers' way past their warning.
  expect(headers['strict-transport-security']).toBeUndefined();
  await child.stop();
  expect(await child.exited).toBe(0);
  await start();
  expect((await askTls(certified, { ca: certificate() })).fingerprint).toBe(fingerprint256);
});
