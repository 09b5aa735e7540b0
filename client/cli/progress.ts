import type { WriteStream } from 'node:tty';

const BAR_CHARS = 30;

/** `[#########---------------------]  30 %  12/40 tiles   8 s` */
export function progressLine(done: number, total: number, noun: string, seconds: number): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * BAR_CHARS);
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_CHARS - filled)}] ${percent} %  ${done}/${total} ${noun}  ${seconds.toFixed(0)} s`;
}

/** Draws over the same line on a terminal; elsewhere prints a line at every tenth. */
export class ProgressBar {
  readonly #out: WriteStream | NodeJS.WriteStream;
  readonly #noun: string;
  readonly #startedMs = performance.now();
  #lastTenth = -1;

  constructor(out: NodeJS.WriteStream, noun: string) {
    this.#out = out;
    this.#noun = noun;
  }

  update(done: number, total: number): void {
    const line = progressLine(done, total, this.#noun, (performance.now() - this.#startedMs) / 1000);
    const tenth = total === 0 ? 10 : Math.floor((done / total) * 10);
    if (this.#out.isTTY) this.#out.write(`\r${line}`);
    else if (tenth > this.#lastTenth) this.#out.write(`${line}\n`);
    this.#lastTenth = Math.max(tenth, this.#lastTenth);
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write('\n');
  }
}
