import { concatBytes, toBase64Url } from '../../../shared/formats.ts';
import type { PartMask, TileRef } from '../../../shared/model.ts';
import type { Runner, SlicePolicy } from '../../../shared/workload.ts';
import { requestDevice } from '../../common/device.ts';
import type { RenderJob } from '../params.ts';
import { open } from '../run.ts';
import { floatKernel, storingKernel } from './benchFloatKernel.ts';
import { pushedKernel, roundings } from './comparator/pushedKernel.ts';

/** The half of agreement.bench.ts that runs in the browser: the kernel, and variants of it made of its source. */

const variants = {
  plain: (source: string) => source,
  /** As a device computes whose divisions and roots are off by a unit in the last place. */
  modelled: (source: string) => pushedKernel(source, roundings.near),
  floats: floatKernel,
  storing: storingKernel,
} as const satisfies Record<string, (source: string) => string>;
export type Variant = keyof typeof variants;

const devices = new Map<Variant, Promise<GPUDevice>>();
const runners = new Map<Variant, Runner>();
const slices: SlicePolicy = { budgetMs: () => 100, inFlight: () => 2, between: async () => {} };

export async function adapterInfo(): Promise<{ name: string; software: boolean }> {
  const { adapter, device } = await requestDevice(navigator.gpu);
  device.destroy();
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return { name: [vendor, architecture, description].filter(Boolean).join(' '), software: isFallbackAdapter };
}

async function deviceOf(variant: Variant): Promise<GPUDevice> {
  const { device } = await requestDevice(navigator.gpu);
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => create({ ...descriptor, code: variants[variant](descriptor.code) });
  return device;
}

/** Opens the job on /blob/`blob` in these variants; what was open before is closed. */
export async function openScene(blob: string, job: RenderJob, wanted: readonly Variant[]): Promise<void> {
  for (const runner of runners.values()) runner.dispose();
  runners.clear();
  const packed = new Uint8Array(await (await fetch(`/blob/${blob}`)).arrayBuffer());
  for (const variant of wanted) {
    const device = devices.get(variant) ?? deviceOf(variant);
    devices.set(variant, device);
    runners.set(variant, await open(await device, job, { scene: packed }));
  }
}

/** Runs parts of tiles. Milliseconds, and tile after tile the parts in order, in base64url. */
export async function run(variant: Variant, tiles: readonly TileRef[], parts: PartMask): Promise<{ ms: number; words: string }> {
  const runner = runners.get(variant);
  if (!runner) throw new Error(`${variant} is not open`);
  const finished: Uint8Array[] = [];
  const started = performance.now();
  for (const tile of tiles) for await (const { bytes } of runner.run(tile, parts, slices, new AbortController().signal)) finished.push(bytes);
  const ms = performance.now() - started;
  return { ms, words: toBase64Url(concatBytes(...finished)) };
}
