import { once } from 'node:events';
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { chromium, type Page } from 'playwright';
import { axeViolations, type Violation } from './bench/axe.ts';
import { type BenchCoordinator, startCoordinator } from './bench/coordinator.ts';
import { droppingOf } from './bench/dropping.ts';
import { hostCost } from './bench/host-page.ts';
import { lighthouseScores } from './bench/scores.ts';
import { scriptsOnly, type Transfer, transferOf } from './bench/transfer.ts';
import { fillerKey, watchingOf } from './bench/watching.ts';
import { findChromium } from './headless/chromium.ts';

/** `npm run bench -- web`: what the pages and the widget weigh, and whether everybody can use them. A real coordinator, a real Chromium. */

const KB = 1000;
const flags = [
  '--no-sandbox',
  '--site-per-process',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--enable-unsafe-swiftshader',
  '--no-first-run',
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

/** A job to watch: the gallery queues some by itself, within seconds. */
async function someJob(url: string): Promise<string> {
  for (let tries = 0; tries < 60; tries++) {
    const answer = (await (await fetch(`${url}/api/jobs?scope=public`)).json()) as { readonly jobs?: readonly { readonly id: string }[] };
    const id = answer.jobs?.[0]?.id;
    if (id) return id;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('the gallery queued nothing within 30 s');
}

async function measure(coordinator: BenchCoordinator, port: number) {
  const executablePath = await findChromium();
  if (!executablePath) throw new Error('no Chromium: set CHROMIUM_PATH, or install one');
  const debuggingPort = await freePort();
  const browser = await chromium.launch({ executablePath, args: [...flags, `--remote-debugging-port=${debuggingPort}`] });
  try {
    const { url } = coordinator;
    const job = await someJob(`http://localhost:${port}`);
    const transfer = await transferOf(browser, url, (page) => page.getByRole('button', { name: 'Share my GPU' }));
    const heading = (page: Page) => page.getByRole('heading', { level: 1 });
    const weigh = async (path: string) => transferOf(browser, url + path, heading, scriptsOnly);
    const dropping = await droppingOf(browser, url, `http://localhost:${port}`);
    const scripts = { submit: await weigh('/submit'), watch: await weigh(`/jobs/${job}`), network: await weigh('/network') };
    const host = await hostCost(browser, url);
    const widget = [`/widget/frame?site=${host.site}`, `/widget/consent?site=${host.site}`, `/widget/run?site=${host.site}`];
    const paths = [
      '/',
      '/submit',
      '/gallery',
      '/network',
      '/account',
      '/groups',
      '/join',
      '/policy',
      '/api',
      '/operator',
      '/ui',
      `/jobs/${job}`,
      `/jobs/${job}/receipt`,
      '/no-such-page',
      ...widget,
    ];
    const violations = await axeViolations(browser, url, paths);
    const lighthouse = await lighthouseScores(`http://localhost:${port}/`, debuggingPort);
    return { transfer, dropping, scripts, host, paths, violations, lighthouse, version: browser.version() };
  } finally {
    await browser.close();
  }
}

/** On a coordinator without a gallery, whose jobs would take turns with ours. */
async function measureWatching() {
  const executablePath = await findChromium();
  const port = await freePort();
  const coordinator = await startCoordinator(port, { GALLERY: 'off', TRUSTED_KEYS: fillerKey });
  const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: flags });
  try {
    return await watchingOf(browser, coordinator.url, `http://localhost:${port}`);
  } finally {
    await browser.close();
    await coordinator.close();
  }
}

export async function bench() {
  const watching = await measureWatching();
  const port = await freePort();
  const coordinator = await startCoordinator(port);
  try {
    const { transfer, dropping, scripts, host, paths, violations, lighthouse, version } = await measure(coordinator, port);
    const figures = {
      widget_loader_gz_bytes: gzipSync(coordinator.built('widget.js'), { level: 9 }).byteLength,
      contribute_page_gz_kb: transfer.bytes / KB,
      submit_js_gz_kb: scripts.submit.bytes / KB,
      watch_js_gz_kb: scripts.watch.bytes / KB,
      network_js_gz_kb: scripts.network.bytes / KB,
      ...dropping.figures,
      ...watching.figures,
      cls: host.cls,
      loader_main_thread_ms: host.loaderMs,
      widget_main_thread_ms: host.widgetMs,
      ...(violations && { axe_violations: violations.length }),
      ...(typeof lighthouse !== 'string' && lighthouse.scores),
    };
    const scores =
      typeof lighthouse === 'string' ? [`No Lighthouse scores: ${lighthouse}.`] : lighthouse.lost.map((line) => `Lighthouse, points lost: ${line}`);
    return {
      suite: 'web',
      figures,
      notes: [
        `Chromium ${version}, headless.`,
        ...definitions(transfer, paths.length),
        ...dropping.notes,
        ...watching.notes,
        ...violationLines(violations),
        ...scores,
      ],
    };
  } finally {
    await coordinator.close();
  }
}

const definitions = (transfer: Transfer, pages: number): string[] => [
  'widget_loader_gz_bytes: the built widget.js through gzip -9. It could be gamed by loading a second script; the build refuses imports, and the frame is not counted.',
  `contribute_page_gz_kb: html, scripts, styles and fonts that an empty browser fetches for / until the network rests and the button is there, each through gzip -9, kB of 1000 bytes. ${transfer.files.map(({ path, bytes }) => `${path} ${bytes}`).join(', ')}. It could be gamed by loading later than 1.5 s after that, or by pictures and data, which are not counted.`,
  'submit_js_gz_kb, watch_js_gz_kb, network_js_gz_kb: scripts alone, counted in the same way, until the network rests after the heading is there. What comes with the first file (the preview) is not counted.',
  'cls: the largest sum of layout shifts of 9 loads of a bare page of another site with the two lines of the snippet between paragraphs, within a second of its load event. It could be gamed by coming later.',
  'widget_main_thread_ms: processor time of the host page’s main thread (TaskDuration of its process) with the card less without it; loader_main_thread_ms: with the card less with our frame in plain HTML and no script of ours, which any frame of another site costs. Medians of 9 loads by turns; the card’s frame is another process where sites are isolated. A busy machine blurs them by some milliseconds; below zero counts as 0.',
  `axe_violations: rules broken, once for each of ${pages} pages in light and dark, all rules that axe-core has switched on. States that need a wallet, a running engine or a finished job are not looked at. It could be gamed by hiding content.`,
  'lighthouse_*: the front page, simulated phone, the median of three runs on http://localhost; a busy machine lowers performance.',
];

const violationLines = (violations: readonly Violation[] | null): string[] =>
  violations?.map(({ page, theme, rule, impact, elements }) => `axe: ${page} ${theme}: ${rule} (${impact}) at ${elements.slice(0, 3).join(' | ')}`) ?? [
    'No axe_violations: the npm package axe-core is not installed.',
  ];
