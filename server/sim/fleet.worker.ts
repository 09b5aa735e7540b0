import { parentPort } from 'node:worker_threads';
import { type FleetCell, type FleetReport, runFleet } from './fleet.ts';
import { type Day, type DayOptions, type Makespan, type MakespanOptions, runDay, runMakespan } from './makespan.ts';

/** What a thread can be asked for, and what it answers: promises and what came of them, a makespan, a day. */
export type Cell = { readonly fleet: FleetCell } | { readonly makespan: MakespanOptions } | { readonly day: DayOptions };
export type Report = { readonly fleet: FleetReport } | { readonly makespan: Makespan; readonly present: number } | { readonly day: Day };

/** One world for each message. */
if (!parentPort) throw new Error('this runs in a worker thread');
const port = parentPort;
port.on('message', (cell: Cell) => port.postMessage(reportOf(cell)));

function reportOf(cell: Cell): Report {
  if ('fleet' in cell) return { fleet: { cell: cell.fleet, report: runFleet(cell.fleet.kind, cell.fleet.seed) } };
  if ('makespan' in cell) return { makespan: runMakespan(cell.makespan), present: cell.makespan.present };
  return { day: runDay(cell.day) };
}
