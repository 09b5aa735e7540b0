import { Worker } from 'node:worker_threads';
import type { SimOptions, SimReport } from './simulate.ts';

/** One simulation of a grid, as it goes to a thread. */
export type Cell = Omit<SimOptions, 'adversary'> & { readonly kind: string };

export interface CellReport {
  readonly cell: Cell;
  readonly report: SimReport;
}

/** Runs simulations on so many threads. In no order; `done` is told of each. Rejects with the first error of a thread. */
export const runGrid = (cells: readonly Cell[], threads: number, done: (report: CellReport) => void = () => {}): Promise<CellReport[]> =>
  runOnThreads(new URL('./grid.worker.ts', import.meta.url), cells, threads, done);

/** Each of `cells` as a message to one of the threads, which answers with a report. */
export async function runOnThreads<C, R>(worker: URL, cells: readonly C[], threads: number, done: (report: R) => void = () => {}): Promise<R[]> {
  const waiting = [...cells];
  const reports: R[] = [];
  const drain = (thread: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        const cell = waiting.shift();
        if (cell) thread.postMessage(cell);
        else resolve();
      };
      thread.on('error', reject);
      thread.on('message', (report: R) => {
        reports.push(report);
        done(report);
        next();
      });
      next();
    });
  const workers = Array.from({ length: Math.min(threads, cells.length) }, () => new Worker(worker));
  try {
    await Promise.all(workers.map(drain));
    return reports;
  } finally {
    await Promise.all(workers.map((thread) => thread.terminate()));
  }
}
