import { environmentPixels, type PeerEnvironment, type PeerLight, type PeerScene } from './peerScenes.ts';
import { add, cross, dot, scale, sub, unit, type V3 } from './peerVectors.ts';

/** What shines in a comparison scene, for peerReference.ts. */

export interface LightSample {
  readonly direction: V3;
  readonly distance: number;
  /** Radiance over the density of the direction, or the irradiance of a surface that faces the light, over the chance of choosing it. */
  readonly light: V3;
  /** Lamps may stand between. */
  readonly passesLamps: boolean;
}

type Lamp = PeerLight & { kind: 'area' };
type Sampler = (at: V3, random: () => number) => LightSample | null;

export class PeerLights {
  readonly #lamps: readonly Lamp[];
  readonly #environment: Environment | null;
  readonly #all: readonly Sampler[];
  /** Those that have no size. */
  readonly #points: readonly Sampler[];

  constructor(scene: PeerScene) {
    this.#lamps = scene.lights.filter((light) => light.kind === 'area');
    this.#environment = scene.environment ? new Environment(scene.environment) : null;
    this.#points = scene.lights
      .filter((light) => light.kind !== 'area')
      .map(
        (light): Sampler =>
          (at) =>
            samplePoint(light, at),
      );
    const emissive = emissiveSampler(scene);
    const environment = this.#environment;
    this.#all = [
      ...this.#points,
      ...this.#lamps.map(
        (lamp): Sampler =>
          (at, random) =>
            sampleLamp(lamp, at, random),
      ),
      ...(emissive ? [emissive] : []),
      ...(environment ? [(_at: V3, random: () => number) => environment.sample(random)] : []),
    ];
  }

  /** One of the lights, each with the same chance. */
  sample(at: V3, onlyPoints: boolean, random: () => number): LightSample | null {
    const choice = onlyPoints ? this.#points : this.#all;
    const sample = choice[Math.floor(random() * choice.length)]?.(at, random);
    return sample ? { ...sample, light: scale(sample.light, choice.length) } : null;
  }

  environmentAlong(direction: V3): V3 {
    return this.#environment?.along(direction) ?? [0, 0, 0];
  }

  /** Radiance of a lamp that a ray meets in front before `distance`. */
  lampOnRay(origin: V3, direction: V3, distance: number): V3 | null {
    for (const { centre, right, up, radiance } of this.#lamps) {
      const normal = cross(right, up);
      const facing = dot(direction, normal);
      if (facing >= 0) continue;
      const t = dot(sub(centre, origin), normal) / facing;
      if (t <= 1e-6 || t >= distance * (1 - 1e-9)) continue;
      const place = sub(add(origin, scale(direction, t)), centre);
      if (Math.abs(dot(place, right)) <= dot(right, right) && Math.abs(dot(place, up)) <= dot(up, up)) return radiance;
    }
    return null;
  }
}

function sampleLamp({ centre, right, up, radiance }: Lamp, at: V3, random: () => number): LightSample | null {
  const point = add(centre, add(scale(right, 2 * random() - 1), scale(up, 2 * random() - 1)));
  const normal = cross(right, up);
  const area = 4 * Math.sqrt(dot(normal, normal));
  return fromArea(at, point, unit(normal), area, radiance, false);
}

/** A point drawn evenly from `area`, seen from its front. */
function fromArea(at: V3, point: V3, normal: V3, area: number, radiance: V3, passesLamps: boolean): LightSample | null {
  const path = sub(point, at);
  const distance = Math.sqrt(dot(path, path));
  const direction = scale(path, 1 / distance);
  const cosine = -dot(direction, normal);
  return cosine > 0 ? { direction, distance, light: scale(radiance, (cosine * area) / (distance * distance)), passesLamps } : null;
}

function samplePoint(light: Exclude<PeerLight, Lamp>, at: V3): LightSample | null {
  if (light.kind === 'directional') return { direction: scale(unit(light.direction), -1), distance: Infinity, light: light.illuminance, passesLamps: true };
  const path = sub(light.position, at);
  const distance = Math.sqrt(dot(path, path));
  const direction = scale(path, 1 / distance);
  if (light.kind === 'spot' && -dot(direction, unit(light.direction)) < Math.cos(light.angle)) return null;
  return { direction, distance, light: scale(light.intensity, 1 / (distance * distance)), passesLamps: true };
}

/** A point drawn evenly from all emissive triangles. */
function emissiveSampler(scene: PeerScene): Sampler | null {
  const triangles: { corner: V3; edge1: V3; edge2: V3; normal: V3; radiance: V3; until: number }[] = [];
  let total = 0;
  for (const { positions, indices, material } of scene.meshes) {
    if (Math.max(...material.emission) === 0) continue;
    const at = (i: number): V3 => [positions[i * 3]!, positions[i * 3 + 1]!, positions[i * 3 + 2]!];
    for (let i = 0; i < indices.length; i += 3) {
      const corner = at(indices[i]!);
      const [edge1, edge2] = [sub(at(indices[i + 1]!), corner), sub(at(indices[i + 2]!), corner)];
      const flat = cross(edge1, edge2);
      total += Math.sqrt(dot(flat, flat)) / 2;
      triangles.push({ corner, edge1, edge2, normal: unit(flat), radiance: material.emission, until: total });
    }
  }
  if (triangles.length === 0) return null;
  return (at, random) => {
    const place = random() * total;
    let [low, high] = [0, triangles.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (place < triangles[middle]!.until) high = middle;
      else low = middle + 1;
    }
    const { corner, edge1, edge2, normal, radiance } = triangles[low]!;
    const root = Math.sqrt(random());
    const v = random() * root;
    return fromArea(at, add(corner, add(scale(edge1, 1 - root), scale(edge2, v))), normal, total, radiance, true);
  };
}

/** Read between the middles of pixels; drawn pixel by pixel. */
class Environment {
  readonly #width: number;
  readonly #height: number;
  readonly #pixels: Float64Array;
  readonly #until: Float64Array;

  constructor(environment: PeerEnvironment) {
    this.#width = environment.width;
    this.#height = environment.height;
    this.#pixels = environmentPixels(environment);
    this.#until = new Float64Array(this.#width * this.#height);
    let total = 0;
    for (let i = 0; i < this.#until.length; i++) {
      const sum = this.#pixels[i * 3]! + this.#pixels[i * 3 + 1]! + this.#pixels[i * 3 + 2]!;
      total += sum * Math.sin((Math.PI * (Math.floor(i / this.#width) + 0.5)) / this.#height);
      this.#until[i] = total;
    }
  }

  along([x, y, z]: V3): V3 {
    const u = (Math.atan2(z, x) / (2 * Math.PI) + 0.5) * this.#width - 0.5;
    const v = (Math.acos(Math.max(-1, Math.min(1, y))) / Math.PI) * this.#height - 0.5;
    const [column, row] = [Math.floor(u), Math.floor(v)];
    const [right, down] = [u - column, v - row];
    const at = (c: number, r: number): number => (Math.max(0, Math.min(this.#height - 1, r)) * this.#width + ((c + this.#width) % this.#width)) * 3;
    const channel = (k: number): number => {
      const [above, below] = [row, row + 1].map((r) => this.#pixels[at(column, r) + k]! * (1 - right) + this.#pixels[at(column + 1, r) + k]! * right);
      return above! * (1 - down) + below! * down;
    };
    return [channel(0), channel(1), channel(2)];
  }

  sample(random: () => number): LightSample {
    const total = this.#until[this.#until.length - 1]!;
    const place = random() * total;
    let [low, high] = [0, this.#until.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (place < this.#until[middle]!) high = middle;
      else low = middle + 1;
    }
    const row = Math.floor(low / this.#width);
    const theta = (Math.PI * (row + random())) / this.#height;
    const phi = 2 * Math.PI * (((low % this.#width) + random()) / this.#width - 0.5);
    const direction: V3 = [Math.sin(theta) * Math.cos(phi), Math.cos(theta), Math.sin(theta) * Math.sin(phi)];
    const probability = (this.#until[low]! - (low > 0 ? this.#until[low - 1]! : 0)) / total;
    const solidAngle = ((2 * Math.PI * Math.PI) / (this.#width * this.#height)) * Math.sin(theta);
    return { direction, distance: Infinity, light: scale(this.along(direction), solidAngle / probability), passesLamps: true };
  }
}
