import type { Device } from '../../shared/schemas.ts';
import type { Pace } from './pace.ts';

/** No GPU, or none that lasts: shown to people as it is. */
export class GpuError extends Error {
  override readonly name = 'GpuError';
}

/** Why a run was cut short: the device is gone, the finished parts are not. */
export class DeviceLost extends Error {
  override readonly name = 'DeviceLost';
}

/** A driver that loses its device more often is not helped by yet another one. */
const LOSSES_MAX = 4;

/** Called again after every loss, because a lost device's adapter is stale. Undefined where there is no WebGPU. */
export type GpuSource = () => Promise<GPU | undefined>;

/**
 * The GPU of an engine, through losses: after each one a new adapter is asked for and slices are halved, because the
 * usual cause is a dispatch that ran into the driver's watchdog.
 */
export class GpuKeeper {
  readonly #source: GpuSource;
  readonly #backend: string;
  readonly #pace: Pace;
  #device: GPUDevice | null = null;
  #info: Device | null = null;
  #lost = new AbortController();
  #losses = 0;

  constructor(source: GpuSource, backend: string, pace: Pace) {
    this.#source = source;
    this.#backend = backend;
    this.#pace = pace;
  }

  get info(): Device | null {
    return this.#info;
  }

  /** Aborted with `DeviceLost` when the present device is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get device(): GPUDevice {
    if (!this.#device) throw new GpuError('no GPU was acquired');
    return this.#device;
  }

  /** Throws `GpuError` when there is none. */
  async acquire(): Promise<void> {
    const gpu = await this.#source();
    if (!gpu) throw new GpuError('This browser offers no WebGPU here. It needs a current Chrome, Edge, Safari or Firefox, and https or localhost.');
    const { device, info } = await openDevice(gpu, this.#backend);
    const lost = new AbortController();
    this.#device = device;
    this.#info = info;
    this.#lost = lost;
    void device.lost.then(({ message }) => lost.abort(new DeviceLost(message || 'the GPU was lost')));
  }

  /** A new device after a loss. Throws `GpuError` when there is none, or after too many losses. */
  async recover(): Promise<void> {
    this.#losses++;
    if (this.#losses > LOSSES_MAX) throw new GpuError(`The GPU was lost ${this.#losses} times. Its driver may need a restart.`);
    this.#pace.halveSlices();
    this.#device?.destroy();
    await this.acquire();
  }

  destroy(): void {
    this.#device?.destroy();
    this.#device = null;
  }
}

/** One machine with a GPU answered null to the empty request and its GPU to `high-performance`: all are tried. */
const REQUESTS: readonly GPURequestAdapterOptions[] = [{ powerPreference: 'high-performance' }, {}, { powerPreference: 'low-power' }, { forceFallbackAdapter: true }];
/** Scenes are bound whole: the default limits (128 MiB) are less than most adapters offer. */
const RAISED_LIMITS = ['maxStorageBufferBindingSize', 'maxBufferSize', 'maxStorageBuffersPerShaderStage'] as const;

async function openDevice(gpu: GPU, backend: string): Promise<{ device: GPUDevice; info: Device }> {
  for (const request of REQUESTS) {
    const adapter = await gpu.requestAdapter(request);
    if (!adapter) continue;
    const requiredLimits = Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]]));
    const requiredFeatures: GPUFeatureName[] = adapter.features.has('timestamp-query') ? ['timestamp-query'] : [];
    return { device: await adapter.requestDevice({ requiredLimits, requiredFeatures }), info: describe(adapter.info, backend) };
  }
  throw new GpuError('No GPU was found. Check that hardware acceleration is switched on in the settings of the browser.');
}

function describe({ vendor, architecture, description, isFallbackAdapter }: GPUAdapterInfo, backend: string): Device {
  const software = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${vendor} ${architecture} ${description}`);
  return {
    vendor: vendor.slice(0, 64),
    architecture: architecture.slice(0, 64),
    backend: backend.slice(0, 64),
    description: description.slice(0, 200),
    software,
  };
}
