import { refuse } from './glb.ts';
import type { PlacedNode } from './gltfNodes.ts';
import type { Gltf, GltfLight, GltfNode } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';
import type { Camera, CameraPose, Matrix, PunctualLight, Vec3 } from './mesh.ts';

/** Cameras and punctual lights where their nodes are: both look along -z. Scales of nodes do not change them. */

export const CAMERA_ADDED = 'The scene has no camera: one that sees everything was added.';

const column = (world: Matrix, index: number, sign = 1): Vec3 => [
  world[index * 4]! * sign + 0,
  world[index * 4 + 1]! * sign + 0,
  world[index * 4 + 2]! * sign + 0,
];

function normalize(a: Vec3): Vec3 | null {
  const length = Math.hypot(...a);
  return length > 0 && length < Infinity ? [a[0] / length, a[1] / length, a[2] / length] : null;
}

const isNear = (position: Vec3): boolean => position.every((value) => Math.abs(value) <= sceneLimits.coordinateMax);

/** Null: the transform leaves it no direction, or it is too far out. */
export function cameraPose(world: Matrix): CameraPose | null {
  const [position, forward, above] = [column(world, 3), normalize(column(world, 2, -1)), normalize(column(world, 1))];
  if (!forward || !above || !isNear(position)) return null;
  const along = forward[0] * above[0] + forward[1] * above[1] + forward[2] * above[2];
  // A millionth of a radian between the two cannot be told from none in f32.
  if (1 - along * along < 1e-12) return null;
  return { position, forward, up: normalize([above[0] - along * forward[0], above[1] - along * forward[1], above[2] - along * forward[2]])! };
}

/** Frames without a pose have the nearest one before them, or else behind. Null: there is none at all. */
function filled<T>(poses: readonly (T | null)[]): T[] | null {
  let last = poses.find((pose) => pose !== null) ?? null;
  if (last === null) return null;
  const out: T[] = [];
  for (const pose of poses) {
    last = pose ?? last;
    out.push(last);
  }
  return out;
}

/** The camera of a node that has one, usable cameras of the scene before it being as many as `number`. */
export function cameraAt(gltf: Gltf, node: GltfNode, number: number): Omit<Camera, 'poses'> {
  const { name, type, perspective, orthographic } = gltf.cameras![node.camera!]!;
  return {
    name: (name || node.name || `Camera ${number}`).slice(0, NAME_CHARS_MAX),
    projection: type === 'perspective' ? { kind: 'perspective', yfov: perspective!.yfov } : { kind: 'orthographic', height: 2 * orthographic!.ymag },
  };
}

/** All cameras of the scene in the order of their nodes. Near and far planes and aspect ratios do not matter to a path tracer. */
export function readCameras(gltf: Gltf, placed: readonly PlacedNode[], worlds: ReadonlyMap<number, readonly Matrix[]>, report: string[]): Camera[] {
  const cameras: Camera[] = [];
  let unusable = 0;
  for (const { node, index } of placed) {
    if (node.camera === undefined) continue;
    const poses = filled(worlds.get(index)!.map(cameraPose));
    if (!poses) unusable++;
    else cameras.push({ ...cameraAt(gltf, node, cameras.length), poses });
    if (cameras.length > sceneLimits.camerasMax) throw refuse(`The scene has more than ${cameras.length - 1} cameras.`, `at most ${sceneLimits.camerasMax}`);
  }
  if (unusable > 0) report.push(`Cameras whose transform leaves them no direction were ignored (${unusable}).`);
  if (cameras.length === 0) report.push(CAMERA_ADDED);
  return cameras;
}

/** Names are shown to people. */
const NAME_CHARS_MAX = 100;

/** Exporters write a quarter of a turn in f32, which is a little more. */
const ANGLE_SLACK = 1e-6;
/** Blender writes equal cones for a hard edge. */
const CONE_SHARE_MAX = 0.9999;

function conesOf({ type, spot = {} }: GltfLight, path: string): { innerCone: number; outerCone: number } {
  if (type !== 'spot') return { innerCone: 0, outerCone: Math.PI / 2 };
  const { innerConeAngle: inner = 0, outerConeAngle: outer = Math.PI / 4 } = spot;
  if (!(outer > 0 && outer <= Math.PI / 2 + ANGLE_SLACK)) throw refuse(`${path}.spot.outerConeAngle is ${outer}.`, 'above 0, at most pi / 2');
  if (!(inner >= 0 && inner <= outer)) throw refuse(`${path}.spot.innerConeAngle is ${inner}.`, `from 0 to the outer cone’s ${outer}`);
  const outerCone = Math.min(outer, Math.PI / 2);
  return { innerCone: Math.min(inner, outerCone * CONE_SHARE_MAX), outerCone };
}

/** All lights of the scene that shine. Throws for cones and intensities that are none. */
export function readLights(gltf: Gltf, placed: readonly PlacedNode[], worlds: ReadonlyMap<number, readonly Matrix[]>, report: string[]): PunctualLight[] {
  const definitions = (gltf.extensions?.KHR_lights_punctual?.lights ?? []).map((light, i) => {
    const path = `extensions.KHR_lights_punctual.lights[${i}]`;
    const { color = [1, 1, 1], intensity = 1 } = light;
    const shown = color.map((value) => value * intensity) as unknown as Vec3;
    if (!(Math.max(...shown) <= sceneLimits.intensityMax))
      throw refuse(`${path} has an intensity of ${Math.max(...shown)}.`, `at most ${sceneLimits.intensityMax}`);
    return { kind: light.type, color: shown, ...conesOf(light, path) };
  });
  const lights: PunctualLight[] = [];
  let unusable = 0;
  for (const { node, index } of placed) {
    const light = definitions[node.extensions?.KHR_lights_punctual?.light ?? -1];
    if (!light || Math.max(...light.color) === 0) continue;
    const poses = filled(worlds.get(index)!.map((world) => lightPose(world, light.kind)));
    if (poses) lights.push({ ...light, poses });
    else unusable++;
    if (lights.length > sceneLimits.lightsMax) throw refuse(`The scene has more than ${lights.length - 1} lights.`, `at most ${sceneLimits.lightsMax}`);
  }
  if (unusable > 0) report.push(`Lights whose transform leaves them no place or direction were ignored (${unusable}).`);
  return lights;
}

function lightPose(world: Matrix, kind: PunctualLight['kind']): PunctualLight['poses'][number] | null {
  const [position, direction] = [column(world, 3), normalize(column(world, 2, -1))];
  // A point light shines everywhere, a directional one from everywhere.
  if (!direction && kind !== 'point') return null;
  if (!isNear(position)) return kind === 'directional' ? { position: [0, 0, 0], direction: direction! } : null;
  return { position, direction: direction ?? [0, 0, -1] };
}
