import { limits } from '../../shared/limits.ts';
import type { AcceptedView } from '../../shared/schemas.ts';

const FETCHES_IN_FLIGHT_MAX = 6;
const ATTEMPTS_MAX = 3;

/** What has to be known of a result to fetch it and to put it into its place. */
export type WantedResult = Pick<AcceptedView, 'id' | 'pass' | 'tile' | 'parts'>;

export interface QueueOptions {
  readonly fetch: (result: WantedResult, signal: AbortSignal) => Promise<Uint8Array>;
  /** Awaited before the next fetch in this slot, so that a hidden tab, which does not paint, does not fetch either. */
  readonly arrived: (result: WantedResult, bytes: Uint8Array) => Promise<void>;
  /** It could not be fetched; whoever knows of it still may ask again. */
  readonly failed: (result: WantedResult) => void;
  /** Stop fetching after this many bytes, for pages where the picture is not what the visitor came for. */
  readonly bytesMax?: number;
  readonly full?: () => void;
}

/**
 * Fetches the bytes of accepted results, at most six at a time, earlier passes first: the whole picture appears coarse
 * before any of it is refined. A result that cannot be fetched three times is left out. Nothing is kept of what has arrived.
 */
export class ResultQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Map<number, WantedResult[]>();
  readonly #abort = new AbortController();
  #inFlight = 0;
  #bytes = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Whoever adds sees to it that nothing is added twice. */
  add(result: WantedResult): void {
    const pass = this.#waiting.get(result.pass);
    if (pass) pass.push(result);
    else this.#waiting.set(result.pass, [result]);
    this.#pump();
  }

  close(): void {
    this.#abort.abort();
    this.#waiting.clear();
  }

  #next(): WantedResult | undefined {
    const pass = Math.min(...this.#waiting.keys());
    const bucket = this.#waiting.get(pass);
    const result = bucket?.shift();
    if (bucket?.length === 0) this.#waiting.delete(pass);
    return result;
  }

  #pump(): void {
    while (this.#inFlight < FETCHES_IN_FLIGHT_MAX && this.#waiting.size > 0) {
      if (this.#bytes >= (this.#options.bytesMax ?? Number.POSITIVE_INFINITY)) {
        this.#waiting.clear();
        this.#options.full?.();
        return;
      }
      const result = this.#next();
      if (result) void this.#fetch(result);
    }
  }

  async #fetch(result: WantedResult): Promise<void> {
    this.#inFlight++;
    try {
      const bytes = await this.#attempt(result);
      if (this.#abort.signal.aborted) return;
      if (bytes) {
        this.#bytes += bytes.byteLength;
        await this.#options.arrived(result, bytes);
      } else this.#options.failed(result);
    } finally {
      this.#inFlight--;
      if (!this.#abort.signal.aborted) this.#pump();
    }
  }

  async #attempt(result: WantedResult): Promise<Uint8Array | null> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && !this.#abort.signal.aborted; attempt++) {
      try {
        const bytes = await this.#options.fetch(result, this.#abort.signal);
        return bytes.byteLength <= limits.resultBytesMax ? bytes : null;
      } catch {
        if (!this.#abort.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
      }
    }
    return null;
  }
}
