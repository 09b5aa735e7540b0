import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Browser, CDPSession, Page } from 'playwright';
import { workload, workloadIds } from '../../shaders/registry.ts';
import type { JobView } from '../../shared/schemas.ts';
import { Tessera } from '../sdk/index.ts';
import { startFiller } from './filler.ts';

/** What the Watch page does with results: how soon it paints one, and what it keeps of ten thousand. */

/** Handed to the coordinator and to the contributor of the bench. */
export const fillerKey = randomBytes(24).toString('base64url');

/** Orders that change the size of a job without a file. The sample of every workload is small enough to say them all. */
interface Order {
  readonly workload: string;
  readonly params: object;
}

async function submit(origin: string, { workload: id, params }: Order): Promise<JobView> {
  const tessera = new Tessera({ server: origin });
  await tessera.session();
  return tessera.submit({ workload: id, params, files: {}, title: 'Bench', visibility: 'unlisted' });
}

/** Runs in the page before its scripts: notes when which part of a canvas was drawn, as of the frame in which it is seen. */
function noteDrawing(): void {
  const drawn: { x: number; y: number; width: number; height: number; atMs: number }[] = [];
  Object.assign(window, { drawn });
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (this: CanvasRenderingContext2D, data: ImageData, x: number, y: number): void {
    (put as (data: ImageData, x: number, y: number) => void).call(this, data, x, y);
    const { width, height } = data;
    // The callback of the next frame runs when this one has been handed to the compositor.
    requestAnimationFrame(() => drawn.push({ x, y, width, height, atMs: Date.now() }));
  } as typeof put;
}

interface Drawn {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly atMs: number;
}

async function until(done: () => Promise<boolean>, what: string, msMax: number): Promise<void> {
  const late = Date.now() + msMax;
  while (!(await done())) {
    if (Date.now() > late) throw new Error(`${what} took longer than ${msMax / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const jobOf = async (origin: string, id: string): Promise<JobView> => (await fetch(`${origin}/api/jobs/${id}`)).json() as Promise<JobView>;

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]!;

interface Painting {
  readonly p95Ms: number;
  readonly medianMs: number;
  readonly tiles: number;
}

/** Milliseconds from hearing of an acceptance to the frame that shows it, over the tiles of a job of one pass; at most one result in `restMs`. */
async function paintingOf(browser: Browser, url: string, local: string, order: Order, restMs: number): Promise<Painting> {
  const job = await submit(local, order);
  const spec = workload(job.workload)!.spec;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(noteDrawing);
  await page.goto(`${url}/jobs/${job.id}`, { waitUntil: 'networkidle' });
  const filler = await startFiller(local, fillerKey, restMs);
  try {
    const tiles = job.grid.tiles * job.grid.passes;
    await until(async () => (await jobOf(local, job.id)).status === 'done', 'the job', 300_000);
    await page.waitForTimeout(1000);
    const drawn = await page.evaluate(() => (window as unknown as { drawn: Drawn[] }).drawn);
    const waits: number[] = [];
    for (const [key, atMs] of filler.acceptedMs) {
      const [pass = 0, tile = 0] = key.split(':').map(Number);
      const region = spec.region({ id: job.id, seed: job.seed, params: job.params, prepared: job.prepared }, { pass, tile });
      // A tile of which the picture shows nothing (features, another frame) is not waited for.
      const seen = region && drawn.find((each) => each.x === region.x && each.y === region.y && each.atMs >= atMs - 1000);
      if (seen) waits.push(Math.max(0, seen.atMs - atMs));
    }
    if (waits.length < tiles / 4) throw new Error(`only ${waits.length} of ${tiles} results were seen in the picture`);
    waits.sort((a, b) => a - b);
    return { p95Ms: quantile(waits, 0.95), medianMs: quantile(waits, 0.5), tiles: waits.length };
  } finally {
    await filler.stop();
    await context.close();
  }
}

interface Memory {
  /** MiB of JavaScript, buffers included, after a garbage collection, at a tenth and at the end of the results. */
  readonly earlyMib: number;
  readonly lateMib: number;
  readonly results: number;
  readonly perSecond: number;
}

/** What the page holds once a tenth of the results are painted, and once all are. */
async function memoryOf(browser: Browser, url: string, local: string, order: Order): Promise<Memory> {
  const job = await submit(local, order);
  const total = job.parts.total;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${url}/jobs/${job.id}`, { waitUntil: 'networkidle' });
  const session = await context.newCDPSession(page);
  const filler = await startFiller(local, fillerKey, 0);
  const startedMs = Date.now();
  try {
    await until(async () => (await jobOf(local, job.id)).parts.accepted >= total / 10, 'a tenth of the results', 300_000);
    const earlyMib = await heapOf(session, page);
    await until(async () => (await jobOf(local, job.id)).status === 'done', 'the job', 900_000);
    const perSecond = (job.grid.tiles * job.grid.passes) / ((Date.now() - startedMs) / 1000);
    await page.waitForTimeout(3000);
    return { earlyMib, lateMib: await heapOf(session, page), results: job.grid.tiles * job.grid.passes, perSecond };
  } finally {
    await filler.stop();
    await context.close();
  }
}

const MIB = 1024 * 1024;

async function heapOf(session: CDPSession, page: Page): Promise<number> {
  await page.waitForTimeout(500);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize, backingStorageSize = 0 } = (await session.send('Runtime.getHeapUsage')) as { usedSize: number; backingStorageSize?: number };
  return (usedSize + backingStorageSize) / MIB;
}

/** Rest between results where it is measured how soon each is seen: some forty a second, as from a dozen fast GPUs. */
const REST_MS = 10;

/** `local`: the coordinator under a name that every resolver knows. */
export async function watchingOf(browser: Browser, url: string, local: string) {
  const [id] = workloadIds;
  const defaults = id && (workload(id)?.spec.defaults as Readonly<Record<string, unknown>> | undefined);
  if (!id || !defaults) throw new Error('shaders/registry.ts lists no workload');
  // The built-in scene needs no file. One pass of many tiles; then forty small tiles in as many passes as can be ordered.
  const order = (size: object): Order => ({ workload: id, params: { ...defaults, scene: 'cornell', bounces: 0, layers: 'none', ...size } });
  const painting = await paintingOf(browser, url, local, order({ width: 1280, height: 1024, samples: 1 }), REST_MS);
  const memory = await memoryOf(browser, url, local, order({ width: 256, height: 160, samples: 65_536 }));
  return {
    figures: {
      accept_to_paint_ms_p95: painting.p95Ms,
      watch_heap_growth_mib: memory.lateMib - memory.earlyMib,
      watch_heap_mib: memory.lateMib,
      watch_results: memory.results,
    },
    notes: [
      `accept_to_paint_ms_p95: from the moment at which a contributor hears that its result is accepted (the coordinator tells it and the page in one go) to the animation frame after the canvas was drawn, over ${painting.tiles} tiles of 64 x 64 pixels, of a contributor that computes nothing (its results are one grey) on the same machine, which has ${availableParallelism()} cores for coordinator, contributor and browser; median ${painting.medianMs.toFixed(0)} ms. Left out: the network, and the compositor after that frame. It could be gamed by painting something else early; a result is fetched, summed and drawn by the workload's own view.`,
      `watch_heap_growth_mib: JavaScript and buffers of the Watch page after a garbage collection, at ${memory.results} results less at a tenth of them, ${memory.perSecond.toFixed(0)} a second; at the end they are watch_heap_mib. Canvases and the compositor are not counted. It could be gamed by dropping what was painted; the finished picture is looked at by the stories in e2e.`,
    ],
  };
}
