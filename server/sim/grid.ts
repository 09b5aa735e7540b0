import { Worker } from 'node:worker_threads';
import type { SimOptions, SimReport } from './simulate.ts';

/** One simulation of a grid, as it goes to a thread. */
export type Cell = Omit<SimOptions, 'adversary'> & { readonly kind: string };

export interface CellReport {
  readonly cell: Cell;
  readonly report: SimReport;
}

/** Runs simulations on so many threads. In no order; `done` is told of each. Rejects with the first error of a thread. */
export async function runGrid(cells: readonly Cell[], threads: number, done: (report: CellReport) => void = () => {}): Promise<CellReport[]> {
  const waiting = [...cells];
  const reports: CellReport[] = [];
  const drain = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        const cell = waiting.shift();
        if (cell) worker.postMessage(cell);
        else resolve();
      };
      worker.on('error', reject);
      worker.on('message', (report: CellReport) => {
        reports.push(report);
        done(report);
        next();
      });
      next();
    });
  const workers = Array.from({ length: Math.min(threads, cells.length) }, () => new Worker(new URL('./grid.worker.ts', import.meta.url)));
  try {
    await Promise.all(workers.map(drain));
    return reports;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
