import { parentPort } from 'node:worker_threads';
import type { Cell, CellReport } from './grid.ts';
import { kinds } from './kinds/index.ts';
import { simulate } from './simulate.ts';

/** One simulation for each message, which is a cell; answers with its report. */
if (!parentPort) throw new Error('this runs in a worker thread');
const port = parentPort;
port.on('message', (cell: Cell) => {
  const adversary = kinds[cell.kind];
  if (!adversary) throw new Error(`there is no kind ${cell.kind}`);
  const { kind: _, ...options } = cell;
  port.postMessage({ cell, report: simulate({ ...options, adversary }) } satisfies CellReport);
});
