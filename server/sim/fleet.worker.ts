import { parentPort } from 'node:worker_threads';
import { type FleetCell, type FleetReport, runFleet } from './fleet.ts';

/** One world for each message; answers with what was promised in it and what came of it. */
if (!parentPort) throw new Error('this runs in a worker thread');
const port = parentPort;
port.on('message', (cell: FleetCell) => port.postMessage({ cell, report: runFleet(cell.kind, cell.seed) } satisfies FleetReport));
