import type { Document } from '@gltf-transform/core';
import { refuse } from './glb.ts';
import { animatedNodes, isPath, type Path, type Timeline } from './gltfAnimated.ts';
import { numbersOf } from './gltfGeometry.ts';
import type { Gltf, GltfNode } from './gltfSchema.ts';
import { compose } from './matrix.ts';
import type { Matrix } from './mesh.ts';

/** Animations of nodes: all of the file play at once from time 0 and stop at their ends. glTF 2.0, 3.11 and appendix C. */

interface Track {
  /** Seconds, ascending. */
  readonly times: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  readonly interpolation: 'LINEAR' | 'STEP' | 'CUBICSPLINE';
}

/** The motion of every animated node, for `worldMatrices`. Throws for times and values that are no motion; tells of frames behind the end. */
export function readMotion(gltf: Gltf, document: Document, timeline: Timeline, report: string[]): (node: number, frame: number) => Matrix | null {
  const tracks = new Map<number, Partial<Record<Path, Track>>>();
  const animated = animatedNodes(gltf);
  let end = 0;
  gltf.animations?.forEach(({ channels, samplers }, i) => {
    const read = new Map<number, Track>();
    for (const { sampler, target } of channels) {
      if (target.node === undefined || !isPath(target.path) || !animated.has(target.node)) continue;
      const { input, output, interpolation = 'LINEAR' } = samplers[sampler]!;
      const track = read.get(sampler) ?? readTrack(document, { input, output, interpolation }, `animations[${i}].samplers[${sampler}]`);
      read.set(sampler, track);
      end = Math.max(end, track.times[track.times.length - 1]!);
      tracks.set(target.node, { ...tracks.get(target.node), [target.path]: track });
    }
  });
  const secondOf = (frame: number): number => (timeline.firstFrame + frame) / timeline.framesPerSecond;
  const late = Array.from({ length: timeline.frames }, (_, frame) => frame).filter((frame) => secondOf(frame) > end + 1 / timeline.framesPerSecond).length;
  if (animated.size > 0 && late > 0) report.push(`The animations end after ${Number(end.toFixed(3))} s: frames behind that show their end (${late}).`);
  return (node, frame) => {
    const own = tracks.get(node);
    return own ? placeAt(gltf.nodes![node]!, own, secondOf(frame)) : null;
  };
}

function readTrack(document: Document, sampler: { input: number; output: number; interpolation: Track['interpolation'] }, path: string): Track {
  const accessors = document.getRoot().listAccessors();
  const [times, values] = [numbersOf(accessors[sampler.input]!), numbersOf(accessors[sampler.output]!)];
  for (let i = 0; i < times.length; i++) {
    if (!Number.isFinite(times[i]!)) throw refuse(`${path}.input has a time that is not a number.`);
    if (i > 0 && times[i]! < times[i - 1]!) throw refuse(`${path}.input goes back in time, from ${times[i - 1]} to ${times[i]}.`, 'ascending times');
  }
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) throw refuse(`${path}.output has a value that is not a number.`);
  return { times, values, interpolation: sampler.interpolation };
}

function placeAt(
  { translation = [0, 0, 0], rotation = [0, 0, 0, 1], scale = [1, 1, 1] }: GltfNode,
  tracks: Partial<Record<Path, Track>>,
  second: number,
): Matrix {
  return compose(
    tracks.translation ? valueAt(tracks.translation, second, 3) : translation,
    tracks.rotation ? valueAt(tracks.rotation, second, 4) : rotation,
    tracks.scale ? valueAt(tracks.scale, second, 3) : scale,
  );
}

/** `size` 4 is a quaternion. */
function valueAt({ times, values, interpolation }: Track, second: number, size: 3 | 4): number[] {
  const isCubic = interpolation === 'CUBICSPLINE';
  /** `part`: of a cubic spline 0 for the tangent in, 1 for the value, 2 for the tangent out. */
  const entry = (key: number, part = 1): number[] => {
    const at = (isCubic ? key * 3 + part : key) * size;
    return Array.from({ length: size }, (_, i) => values[at + i]!);
  };
  const key = keyBefore(times, second);
  if (key < 0) return entry(0);
  if (key === times.length - 1 || interpolation === 'STEP') return entry(key);
  const span = times[key + 1]! - times[key]!;
  const share = (second - times[key]!) / span;
  const [from, to] = [entry(key), entry(key + 1)];
  if (!isCubic) return size === 4 ? slerp(from, to, share) : from.map((value, i) => value + (to[i]! - value) * share);
  const [leaving, arriving] = [entry(key, 2), entry(key + 1, 0)];
  const [s2, s3] = [share * share, share * share * share];
  return from.map(
    (value, i) => (2 * s3 - 3 * s2 + 1) * value + span * (s3 - 2 * s2 + share) * leaving[i]! + (3 * s2 - 2 * s3) * to[i]! + span * (s3 - s2) * arriving[i]!,
  );
}

/** The last key that is not behind this second, -1 for none. */
function keyBefore(times: ArrayLike<number>, second: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= second) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Below this angle (its cosine above) the chord is the arc in f64. */
const SLERP_COSINE_MAX = 1 - 1e-9;

/** The shorter way round between two quaternions. */
function slerp(a: readonly number[], b: readonly number[], share: number): number[] {
  const [from, to] = [unit(a), unit(b)];
  const dot = from.reduce((sum, value, i) => sum + value * to[i]!, 0);
  const sign = dot < 0 ? -1 : 1;
  const cosine = Math.min(1, Math.abs(dot));
  const angle = Math.acos(cosine);
  const [left, right] =
    cosine > SLERP_COSINE_MAX ? [1 - share, share] : [Math.sin((1 - share) * angle) / Math.sin(angle), Math.sin(share * angle) / Math.sin(angle)];
  return from.map((value, i) => value * left + to[i]! * sign * right);
}

const unit = (q: readonly number[]): readonly number[] => {
  const length = Math.hypot(...q);
  return length > 0 ? q.map((value) => value / length) : [0, 0, 0, 1];
};
