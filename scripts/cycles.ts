import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import parseExr from 'parse-exr';
import sharp from 'sharp';
import { workload } from '../shaders/registry.ts';
import { concatBytes } from '../shared/formats.ts';
import type { JobContext, JobId } from '../shared/model.ts';
import type { WorkloadEntry } from '../shared/workload.ts';
import { startChild } from './child.ts';
import type { RenderedTile, Share } from './cycles.worker.ts';
import { average, noiseOf, type Picture, relativeError, sideBySide, srgbOf, worstCell } from './cyclesMetrics.ts';
import { root } from './pages.ts';

/**
 * `npm run cycles`: a workload's glTF test scenes, rendered by the CPU reference and by Blender's Cycles, compared as linear EXRs.
 * Both render each scene twice with half of the samples: how far the halves are apart says how much of a difference is noise.
 */
const usage = `npm run cycles -- [--scene NAME]... [--samples N] [--cycles-samples N] [--imported] [--pictures DIR] [--json]
npm run cycles -- --still ID --out FILE.webp [--width W] [--cycles-samples N]
  --samples         paths per pixel of ours, default 256
  --cycles-samples  of Cycles, default 2048
  --imported        compare also with the materials as Blender imports them, see cycles.py
  --pictures        writes DIR/NAME.jpg: ours, Cycles, ten times the difference
  --still           the picture that Cycles makes of a public sample, alone, as wide as --width (default 960)
  --json            the figures again, in one line, last
Blender is found on the PATH, or named by BLENDER. Exits with 1 where an error is above its bound.`;

const BOUNDS = { diffuse: 0.02, glossy: 0.05 } as const;
const SEEDS = [1, 2] as const;
const BLENDER_TIMEOUT_MS = 20 * 60_000;
/** Pixels of a published picture for each of the rendering. */
const PICTURE_SCALE = 2;

/** What a workload's `testing/gltfScenes.ts` exports a record of. */
interface Scene {
  readonly kind: keyof typeof BOUNDS;
  readonly params: { readonly width: number; readonly height: number; readonly bounces: number; readonly lighting: string };
  build(): Promise<{ model: Uint8Array; environment?: Uint8Array }>;
}

interface Found {
  readonly id: string;
  readonly entry: WorkloadEntry;
  readonly scenes: Readonly<Record<string, Scene>>;
}

interface Figures {
  readonly class: string;
  readonly error: number;
  readonly bound: number;
  readonly noise: number;
  readonly worst: number;
  readonly imported?: number;
}

/** One rendering by Blender, in the words of cycles.py. */
interface CyclesJob {
  readonly name: string;
  readonly model: string;
  readonly environment: string | null;
  readonly sky: boolean;
  readonly width: number;
  readonly height: number;
  readonly bounces: number;
  readonly samples: number;
  readonly seed: number;
  /** Whether light is sampled where it is, or found by chance: see cycles.py. */
  readonly aim: boolean;
  readonly rebuild: boolean;
  readonly out: string;
}

async function findScenes(): Promise<Found> {
  const [path] = globSync('shaders/*/testing/gltfScenes.ts', { cwd: root });
  const id = path?.split('/')[1] ?? '';
  const entry = workload(id);
  if (!path || !entry) throw new Error('no workload has glTF test scenes');
  const { gltfScenes } = (await import(join(root, path))) as { gltfScenes: Record<string, Scene> };
  return { id, entry, scenes: gltfScenes };
}

/** Throws with what to install where there is no Blender. */
function findBlender(): string {
  const blender = process.env.BLENDER ?? 'blender';
  if (spawnSync(blender, ['--version']).status === 0) return blender;
  throw new Error(
    `There is no Blender (${blender}). On Debian: apt-get install --no-install-recommends blender python3-numpy. Elsewhere set BLENDER to the program.`,
  );
}

/** Linear RGB of an EXR file. parse-exr gives rows from the bottom. */
export function readExr(bytes: Uint8Array): Picture {
  const FLOAT = 1015;
  // A copy: Node's small files share one buffer.
  const { width, height, data } = parseExr(new Uint8Array(bytes).buffer, FLOAT);
  const channels = data.length / (width * height);
  const rgb = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++) rgb[(y * width + x) * 3 + channel] = data[((height - 1 - y) * width + x) * channels + channel]!;
  return { width, height, rgb };
}

/** All tiles of a job, by as many threads as there are cores, in the order that files are made in. */
async function renderTiles(id: string, job: JobContext, inputs: Share['inputs']): Promise<RenderedTile[]> {
  const of = availableParallelism();
  const shares = Array.from({ length: of }, async (_, index) => {
    const workerData: Share = { workload: id, job, inputs, index, of };
    const worker = new Worker(new URL('./cycles.worker.ts', import.meta.url), { workerData });
    return new Promise<RenderedTile[]>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  return (await Promise.all(shares)).flat().sort((a, b) => a.tile.tile - b.tile.tile || a.tile.pass - b.tile.pass);
}

/** Both halves of the samples, each by a seed of its own, as the EXR that a requester would get. */
async function renderOurs({ id, entry }: Found, scene: Scene, samples: number): Promise<[Picture, Picture]> {
  const params = { ...(entry.spec.defaults as object), ...scene.params, samples: Math.ceil(samples / 2), layers: 'none' };
  const { prepared, inputs, report } = await (await entry.prepare()).prepare(params, { ...(await scene.build()) });
  for (const line of report) console.log(`  ${line}`);
  const { assemble } = await entry.assemble();
  const halves: Picture[] = [];
  for (const seed of SEEDS) {
    const job: JobContext = { id: 'j_cycles000000000' as JobId, seed, params, prepared };
    const tiles = await renderTiles(id, job, inputs);
    const pieces: Uint8Array[] = [];
    for await (const piece of assemble(
      job,
      'exr',
      (async function* () {
        yield* tiles;
      })(),
    ))
      pieces.push(piece);
    halves.push(readExr(concatBytes(...pieces)));
  }
  return [halves[0]!, halves[1]!];
}

async function jobsOf(name: string, scene: Scene, folder: string, samples: number, imported: boolean): Promise<CyclesJob[]> {
  const { model, environment } = await scene.build();
  const modelPath = join(folder, `${name}.glb`);
  const environmentPath = environment ? join(folder, `${name}.hdr`) : null;
  writeFileSync(modelPath, model);
  if (environment && environmentPath) writeFileSync(environmentPath, environment);
  const { width, height, bounces, lighting } = scene.params;
  const job = { name, model: modelPath, environment: environmentPath, sky: lighting === 'sky', width, height, bounces, aim: scene.kind === 'diffuse' };
  const half = { ...job, samples: Math.ceil(samples / 2), rebuild: true };
  const halves = SEEDS.map((seed) => ({ ...half, seed, out: join(folder, `${name}-${seed}.exr`) }));
  return imported ? [...halves, { ...half, seed: 3, rebuild: false, out: join(folder, `${name}-imported.exr`) }] : halves;
}

async function renderCycles(blender: string, folder: string, jobs: readonly CyclesJob[]): Promise<void> {
  const list = join(folder, 'jobs.json');
  writeFileSync(list, JSON.stringify(jobs));
  const script = join(import.meta.dirname, 'cycles.py');
  const args = ['--background', '--factory-startup', '--python-exit-code', '1', '--python', script, '--', list];
  const child = startChild(blender, args, { cwd: folder, env: process.env });
  const late = setTimeout(() => void child.kill(), BLENDER_TIMEOUT_MS);
  const code = await child.exited;
  clearTimeout(late);
  if (code !== 0) throw new Error(`Blender ended with ${code ?? 'a signal'}. Its last output:\n${child.tail()}`);
}

async function compare(
  found: Found,
  name: string,
  folder: string,
  options: { samples: number; imported: boolean; pictures: string | undefined },
): Promise<Figures> {
  const scene = found.scenes[name]!;
  const read = (which: string): Picture => readExr(readFileSync(join(folder, `${name}-${which}.exr`)));
  const halves = [read('1'), read('2')] as const;
  const ours = await renderOurs(found, scene, options.samples);
  const [a, b] = [average(...ours), average(...halves)];
  if (options.pictures) {
    const { width, height, bytes } = sideBySide(a, b);
    mkdirSync(options.pictures, { recursive: true });
    await sharp(bytes, { raw: { width, height, channels: 3 } })
      .resize(width * PICTURE_SCALE, height * PICTURE_SCALE, { kernel: 'nearest' })
      .jpeg({ quality: 88, chromaSubsampling: '4:4:4' })
      .toFile(join(options.pictures, `${name}.jpg`));
  }
  return {
    class: scene.kind,
    error: relativeError(a, b),
    bound: BOUNDS[scene.kind],
    noise: noiseOf(ours, halves),
    worst: worstCell(a, b),
    ...(options.imported ? { imported: relativeError(a, read('imported')) } : {}),
  };
}

const STILL_WEBP_QUALITY = 88;

/** Cycles alone, of a public sample with its own camera and lights, encoded as sRGB as our PNGs are. */
async function drawStill(sampleId: string, out: string, width: number, samples: number): Promise<void> {
  const { entry } = await findScenes();
  const all = await (await entry.samples()).samples();
  const sample = all.find(({ id }) => id === sampleId);
  if (!sample?.files.model) throw new Error(`There is no public sample ${sampleId} with a file.`);
  const params = sample.params as Scene['params'];
  const folder = mkdtempSync(join(tmpdir(), 'tessera-still-'));
  try {
    const model = join(folder, 'model.glb');
    writeFileSync(model, sample.files.model);
    const exr = join(folder, 'still.exr');
    const { bounces, lighting } = params;
    const size = { width, height: Math.round((width * params.height) / params.width) };
    const job = { name: sampleId, model, environment: null, sky: lighting === 'sky', ...size, bounces, aim: true, samples, rebuild: true, seed: 1, out: exr };
    await renderCycles(findBlender(), folder, [job]);
    const picture = readExr(readFileSync(exr));
    await sharp(srgbOf(picture), { raw: { width: picture.width, height: picture.height, channels: 3 } })
      .webp({ quality: STILL_WEBP_QUALITY })
      .toFile(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`.padStart(9);

function line(name: string, { error, bound, noise, worst, imported }: Figures): string {
  const verdict = error <= bound ? '' : '  ABOVE';
  const raw = imported === undefined ? '' : `  as imported ${percent(imported)}`;
  return `${name.padEnd(14)} error ${percent(error)}  bound ${percent(bound)}  noise ${percent(noise)}  worst cell ${percent(worst)}${raw}${verdict}`;
}

const positive = (text: string, name: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 2 || value > 1_000_000) throw new Error(`--${name} must be a whole number from 2 to 1,000,000, not ${text}`);
  return value;
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scene: { type: 'string', multiple: true, default: [] },
      samples: { type: 'string', default: '256' },
      'cycles-samples': { type: 'string', default: '2048' },
      imported: { type: 'boolean', default: false },
      pictures: { type: 'string' },
      still: { type: 'string' },
      out: { type: 'string' },
      width: { type: 'string', default: '960' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  if (values.still !== undefined) {
    if (values.out === undefined) throw new Error('--still needs --out FILE.webp');
    return drawStill(values.still, values.out, positive(values.width, 'width'), positive(values['cycles-samples'], 'cycles-samples'));
  }
  const found = await findScenes();
  const names = values.scene.length > 0 ? values.scene : Object.keys(found.scenes);
  for (const name of names)
    if (!Object.hasOwn(found.scenes, name)) throw new Error(`There is no scene ${name}. There are: ${Object.keys(found.scenes).join(', ')}.`);
  const options = { samples: positive(values.samples, 'samples'), imported: values.imported, pictures: values.pictures };
  const cyclesSamples = positive(values['cycles-samples'], 'cycles-samples');
  const blender = findBlender();
  const folder = mkdtempSync(join(tmpdir(), 'tessera-cycles-'));
  try {
    const jobs = await Promise.all(names.map((name) => jobsOf(name, found.scenes[name]!, folder, cyclesSamples, values.imported)));
    await renderCycles(blender, folder, jobs.flat());
    const scenes: Record<string, Figures> = {};
    for (const name of names) {
      const figures = await compare(found, name, folder, options);
      scenes[name] = figures;
      console.log(line(name, figures));
      if (figures.error > figures.bound) process.exitCode = 1;
    }
    if (values.json) console.log(JSON.stringify({ suite: 'cycles', scenes }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
