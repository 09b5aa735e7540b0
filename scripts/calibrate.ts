import '../shaders/raw-hooks.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { requestDevice } from '../shaders/common/device.ts';
import { median } from '../shaders/common/testing/benchFigures.ts';
import { workload, workloadIds } from '../shaders/registry.ts';
import { fullMask, type JobContext, type JobId, type PartMask, type TileRef } from '../shared/model.ts';
import type { Calibration } from '../shared/schemas.ts';
import type { Runner, SlicePolicy, WorkloadEntry, WorkloadSample } from '../shared/workload.ts';
import { type Dawn, withDawn } from './dawn.ts';
import { root } from './pages.ts';

/**
 * `npm run calibrate`: how many micro-units a second this machine's GPU does of each workload, with the very kernels that contributors
 * run. On the reference GPU that should be a million; elsewhere it shows whether the workloads' units are alike.
 */
const usage = `npm run calibrate -- [WORKLOAD]... [--write] [--rounds N]
  --write   keeps what was measured in shaders/WORKLOAD/calibration.json; what is stated there stays
  --rounds  rounds that count, default 5, at least 3`;

const ROUNDS_MIN = 3;
/** Of each round, about. */
const ROUND_MS = 2000;
/** Tiles of a round, all over the job: they differ in cost. */
const TILES_MAX = 8;
/** As engines cut work on a machine that nobody sits at. */
const SLICE_MS = 50;

const slice: SlicePolicy = { budgetMs: () => SLICE_MS, inFlight: () => 2, between: async () => undefined };

interface Order {
  readonly sample: WorkloadSample;
  readonly job: JobContext;
  readonly inputs: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  readonly tiles: readonly TileRef[];
}

type Work = readonly { readonly at: TileRef; readonly parts: number }[];

const unitsOf = ({ spec }: WorkloadEntry, job: JobContext, work: Work): number => work.reduce((sum, { at, parts }) => sum + spec.work(job, at) * parts, 0);

/** Tiles of the first pass, evenly spread. */
function spreadTiles(count: number): TileRef[] {
  const used = Math.min(count, TILES_MAX);
  return Array.from({ length: used }, (_, index) => ({ pass: 0, tile: Math.floor(((index + 0.5) * count) / used) }));
}

/** The workload's own sample with most work in a tile: rounding up to whole micro-units counts least there. */
async function heaviest(entry: WorkloadEntry): Promise<Order> {
  const [{ samples }, { prepare }] = await Promise.all([entry.samples(), entry.prepare()]);
  let best: { readonly order: Order; readonly units: number } | null = null;
  for (const sample of await samples()) {
    const { prepared, inputs } = await prepare(sample.params, sample.files);
    const job: JobContext = { id: 'j_calibrate0000000' as JobId, seed: 1, params: sample.params, prepared };
    const tiles = spreadTiles(entry.spec.split(job.params, prepared).tiles);
    const units = tiles.reduce((sum, at) => sum + entry.spec.work(job, at) * entry.spec.parts(job, at), 0) / tiles.length;
    const order = { sample, job, inputs: inputs as Order['inputs'], tiles };
    if (!best || units > best.units) best = { order, units };
  }
  if (!best) throw new Error(`${entry.spec.id} has no samples`);
  return best.order;
}

/** Milliseconds that this work takes, results read back. */
async function timeOf(runner: Runner, work: Work): Promise<number> {
  const startedMs = performance.now();
  for (const { at, parts } of work) {
    let came = 0;
    for await (const _ of runner.run(at, fullMask(parts) as PartMask, slice, new AbortController().signal)) came++;
    if (came !== parts) throw new Error(`${came} parts came of ${parts}`);
  }
  return performance.now() - startedMs;
}

/** As much of the job as takes about `ROUND_MS`: more tiles first, then more parts of each, then the same again. */
function roundOf({ spec }: WorkloadEntry, { job, tiles }: Order, microUnitsPerMs: number): Work {
  const wanted = microUnitsPerMs * ROUND_MS;
  const work: { at: TileRef; parts: number }[] = [];
  const add = (at: TileRef, parts: number): number => {
    work.push({ at, parts });
    return spec.work(job, at) * parts;
  };
  const once = tiles.reduce((sum, at) => sum + spec.work(job, at), 0);
  for (let units = 0; units < wanted; ) {
    for (const at of tiles) {
      if (units >= wanted) break;
      units += add(at, Math.min(spec.parts(job, at), Math.max(1, Math.round(wanted / once))));
    }
  }
  return work;
}

/** Of so many rounds, after one that lets slices grow and clocks rise. */
async function measure(
  entry: WorkloadEntry,
  order: Order,
  device: GPUDevice,
  rounds: number,
): Promise<Pick<Calibration['measured'], 'microUnitsPerSecond' | 'spread'>> {
  const runner = await (await entry.run()).open(device, order.job, order.inputs);
  try {
    const middle: Work = [{ at: order.tiles[order.tiles.length >> 1]!, parts: 1 }];
    await timeOf(runner, middle);
    const round = roundOf(entry, order, unitsOf(entry, order.job, middle) / (await timeOf(runner, middle)));
    await timeOf(runner, round);
    const rates: number[] = [];
    for (let count = 0; count < rounds; count++) rates.push((unitsOf(entry, order.job, round) * 1000) / (await timeOf(runner, round)));
    const typical = median(rates);
    return { microUnitsPerSecond: Number(typical.toPrecision(6)), spread: Number(((Math.max(...rates) - Math.min(...rates)) / typical).toPrecision(3)) };
  } finally {
    runner.dispose();
  }
}

async function calibrate(id: string, { gpu, name, software }: Dawn, rounds: number): Promise<Calibration & { readonly sample: string }> {
  const entry = workload(id);
  if (!entry) throw new Error(`there is no workload ${id}; there are ${workloadIds.join(', ')}`);
  const order = await heaviest(entry);
  const { device } = await requestDevice(gpu);
  try {
    const measured = { device: name, ...(await measure(entry, order, device, rounds)), rounds, atMs: Date.now(), software };
    return { kernelVersion: entry.spec.version, stated: (await entry.calibration()).default.stated, measured, sample: order.sample.id };
  } finally {
    device.destroy();
  }
}

const figure = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 3 });

/** A line a workload; the last column: how long its unit takes, where that of the first takes 1. */
export function table(found: readonly { readonly id: string; readonly sample: string; readonly measured: Calibration['measured'] }[]): string {
  const first = found[0]?.measured.microUnitsPerSecond ?? 1;
  const rows = found.map(({ id, sample, measured: { microUnitsPerSecond, spread } }) => [
    id,
    sample,
    figure(microUnitsPerSecond),
    `${(spread * 100).toFixed(0)} %`,
    figure(1e6 / microUnitsPerSecond),
    figure(first / microUnitsPerSecond),
  ]);
  const all = [['workload', 'sample', 'micro-units/s', 'spread', 's a unit', 'relative'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')).join('\n');
}

async function main(ids: readonly string[], rounds: number, write: boolean, adapter: Dawn): Promise<number> {
  console.log(`${adapter.name}, ${rounds} rounds of about ${ROUND_MS / 1000} s after a warm-up`);
  const found = [];
  for (const id of ids) {
    const { sample, ...calibration } = await calibrate(id, adapter, rounds);
    found.push({ id, sample, ...calibration });
    if (write) writeFileSync(join(root, 'shaders', id, 'calibration.json'), `${JSON.stringify(calibration, null, 2)}\n`);
  }
  console.log(table(found));
  if (adapter.software) console.log('A processor computed: this tells nothing of GPUs, and the units stay stated, not measured.');
  return 0;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false }, rounds: { type: 'string', default: '5' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  await withDawn(async (adapter) => {
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < ROUNDS_MIN) throw new Error(`--rounds is ${values.rounds}; it must be a whole number from ${ROUNDS_MIN}`);
    return main(positionals.length > 0 ? positionals : workloadIds, rounds, values.write, adapter);
  });
}
