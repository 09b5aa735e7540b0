import { Worker } from 'node:worker_threads';
import { InputError } from '../../shared/workload.ts';
import type { Answer, FromThread, Kind, Question, ToThread } from './messages.ts';

export interface PoolOptions {
  readonly threads: number;
  /** One question may take this long; then its thread is terminated and replaced. */
  readonly timeoutMs: number;
  readonly heapMib: number;
  /** Questions waiting for a thread; one more is refused. */
  readonly queuedMax: number;
}

interface Pending {
  readonly message: ToThread;
  readonly transfer: readonly ArrayBuffer[] | readonly Question['assemble']['source'][];
  readonly resolve: (answer: Answer[Kind]) => void;
  readonly reject: (error: Error) => void;
}

export class PoolBusy extends Error {
  override readonly name = 'PoolBusy';
}

/**
 * A fixed number of worker threads behind one queue. A thread that hangs or dies (out of memory, a crash in a decoder)
 * fails its own question only. Threads start with the first question.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #queue: Pending[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, { readonly pending: Pending; readonly timer: NodeJS.Timeout }>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  ask<K extends Kind>(kind: K, question: Question[K], transfer: Pending['transfer'] = []): Promise<Answer[K]> {
    if (this.#closed) return Promise.reject(new PoolBusy('The coordinator is shutting down.'));
    if (this.#queue.length >= this.#options.queuedMax) return Promise.reject(new PoolBusy('Too much is waiting already; try again in a minute.'));
    return new Promise((resolve, reject) => {
      const message = { kind, question } as ToThread;
      this.#queue.push({ message, transfer, resolve: resolve as (answer: Answer[Kind]) => void, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#queue.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#options.threads ? this.#start() : undefined);
    if (!worker) return;
    const pending = this.#queue.shift()!;
    const timer = setTimeout(
      () => this.#lose(worker, new InputError('files', `It took longer than ${this.#options.timeoutMs / 1000} s.`)),
      this.#options.timeoutMs,
    );
    this.#busy.set(worker, { pending, timer });
    worker.ref();
    worker.postMessage(pending.message, pending.transfer);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./thread.ts', import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMib } });
    // Under `node --watch` threads also report the files they load; those messages are not answers.
    worker.on('message', (message: FromThread | object) => {
      if ('ok' in message) this.#finish(worker, message);
    });
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', (code) => this.#lose(worker, new Error(`a worker thread exited with ${code}`)));
    worker.unref();
    return worker;
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
    for (const { reject } of this.#queue.splice(0)) reject(new PoolBusy('The coordinator is shutting down.'));
    await Promise.all([...this.#idle, ...this.#busy.keys()].map((worker) => worker.terminate()));
  }
}
