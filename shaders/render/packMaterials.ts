import { TEXEL_ROW } from '../../shared/formats.ts';
import { InputError } from '../../shared/workload.ts';
import { type Image, type Material, type MeshScene, type TextureSlot, textureSlots, type Wrap } from './mesh.ts';
import { bytesOf } from './packMath.ts';

/** Sections `materials`, `textures` and `texels`; laid out as `sceneSections` in shared/formats.ts says. */

const WRAPS: Readonly<Record<Wrap, number>> = { repeat: 0, clamp: 1, mirror: 2 };
const MATERIAL_WORDS = 36;
const TEXTURE_WORDS = 12;
const flag = { doubleSided: 1, mask: 2, blend: 4, unlit: 8, solid: 16 } as const;
/** Each has tables of its own; glass of more kinds takes those of the nearest. */
const GLASSES_MAX = 16;
/** Half vectors between almost equal indices cancel; what is left of them is 1e-4 of their length. */
const SOLID_IOR_MIN = 1.001;
/** What nothing comes through would be an infinite absorption. */
const ATTENUATION_MIN = 1e-6;

export interface PackedMaterials {
  readonly materials: Uint8Array;
  readonly textures: Uint8Array;
  /** Indices of refraction of glass, in the order of their tables. */
  readonly glasses: readonly number[];
}

export const isGlass = ({ transmission, metallic }: Material): boolean => transmission > 0 && metallic < 1;

/** Whether a ray must ask if a surface of this material is there. */
export const isCoveredInPart = (material: Material, colored: boolean): boolean =>
  material.unlit || (material.alphaMode !== 'opaque' && (material.alpha < 1 || colored || material.textures.base !== undefined));

const iorOf = ({ ior, solid }: Material): number => (solid ? Math.max(ior, SOLID_IOR_MIN) : ior);

function glassesOf(materials: readonly Material[]): number[] {
  const all = [...new Set(materials.filter((material) => isGlass(material) && material.solid).map((material) => Math.round(iorOf(material) * 1000) / 1000))];
  all.sort((a, b) => a - b);
  if (all.length <= GLASSES_MAX) return all;
  return Array.from({ length: GLASSES_MAX }, (_, index) => all[Math.round((index * (all.length - 1)) / (GLASSES_MAX - 1))]!);
}

function nearest(glasses: readonly number[], ior: number): number {
  let best = 0;
  glasses.forEach((glass, index) => {
    if (Math.abs(glass - ior) < Math.abs(glasses[best]! - ior)) best = index;
  });
  return best;
}

export function packMaterials(scene: MeshScene): PackedMaterials {
  const glasses = glassesOf(scene.materials);
  const textures = new TextureTable(scene);
  const floats = new Float32Array(scene.materials.length * MATERIAL_WORDS);
  const integers = new Int32Array(floats.buffer);
  scene.materials.forEach((m, index) => {
    const at = index * MATERIAL_WORDS;
    floats.set([...m.baseColor, m.alpha, ...m.emission, m.metallic, ...m.specularColor, m.specular, ...absorption(m), m.roughness], at);
    floats.set([iorOf(m), m.transmission, m.clearcoat, m.clearcoatRoughness, m.alphaCutoff, m.normalScale, m.clearcoatNormalScale], at + 16);
    integers[at + 23] = flagsOf(m);
    textureSlots.forEach((slot, place) => {
      integers[at + 24 + place] = textures.indexOf(m.textures[slot]);
    });
    integers[at + 34] = glasses.length > 0 ? 1 + nearest(glasses, iorOf(m)) : 0;
  });
  return { materials: bytesOf(floats), textures: textures.section(), glasses };
}

const flagsOf = (m: Material): number =>
  (m.doubleSided ? flag.doubleSided : 0) |
  (m.alphaMode === 'mask' ? flag.mask : 0) |
  (m.alphaMode === 'blend' ? flag.blend : 0) |
  (m.unlit ? flag.unlit : 0) |
  (m.solid ? flag.solid : 0);

/** Per metre: light of `attenuationColor` is left after `attenuationDistance`. */
function absorption({ attenuationColor, attenuationDistance, solid }: Material): number[] {
  if (!solid || !(attenuationDistance > 0) || attenuationDistance === Infinity) return [0, 0, 0];
  return attenuationColor.map((share) => -Math.log(Math.min(Math.max(share, ATTENUATION_MIN), 1)) / attenuationDistance);
}

/** Ways of reading images, each once. */
class TextureTable {
  readonly #scene: MeshScene;
  readonly #firsts: readonly number[];
  readonly #known = new Map<string, number>();
  readonly #slots: TextureSlot[] = [];

  constructor(scene: MeshScene) {
    this.#scene = scene;
    this.#firsts = firstTexels(scene.images);
  }

  indexOf(slot: TextureSlot | undefined): number {
    if (!slot) return -1;
    const key = JSON.stringify([slot.texture, slot.uvSet, slot.transform]);
    const index = this.#known.get(key) ?? this.#slots.push(slot) - 1;
    this.#known.set(key, index);
    return index;
  }

  section(): Uint8Array {
    const floats = new Float32Array(this.#slots.length * TEXTURE_WORDS);
    const words = new Uint32Array(floats.buffer);
    this.#slots.forEach(({ texture, uvSet, transform }, index) => {
      const { image, wrapS, wrapT, nearest: isNearest, srgb } = this.#scene.textures[texture]!;
      const { width, height } = this.#scene.images[image]!;
      const flags = WRAPS[wrapS] | (WRAPS[wrapT] << 2) | (isNearest ? 16 : 0) | (srgb ? 32 : 0) | (uvSet === 1 ? 64 : 0);
      words.set([this.#firsts[image]!, width, height, flags], index * TEXTURE_WORDS);
      floats.set(transform, index * TEXTURE_WORDS + 4);
    });
    return bytesOf(floats);
  }
}

function firstTexels(images: readonly Image[]): number[] {
  let next = 0;
  return images.map(({ width, height }) => {
    const first = next;
    next += width * height;
    return first;
  });
}

/** Every image once, however many textures read it, padded to whole rows. Throws `InputError` where a texel's number would not fit 32 bits. */
export function packTexels(images: readonly Image[]): Uint8Array {
  const count = images.reduce((sum, { width, height }) => sum + width * height, 0);
  if (count >= 2 ** 30) throw new InputError('model', `The images have ${count} pixels.`, `fewer than ${2 ** 30} pixels`);
  const firsts = firstTexels(images);
  const texels = new Uint8Array(Math.ceil(count / TEXEL_ROW) * TEXEL_ROW * 4);
  images.forEach((image, index) => {
    texels.set(image.texels, firsts[index]! * 4);
  });
  return texels;
}
