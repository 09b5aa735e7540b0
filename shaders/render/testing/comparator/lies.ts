import { decodeScene, radiancePart, sceneSections } from '../../../../shared/formats.ts';
import type { ElementRef, PartMask, TileRef } from '../../../../shared/model.ts';
import { Rng } from '../../../../shared/rng.ts';
import { recompute } from '../../check.ts';
import { placeOf, sampleRange, tileRect } from '../../grid.ts';
import type { RenderJob } from '../../params.ts';
import { addSamples, loadScene, type Scene } from '../../reference.ts';
import { ELEMENT_WORDS } from '../../spec.ts';

/** Results that somebody made up or cheapened, computed only where they are looked at. They are of passes of light. */

/** One result and what there is to know about it. */
export interface Subject {
  readonly job: RenderJob;
  readonly scene: Scene;
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly tile: TileRef;
  readonly parts: PartMask;
  /** Honest sums of an element. */
  truth(element: ElementRef): Uint32Array;
}

/** What is claimed for an element: `elementWords` u32. */
export type Claim = (element: ElementRef) => Uint32Array;

/** Makes the lie; `seed` decides what it leaves open: where a patch is, which object is missing. */
export type Lie = (subject: Subject, seed: number) => Claim;

export function subjectOf(job: RenderJob, packed: Uint8Array<ArrayBuffer>, scene: Scene, tile: TileRef, parts: PartMask): Subject {
  const known = new Map<string, Uint32Array>();
  const truth = (element: ElementRef): Uint32Array => {
    const key = `${element.part}/${element.element}`;
    const sums = known.get(key) ?? recompute(scene, job, [element]);
    known.set(key, sums);
    return sums;
  };
  return { job, packed, scene, tile, parts, truth };
}

/** The first half of the samples, counted twice. */
const halfSamples: Lie = (subject) => (element) => {
  const place = placeOf(subject.job, element);
  const count = place.end - place.first;
  const half = Math.ceil(count / 2);
  const sums = new Uint32Array(ELEMENT_WORDS);
  addSamples(subject.scene, subject.job, { ...place, end: place.first + half }, sums, 0);
  return sums.map((sum) => Math.round((sum * count) / half));
};

const PATCH_EDGE = 10;
/** Orange, as bright as the scene is on average. */
const PAINT = [1.6, 0.8, 0.2] as const;

/** The first element of a patch somewhere in the tile, by column and row of the tile. */
function patchCorner({ job, tile }: Subject, seed: number): { column: number; row: number } {
  const rng = new Rng(seed);
  const rect = tileRect(job.params, tile.tile);
  return { column: rng.below(rect.width - PATCH_EDGE + 1), row: rng.below(rect.height - PATCH_EDGE + 1) };
}

/** 10 x 10 pixels painted over in every part, the rest honest. */
const patch: Lie = (subject, seed) => {
  const { column, row } = patchCorner(subject, seed);
  const { width } = tileRect(subject.job.params, subject.tile.tile);
  const within = (at: number, from: number): boolean => at >= from && at < from + PATCH_EDGE;
  return (element) => {
    if (!within(element.element % width, column) || !within(Math.floor(element.element / width), row)) return subject.truth(element);
    const { first, end } = sampleRange(subject.job.params, element.pass, element.part);
    const [r, g, b] = PAINT;
    const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    return Uint32Array.from([r, g, b].map((value) => value * 2 ** -radiancePart.stepLog2).concat(luminance ** 2 / radiancePart.squareStep), (one) =>
      Math.round(one * (end - first)),
    );
  };
};

/** The mean of 3 x 3 pixels, within the tile. */
const blur: Lie = (subject) => (element) => {
  const { width, height } = tileRect(subject.job.params, element.tile);
  const [column, row] = [element.element % width, Math.floor(element.element / width)];
  const sums = new Float64Array(ELEMENT_WORDS);
  let count = 0;
  for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++)
    for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
      for (const [word, sum] of subject.truth({ ...element, element: y * width + x }).entries()) sums[word]! += sum;
      count++;
    }
  return Uint32Array.from(sums, (sum) => Math.round(sum / count));
};

const BRIGHTER = 1.02;

/** Everything 2 % brighter, squares to match. */
const brighter: Lie = (subject) => (element) =>
  subject.truth(element).map((sum, word) => Math.round(sum * (word === ELEMENT_WORDS - 1 ? BRIGHTER ** 2 : BRIGHTER)));

const traced =
  (scene: Scene, job: RenderJob): Claim =>
  (element) =>
    recompute(scene, job, [element]);

/** The packed scene without the triangles of one material that does not shine; `seed` decides which. */
export function objectMissing(packed: Uint8Array<ArrayBuffer>, seed: number): Scene {
  const copy = packed.slice();
  const { triangles } = decodeScene(copy);
  const floats = new Float32Array(triangles.buffer, triangles.byteOffset, triangles.byteLength / 4);
  const words = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const stride = sceneSections.triangles.stride / 4;
  const places = Array.from({ length: floats.length / stride }, (_, place) => place * stride);
  const materialOf = (at: number): number => (words[at + 3]! & ~COVERED_IN_PART) >>> 0;
  const materials = new Set(places.filter((at) => words[at + 11] === NO_LIGHT).map(materialOf));
  const gone = [...materials].sort((a, b) => a - b)[new Rng(seed).below(materials.size)];
  // Without edges a triangle has no area, and no ray meets it.
  for (const at of places) if (materialOf(at) === gone) for (const edge of [4, 8]) floats.fill(0, at + edge, at + edge + 3);
  return loadScene(copy);
}
/** `light` of a packed triangle that emits nothing. */
const NO_LIGHT = 0xffffffff;
/** Bit of a packed triangle's material: there in part only. */
const COVERED_IN_PART = 0x80000000;

/** What somebody renders whose copy of the scene lacks an object. */
const missingObject: Lie = ({ packed, job }, seed) => traced(objectMissing(packed, seed), job);

/** Paths end one surface early: a sixth of the work saved, and where most paths leave the scene sooner anyway hardly a difference. */
const fewerBounces: Lie = ({ scene, job }) => traced(scene, { ...job, params: { ...job.params, bounces: job.params.bounces - 1 } });

/** Those that must be refused. */
export const lies = { halfSamples, patch, blur, missingObject, brighter } as const satisfies Readonly<Record<string, Lie>>;
/** Known to be hard to see, and reported apart. */
export const hardLies = { fewerBounces } as const satisfies Readonly<Record<string, Lie>>;
export type LieName = keyof typeof lies | keyof typeof hardLies;
export const allLies: Readonly<Record<LieName, Lie>> = { ...lies, ...hardLies };
