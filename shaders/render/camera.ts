import type { CameraPose, Triangles, Vec3 } from './mesh.ts';
import type { RenderPrepared } from './spec.ts';

/** Where a fitted camera looks from, seen from the middle of the scene: three-quarter view from slightly above. */
const FITTED_DIRECTION: Vec3 = [0.55, 0.4, 1];
const FITTED_YFOV = (40 * Math.PI) / 180;
/** Air around a fitted scene, as a share of its distance. */
const FITTED_MARGIN = 0.04;

const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const scale = (a: Vec3, factor: number): Vec3 => [a[0] * factor, a[1] * factor, a[2] * factor];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vec3, b: Vec3): Vec3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const normalize = (a: Vec3): Vec3 => scale(a, 1 / Math.sqrt(dot(a, a)));
const f32 = (a: Vec3): Vec3 => [Math.fround(a[0]), Math.fround(a[1]), Math.fround(a[2])];

/**
 * A camera at `position` that looks along `forward`, with the image's upper edge towards `up`; the two may have any length and
 * need not be at right angles. Null where they are zero, parallel or not numbers.
 */
export function poseOf(position: Vec3, forward: Vec3, up: Vec3, yfov: number): CameraPose | null {
  const right = cross(normalize(forward), normalize(up));
  // NaN for a zero vector; a millionth of a radian between the two cannot be told from none in f32.
  if (!(dot(right, right) > 1e-12) || !position.every(Number.isFinite)) return null;
  const ahead = normalize(forward);
  return { position, forward: ahead, up: cross(normalize(right), ahead), yfov };
}

export const lookAt = (position: Vec3, target: Vec3, yfov: number): CameraPose | null => poseOf(position, add(target, scale(position, -1)), [0, 1, 0], yfov);

/** Centre and half extents of the box around all triangles. */
function boxOf({ positions }: Triangles): { centre: Vec3; half: Vec3 } {
  const low: [number, number, number] = [Infinity, Infinity, Infinity];
  const high: [number, number, number] = [-Infinity, -Infinity, -Infinity];
  for (let at = 0; at < positions.length; at += 3) {
    for (let axis = 0; axis < 3; axis++) {
      low[axis] = Math.min(low[axis]!, positions[at + axis]!);
      high[axis] = Math.max(high[axis]!, positions[at + axis]!);
    }
  }
  return { centre: scale(add(low, high), 0.5), half: scale(add(high, scale(low, -1)), 0.5) };
}

/** A camera that sees all triangles in a picture of this aspect ratio (width / height). */
export function fitCamera(triangles: Triangles, aspect: number): CameraPose {
  const { centre, half } = boxOf(triangles);
  const forward = normalize(scale(FITTED_DIRECTION, -1));
  const right = normalize(cross(forward, [0, 1, 0]));
  const up = cross(right, forward);
  const tangent = Math.tan(FITTED_YFOV / 2);
  let distance = 0;
  for (let corner = 0; corner < 8; corner++) {
    const at: Vec3 = [corner & 1 ? half[0] : -half[0], corner & 2 ? half[1] : -half[1], corner & 4 ? half[2] : -half[2]];
    const beside = Math.max(Math.abs(dot(at, up)), Math.abs(dot(at, right)) / aspect) / tangent;
    distance = Math.max(distance, beside - dot(at, forward));
  }
  return { position: add(centre, scale(forward, -distance * (1 + FITTED_MARGIN))), forward, up, yfov: FITTED_YFOV };
}

/** The image plane at distance 1: the vertical field of view is the pose's, the horizontal one follows from the aspect ratio. */
export function imagePlane(pose: CameraPose, aspect: number): RenderPrepared['camera'] {
  const halfHeight = Math.tan(pose.yfov / 2);
  const right = scale(cross(pose.forward, pose.up), 2 * halfHeight * aspect);
  const down = scale(pose.up, -2 * halfHeight);
  const corner = add(pose.forward, add(scale(right, -0.5), scale(down, -0.5)));
  return { origin: f32(pose.position), corner: f32(corner), right: f32(right), down: f32(down) };
}
