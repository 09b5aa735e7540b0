import { MIB } from '../../shared/limits.ts';
import { Bell } from './clock.ts';

/** On their way at once: hides the round trip of a fast GPU's small tiles. */
const IN_FLIGHT_MAX = 6;
/** Beyond either of these the GPU waits for the network: what cannot be delivered need not be computed. */
const PENDING_MAX = 48;
const PENDING_BYTES_MAX = 32 * MIB;

export interface Delivery {
  readonly sizeBytes: number;
  /** Not wanted any more. */
  readonly cancel: AbortController;
}

/** What is on its way to the coordinator, a few at once, in the order it came. `deliver` keeps trying, and rejects never. */
export class Deliveries<T extends Delivery> {
  readonly #deliver: (item: T) => Promise<void>;
  readonly #waiting: T[] = [];
  readonly #flying = new Set<T>();
  readonly #changed = new Bell();
  #bytes = 0;

  constructor(deliver: (item: T) => Promise<void>) {
    this.#deliver = deliver;
  }

  get items(): readonly T[] {
    return [...this.#flying, ...this.#waiting];
  }

  add(item: T): void {
    this.#waiting.push(item);
    this.#bytes += item.sizeBytes;
    this.#pump();
  }

  /** Resolves when there is room for more. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#pending >= PENDING_MAX || this.#bytes >= PENDING_BYTES_MAX) await this.#changed.wait(signal);
  }

  /** Resolves when nothing is on its way. */
  async delivered(signal: AbortSignal): Promise<void> {
    while (this.#pending > 0) await this.#changed.wait(signal);
  }

  /** Resolves when what is on its way now has been answered, whatever was added since. */
  async settled(signal: AbortSignal): Promise<void> {
    const present = this.items;
    while (present.some((item) => this.#flying.has(item) || this.#waiting.includes(item))) await this.#changed.wait(signal);
  }

  get #pending(): number {
    return this.#waiting.length + this.#flying.size;
  }

  #pump(): void {
    while (this.#flying.size < IN_FLIGHT_MAX) {
      const item = this.#waiting.shift();
      if (!item) return;
      this.#flying.add(item);
      void this.#deliver(item).finally(() => {
        this.#flying.delete(item);
        this.#bytes -= item.sizeBytes;
        this.#changed.notify();
        this.#pump();
      });
    }
  }
}
