import { countParts, type JobContext, type ResultId, type TileRef } from '../../shared/model.ts';
import type { TileGrid, WorkloadSpec } from '../../shared/workload.ts';
import type { StoredResult } from '../store/store.ts';
import { endJobIfOver } from './ending.ts';
import { wakeIdle } from './scheduler.ts';
import type { Command, Event, Job, State } from './state.ts';
import { tileNumber } from './verifier.ts';

/**
 * Which adaptive passes still run on which tiles. They are counted in the order of `WorkloadSpec.adaptivePasses`: others may lie between them.
 * The first of a tile always runs. Pass p is opened once all parts of passes 0 to p-1 of the tile are accepted and measured, and the mean of
 * what their results want (`AuditCheck.passesWanted`, weighted by their parts) exceeds p. Where it does not, the tile is good enough: what nobody has begun of p and the adaptive passes behind it is
 * waived. That follows from the accepted results alone, in whatever order they came, so a restart comes to the same, and a result that
 * is taken back reopens what it had settled. Nothing is paid for waived parts; the hold, which was for all passes, is released at the end.
 */

interface Measurement {
  readonly id: ResultId;
  readonly parts: number;
  /** Null until it is known. */
  wanted: number | null;
  failures: number;
}

/** Of every tile that has any, its accepted results by pass. */
export type Measurements = Map<number, Measurement[][]>;

/** A measurement that broke down (a dead thread, a lost blob) is asked for again this often; then the tile gets all its passes. */
const MEASURE_RETRIES_MAX = 2;

/** Adaptive passes of a job, none when none can be left out. */
export function adaptivePassesOf(spec: WorkloadSpec, context: JobContext, { passes }: TileGrid): readonly number[] {
  const adaptive = spec.adaptivePasses(context).filter((pass) => pass < passes);
  return adaptive.length > 1 ? adaptive : [];
}

/** Behind the last adaptive pass there is nothing left to decide. */
const decides = ({ adaptivePasses }: Job, { pass }: TileRef): boolean => adaptivePasses.indexOf(pass) >= 0 && pass !== adaptivePasses.at(-1);

/** An accepted result counts for its tile: at once when it was measured before, else once it is. */
export function noteAccepted(state: State, job: Job, result: StoredResult): Event[] {
  const { id, at, parts, passesWanted } = result;
  if (!decides(job, at)) return [];
  const passes = job.measurements.get(at.tile) ?? [];
  job.measurements.set(at.tile, passes);
  passes[at.pass] = [...(passes[at.pass] ?? []), { id, parts: countParts(parts), wanted: passesWanted, failures: 0 }];
  if (passesWanted === null) return ask(state, result);
  settle(job, at.tile);
  return [];
}

function ask(state: State, result: StoredResult): Event[] {
  state.checksInFlight++;
  return [{ type: 'measureRequested', result }];
}

/** Takes a measurement. One that nobody waits for any more changes nothing: of a result that was taken back, or asked for before a restart. */
export function measured(state: State, command: Command & { type: 'measured' }, now: number): Event[] {
  state.checksInFlight = Math.max(0, state.checksInFlight - 1);
  const { at, id, job: jobId } = command.result;
  const job = state.jobs.get(jobId);
  const found = job?.measurements.get(at.tile)?.[at.pass]?.find((measurement) => measurement.id === id);
  if (!job || found?.wanted !== null) return [];
  if (command.passesWanted === null && found.failures++ < MEASURE_RETRIES_MAX) return ask(state, command.result);
  // What cannot be measured is taken for never good enough: the price is bounded by the hold either way.
  const { passesWanted } = command;
  found.wanted = passesWanted === null || Number.isNaN(passesWanted) ? Number.POSITIVE_INFINITY : Math.max(0, passesWanted);
  const isOpened = settle(job, at.tile);
  return [
    { type: 'write', write: { kind: 'measured', id, passesWanted: found.wanted } },
    ...(isOpened ? wakeIdle(state) : []),
    ...endJobIfOver(state, job, now),
  ];
}

/** An accepted result counts no more. Its parts must have been revoked before. */
export function noteRevoked(job: Job, { id, at }: StoredResult): void {
  if (!decides(job, at)) return;
  const passes = job.measurements.get(at.tile);
  const results = passes?.[at.pass];
  if (passes && results) passes[at.pass] = results.filter((measurement) => measurement.id !== id);
  settle(job, at.tile);
}

/** Decides anew how many passes a tile gets. Returns whether one was opened. */
function settle(job: Job, tile: number): boolean {
  const passes = job.measurements.get(tile) ?? [];
  let [open, isGood, parts, wanted] = [1, false, 0, 0];
  for (; open < job.adaptivePasses.length; open++) {
    const before = job.adaptivePasses[open - 1]!;
    const results = passes[before] ?? [];
    if (!job.blocks.isComplete(tileNumber(job.grid.tiles, { pass: before, tile })) || results.some((each) => each.wanted === null)) break;
    for (const each of results) {
      parts += each.parts;
      wanted += each.parts * (each.wanted ?? 0);
    }
    isGood = wanted <= open * parts;
    if (isGood) break;
  }
  return job.blocks.setTurn(tile, open, isGood);
}
