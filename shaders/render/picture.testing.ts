import { encodeResult, radiancePart } from '../../shared/formats.ts';
import { fullMask, type JobId, maskOf, type TileRef } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { elementsOf, gridOf, isFeaturePass, partsIn, pixelsOf, sampleRange, tileRect } from './grid.ts';
import { defaults, type RenderJob, type RenderParams } from './params.ts';

/** Results that no kernel made, with known pixels: for tests of what is made of results. */

/** 3 x 2 tiles of 16 a frame, the last column 4 wide; 200 samples in parts of 32: a pass of four parts and one of three, the last of 8 samples. */
export function madeUpJob(params: Partial<RenderParams> = {}): RenderJob {
  const point = [0, 0, 0] as const;
  return {
    id: 'j_testtesttesttest' as JobId,
    seed: 1,
    params: { ...defaults, scene: 'cornell', width: 36, height: 32, samples: 200, layers: 'none', ...params },
    prepared: {
      triangles: 0,
      sky: point,
      cameras: [
        { origin: point, originRight: point, originDown: point, corner: point, right: point, down: point, lensRight: point, lensDown: point, inverseFocus: 1 },
      ],
      quantumLog2: -1,
      depthLog2: 3,
      cost: { columns: 1, rows: 1, steps: [[1]] },
      cpuStepsPerMs: 1,
    },
  };
}

/** Every tile of a job, in the order of tiles. */
export function tilesOf(job: RenderJob): TileRef[] {
  const { passes, tiles } = gridOf(job.params);
  return Array.from({ length: tiles * passes }, (_, index) => ({ tile: Math.floor(index / passes), pass: index % passes }));
}

/** Linear radiance that the results mean, different in every pixel, channel and frame. */
export const radianceAt = (frame: number, x: number, y: number, channel: number): number => (x * 32 + y + channel * 7 + frame * 90) / 1500;

/** Whether camera rays hit something: nothing in the first column; in the second half of them. */
export const coverageAt = (x: number): number => [0, 0.5][x] ?? 1;
export const albedoAt = (x: number, y: number): readonly number[] => [x / 64, y / 64, 0.5];
/** Metres; a multiple of a step of depth at any sample count. */
export const depthAt = (x: number, y: number): number => (x + y + 1) / 16;
/** Some vector of at most unit length. */
export const normalAt = (x: number, y: number): readonly number[] => [x / 64, -y / 64, 0.25];

const STEP = 2 ** -radiancePart.stepLog2;

/** The words of one pixel: of light four, of features eight. */
function wordsOf({ prepared }: RenderJob, kind: 'light' | 'features', frame: number, x: number, y: number, samples: number): number[] {
  if (kind === 'light') return [0, 1, 2].map((channel) => samples * radianceAt(frame, x, y, channel) * 2 ** -prepared.quantumLog2 * STEP).concat(0);
  const hits = samples * coverageAt(x);
  const first = [...albedoAt(x, y).map((value) => samples * value * STEP), hits * depthAt(x, y) * 2 ** -prepared.depthLog2 * STEP];
  return [...first, ...normalAt(x, y).map((value) => hits * (value * 0.5 + 0.5) * STEP), hits * STEP];
}

/** The total of all parts of a tile. */
export function resultOf(job: RenderJob, at: TileRef): AcceptedResult {
  const { params } = job;
  const rect = tileRect(params, at.tile);
  const pixels = pixelsOf(params, at.tile);
  const features = isFeaturePass(params, at.pass);
  const parts = Array.from({ length: partsIn(params, at.pass) }, (_, part) => {
    const { first, end } = sampleRange(params, at.pass, part);
    const words = new Uint32Array(elementsOf(params, at) * 4);
    for (let pixel = 0; pixel < pixels; pixel++) {
      const [x, y] = [rect.x + (pixel % rect.width), rect.y + Math.floor(pixel / rect.width)];
      const made = wordsOf(job, features ? 'features' : 'light', rect.frame, x, y, end - first).map(Math.round);
      words.set(made.slice(0, 4), pixel * 4);
      if (features) words.set(made.slice(4), (pixels + pixel) * 4);
    }
    return { part, bytes: new Uint8Array(words.buffer) };
  });
  return { tile: at, parts: fullMask(parts.length), bytes: encodeResult(parts, elementsOf(params, at), 4) };
}

export const resultsOf = (job: RenderJob): AcceptedResult[] => tilesOf(job).map((at) => resultOf(job, at));

/** A result of one tile whose parts hold `value` in every word. */
export function flat({ params }: RenderJob, tile: TileRef, parts: readonly number[], value: number): AcceptedResult {
  const words = elementsOf(params, tile) * 4;
  const made = parts.map((part) => ({ part, bytes: new Uint8Array(new Uint32Array(words).fill(value).buffer) }));
  return { tile, parts: maskOf(parts), bytes: encodeResult(made, elementsOf(params, tile), 4) };
}

export async function* streamed(list: readonly AcceptedResult[]): AsyncGenerator<AcceptedResult> {
  yield* list;
}
