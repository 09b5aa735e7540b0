import { type Gauge, openGauge } from '../../shaders/common/gauge.ts';
import type { Clock } from './clock.ts';
import { Contention } from './contention.ts';
import type { GpuKeeper } from './device.ts';

/** While working: a reading of a millisecond twice a second, 0.2 % of the GPU. */
const READ_EVERY_MS = 500;
/** While somebody else needs it: rarer, to be in nobody's way. */
const PROBE_EVERY_MS = 2500;

export interface YieldingDeps {
  readonly gpu: GpuKeeper;
  readonly clock: Clock;
  /** Ends with the engine. */
  readonly signal: AbortSignal;
  readonly openGauge?: (device: GPUDevice) => Promise<Gauge>;
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Makes way for others: measures between slices how fast the GPU is, pauses when it is slow for 3 s, and goes on when it is free. */
export class Yielding {
  readonly #deps: YieldingDeps;
  readonly #contention = new Contention();
  #gauge: { readonly device: GPUDevice; readonly gauge: Gauge } | null = null;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(deps: YieldingDeps) {
    this.#deps = deps;
  }

  /** Another power means other clock speeds. */
  powerChanged(): void {
    if (!this.#contention.busy) this.#contention.forget();
  }

  get isDue(): boolean {
    return this.#deps.clock.now() - this.#readMs >= READ_EVERY_MS && !this.#contention.busy;
  }

  /** Between two slices. Never rejects: a device that is lost is seen by others. */
  async inGap(): Promise<void> {
    const { clock } = this.#deps;
    const ms = await this.#read();
    this.#readMs = clock.now();
    if (ms === null || !this.#contention.report(this.#readMs, ms)) return;
    this.#deps.pause();
    void this.#probe().catch(() => undefined);
  }

  async #probe(): Promise<void> {
    const { clock, signal } = this.#deps;
    while (this.#contention.busy) {
      await clock.sleep(PROBE_EVERY_MS, signal);
      const ms = await this.#read();
      // Without a device there is nobody to make way for; the work loop finds another one once it goes on.
      if (ms === null) this.#contention.forget();
      else this.#contention.report(clock.now(), ms);
    }
    this.#deps.resume();
  }

  /** Null when the device is lost. */
  async #read(): Promise<number | null> {
    const { gpu } = this.#deps;
    const lost = new Promise<null>((resolve) => {
      if (gpu.lost.aborted) resolve(null);
      else gpu.lost.addEventListener('abort', () => resolve(null), { once: true });
    });
    return Promise.race([lost, this.#measure().catch(() => null)]);
  }

  async #measure(): Promise<number> {
    const { device } = this.#deps.gpu;
    if (this.#gauge?.device !== device) {
      this.#contention.forget();
      this.#gauge = { device, gauge: await (this.#deps.openGauge ?? openGauge)(device) };
    }
    return this.#gauge.gauge.measure();
  }
}
