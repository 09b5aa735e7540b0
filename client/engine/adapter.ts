import { adapterOptions } from '../../shaders/common/device.ts';

export type AdapterKind = 'hardware' | 'software' | 'none';

/** Software renderers may report themselves as ordinary adapters, so their names count too. */
export const isSoftware = ({ vendor, architecture, description, isFallbackAdapter }: GPUAdapterInfo): boolean =>
  isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${vendor} ${architecture} ${description}`);

/** What a machine has, for pages that ask before they use a software renderer. Call after the yes only: it asks the GPU process. */
export async function probeAdapter(gpu: GPU): Promise<AdapterKind> {
  for (const options of adapterOptions) {
    const adapter = await gpu.requestAdapter(options);
    if (adapter) return isSoftware(adapter.info) ? 'software' : 'hardware';
  }
  return 'none';
}
