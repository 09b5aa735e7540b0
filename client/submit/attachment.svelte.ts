import type { BlobHash } from '../../shared/model.ts';
import { type ApiError, asApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';
import { upload } from '../net/upload.ts';

/** One chosen file on its way to the coordinator. */
export class Attachment {
  readonly file: File;
  readonly #abort = new AbortController();
  #share = $state(0);
  #hash = $state<BlobHash | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #stalled = $state.raw<ApiError | null>(null);

  constructor(file: File) {
    this.file = file;
  }

  get share(): number {
    return this.#share;
  }
  get hash(): BlobHash | null {
    return this.#hash;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  /** Why nothing goes on at present; it does by itself. */
  get stalled(): ApiError | null {
    return this.#stalled;
  }

  /** Resolves when it is stored, refused or cancelled. May be called again after a refusal. */
  async send(): Promise<void> {
    this.#error = null;
    this.#share = 0;
    try {
      await session.settled;
      this.#abort.signal.throwIfAborted();
      const { hash } = await upload(
        this.file,
        {
          progress: (share) => {
            this.#share = share;
          },
          stalled: (why) => {
            this.#stalled = why;
          },
        },
        this.#abort.signal,
      );
      this.#hash = hash;
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#error = asApiError(error);
    }
  }

  cancel(): void {
    this.#abort.abort();
  }
}
