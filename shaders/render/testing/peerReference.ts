import { PeerBvh, type PeerHit } from './peerBvh.ts';
import { PeerLights } from './peerLights.ts';
import { PeerMetal } from './peerMetal.ts';
import { BOUNCES, type PeerScene } from './peerScenes.ts';
import { add, basisOf, cross, dot, isBlack, mul, scale, sub, unit, type V3 } from './peerVectors.ts';

/**
 * An unbiased renderer that belongs to neither side of render.bench.ts: f64, written for it alone, with nothing of ours and nothing of
 * the peer's, and deliberately plain. Light is looked for in one way at each kind of surface, so nothing has to be weighted: by sampling
 * a light, each as likely as the others, at Lambert surfaces; by following the reflected ray at metals.
 *
 * A path's surfaces are those that our jobs count: the camera's first and `BOUNCES` more are lit.
 */

const RAY_START = 1e-6;

/** Numbers in [0, 1): sfc32, Doty-Humphrey. */
export function randomNumbers(seed: number): () => number {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed | 0];
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

/** Sums over paths: `box` over each pixel's own area, `tent` with the peer's WebGL filter, the product of 1 - |distance in pixels|. */
export interface ReferenceSums {
  readonly box: Float64Array<ArrayBuffer>;
  readonly boxWeights: Float64Array<ArrayBuffer>;
  readonly tent: Float64Array<ArrayBuffer>;
  readonly tentWeights: Float64Array<ArrayBuffer>;
}

interface Surface {
  readonly material: number;
  readonly normal: V3;
  readonly geometric: V3;
}

export class PeerReference {
  readonly #scene: PeerScene;
  readonly #bvh: PeerBvh;
  readonly #lights: PeerLights;
  readonly #metals: readonly (PeerMetal | null)[];
  readonly #positions: Float64Array;
  readonly #normals: Float64Array;
  readonly #materials: Uint16Array;
  readonly #hit: PeerHit = { triangle: -1, distance: 0, u: 0, v: 0 };

  constructor(scene: PeerScene) {
    this.#scene = scene;
    const count = scene.meshes.reduce((sum, { indices }) => sum + indices.length / 3, 0);
    this.#positions = new Float64Array(count * 9);
    this.#normals = new Float64Array(count * 9);
    this.#materials = new Uint16Array(count);
    let corner = 0;
    for (const [index, mesh] of scene.meshes.entries()) {
      const { positions, normals, indices } = mesh;
      for (const at of indices) {
        for (let k = 0; k < 3; k++) {
          this.#positions[corner * 3 + k] = positions[at * 3 + k]!;
          this.#normals[corner * 3 + k] = normals[at * 3 + k]!;
        }
        this.#materials[Math.floor(corner++ / 3)] = index;
      }
    }
    this.#bvh = new PeerBvh(this.#positions);
    this.#lights = new PeerLights(scene);
    this.#metals = scene.meshes.map(({ material }) => (material.metallic === 1 ? new PeerMetal(material) : null));
  }

  /** Traces `samples` paths for each of size x size pixels and a border of one. */
  render(size: number, samples: number, seed: number): ReferenceSums {
    const random = randomNumbers(seed);
    const pixels = size * size;
    const sums = {
      box: new Float64Array(pixels * 3),
      boxWeights: new Float64Array(pixels),
      tent: new Float64Array(pixels * 3),
      tentWeights: new Float64Array(pixels),
    };
    const { position, target, yfov } = this.#scene.camera;
    const forward = unit(sub(target, position));
    const right = unit(cross(forward, [0, 1, 0]));
    const down = cross(forward, right);
    const half = Math.tan(yfov / 2);
    for (let row = -1; row <= size; row++) {
      for (let column = -1; column <= size; column++) {
        for (let sample = 0; sample < samples; sample++) {
          const [x, y] = [column + random(), row + random()];
          const direction = add(forward, add(scale(right, half * ((2 * x) / size - 1)), scale(down, half * ((2 * y) / size - 1))));
          const light = this.#path(position, unit(direction), random);
          splat(sums, size, x, y, light);
        }
      }
    }
    return sums;
  }

  #path(origin: V3, direction: V3, random: () => number): V3 {
    let [from, along]: [V3, V3] = [origin, direction];
    let light: V3 = [0, 0, 0];
    let throughput: V3 = [1, 1, 1];
    // Whether what the ray finds has not been asked for at the last surface already.
    let counts = true;
    for (let depth = 0; ; depth++) {
      this.#bvh.trace(from[0], from[1], from[2], along[0], along[1], along[2], RAY_START, Infinity, this.#hit);
      const { distance, triangle } = this.#hit;
      const lamp = depth > 0 ? this.#lights.lampOnRay(from, along, distance) : null;
      if (lamp || triangle < 0) {
        const found = lamp ?? this.#lights.environmentAlong(along);
        return counts ? add(light, mul(throughput, found)) : light;
      }
      const surface = this.#surface(along);
      const { color, emission } = this.#scene.meshes[surface.material]!.material;
      if (!isBlack(emission)) return counts ? add(light, mul(throughput, emission)) : light;
      if (depth > BOUNCES) return light;
      from = add(from, scale(along, distance));
      const metal = this.#metals[surface.material];
      const view = scale(along, -1);
      const respond = (toLight: V3): V3 =>
        metal ? metal.evaluate(surface.normal, view, toLight) : scale(color, Math.max(0, dot(surface.normal, toLight)) / Math.PI);
      light = add(light, mul(throughput, this.#direct(from, surface, respond, metal !== null, random)));
      const next = metal ? metal.sample(surface.normal, view, random) : sampleCosine(surface.normal, color, random);
      if (!next || dot(next.direction, surface.geometric) <= 0 || isBlack(next.weight)) return light;
      throughput = mul(throughput, next.weight);
      along = next.direction;
      counts = metal !== null;
    }
  }

  /** `onlyPoints`: lights that no reflected ray can find. */
  #direct(at: V3, surface: Surface, respond: (toLight: V3) => V3, onlyPoints: boolean, random: () => number): V3 {
    const sample = this.#lights.sample(at, onlyPoints, random);
    if (!sample || dot(sample.direction, surface.geometric) <= 0) return [0, 0, 0];
    const response = respond(sample.direction);
    if (isBlack(response)) return [0, 0, 0];
    const d = sample.direction;
    this.#bvh.trace(at[0], at[1], at[2], d[0], d[1], d[2], RAY_START, sample.distance * (1 - 1e-6), this.#hit);
    if (this.#hit.triangle >= 0 || (sample.passesLamps && this.#lights.lampOnRay(at, d, sample.distance))) return [0, 0, 0];
    return mul(response, sample.light);
  }

  /** Of the last hit, turned to the viewer. */
  #surface(along: V3): Surface {
    const { triangle, u, v } = this.#hit;
    const [p, n, at] = [this.#positions, this.#normals, triangle * 9];
    const corner = (of: Float64Array, i: number): V3 => [of[at + i * 3]!, of[at + i * 3 + 1]!, of[at + i * 3 + 2]!];
    const flat = cross(sub(corner(p, 1), corner(p, 0)), sub(corner(p, 2), corner(p, 0)));
    const side = dot(flat, along) > 0 ? -1 : 1;
    const smooth = add(scale(corner(n, 0), 1 - u - v), add(scale(corner(n, 1), u), scale(corner(n, 2), v)));
    return { material: this.#materials[triangle]!, geometric: scale(unit(flat), side), normal: scale(unit(smooth), side) };
  }
}

function sampleCosine(normal: V3, color: V3, random: () => number): { direction: V3; weight: V3 } {
  const [tangent, bitangent] = basisOf(normal);
  const [radius, angle] = [Math.sqrt(random()), 2 * Math.PI * random()];
  const height = Math.sqrt(Math.max(0, 1 - radius * radius));
  const direction = add(scale(normal, height), add(scale(tangent, radius * Math.cos(angle)), scale(bitangent, radius * Math.sin(angle))));
  return { direction, weight: color };
}

function splat(sums: ReferenceSums, size: number, x: number, y: number, light: V3): void {
  const put = (values: Float64Array, weights: Float64Array, column: number, row: number, weight: number): void => {
    if (column < 0 || row < 0 || column >= size || row >= size || weight <= 0) return;
    const at = row * size + column;
    weights[at]! += weight;
    for (let k = 0; k < 3; k++) values[at * 3 + k]! += light[k]! * weight;
  };
  put(sums.box, sums.boxWeights, Math.floor(x), Math.floor(y), 1);
  for (let row = Math.floor(y) - 1; row <= Math.floor(y) + 1; row++) {
    for (let column = Math.floor(x) - 1; column <= Math.floor(x) + 1; column++) {
      put(sums.tent, sums.tentWeights, column, row, Math.max(0, 1 - Math.abs(x - column - 0.5)) * Math.max(0, 1 - Math.abs(y - row - 0.5)));
    }
  }
}
