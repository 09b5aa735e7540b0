import { sceneSections } from '../../shared/formats.ts';
import type { RenderJob } from './params.ts';

/** `Slice` of scene.wgsl: a head of 44 words, then slots of two words for the elements of audits. 8 KiB; compatibility mode grants uniforms 16. */
export const SLICE_HEAD_WORDS = 44;
export const SLOTS = 1024;
export const SLOT_WORDS = 2;

/** Numbers as the kernel has them. */
const sliceKinds = { light: 0, features: 1, albedo: 2, normal: 3 } as const;
export type SliceKind = keyof typeof sliceKinds;

const FRAME_WORDS = sceneSections.frames.stride / 4;

/** Where its paths are. Width 0: scattered. */
export interface SliceRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly firstSample: number;
  readonly partSamples: number;
}

/** The head of a slice, but for its range of paths. `frames`: the scene's section of that name. */
export function sliceHead(job: RenderJob, frames: Uint32Array, frame: number, kind: SliceKind, region: SliceRegion): Uint32Array<ArrayBuffer> {
  const { cameras } = job.prepared;
  const camera = cameras[Math.min(frame, cameras.length - 1)]!;
  const record = Math.min(frame, frames.length / FRAME_WORDS - 1) * FRAME_WORDS;
  const [root, firstInstance, , firstLight, lightCount, environmentLight, sunLight] = frames.subarray(record, record + FRAME_WORDS);
  const words = new Uint32Array(SLICE_HEAD_WORDS);
  const floats = new Float32Array(words.buffer);
  const { origin, originRight, originDown, corner, right, down, lensRight, lensDown } = camera;
  for (const [row, vector] of [origin, originRight, originDown, corner, right, down, lensRight, lensDown].entries()) floats.set(vector, row * 4);
  floats[3] = camera.inverseFocus;
  for (const [row, word] of [root!, firstInstance!, firstLight!, lightCount!, environmentLight!, sunLight!, frame].entries()) words[(row + 1) * 4 + 3] = word;
  words.set([region.x, region.y, region.width, region.width * region.height], 32);
  words.set([region.firstSample, region.partSamples, sliceKinds[kind]], 38);
  return words;
}
