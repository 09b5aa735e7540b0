import type { Readings } from './rules.ts';

/** Battery Status API: https://www.w3.org/TR/battery-status/ (Chromium). */
interface BatteryManager extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}
type PressureState = 'nominal' | 'fair' | 'serious' | 'critical';
/** Compute Pressure: https://www.w3.org/TR/compute-pressure/ (Chromium). */
declare class PressureObserver {
  constructor(changed: (records: readonly { readonly state: PressureState }[]) => void);
  observe(source: 'cpu', options: { sampleInterval: number }): Promise<void>;
  disconnect(): void;
}

type Told = Pick<Readings, 'battery' | 'pressure' | 'saveData'>;

const PRESSURE_SAMPLE_MS = 1000;
/** Load comes in waves: it has passed when it was lower for so long. */
const PRESSURE_CALM_MS = 10_000;

const isHigh = (state: PressureState | null): boolean => state === 'serious' || state === 'critical';

/**
 * Watches what the browser tells of the machine, and calls `changed` when something of it has. Where an interface is missing or not allowed
 * here (frames of other sites), its reading stays null: the page says so, and nothing is guessed.
 */
export class Sensors {
  readonly #changed: () => void;
  readonly #over = new AbortController();
  #battery: BatteryManager | null = null;
  #observer: PressureObserver | null = null;
  #pressure: PressureState | null = null;
  #calming: ReturnType<typeof setTimeout> | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get readings(): Told {
    const { connection } = navigator as { connection?: { readonly saveData?: boolean } };
    const battery = this.#battery && { percent: Math.round(this.#battery.level * 100), charging: this.#battery.charging };
    return { battery, pressure: this.#pressure, saveData: connection?.saveData ?? false };
  }

  async open(): Promise<void> {
    await Promise.all([this.#openBattery(), this.#openPressure()]);
    const { connection } = navigator as { connection?: EventTarget };
    connection?.addEventListener?.('change', this.#changed, { signal: this.#over.signal });
    this.#changed();
  }

  close(): void {
    this.#over.abort();
    this.#observer?.disconnect();
    clearTimeout(this.#calming);
  }

  async #openBattery(): Promise<void> {
    const { getBattery } = navigator as { getBattery?: () => Promise<BatteryManager> };
    try {
      this.#battery = (await getBattery?.call(navigator)) ?? null;
    } catch {
      // Not allowed here.
    }
    for (const event of ['chargingchange', 'levelchange']) this.#battery?.addEventListener(event, this.#changed, { signal: this.#over.signal });
  }

  async #openPressure(): Promise<void> {
    // In a frame on another site the request alone is an error in that page's console.
    if (!('PressureObserver' in globalThis) || window.top !== window) return;
    try {
      const observer = new PressureObserver((records) => this.#pressed(records.at(-1)?.state ?? null));
      await observer.observe('cpu', { sampleInterval: PRESSURE_SAMPLE_MS });
      if (this.#over.signal.aborted) observer.disconnect();
      else this.#observer = observer;
    } catch {
      // Not allowed here.
    }
  }

  /** High at once, lower after a while. */
  #pressed(state: PressureState | null): void {
    clearTimeout(this.#calming);
    if (!isHigh(this.#pressure) || isHigh(state)) this.#settle(state);
    else this.#calming = setTimeout(() => this.#settle(state), PRESSURE_CALM_MS);
  }

  #settle(state: PressureState | null): void {
    if (state === this.#pressure) return;
    this.#pressure = state;
    this.#changed();
  }
}
