import { randomBytes } from 'node:crypto';
import type { Browser, CDPSession, Page } from 'playwright';
import { workload } from '../../shaders/registry.ts';
import type { JobView } from '../../shared/schemas.ts';
import { Tessera } from '../sdk/index.ts';
import { startFiller } from './filler.ts';

/** What the Watch page does with results: how soon it paints one, and what it keeps of ten thousand. */

/** Handed to the coordinator and to the contributor of the bench. */
export const fillerKey = randomBytes(24).toString('base64url');

/** Orders that change the size of a job without a file. The sample of every workload is small enough to say them all. */
export interface Order {
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

export interface Painting {
  readonly p95Ms: number;
  readonly medianMs: number;
  readonly tiles: number;
}

/** Milliseconds from hearing of an acceptance to the frame that shows it, over the tiles of a job of one pass; at most one result in `restMs`. */
export async function paintingOf(browser: Browser, url: string, local: string, order: Order, restMs: number): Promise<Painting> {
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

export interface Memory {
  /** MiB of JavaScript, buffers included, after a garbage collection, at a tenth and at the end of the results. */
  readonly earlyMib: number;
  readonly lateMib: number;
  readonly results: number;
  readonly perSecond: number;
}

/** What the page holds once a tenth of the results are painted, and once all are. */
export async function memoryOf(browser: Browser, url: string, local: string, order: Order): Promise<Memory> {
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
