import { type Preview, PreviewUnavailable, type WorkloadPreview } from '../../shared/preview.ts';
import { InputError } from '../../shared/workload.ts';
import type { FieldErrors } from './validation.ts';

/** `none`: no file yet. `broken`: the preview failed, which says nothing of the order. `lost`: the GPU was taken away, and may come back. */
export type PreviewStatus = 'none' | 'loading' | 'shown' | 'lost' | 'refused' | 'unavailable' | 'broken';

type Params = Readonly<Record<string, unknown>>;

export interface Subject {
  readonly files: Readonly<Record<string, Blob>>;
  readonly params: Params;
}

/** What one canvas shows of an order. Another set of files takes another canvas. */
export class PreviewState {
  readonly #load: () => Promise<WorkloadPreview>;
  readonly #change: (params: Params) => void;
  #preview = $state.raw<Preview | null>(null);
  #status = $state<PreviewStatus>('none');
  #refusal = $state.raw<InputError | null>(null);
  #frame = $state(0);
  #params: Params = {};

  constructor(load: () => Promise<WorkloadPreview>, change: (params: Params) => void) {
    this.#load = load;
    this.#change = change;
  }

  get preview(): Preview | null {
    return this.#preview;
  }
  get status(): PreviewStatus {
    return this.#status;
  }
  /** Of the motion that is shown. */
  get frame(): number {
    return this.#frame;
  }
  get errors(): FieldErrors {
    const { field, message, limit } = this.#refusal ?? {};
    return field && message ? { [field]: limit ? `${message} Accepted: ${limit}` : message } : {};
  }

  show(params: Params): void {
    this.#params = params;
    this.#preview?.show(params, this.#frame);
  }

  seek(frame: number): void {
    this.#frame = frame;
    this.show(this.#params);
  }

  /** Draws on this canvas until the function that comes back is called. */
  attach(canvas: HTMLCanvasElement, { files, params }: Subject): () => void {
    const leaving = new AbortController();
    this.#params = params;
    this.#refusal = null;
    this.#frame = 0;
    this.#status = 'loading';
    void this.#open(canvas, files, leaving.signal);
    return () => {
      leaving.abort();
      this.#preview?.close();
      this.#preview = null;
      this.#status = 'none';
    };
  }

  async #open(canvas: HTMLCanvasElement, files: Subject['files'], signal: AbortSignal): Promise<void> {
    const host = {
      canvas,
      change: this.#change,
      lost: (isLost: boolean) => {
        this.#status = isLost ? 'lost' : 'shown';
      },
    };
    try {
      const face = await this.#load();
      signal.throwIfAborted();
      const params = this.#params;
      const preview = await face.open(host, files, params, signal);
      if (signal.aborted) return preview.close();
      this.#preview = preview;
      this.#status = 'shown';
      if (this.#params !== params) preview.show(this.#params, this.#frame);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof InputError) this.#refusal = error;
      this.#status = error instanceof InputError ? 'refused' : error instanceof PreviewUnavailable ? 'unavailable' : 'broken';
    }
  }
}
