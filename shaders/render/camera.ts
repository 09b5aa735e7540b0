import type { Camera, CameraPose, Vec3 } from './mesh.ts';
import type { CameraRays, View } from './params.ts';

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
export function poseOf(position: Vec3, forward: Vec3, up: Vec3): CameraPose | null {
  const right = cross(normalize(forward), normalize(up));
  // NaN for a zero vector; a millionth of a radian between the two cannot be told from none in f32.
  if (!(dot(right, right) > 1e-12) || !position.every(Number.isFinite)) return null;
  const ahead = normalize(forward);
  return { position, forward: ahead, up: cross(normalize(right), ahead) };
}

/** A camera that looks from one point at another. Null where the two are the same or lie above each other. */
export function lookAt(position: Vec3, target: Vec3, yfov: number): Camera | null {
  const pose = poseOf(position, add(target, scale(position, -1)), [0, 1, 0]);
  return pose && { name: '', projection: { kind: 'perspective', yfov }, poses: [pose] };
}

/** The camera of an ordered view. Null as `lookAt`. */
export const viewCamera = ({ position, target, fieldOfViewDegrees }: View): Camera | null => lookAt(position, target, (fieldOfViewDegrees * Math.PI) / 180);

/** An axis-aligned box: min xyz, max xyz. */
export type Box = readonly [number, number, number, number, number, number];

/** A camera that sees all of a box in a picture of this aspect ratio (width / height). */
export function fitCamera(box: Box, aspect: number): Camera {
  const centre: Vec3 = [(box[0] + box[3]) / 2, (box[1] + box[4]) / 2, (box[2] + box[5]) / 2];
  const half: Vec3 = [(box[3] - box[0]) / 2, (box[4] - box[1]) / 2, (box[5] - box[2]) / 2];
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
  const pose = { position: add(centre, scale(forward, -distance * (1 + FITTED_MARGIN))), forward, up };
  return { name: 'fitted', projection: { kind: 'perspective', yfov: FITTED_YFOV }, poses: [pose] };
}

/** What is sharp, and how little beside it. */
export interface Lens {
  /** Metres; 0: a pinhole. */
  readonly radius: number;
  /** Metres along the camera's axis. */
  readonly focus: number;
}

const NOTHING: Vec3 = [0, 0, 0];

/** The rays of one pose. The vertical extent is the camera's, the horizontal one follows from the aspect ratio (width / height). */
export function cameraRays({ projection }: Camera, pose: CameraPose, aspect: number, lens: Lens): CameraRays {
  const sideways = cross(pose.forward, pose.up);
  const height = projection.kind === 'perspective' ? 2 * Math.tan(projection.yfov / 2) : projection.height;
  const right = scale(sideways, height * aspect);
  const down = scale(pose.up, -height);
  const corner = add(scale(right, -0.5), scale(down, -0.5));
  const blur = { lensRight: f32(scale(sideways, lens.radius)), lensDown: f32(scale(pose.up, -lens.radius)), inverseFocus: Math.fround(1 / lens.focus) };
  if (projection.kind === 'perspective')
    return {
      origin: f32(pose.position),
      originRight: NOTHING,
      originDown: NOTHING,
      corner: f32(add(pose.forward, corner)),
      right: f32(right),
      down: f32(down),
      ...blur,
    };
  return {
    origin: f32(add(pose.position, corner)),
    originRight: f32(right),
    originDown: f32(down),
    corner: f32(pose.forward),
    right: NOTHING,
    down: NOTHING,
    ...blur,
  };
}
