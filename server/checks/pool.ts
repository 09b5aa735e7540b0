import { Worker } from 'node:worker_threads';
import { limits } from '../../shared/limits.ts';
import { InputError } from '../../shared/workload.ts';
import { type Cap, hit } from '../caps.ts';
import type { Alive, Answer, FromThread, Kind, Question, ToThread } from './messages.ts';

export interface PoolOptions {
  readonly threads: number;
  /** One question may take this long, or this long since its thread's last sign of life; then the thread is terminated and replaced. */
  readonly timeoutMs: number;
  /** Of JavaScript objects, for each thread; and of the buffers beside them, which the engine itself does not cap. */
  readonly heapMib: number;
  readonly buffersMib?: number;
  /** What runs in a thread; the checks and preparations of the workloads when it is left out. */
  readonly thread?: URL;
  /** Questions waiting for a thread; one more is refused. */
  readonly queuedMax: number;
  /** Which of `limits` those are, to count how often they are hit. */
  readonly caps?: { readonly time: Cap; readonly heap: Cap; readonly buffers?: Cap; readonly queued: Cap };
}

interface Pending {
  readonly message: ToThread;
  readonly transfer: readonly ArrayBuffer[] | readonly Question['assemble']['desk'][];
  readonly resolve: (answer: Answer[Kind]) => void;
  readonly reject: (error: Error) => void;
}

/** Buffers are looked at so often: a thread that asks for gigabytes takes longer to fill them. */
const WATCH_MS = 200;
const MIB_LOG2 = 20;

export class PoolBusy extends Error {
  override readonly name = 'PoolBusy';
}

/** Bytes that only the caller has, read from the blob store for it, can be handed over to a thread; small ones lie in memory for others too. */
export const fromDisk = ({ buffer, byteLength }: Uint8Array): ArrayBuffer[] =>
  byteLength > limits.inlineResultBytesMax && buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];

const tooMuch = (cap: Cap | undefined, message: string, most: string): InputError => {
  if (cap) hit(cap);
  return new InputError('files', message, `at most ${most}`);
};

/**
 * A fixed number of worker threads behind one queue. A thread that hangs or dies (out of memory, a crash in a decoder)
 * fails its own question only. Threads start with the first question.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #queue: Pending[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, { readonly pending: Pending; readonly timer: NodeJS.Timeout }>();
  #watching: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  ask<K extends Kind>(kind: K, question: Question[K], transfer: Pending['transfer'] = []): Promise<Answer[K]> {
    if (this.#closed) return Promise.reject(new PoolBusy('The coordinator is shutting down.'));
    if (this.#queue.length >= this.#options.queuedMax) {
      if (this.#options.caps) hit(this.#options.caps.queued);
      return Promise.reject(new PoolBusy('Too much is waiting already; try again in a minute.'));
    }
    return new Promise((resolve, reject) => {
      const message = { kind, question } as ToThread;
      this.#queue.push({ message, transfer, resolve: resolve as (answer: Answer[Kind]) => void, reject });
      this.#next();
    });
  }

  /** Questions that wait, and that threads are at. */
  get load(): { readonly waiting: number; readonly underWay: number } {
    return { waiting: this.#queue.length, underWay: this.#busy.size };
  }

  #next(): void {
    if (this.#queue.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#options.threads ? this.#start() : undefined);
    if (!worker) return;
    const pending = this.#queue.shift()!;
    const timer = setTimeout(
      () =>
        this.#lose(
          worker,
          tooMuch(this.#options.caps?.time, `It took longer than ${this.#options.timeoutMs / 1000} s.`, `${this.#options.timeoutMs / 1000} s`),
        ),
      this.#options.timeoutMs,
    );
    this.#busy.set(worker, { pending, timer });
    worker.ref();
    worker.postMessage(pending.message, pending.transfer);
    if (this.#options.buffersMib !== undefined) this.#watching ??= setInterval(() => void this.#watch(), WATCH_MS).unref();
  }

  #start(): Worker {
    const { heapMib, thread = new URL('./thread.ts', import.meta.url) } = this.#options;
    const worker = new Worker(thread, { resourceLimits: { maxOldGenerationSizeMb: heapMib } });
    // Under `node --watch` threads also report the files they load; those messages are not answers.
    worker.on('message', (message: FromThread | Alive | object) => {
      if ('ok' in message) this.#finish(worker, message);
      else if ('alive' in message) this.#busy.get(worker)?.timer.refresh();
    });
    worker.on('error', (error: NodeJS.ErrnoException) =>
      this.#lose(worker, error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch(this.#options.caps?.heap, 'It needs too much memory.', `${heapMib} MiB`) : error),
    );
    worker.on('exit', (code) => this.#lose(worker, new Error(`a worker thread exited with ${code}`)));
    worker.unref();
    return worker;
  }

  /** Terminates threads whose buffers have outgrown the cap: otherwise the whole process would be killed for it. */
  async #watch(): Promise<void> {
    const most = this.#options.buffersMib ?? Number.POSITIVE_INFINITY;
    for (const [worker, entry] of [...this.#busy]) {
      // Rejects when the thread has ended meanwhile.
      const memory = await worker.getHeapStatistics().catch(() => undefined);
      if (memory && memory.external_memory > most * 2 ** MIB_LOG2 && this.#busy.get(worker) === entry)
        this.#lose(worker, tooMuch(this.#options.caps?.buffers, 'It needs too much memory for buffers.', `${most} MiB`));
    }
    if (this.#busy.size > 0) return;
    clearInterval(this.#watching);
    this.#watching = undefined;
  }

  #finish(worker: Worker, reply: FromThread): void {
    const entry = this.#busy.get(worker);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#busy.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    if (reply.ok) entry.pending.resolve(reply.answer);
    else entry.pending.reject(reply.field === undefined ? new Error(reply.message) : new InputError(reply.field, reply.message, reply.limit));
    this.#next();
  }

  #lose(worker: Worker, error: Error): void {
    const entry = this.#busy.get(worker);
    this.#busy.delete(worker);
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    void worker.terminate();
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.pending.reject(error);
    this.#next();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watching);
    for (const { reject } of this.#queue.splice(0)) reject(new PoolBusy('The coordinator is shutting down.'));
    await Promise.all([...this.#idle, ...this.#busy.keys()].map((worker) => worker.terminate()));
  }
}
