import { requestDevice } from '../../shaders/common/device.ts';
import type { Device } from '../../shared/schemas.ts';
import { isSoftware } from './adapter.ts';
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
    const { adapter, device } = await requestDevice(await this.#source()).catch((error: Error) => {
      throw new GpuError(error.message);
    });
    const lost = new AbortController();
    this.#device = device;
    this.#info = describe(adapter.info, this.#backend);
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

function describe(info: GPUAdapterInfo, backend: string): Device {
  const { vendor, architecture, description } = info;
  return {
    vendor: vendor.slice(0, 64),
    architecture: architecture.slice(0, 64),
    backend: backend.slice(0, 64),
    description: description.slice(0, 200),
    software: isSoftware(info),
  };
}
