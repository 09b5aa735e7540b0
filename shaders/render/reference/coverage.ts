import { pcgHash } from '../../../shared/rng.ts';
import { pushed } from './rounding.ts';
import { flag, flagsOf, materialOf, type Scene, slot, textureOf, words } from './scene.ts';
import { sampleTexture } from './texture.ts';
import { f32 } from './vector.ts';

/** Surfaces that are there in part only. */

/** What a ray is for: from the camera or not, where it starts, and the key of its random numbers. */
export interface Purpose {
  skipTriangle: number;
  skipInstance: number;
  camera: boolean;
  shadow: boolean;
  key: number;
}

const UNORM_SCALE = f32(1 / 65535);
const texel = new Float32Array(4);
const color = new Float32Array(4);

/** Random number of a key, as `unitNumber` in pcg.wgsl. */
export const unitNumber = (key: number, dimension: number): number => (pcgHash((key ^ dimension) >>> 0) >>> 8) * 2 ** -24;

/** Linear RGBA that a triangle brings itself, at barycentric (u, v). */
export function vertexColor(scene: Scene, triangle: number, u: number, v: number, out: Float32Array): void {
  out.fill(1);
  if (!scene.colored) return;
  const w = f32(f32(1 - u) - v);
  const at = triangle * words.attribute + 18;
  for (let channel = 0; channel < 4; channel++) {
    const of = (corner: number): number => {
      const bits = scene.attributeWords[at + corner * 2 + (channel >> 1)]!;
      return f32(((channel & 1) === 1 ? bits >>> 16 : bits & 0xffff) * UNORM_SCALE);
    };
    out[channel] = f32(f32(of(0) * w) + f32(of(1) * u)) + f32(of(2) * v);
  }
}

/** Share of a triangle that is there at barycentric (u, v). */
export function coverageAt(scene: Scene, triangle: number, u: number, v: number): number {
  const material = materialOf(scene, triangle);
  sampleTexture(scene, textureOf(scene, material, slot.base), triangle, u, v, texel);
  vertexColor(scene, triangle, u, v, color);
  return pushed(f32(f32(scene.materials[material * words.material + 3]! * texel[3]!) * color[3]!));
}

/** Of the light of a surface that is there in part, how much a point of it sends out on average. */
export function meanPresence(scene: Scene, triangle: number, u: number, v: number): number {
  const material = materialOf(scene, triangle);
  const coverage = coverageAt(scene, triangle, u, v);
  if ((flagsOf(scene, material) & flag.mask) === 0) return coverage;
  return coverage >= cutoffOf(scene, material) ? 1 : 0;
}

const cutoffOf = (scene: Scene, material: number): number => scene.materials[material * words.material + 20]!;

/** Whether a surface that is there in part only is there for this ray. */
export function isThere(scene: Scene, triangle: number, instance: number, u: number, v: number, purpose: Purpose): boolean {
  const material = materialOf(scene, triangle);
  const flags = flagsOf(scene, material);
  if ((flags & flag.unlit) !== 0 && !purpose.camera) return false;
  if ((flags & (flag.mask | flag.blend)) === 0) return true;
  const coverage = coverageAt(scene, triangle, u, v);
  if ((flags & flag.mask) !== 0) return coverage >= cutoffOf(scene, material);
  return coverage > unitNumber(purpose.key, (pcgHash(scene.triangleWords[triangle * words.triangle + 7]!) ^ instance) >>> 0);
}
