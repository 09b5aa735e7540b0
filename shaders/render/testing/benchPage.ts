import { concatBytes, toBase64Url } from '../../../shared/formats.ts';
import type { ElementRef, PartMask, TileRef } from '../../../shared/model.ts';
import type { Runner, SlicePolicy } from '../../../shared/workload.ts';
import { requestDevice } from '../../common/device.ts';
import { open } from '../run.ts';
import type { RenderJob } from '../spec.ts';

/** The half of render.bench.ts that runs in the browser. */

const runners = new Map<string, Runner>();
let opened: ReturnType<typeof requestDevice> | undefined;

export async function adapterInfo(): Promise<{ name: string; software: boolean }> {
  opened ??= requestDevice(navigator.gpu);
  const { vendor, architecture, description, isFallbackAdapter } = (await opened).adapter.info;
  return { name: [vendor, architecture, description].filter(Boolean).join(' '), software: isFallbackAdapter };
}

/** Uploads the packed scene at /scene/`name` and compiles the kernel. */
export async function openScene(name: string, job: RenderJob): Promise<void> {
  opened ??= requestDevice(navigator.gpu);
  const { device } = await opened;
  const packed = new Uint8Array(await (await fetch(`/scene/${name}`)).arrayBuffer());
  runners.set(name, await open(device, job, { scene: packed }));
}

const slices: SlicePolicy = { budgetMs: () => 50, between: async () => {} };

function runnerOf(name: string): Runner {
  const runner = runners.get(name);
  if (!runner) throw new Error(`scene ${name} is not open`);
  return runner;
}

/** Runs parts of a tile in slices of 50 ms. Milliseconds, and the parts one after the other in base64url. */
export async function run(name: string, tile: TileRef, parts: PartMask): Promise<{ ms: number; parts: string }> {
  const runner = runnerOf(name);
  const started = performance.now();
  const finished: Uint8Array[] = [];
  for await (const { bytes } of runner.run(tile, parts, slices, new AbortController().signal)) finished.push(bytes);
  const ms = performance.now() - started;
  return { ms, parts: toBase64Url(concatBytes(...finished)) };
}

/** Recomputes elements in slices of 50 ms. Milliseconds, and their words in base64url. */
export async function recompute(name: string, elements: readonly ElementRef[]): Promise<{ ms: number; words: string }> {
  const runner = runnerOf(name);
  const started = performance.now();
  const words = await runner.recompute(elements, slices, new AbortController().signal);
  return { ms: performance.now() - started, words: toBase64Url(words) };
}
