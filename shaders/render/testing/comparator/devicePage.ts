import { toBase64Url } from '../../../../shared/formats.ts';
import type { ElementRef } from '../../../../shared/model.ts';
import type { SlicePolicy } from '../../../../shared/workload.ts';
import { requestDevice } from '../../../common/device.ts';
import type { RenderJob } from '../../params.ts';
import { open } from '../../run.ts';
import { pushedKernel, type RoundingName, roundings } from './pushedKernel.ts';

/** The half of devices.ts that runs in the browser. */

const slices: SlicePolicy = { budgetMs: () => 100, inFlight: () => 2, between: async () => {} };
const scenes = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
const devices = new Map<RoundingName, Promise<GPUDevice>>();

export async function adapterInfo(): Promise<{ name: string; software: boolean }> {
  const { adapter, device } = await requestDevice(navigator.gpu);
  device.destroy();
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return { name: [vendor, architecture, description].filter(Boolean).join(' '), software: isFallbackAdapter };
}

/** A device of its own for every rounding: its kernel is compiled once for all jobs of scenes with the same features, since that takes SwiftShader seconds. */
async function openDevice(name: RoundingName): Promise<GPUDevice> {
  const { device } = await requestDevice(navigator.gpu);
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => create({ ...descriptor, code: pushedKernel(descriptor.code, roundings[name]) });
  const compile = device.createComputePipelineAsync.bind(device);
  const kernels = new Map<string, Promise<GPUComputePipeline>>();
  device.createComputePipelineAsync = (descriptor) => once(kernels, JSON.stringify(descriptor.compute.constants), () => compile(descriptor));
  return device;
}

function once<K, V>(made: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const found = made.get(key) ?? make();
  made.set(key, found);
  return found;
}

/** What a contributor with this device claims for elements of a job: their words in base64url. The packed scene lies at /scene/`scene`. */
export async function recompute(scene: string, job: RenderJob, rounding: RoundingName, elements: readonly ElementRef[]): Promise<string> {
  const packed = await once(scenes, scene, async () => new Uint8Array(await (await fetch(`/scene/${scene}`)).arrayBuffer()));
  const runner = await open(await once(devices, rounding, () => openDevice(rounding)), job, { scene: packed });
  try {
    return toBase64Url(await runner.recompute(elements, slices, new AbortController().signal));
  } finally {
    runner.dispose();
  }
}
