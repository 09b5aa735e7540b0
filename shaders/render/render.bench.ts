import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright';
import { build } from 'vite';
import { fromBase64Url, wordsOf } from '../../shared/formats.ts';
import { countParts, type ElementRef, fullMask, type PartMask, type TileRef } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import { distance, load, render } from './check.ts';
import { prepare } from './prepare.ts';
import { samples } from './samples.ts';
import { partSamples, type RenderJob, spec } from './spec.ts';

/**
 * The kernel in headless Chromium on the sample scenes: paths a second of tiles and of audits, and agreement with the CPU reference.
 * `CHROMIUM_PATH` names a browser, `CHROMIUM_FLAGS` replaces the flags that select the software GPU.
 */

const ROUNDS = 5;
const SOFTWARE_FLAGS =
  '--no-sandbox --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
const ORIGIN = 'http://localhost:9';

interface Scene {
  readonly name: string;
  readonly job: RenderJob;
  readonly packed: Uint8Array<ArrayBuffer>;
}

/** What is timed of every scene: in software one part of a small picture, on a GPU a whole tile of the sample's own. */
interface Load {
  readonly tile: TileRef;
  readonly parts: PartMask;
}

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const executablePath = [process.env.CHROMIUM_PATH, chromium.executablePath(), '/usr/bin/chromium'].find((path) => path && existsSync(path));
  const args = (process.env.CHROMIUM_FLAGS ?? SOFTWARE_FLAGS).split(' ');
  const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args });
  try {
    const page = await browser.newPage();
    const scenes = new Map<string, Scene>();
    await servePage(page, scenes);
    const { name: adapter, software } = await page.evaluate(async () => (await import('/bench.js' as string)).adapterInfo());
    for (const scene of await prepareScenes(software)) scenes.set(scene.name, scene);
    const figures = { ...(await timeKernel(page, [...scenes.values()], software)), ...(await agreement(page, [...scenes.values()])) };
    const notes = [
      `kernel: ${adapter}${software ? ' (software)' : ''} in Chromium ${browser.version()}, ${ROUNDS} interleaved rounds, median, _min and _max`,
      `audit: ${AUDIT_ELEMENTS} elements scattered over the whole job; auditSpeed: work a second of an audit over that of the timed tile`,
      `reference: one thread of Node ${process.version}`,
      `within_step: within the tolerance of audits, ${spec.tolerance.unit}`,
    ];
    return { suite: 'render', figures, notes };
  } finally {
    await browser.close();
  }
}

/** A page at localhost, which is a secure context, without a server: Playwright answers its requests. */
async function servePage(page: Page, scenes: ReadonlyMap<string, Scene>): Promise<void> {
  const entry = fileURLToPath(new URL('./testing/benchPage.ts', import.meta.url));
  const built = await build({ configFile: false, logLevel: 'error', build: { write: false, target: 'es2023', lib: { entry, formats: ['es'] } } });
  const output = (Array.isArray(built) ? built[0] : built) as { output: { code: string }[] };
  const code = output.output[0]?.code ?? '';
  await page.route(`${ORIGIN}/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    const scene = scenes.get(pathname.replace('/scene/', ''));
    if (pathname === '/bench.js') await route.fulfill({ contentType: 'text/javascript', body: code });
    else if (scene) await route.fulfill({ contentType: 'application/octet-stream', body: Buffer.from(scene.packed) });
    else await route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>bench</title>' });
  });
  await page.goto(`${ORIGIN}/`);
}

async function prepareScenes(software: boolean): Promise<Scene[]> {
  const scenes: Scene[] = [];
  for (const { id, params, files } of await samples()) {
    // 16 tiles of 32 x 32 pixels, in parts of 16 samples.
    const used = software ? { ...params, width: 128, height: 128, samples: 64 } : params;
    const { prepared, inputs } = await prepare(used, files);
    const scene = inputs.scene;
    if (!scene) throw new Error(`sample ${id} has no scene`);
    scenes.push({ name: id, packed: new Uint8Array(scene), job: { id: 'j_bench_bench_benc' as RenderJob['id'], seed: 1, params: used, prepared } });
  }
  return scenes;
}

/** A tile in the middle of the picture. */
function loadOf({ job }: Scene, software: boolean): Load {
  const tile = { pass: 0, tile: Math.floor((spec.split(job.params, job.prepared).tiles * 5) / 8) };
  return { tile, parts: fullMask(software ? 1 : spec.parts(job, tile)) };
}

const pathsOf = ({ job }: Scene, tile: TileRef, parts: PartMask): number => spec.elements(job, tile) * partSamples(job.params.samples) * countParts(parts);

/** Expected work of one path of a tile, in micro-units: paths of the sky are short, those of a corner long. */
const pathWork = ({ job }: Scene, tile: TileRef): number => spec.work(job, tile) / (spec.elements(job, tile) * partSamples(job.params.samples));

/** Elements of one audit. */
const AUDIT_ELEMENTS = 1024;

/** Elements all over the job, as auditors get them. Parts of the samples are all of the same size, so each is `partSamples` paths. */
function scattered({ job }: Scene): ElementRef[] {
  const rng = new Rng(1);
  const { passes, tiles } = spec.split(job.params, job.prepared);
  return Array.from({ length: AUDIT_ELEMENTS }, () => {
    const tile = { pass: rng.below(passes), tile: rng.below(tiles) };
    return { ...tile, part: rng.below(spec.parts(job, tile)), element: rng.below(spec.elements(job, tile)) };
  });
}

const runOnPage = (page: Page, name: string, tile: TileRef, parts: PartMask): Promise<{ ms: number; parts: string }> =>
  page.evaluate(async ([sceneName, at, mask]) => (await import('/bench.js' as string)).run(sceneName, at, mask), [name, tile, parts] as const);

const recomputeOnPage = (page: Page, name: string, elements: readonly ElementRef[]): Promise<{ ms: number; words: string }> =>
  page.evaluate(async ([sceneName, refs]) => (await import('/bench.js' as string)).recompute(sceneName, refs), [name, elements] as const);

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function timeKernel(page: Page, scenes: readonly Scene[], software: boolean): Promise<Record<string, number>> {
  for (const { name, job } of scenes) {
    await page.evaluate(async ([sceneName, sceneJob]) => (await import('/bench.js' as string)).openScene(sceneName, sceneJob), [name, job] as const);
  }
  const rates = new Map<string, number[]>();
  const note = (figure: string, paths: number, ms: number): void => {
    rates.set(figure, [...(rates.get(figure) ?? []), (paths / ms) * 1000]);
  };
  // The first round lets slices grow and clocks rise; it does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const scene of scenes) {
      const { tile, parts } = loadOf(scene, software);
      const tiles = await runOnPage(page, scene.name, tile, parts);
      const audit = await recomputeOnPage(page, scene.name, scattered(scene));
      if (round === 0) continue;
      note(`pathsPerSecond_${scene.name}`, pathsOf(scene, tile, parts), tiles.ms);
      note(`auditPathsPerSecond_${scene.name}`, AUDIT_ELEMENTS * partSamples(scene.job.params.samples), audit.ms);
    }
  }
  const figures: Record<string, number> = {};
  for (const [name, values] of rates) {
    figures[name] = median(values);
    figures[`${name}_min`] = Math.min(...values);
    figures[`${name}_max`] = Math.max(...values);
  }
  for (const scene of scenes) {
    const elements = scattered(scene);
    const auditSteps = elements.reduce((sum, at) => sum + pathWork(scene, at), 0) / elements.length;
    const steps = pathWork(scene, loadOf(scene, software).tile);
    figures[`auditSpeed_${scene.name}`] = (figures[`auditPathsPerSecond_${scene.name}`]! * auditSteps) / (figures[`pathsPerSecond_${scene.name}`]! * steps);
  }
  return figures;
}

/** One part of four tiles of every scene, on the device and on the CPU. */
async function agreement(page: Page, scenes: readonly Scene[]): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const scene of scenes) {
    const { name, job, packed } = scene;
    const loaded = load(job, { scene: packed });
    const { tiles } = spec.split(job.params, job.prepared);
    let [elements, equal, differing, cpuMs, paths] = [0, 0, 0, 0, 0];
    for (let index = 0; index < 4; index++) {
      const tile = { pass: 0, tile: Math.floor(((index + 0.5) * tiles) / 4) };
      const bytes = fromBase64Url((await runOnPage(page, name, tile, fullMask(1))).parts);
      const started = performance.now();
      const [truth] = render(loaded, job, tile, fullMask(1));
      cpuMs += performance.now() - started;
      paths += pathsOf(scene, tile, fullMask(1));
      const count = spec.elements(job, tile) * spec.elementWords;
      const [a, b] = [wordsOf(bytes, count), wordsOf(truth!.bytes, count)];
      for (let at = 0; at < count; at += spec.elementWords) {
        const [claimed, recomputed] = [a.subarray(at, at + spec.elementWords), b.subarray(at, at + spec.elementWords)];
        if (claimed.every((word, index) => word === recomputed[index])) equal++;
        if (distance(job, claimed, recomputed) > spec.tolerance.allowed) differing++;
      }
      elements += spec.elements(job, tile);
    }
    figures[`bit_equal_${name}`] = equal / elements;
    figures[`within_step_${name}`] = 1 - differing / elements;
    figures[`referencePathsPerSecond_${name}`] = (paths / cpuMs) * 1000;
  }
  figures.elements_compared_per_scene = 4 * spec.elements(scenes[0]!.job, { pass: 0, tile: 0 });
  return figures;
}
