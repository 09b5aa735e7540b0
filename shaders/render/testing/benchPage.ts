import { encodeResult, toBase64Url } from '../../../shared/formats.ts';
import type { PartMask, TileRef } from '../../../shared/model.ts';
import type { Runner } from '../../../shared/workload.ts';
import { requestDevice } from '../../common/device.ts';
import { open } from '../run.ts';
import { type RenderJob, spec } from '../spec.ts';

/** The half of render.bench.ts that runs in the browser. */

const runners = new Map<string, { job: RenderJob; runner: Runner }>();
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
  runners.set(name, { job, runner: await open(device, job, { scene: packed }) });
}

/** Runs parts of a tile in slices of 50 ms. Milliseconds, and the result in base64url. */
export async function run(name: string, tile: TileRef, parts: PartMask): Promise<{ ms: number; result: string }> {
  const found = runners.get(name);
  if (!found) throw new Error(`scene ${name} is not open`);
  const { job, runner } = found;
  const started = performance.now();
  const finished = [];
  for await (const part of runner.run(tile, parts, { budgetMs: () => 50, between: async () => {} }, new AbortController().signal)) finished.push(part);
  const ms = performance.now() - started;
  return { ms, result: toBase64Url(encodeResult(finished, spec.partBytes(job, tile))) };
}
