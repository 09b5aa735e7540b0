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

export interface GpuSource {
  /** Called again after every loss; a lost device's adapter is stale. */
  readonly device: () => Promise<{ device: GPUDevice; info: Device }>;
}

/**
 * The GPU of an engine, through losses: after each one a new adapter is asked for and slices are halved, because the
 * usual cause is a dispatch that ran into the driver's watchdog.
 */
export class GpuKeeper {
  readonly #source: GpuSource['device'];
  readonly #pace: Pace;
  #device: GPUDevice | null = null;
  #info: Device | null = null;
  #lost = new AbortController();
  #losses = 0;

  constructor(source: GpuSource['device'], pace: Pace) {
    this.#source = source;
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
    const { device, info } = await this.#source();
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
