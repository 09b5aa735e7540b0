/** Ways to ask for a GPU, in order. Some machines answer only one of them: an H100 gave an adapter for the first alone. */
export const adapterOptions: readonly GPURequestAdapterOptions[] = [{ powerPreference: 'high-performance' }, {}, { featureLevel: 'compatibility' }];

/** Limits that kernels raise to what the adapter has; the defaults are small for scenes, and for the tiles of products. */
const raisedLimits = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage', 'maxComputeWorkgroupStorageSize'] as const;

/** What kernels use where it is there, and do without where it is not. */
const wantedFeatures: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];

export interface OpenedDevice {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
}

/**
 * Opens the machine's GPU. `gpu` is `navigator.gpu`, or an equivalent such as Dawn's; undefined where a page has none.
 * After a device was lost, call it again: a new device needs a new adapter. Throws an `Error` for people that says what to do.
 */
export async function requestDevice(gpu: GPU | undefined): Promise<OpenedDevice> {
  if (!gpu) throw new Error('This browser offers no WebGPU here. Pages have it only over https or on http://localhost.');
  const failures: string[] = [];
  for (const options of adapterOptions) {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) {
      failures.push(`${JSON.stringify(options)}: none`);
      continue;
    }
    try {
      return { adapter, device: await adapter.requestDevice({ label: 'tessera', requiredFeatures: featuresOf(adapter), requiredLimits: limitsOf(adapter) }) };
    } catch (error) {
      failures.push(`${JSON.stringify(options)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`WebGPU found no usable GPU. Asked for an adapter with ${failures.join('; ')}. Is hardware acceleration switched off?`);
}

const featuresOf = ({ features }: GPUAdapter): GPUFeatureName[] => wantedFeatures.filter((name) => features.has(name));

function limitsOf(adapter: GPUAdapter): Record<string, number> {
  return Object.fromEntries(raisedLimits.map((name) => [name, adapter.limits[name]]));
}

/** Rejects when the device is lost. Its own rejection counts as handled, so that it may simply be raced against. */
export function lossOf(device: GPUDevice): Promise<never> {
  const loss = device.lost.then(({ reason, message }) => {
    throw new Error(`The GPU device was lost (${reason}): ${message || 'no reason given'}`);
  });
  loss.catch(() => {});
  return loss;
}
