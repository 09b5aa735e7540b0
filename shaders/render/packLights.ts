import { sceneSections } from '../../shared/formats.ts';
import type { PackedEnvironment } from './environment.ts';
import type { Image, Material, Matrix, MeshScene, PunctualLight, Vec3 } from './mesh.ts';
import { bytesOf, luminance, srgbToLinear } from './packMath.ts';

/** Section `lights`: everything that light is drawn from in one frame, with a probability proportional to its power. */

export const NO_LIGHT = 0xffffffff;
const WORDS = sceneSections.lights.stride / 4;
const kinds = { triangle: 0, point: 1, spot: 2, directional: 3, sun: 4, environment: 5 } as const;

/** A distant disc. */
export interface Sun {
  /** Unit vector in which it shines. */
  readonly direction: Vec3;
  readonly radiance: Vec3;
  /** Radians. */
  readonly angularRadius: number;
}

/** What shines from beyond the scene. */
export interface Beyond {
  readonly environment: PackedEnvironment | null;
  /** Factor on the environment. */
  readonly strength: number;
  readonly sun: Sun | null;
}

/** Emitting triangles of one mesh, in leaf order; `corners`: of all of them, as `edgeForm` in pack.ts has them. */
export interface Emitters {
  /** Places in the section `triangles`. */
  readonly places: Uint32Array;
  /** Two edges each, in the space of the mesh. */
  readonly edges: Float32Array;
  /** Mean luminance of what each sends out. */
  readonly luminances: Float32Array;
}

interface Entry {
  readonly kind: number;
  readonly power: number;
  readonly triangle?: number;
  readonly instance?: number;
  readonly position?: Vec3;
  readonly color?: Vec3;
  readonly area?: number;
  readonly direction?: Vec3;
  readonly extent?: number;
}

export interface FrameLights {
  readonly section: Uint8Array;
  readonly count: number;
  /** For every instance the index of its first light; for the environment and the sun theirs; `NO_LIGHT` for none. */
  readonly firsts: readonly number[];
  readonly environment: number;
  readonly sun: number;
}

/** Means of an image's linear red, green and blue, when read as sRGB. */
function meanOf({ texels }: Image): Vec3 {
  const sums: [number, number, number] = [0, 0, 0];
  for (let at = 0; at < texels.length; at += 4) for (let channel = 0; channel < 3; channel++) sums[channel]! += srgbToLinear[texels[at + channel]!]!;
  const count = texels.length / 4;
  return [sums[0] / count, sums[1] / count, sums[2] / count];
}

/** What every material sends out on average, as luminance: its factor, times the mean of its emission texture. */
export function meanEmissions(scene: MeshScene): Float64Array {
  const means = new Map<number, Vec3>();
  return Float64Array.from(scene.materials, ({ emission, textures, unlit, doubleSided }: Material) => {
    if (unlit) return 0;
    const sides = doubleSided ? 2 : 1;
    if (!textures.emission || luminance(emission) === 0) return luminance(emission) * sides;
    const { image } = scene.textures[textures.emission.texture]!;
    const mean = means.get(image) ?? meanOf(scene.images[image]!);
    means.set(image, mean);
    return luminance([emission[0] * mean[0], emission[1] * mean[1], emission[2] * mean[2]]) * sides;
  });
}

/** Area in the world of a triangle with these two edges, at `edges[at]`. */
function worldArea(m: Matrix, edges: Float32Array, at: number): number {
  const turned = (from: number): Vec3 => {
    const [x, y, z] = [edges[from]!, edges[from + 1]!, edges[from + 2]!];
    return [m[0]! * x + m[4]! * y + m[8]! * z, m[1]! * x + m[5]! * y + m[9]! * z, m[2]! * x + m[6]! * y + m[10]! * z];
  };
  const [a, b] = [turned(at), turned(at + 3)];
  return Math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]) / 2;
}

function bareEntry(light: PunctualLight, frame: number, discArea: number): Entry {
  const pose = light.poses[Math.min(frame, light.poses.length - 1)]!;
  const { position, direction } = pose;
  const { color } = light;
  if (light.kind === 'directional') return { kind: kinds.directional, power: luminance(color) * discArea, color, direction };
  if (light.kind === 'point') return { kind: kinds.point, power: luminance(color) * 4 * Math.PI, color, position };
  const [inner, outer] = [Math.cos(light.innerCone), Math.cos(light.outerCone)];
  // The ramp of KHR_lights_punctual, over the cosine towards the light: scale * cos + offset, where cos = -dot.
  const scale = 1 / Math.max(inner - outer, 1e-3);
  // More than its flux: within its cone it is as bright as a point. Variance is least where lights are drawn by the root of the mean square
  // of what they bring; of the whole sphere a cone is the share (1 - outer) / 2.
  const power = luminance(color) * 4 * Math.PI * Math.sqrt((1 - outer) / 2);
  return { kind: kinds.spot, power, color, position, direction, area: scale, extent: -outer * scale };
}

function beyondEntries({ environment, strength, sun }: Beyond, discArea: number): Entry[] {
  const entries: Entry[] = [];
  if (sun) {
    const cosine = Math.cos(sun.angularRadius);
    const area = 2 * Math.sin(sun.angularRadius / 2) ** 2;
    const power = luminance(sun.radiance) * 2 * Math.PI * area * discArea;
    entries.push({ kind: kinds.sun, power, color: sun.radiance, direction: sun.direction, area, extent: 1 - cosine * cosine });
  }
  if (environment) entries.push({ kind: kinds.environment, power: environment.flux * strength * discArea });
  return entries;
}

/** `radius`: of the scene; it weighs what shines on all of it against what shines in it. `first`: index that this frame's lights begin with. */
export function frameLights(
  scene: MeshScene,
  emitters: readonly Emitters[],
  frame: number,
  firstInstance: number,
  first: number,
  radius: number,
  beyond: Beyond,
): FrameLights {
  const discArea = Math.PI * radius * radius;
  const entries: Entry[] = [];
  const firsts = scene.instances.map(({ mesh, transforms }, instance) => {
    const { places, edges, luminances } = emitters[mesh]!;
    if (places.length === 0) return NO_LIGHT;
    const start = first + entries.length;
    const matrix = transforms[Math.min(frame, transforms.length - 1)]!;
    for (let index = 0; index < places.length; index++) {
      const area = worldArea(matrix, edges, index * 6);
      entries.push({ kind: kinds.triangle, power: luminances[index]! * area * Math.PI, triangle: places[index]!, instance: firstInstance + instance, area });
    }
    return start;
  });
  entries.push(...scene.lights.map((light) => bareEntry(light, frame, discArea)), ...beyondEntries(beyond, discArea));
  const place = (kind: number): number => {
    const index = entries.findIndex((entry) => entry.kind === kind && entry.power > 0);
    return index < 0 ? NO_LIGHT : first + index;
  };
  const total = entries.reduce((sum, { power }) => sum + power, 0);
  if (!(total > 0)) return { section: new Uint8Array(), count: 0, firsts: firsts.map(() => NO_LIGHT), environment: NO_LIGHT, sun: NO_LIGHT };
  return { section: packEntries(entries, total), count: entries.length, firsts, environment: place(kinds.environment), sun: place(kinds.sun) };
}

function packEntries(entries: readonly Entry[], total: number): Uint8Array {
  const floats = new Float32Array(entries.length * WORDS);
  const words = new Uint32Array(floats.buffer);
  const last = entries.findLastIndex(({ power }) => power > 0);
  let below = 0;
  entries.forEach((entry, index) => {
    const at = index * WORDS;
    below += entry.power;
    words.set([entry.kind, entry.triangle ?? 0, entry.instance ?? 0], at);
    // Whatever lies behind the last that has any power is never drawn.
    floats[at + 3] = index >= last ? 1 : below / total;
    floats.set([...(entry.position ?? ORIGIN), entry.power / total, ...(entry.color ?? ORIGIN), entry.area ?? 0], at + 4);
    floats.set([...(entry.direction ?? ORIGIN), entry.extent ?? 0], at + 12);
  });
  return bytesOf(floats);
}

const ORIGIN: Vec3 = [0, 0, 0];
