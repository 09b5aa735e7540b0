import type { Page } from 'playwright';

/**
 * What the engine's worker does on its GPU, counted beside it: every submit is followed by an `onSubmittedWorkDone` of our own, and what
 * is copied out and read back is summed up. The engine is not told, and its own count is not used.
 */

/** One stay of work on the GPU, in milliseconds since 1970. */
export interface Stay {
  readonly from: number;
  readonly to: number;
}

/** What is read back of one part of a small picture: sums of 16 x 16 pixels, four words each. */
export const PART_BYTES = 4096;

const CHANNEL = 'gpu watch';

const inWorker = `{
  const channel = new BroadcastChannel('${CHANNEL}');
  const now = () => performance.timeOrigin + performance.now();
  const submit = GPUQueue.prototype.submit;
  GPUQueue.prototype.submit = function (buffers) {
    const from = now();
    channel.postMessage({ begun: from });
    submit.call(this, buffers);
    this.onSubmittedWorkDone().then(() => channel.postMessage({ stay: { from, to: now() } }), () => undefined);
  };
  let copied = 0;
  const copy = GPUCommandEncoder.prototype.copyBufferToBuffer;
  GPUCommandEncoder.prototype.copyBufferToBuffer = function (...copying) {
    copied += copying.at(-1);
    return copy.apply(this, copying);
  };
  const map = GPUBuffer.prototype.mapAsync;
  GPUBuffer.prototype.mapAsync = async function (...range) {
    const bytes = copied;
    copied = 0;
    await map.apply(this, range);
    channel.postMessage({ read: bytes });
  };
}`;

const inPage = `{
  globalThis.gpuWatch = { stays: [], begun: [], readBytes: 0 };
  new BroadcastChannel('${CHANNEL}').onmessage = ({ data }) => {
    if (data.begun) gpuWatch.begun.push(data.begun);
    else if (data.stay) gpuWatch.stays.push(data.stay);
    else gpuWatch.readBytes += data.read;
  };
}`;

/** Of every document that this page opens from now on. The tabs of one profile hear each other's workers. */
export async function watchGpu(page: Page): Promise<void> {
  await page.addInitScript(inPage);
  page.on('worker', (worker) => void worker.evaluate(inWorker).catch(() => undefined));
}

/** When each submit was made. */
export const submits = (page: Page): Promise<number[]> => page.evaluate('gpuWatch.begun');
export const stays = (page: Page): Promise<Stay[]> => page.evaluate('gpuWatch.stays');
/** Of finished results, which came back from the GPU. */
export const readBytes = (page: Page): Promise<number> => page.evaluate('gpuWatch.readBytes');

/** Milliseconds of [from, to] in which something was on the GPU; stays that overlap count once. */
export function busyMs(all: readonly Stay[], from: number, to: number): number {
  let [sum, until] = [0, from];
  for (const stay of all.toSorted((a, b) => a.from - b.from)) {
    const begin = Math.max(until, stay.from);
    const end = Math.min(to, stay.to);
    if (end <= begin) continue;
    sum += end - begin;
    until = end;
  }
  return sum;
}

/** Share of the next milliseconds in which something is on the GPU. */
export async function busyShare(page: Page, ms: number): Promise<number> {
  const from = await page.evaluate(() => performance.timeOrigin + performance.now());
  // The end of the last stay is told a little later.
  await page.waitForTimeout(ms + 200);
  return busyMs(await stays(page), from, from + ms) / ms;
}
