import { MIB } from '../../shared/limits.ts';
import { Bell, type Clock } from './clock.ts';
import { SendWindow } from './send-window.ts';

/** Beyond either of these the GPU waits for the network: what cannot be delivered need not be computed. */
const PENDING_MAX = 48;
const PENDING_BYTES_MAX = 32 * MIB;

export interface Delivery {
  readonly sizeBytes: number;
  /** Not wanted any more. */
  readonly cancel: AbortController;
}

/** What is on its way to the coordinator, in the order it came, as many at once as the line carries. `deliver` keeps trying, and rejects never. */
export class Deliveries<T extends Delivery> {
  readonly #deliver: (item: T) => Promise<void>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #window = new SendWindow();
  readonly #waiting: T[] = [];
  readonly #flying = new Set<T>();
  readonly #changed = new Bell();
  #bytes = 0;

  constructor(clock: Pick<Clock, 'now'>, deliver: (item: T) => Promise<void>) {
    this.#clock = clock;
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
    while (this.#flying.size < this.#window.size) {
      const item = this.#waiting.shift();
      if (!item) return;
      this.#flying.add(item);
      const sentMs = this.#clock.now();
      void this.#deliver(item).finally(() => {
        const isFull = this.#waiting.length > 0 && this.#flying.size >= this.#window.size;
        this.#window.acknowledged(sentMs, this.#clock.now(), isFull);
        this.#flying.delete(item);
        this.#bytes -= item.sizeBytes;
        this.#changed.notify();
        this.#pump();
      });
    }
  }
}
