import { type ElementRef, type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import { seedOf } from '../../shared/rng.ts';
import type { AuditCheck, PartialResult } from '../../shared/workload.ts';
import { type Bounds, distance, isWithin } from './compare.ts';
import { CpuSession } from './cpu.ts';
import { Feeder } from './feeds.ts';
import { inputsOf, piecesOf, placeOf } from './grid.ts';
import { shaken, shakeValues } from './onnx/shaken.ts';
import { wordsOfOutput } from './outcome.ts';
import type { InferJob, InferParams, InferPrepared } from './params.ts';
import { spec } from './spec.ts';

/** The truth about what a model gives: ONNX Runtime on the CPU, one input at a time. What is wrong, and what it was measured on: README.md. */

export { distance };

type Check = AuditCheck<InferParams, InferPrepared, Loaded>;

/** Models with slightly other weights that a dispute is judged by, and how far beyond what they give honest devices may lie. */
const SHAKEN_MODELS = 4;
const SHAKEN_FACTOR = 8;

interface Loaded {
  readonly model: Uint8Array;
  readonly feeder: Feeder;
  /** Of inputs that were disputed. */
  readonly bounds: Map<number, Bounds>;
}

export const load: Check['load'] = (job, { model, batch }) => {
  if (!model) throw new Error('the job has no input named model');
  return { model, feeder: new Feeder(job.params, job.prepared, batch), bounds: new Map() };
};

/** One model is open at a time: what is loaded is forgotten by others without a word, and its memory would stay. */
let open: { readonly of: Loaded; readonly session: Promise<CpuSession> } | null = null;

async function sessionOf(loaded: Loaded): Promise<CpuSession> {
  if (open?.of !== loaded) {
    const before = open;
    open = { of: loaded, session: CpuSession.open(loaded.model) };
    await before?.session.then((session) => session.release()).catch(() => undefined);
  }
  try {
    return await open.session;
  } catch (error) {
    open = null;
    throw error;
  }
}

/** What the model gives for inputs that go through it together; the output of each. */
async function outputsOf(
  session: CpuSession,
  { feeder }: Loaded,
  { prepared }: InferJob,
  inputs: readonly number[],
  shakeSeed?: number,
): Promise<Float32Array[]> {
  const feeds = feeder.feed(inputs);
  if (shakeSeed !== undefined) for (const { data } of Object.values(feeds)) if (data instanceof Float32Array) shakeValues(data, shakeSeed);
  const output = await session.floats(feeds, prepared.output.name);
  const each = output.length / inputs.length;
  return inputs.map((_, index) => output.subarray(index * each, (index + 1) * each));
}

async function wordsOf(loaded: Loaded, job: InferJob, input: number): Promise<Uint32Array> {
  const [output] = await outputsOf(await sessionOf(loaded), loaded, job, [input]);
  return wordsOfOutput(job, output!);
}

/** Throws `RangeError` when an element is not one of the job's. */
export const recompute: Check['recompute'] = async (loaded, job, elements) => {
  const { words } = piecesOf(job);
  const places = elements.map((element) => placeOf(job, element));
  const out = new Uint32Array(elements.length * words);
  for (const input of new Set(places.map((place) => place.input))) {
    const made = await wordsOf(loaded, job, input);
    for (const [index, place] of places.entries())
      if (place.input === input) out.set(made.subarray(place.piece * words, (place.piece + 1) * words), index * words);
  }
  return out;
};

/** How far the output moves when weights and inputs move in their last bits: what rounding may do to it. */
async function boundsOf(loaded: Loaded, job: InferJob, input: number): Promise<Bounds> {
  const known = loaded.bounds.get(input);
  if (known) return known;
  const [truth] = await outputsOf(await sessionOf(loaded), loaded, job, [input]);
  const moved = new Float32Array(truth!.length);
  for (let model = 0; model < SHAKEN_MODELS; model++) {
    const session = await CpuSession.open(shaken(loaded.model, seedOf(model, 1)));
    try {
      const [output] = await outputsOf(session, loaded, job, [input], seedOf(model, 2));
      for (const [at, value] of output!.entries()) moved[at] = Math.max(moved[at]!, Math.abs(value - truth![at]!) || 0);
    } finally {
      await session.release();
    }
  }
  // A value that happened not to move moves like others.
  const typical = Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0) / moved.length);
  const bounds = { truth: truth!, spread: moved.map((value) => SHAKEN_FACTOR * Math.max(value, typical)) };
  loaded.bounds.set(input, bounds);
  return bounds;
}

/** The groups other than itself alone in which an input may have gone through the model, see `groupAt`. */
function* groupsWith(job: InferJob, element: ElementRef, input: number): Generator<number[]> {
  const { first, end } = inputsOf(job.prepared, element);
  for (let size = 2; size <= job.prepared.batchMax; size *= 2) {
    const start = first + Math.floor((input - first) / size) * size;
    if (start + size <= end) yield Array.from({ length: size }, (_, index) => start + index);
  }
}

/**
 * A value is honest that rounding explains, or the company of other inputs in one call: a model in which they influence each other is its author's
 * fault, and prepare.ts finds most of them.
 */
export const explains: Check['explains'] = async (loaded, job, element, claimed) => {
  const { input, piece } = placeOf(job, element);
  const { words } = piecesOf(job);
  if (claimed.length !== words) throw new RangeError(`an element has ${words} words, not ${claimed.length}`);
  const bounds = await boundsOf(loaded, job, input);
  if (isWithin(job, element, claimed, bounds)) return true;
  for (const group of groupsWith(job, element, input)) {
    const outputs = await outputsOf(await sessionOf(loaded), loaded, job, group);
    const output = outputs[group.indexOf(input)]!;
    const made = wordsOfOutput(job, output).subarray(piece * words, (piece + 1) * words);
    if (distance(job, element, made, claimed) <= spec.tolerance.allowed || isWithin(job, element, claimed, { ...bounds, truth: output })) return true;
  }
  return false;
};

export const render = async (loaded: Loaded, job: InferJob, tile: TileRef, parts: PartMask): Promise<PartialResult[]> => {
  if (partsOf(parts).length === 0) return [];
  const elements = Array.from({ length: spec.elements(job, tile) }, (_, element) => ({ ...tile, part: 0, element }));
  const words = await recompute(loaded, job, elements);
  return [{ part: 0, bytes: new Uint8Array(words.buffer as ArrayBuffer) }];
};
