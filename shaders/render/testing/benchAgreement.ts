import { radiancePart } from '../../../shared/formats.ts';
import type { TileRef } from '../../../shared/model.ts';
import { distance } from '../check.ts';
import type { RenderJob } from '../params.ts';
import { prepare } from '../prepare.ts';
import { ELEMENT_WORDS, spec } from '../spec.ts';
import { gltfScenes } from './gltfScenes.ts';
import { testScenes } from './scenes.ts';

/** What agreement.bench.ts compares, and how. */

export const SAMPLES = 16;
/** Pixels of a scene that are compared, at least: whole tiles, spread over the picture. */
const ELEMENTS = 4096;
/** Of the exposure. */
const APART = 1e-3;

export interface Compared {
  readonly name: string;
  readonly job: RenderJob;
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly tiles: readonly TileRef[];
}

function tilesOf(job: RenderJob): TileRef[] {
  const { tiles } = spec.split(job.params, job.prepared);
  const wanted = Math.min(tiles, Math.ceil(ELEMENTS / spec.elements(job, { pass: 0, tile: 0 })));
  return Array.from({ length: wanted }, (_, index) => ({ pass: 0, tile: Math.floor(((index + 0.5) * tiles) / wanted) }));
}

/** All test scenes of the project, in parts of 16 samples: those of plain data, then those of glTF files. */
export async function* comparedScenes(): AsyncGenerator<Compared> {
  for (const [name, make] of Object.entries(testScenes)) {
    const { job, packed } = make();
    yield { name, job, packed, tiles: tilesOf(job) };
  }
  for (const [name, scene] of Object.entries(gltfScenes)) {
    const params = { scene: 'file', ...scene.params, samples: SAMPLES, layers: 'none' } as const;
    const { prepared, inputs } = await prepare(params, { ...(await scene.build()) });
    const job: RenderJob = { id: 'j_bench_bench_benc' as RenderJob['id'], seed: 7, params, prepared };
    yield { name: `gltf_${name}`, job, packed: new Uint8Array(inputs.scene!), tiles: tilesOf(job) };
  }
}

/** Shares of elements. */
export interface Agreement {
  readonly bitEqual: number;
  /** Within the tolerance of audits. */
  readonly withinStep: number;
  /** No channel of light more than one step of the sum away. */
  readonly oneStep: number;
  /** Mean radiance of a channel more than 1e-3 of the exposure away. */
  readonly apart: number;
}

const WORDS = ELEMENT_WORDS;

/** `a` and `b`: elements of the scene's tiles, of one part. */
export function agreement({ job, tiles }: Compared, a: Uint32Array, b: Uint32Array): Agreement {
  const tile = tiles[0]!;
  const apartSteps = (APART * SAMPLES) / 2 ** radiancePart.stepLog2;
  const count = a.length / WORDS;
  let [equal, within, step, apart] = [0, 0, 0, 0];
  for (let at = 0; at < a.length; at += WORDS) {
    const [one, other] = [a.subarray(at, at + WORDS), b.subarray(at, at + WORDS)];
    const furthest = Math.max(...[0, 1, 2].map((channel) => Math.abs(one[channel]! - other[channel]!)));
    if (one.every((word, index) => word === other[index])) equal++;
    if (distance(job, tile, one, other) <= spec.tolerance.allowed) within++;
    if (furthest <= 1) step++;
    if (furthest > apartSteps) apart++;
  }
  return { bitEqual: equal / count, withinStep: within / count, oneStep: step / count, apart: apart / count };
}

/** In every respect the worse of two. */
export const worse = (a: Agreement, b: Agreement): Agreement => ({
  bitEqual: Math.min(a.bitEqual, b.bitEqual),
  withinStep: Math.min(a.withinStep, b.withinStep),
  oneStep: Math.min(a.oneStep, b.oneStep),
  apart: Math.max(a.apart, b.apart),
});

export const agreementFigures = (suffix: string, { bitEqual, withinStep, oneStep, apart }: Agreement): Record<string, number> => ({
  [`bit_equal_${suffix}`]: bitEqual,
  [`within_step_${suffix}`]: withinStep,
  [`one_step_${suffix}`]: oneStep,
  [`apart_1e3_${suffix}`]: apart,
});

/** Sum of light over elements, in steps: of integers, or of the floats of `floatKernel`. */
export function lightOf(words: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < words.length; at += WORDS) sum += words[at]! + words[at + 1]! + words[at + 2]!;
  return sum;
}
