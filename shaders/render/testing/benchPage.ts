import { concatBytes, radiancePart, toBase64Url, wordsOf } from '../../../shared/formats.ts';
import { countParts, type ElementRef, type PartMask, type TileRef } from '../../../shared/model.ts';
import type { AuditedRunner, SlicePolicy } from '../../../shared/workload.ts';
import { type OpenedDevice, requestDevice } from '../../common/device.ts';
import { samplesOfParts } from '../grid.ts';
import type { RenderJob } from '../params.ts';
import { open } from '../run.ts';
import { ELEMENT_WORDS, spec } from '../spec.ts';
import type { RoundResult } from './peerContest.ts';

/** Our half of render.bench.ts that runs in the browser: the kernel as contributors run it. */

interface Opened {
  readonly job: RenderJob;
  readonly runner: AuditedRunner;
}

const runners = new Map<string, Opened>();
let opened: Promise<OpenedDevice> | undefined;
let compileMs = 0;

async function openedDevice(): Promise<OpenedDevice> {
  const found = await requestDevice(navigator.gpu);
  const compile = found.device.createComputePipelineAsync.bind(found.device);
  found.device.createComputePipelineAsync = async (descriptor) => {
    const started = performance.now();
    const pipeline = await compile(descriptor);
    compileMs += performance.now() - started;
    return pipeline;
  };
  return found;
}

function once(): Promise<OpenedDevice> {
  opened ??= openedDevice();
  return opened;
}

export async function adapterInfo(): Promise<{ name: string; software: boolean }> {
  const { vendor, architecture, description, isFallbackAdapter } = (await once()).adapter.info;
  return { name: [vendor, architecture, description].filter(Boolean).join(' '), software: isFallbackAdapter };
}

/** Uploads the packed scene at /blob/`blob` and compiles the kernel. Milliseconds, those of the compiler apart. */
export async function openScene(name: string, blob: string, job: RenderJob): Promise<{ uploadMs: number; compileMs: number }> {
  const { device } = await once();
  const packed = new Uint8Array(await (await fetch(`/blob/${blob}`)).arrayBuffer());
  compileMs = 0;
  const started = performance.now();
  runners.set(name, { job, runner: await open(device, job, { scene: packed }) });
  await device.queue.onSubmittedWorkDone();
  return { uploadMs: performance.now() - started - compileMs, compileMs };
}

export function closeScene(name: string): void {
  runners.get(name)?.runner.dispose();
  runners.delete(name);
}

const slices: SlicePolicy = { budgetMs: () => 50, inFlight: () => 2, between: async () => {} };

function openedAs(name: string): Opened {
  const found = runners.get(name);
  if (!found) throw new Error(`scene ${name} is not open`);
  return found;
}

/** Runs parts of a tile in slices of 50 ms. Milliseconds, and the parts one after the other in base64url. */
export async function run(name: string, tile: TileRef, parts: PartMask): Promise<{ ms: number; parts: string }> {
  const { runner } = openedAs(name);
  const started = performance.now();
  const finished = await traced(runner, tile, parts);
  const ms = performance.now() - started;
  return { ms, parts: toBase64Url(concatBytes(...finished)) };
}

async function traced(runner: AuditedRunner, tile: TileRef, parts: PartMask): Promise<Uint8Array<ArrayBuffer>[]> {
  const finished: Uint8Array<ArrayBuffer>[] = [];
  for await (const { bytes } of runner.run(tile, parts, slices, new AbortController().signal)) finished.push(bytes);
  return finished;
}

/** Recomputes elements in slices of 50 ms. Milliseconds, and their words in base64url. */
export async function recompute(name: string, elements: readonly ElementRef[]): Promise<{ ms: number; words: string }> {
  const { runner } = openedAs(name);
  const started = performance.now();
  const words = await runner.recompute(elements, slices, new AbortController().signal);
  return { ms: performance.now() - started, words: toBase64Url(words) };
}

/** Some parts of a pass of all tiles, one tile after the other, as a contributor gets them; and the picture that they make. */
export async function round(name: string, pass: number, parts: PartMask): Promise<RoundResult> {
  const { job, runner } = openedAs(name);
  const { tiles } = spec.split(job.params, job.prepared);
  const results: Uint8Array<ArrayBuffer>[][] = [];
  const started = performance.now();
  for (let tile = 0; tile < tiles; tile++) results.push(await traced(runner, { pass, tile }, parts));
  const ms = performance.now() - started;
  const samples = samplesOfParts(job.params, pass) * countParts(parts);
  const unit = 2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2) / samples;
  const image = new Float32Array(job.params.width * job.params.height * 3);
  for (const [tile, finished] of results.entries()) for (const bytes of finished) addPart(image, job, { pass, tile }, bytes, unit);
  return { ms, samples, image: toBase64Url(new Uint8Array(image.buffer)) };
}

function addPart(image: Float32Array, job: RenderJob, at: TileRef, bytes: Uint8Array<ArrayBuffer>, unit: number): void {
  const region = spec.region(job, at)!;
  const words = wordsOf(bytes, spec.elements(job, at) * ELEMENT_WORDS);
  for (let element = 0; element * ELEMENT_WORDS < words.length; element++) {
    const [x, y] = [region.x + (element % region.width), region.y + Math.floor(element / region.width)];
    for (let k = 0; k < 3; k++) image[(y * job.params.width + x) * 3 + k]! += words[element * ELEMENT_WORDS + k]! * unit;
  }
}
