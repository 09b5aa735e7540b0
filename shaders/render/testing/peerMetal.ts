import type { PeerMaterial } from './peerMesh.ts';
import { add, basisOf, dot, scale, unit, type V3 } from './peerVectors.ts';

/**
 * A rough metal as glTF 2.0 defines it (appendix B): GGX, height-correlated Smith masking, Schlick's Fresnel; with the light that single
 * scattering loses given back as E. Turquin ("Practical multiple scattering compensation for microfacet models", 2019) does: times
 * 1 + F0 (1 - E) / E. Normals are drawn from the distribution itself, not the visible part of it.
 */

const TABLE = 64;
const TABLE_SAMPLES = 4096;

export class PeerMetal {
  readonly #f0: V3;
  readonly #alpha2: number;
  /** What a white one reflects, by the cosine of the view. */
  readonly #albedo = new Float64Array(TABLE + 1);

  constructor({ color, roughness }: PeerMaterial) {
    this.#f0 = color;
    this.#alpha2 = roughness ** 4;
    for (let i = 0; i <= TABLE; i++) this.#albedo[i] = this.#integrate(Math.max(i / TABLE, 1e-3));
  }

  /** cos of the angle between the normal and a facet drawn with density D cos. */
  #facet(u: number): number {
    return Math.sqrt((1 - u) / (1 + (this.#alpha2 - 1) * u));
  }

  #lambda(cosine: number): number {
    return Math.sqrt(this.#alpha2 + (1 - this.#alpha2) * cosine * cosine);
  }

  /** Masking and shadowing over 4 cosV cosL. */
  #visibility(view: number, light: number): number {
    return 0.5 / (light * this.#lambda(view) + view * this.#lambda(light));
  }

  #integrate(view: number): number {
    const sine = Math.sqrt(1 - view * view);
    let sum = 0;
    for (let i = 0; i < TABLE_SAMPLES; i++) {
      const height = this.#facet((i + 0.5) / TABLE_SAMPLES);
      const along = Math.sqrt(1 - height * height) * Math.cos(2 * Math.PI * ((i * 0.6180339887498949) % 1));
      const slant = view * height + sine * along;
      const light = 2 * slant * height - view;
      if (slant > 0 && light > 0) sum += (4 * this.#visibility(view, light) * light * slant) / height;
    }
    return sum / TABLE_SAMPLES;
  }

  /** 1 + F0 (1 - E) / E, times Schlick's term. */
  #color(view: number, slant: number): V3 {
    const place = Math.min(view * TABLE, TABLE - 1e-9);
    const [low, share] = [Math.floor(place), place % 1];
    const albedo = this.#albedo[low]! * (1 - share) + this.#albedo[low + 1]! * share;
    const schlick = (1 - slant) ** 5;
    const channel = (f0: number): number => (f0 + (1 - f0) * schlick) * (1 + (f0 * (1 - albedo)) / albedo);
    return [channel(this.#f0[0]), channel(this.#f0[1]), channel(this.#f0[2])];
  }

  /** BRDF times cosine. Directions away from the surface. */
  evaluate(normal: V3, view: V3, light: V3): V3 {
    const [cosV, cosL] = [dot(normal, view), dot(normal, light)];
    if (cosV <= 0 || cosL <= 0) return [0, 0, 0];
    const half = unit(add(view, light));
    const height = dot(normal, half);
    const spread = 1 + (this.#alpha2 - 1) * height * height;
    const distribution = this.#alpha2 / (Math.PI * spread * spread);
    return scale(this.#color(cosV, dot(view, half)), distribution * this.#visibility(cosV, cosL) * cosL);
  }

  /** A direction and BRDF times cosine over its density; null where nothing is reflected. */
  sample(normal: V3, view: V3, random: () => number): { direction: V3; weight: V3 } | null {
    const [tangent, bitangent] = basisOf(normal);
    const [height, angle] = [this.#facet(random()), 2 * Math.PI * random()];
    const radius = Math.sqrt(Math.max(0, 1 - height * height));
    const half = add(scale(normal, height), add(scale(tangent, radius * Math.cos(angle)), scale(bitangent, radius * Math.sin(angle))));
    const slant = dot(view, half);
    const direction = add(scale(half, 2 * slant), scale(view, -1));
    const [cosV, cosL] = [dot(normal, view), dot(normal, direction)];
    if (slant <= 0 || cosV <= 0 || cosL <= 0) return null;
    // Density of the direction: D height / (4 slant).
    return { direction, weight: scale(this.#color(cosV, slant), (4 * this.#visibility(cosV, cosL) * cosL * slant) / height) };
  }
}
