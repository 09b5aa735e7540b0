import type { PreviewRect } from '../../../shared/preview.ts';
import type { Camera, CameraPose, Vec3 } from '../mesh.ts';
import type { View } from '../params.ts';

/** Where the ordered picture lies in a canvas of another shape, and how one moves around in it. */

/** Of the canvas, so that something around the picture can be seen. */
const CROP_SHARE = 0.92;

/** The largest rectangle of this aspect ratio (width / height) in the middle of a canvas, with some air around. */
export function cropOf(aspect: number, width: number, height: number): PreviewRect {
  const high = CROP_SHARE * Math.min(height, width / aspect);
  const wide = high * aspect;
  return { x: (width - wide) / 2, y: (height - high) / 2, width: wide, height: high };
}

const add = (a: Vec3, b: Vec3, factor = 1): Vec3 => [a[0] + b[0] * factor, a[1] + b[1] * factor, a[2] + b[2] * factor];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const degrees = (radians: number): number => (radians * 180) / Math.PI;

/** Nearer to straight up or down a camera that stays upright has no left and right. */
const ELEVATION_MAX = (89.5 * Math.PI) / 180;
/** Of what is looked at, in radii of the scene. */
const DISTANCE_MIN = 1e-3;
const DISTANCE_MAX = 100;
/** What is sent, stored and shown: as exact as f32. */
const DIGITS = 7;

/** The view of a camera, seen as turning around a point in the middle of what it shows. A camera that leans is set upright. */
export function viewOf({ projection }: Camera, { position, forward }: CameraPose, centre: Vec3, radius: number): View {
  const distance = Math.max(dot(add(centre, position, -1), forward), radius / 4);
  const fieldOfViewDegrees = degrees(projection.kind === 'perspective' ? projection.yfov : 2 * Math.atan(projection.height / 2 / distance));
  return upright({ position: [...position], target: [...add(position, forward, distance)], fieldOfViewDegrees });
}

interface Spherical {
  readonly distance: number;
  /** Radians from +z over +x. */
  readonly azimuth: number;
  readonly elevation: number;
}

function sphericalOf({ position, target }: View): Spherical {
  const [x, y, z] = add(position, target, -1);
  const distance = Math.hypot(x, y, z);
  return { distance, azimuth: Math.atan2(x, z), elevation: Math.asin(Math.min(Math.max(y / distance, -1), 1)) };
}

function standing(view: View, { distance, azimuth, elevation }: Spherical): View {
  const high = Math.min(Math.max(elevation, -ELEVATION_MAX), ELEVATION_MAX);
  const around = Math.cos(high) * distance;
  const position = add(view.target, [Math.sin(azimuth) * around, Math.sin(high) * distance, Math.cos(azimuth) * around]);
  return { ...view, position: [...position] };
}

const upright = (view: View): View => standing(view, sphericalOf(view));

/** Turns the camera around what it looks at: to the right and upwards, radians. */
export function turned(view: View, right: number, up: number): View {
  const from = sphericalOf(view);
  return standing(view, { ...from, azimuth: from.azimuth + right, elevation: from.elevation + up });
}

/** Moves the camera beside itself: to the right and upwards, in heights of the picture. */
export function moved(view: View, right: number, up: number): View {
  const { distance, azimuth, elevation } = sphericalOf(view);
  const height = 2 * distance * Math.tan((view.fieldOfViewDegrees * Math.PI) / 360);
  const sideways: Vec3 = [Math.cos(azimuth), 0, -Math.sin(azimuth)];
  const upwards: Vec3 = [-Math.sin(elevation) * Math.sin(azimuth), Math.cos(elevation), -Math.sin(elevation) * Math.cos(azimuth)];
  const by = (point: Vec3): [number, number, number] => [...add(add(point, sideways, right * height), upwards, up * height)];
  return { ...view, position: by(view.position), target: by(view.target) };
}

/** Comes closer (a factor below 1) or goes away, within a scene of this radius. */
export function approached(view: View, factor: number, radius: number): View {
  const from = sphericalOf(view);
  const distance = Math.min(Math.max(from.distance * factor, radius * DISTANCE_MIN), radius * DISTANCE_MAX);
  return standing(view, { ...from, distance });
}

/** As it is ordered. */
export function roundedView({ position, target, fieldOfViewDegrees }: View): View {
  const round = (value: number): number => Number(value.toPrecision(DIGITS));
  const point = ([x, y, z]: Vec3): [number, number, number] => [round(x), round(y), round(z)];
  return { position: point(position), target: point(target), fieldOfViewDegrees: round(fieldOfViewDegrees) };
}
