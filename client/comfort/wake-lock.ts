/**
 * Keeps the screen on while it is wanted. Browsers take the lock away whenever the page is hidden, so it is asked for again when the page
 * is back. Where there is none, or it is refused (battery saver), the screen behaves as ever.
 */
export class WakeLock {
  readonly #over = new AbortController();
  #wanted = false;
  #asking = false;
  #sentinel: WakeLockSentinel | null = null;

  constructor() {
    document.addEventListener('visibilitychange', () => void this.#follow(), { signal: this.#over.signal });
  }

  get held(): boolean {
    return this.#sentinel?.released === false;
  }

  async want(wanted: boolean): Promise<void> {
    this.#wanted = wanted;
    await this.#follow();
  }

  async close(): Promise<void> {
    this.#over.abort();
    await this.want(false);
  }

  async #follow(): Promise<void> {
    if (!this.#wanted) {
      await this.#sentinel?.release();
      this.#sentinel = null;
      return;
    }
    if (this.held || this.#asking || document.visibilityState !== 'visible') return;
    this.#asking = true;
    const { wakeLock } = navigator as { wakeLock?: Navigator['wakeLock'] };
    this.#sentinel = (await wakeLock?.request('screen').catch(() => null)) ?? null;
    this.#asking = false;
    // It may not be wanted any more by now.
    if (!this.#wanted) await this.#follow();
  }
}
