import { decodeScene, hasFeature, sceneSections } from '../../../shared/formats.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const floats = (bytes: Bytes): Float32Array => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const unsigned = (bytes: Bytes): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const signed = (bytes: Bytes): Int32Array => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** A packed scene as typed arrays over its sections, indexed in 32-bit words. `...Words` is the same memory as integers. */
export class Scene {
  readonly nodes: Float32Array;
  readonly nodeWords: Uint32Array;
  readonly triangles: Float32Array;
  readonly triangleWords: Uint32Array;
  readonly attributes: Float32Array;
  readonly attributeWords: Int32Array;
  readonly materials: Float32Array;
  readonly materialWords: Int32Array;
  readonly lights: Float32Array;
  readonly lightWords: Uint32Array;
  readonly textures: Float32Array;
  readonly textureWords: Uint32Array;
  readonly texels: Uint32Array;
  readonly instances: Float32Array;
  readonly instanceWords: Uint32Array;
  readonly srgb: Float32Array;
  readonly tables: Float32Array;
  readonly environment: Uint32Array;
  readonly environmentCdf: Float32Array;
  readonly environmentEdge: number;
  /** Rays pass through a tree of instances. */
  readonly placed: boolean;
  readonly colored: boolean;
  readonly glass: boolean;
  readonly clearcoat: boolean;
  readonly #frames: Uint32Array;
  /** The frame at work: see section `frames`. */
  root = 0;
  firstInstance = 0;
  firstLight = 0;
  lightCount = 0;
  environmentLight = 0;
  sunLight = 0;

  /** Reads a packed scene without copying it where its memory is aligned. Throws `FormatError` on a damaged one. */
  constructor(packed: Bytes) {
    const sections = decodeScene(packed.byteOffset % 4 === 0 ? packed : packed.slice());
    this.nodes = floats(sections.nodes);
    this.nodeWords = unsigned(sections.nodes);
    this.triangles = floats(sections.triangles);
    this.triangleWords = unsigned(sections.triangles);
    this.attributes = floats(sections.attributes);
    this.attributeWords = signed(sections.attributes);
    this.materials = floats(sections.materials);
    this.materialWords = signed(sections.materials);
    this.lights = floats(sections.lights);
    this.lightWords = unsigned(sections.lights);
    this.textures = floats(sections.textures);
    this.textureWords = unsigned(sections.textures);
    this.texels = unsigned(sections.texels);
    this.instances = floats(sections.instances);
    this.instanceWords = unsigned(sections.instances);
    this.srgb = floats(sections.srgb);
    this.tables = floats(sections.tables);
    this.environment = unsigned(sections.environment);
    this.environmentCdf = floats(sections.environmentCdf);
    this.environmentEdge = Math.round(Math.sqrt(this.environment.length));
    this.placed = hasFeature(packed, 'instances');
    this.colored = hasFeature(packed, 'vertexColors');
    this.glass = hasFeature(packed, 'glass');
    this.clearcoat = hasFeature(packed, 'clearcoat');
    this.#frames = unsigned(sections.frames);
    this.enter(0);
  }

  /** From here on the scene is that of this frame. */
  enter(frame: number): void {
    const last = this.#frames.length / words.frame - 1;
    const at = Math.min(frame, last) * words.frame;
    this.root = this.#frames[at]!;
    this.firstInstance = this.#frames[at + 1]!;
    this.firstLight = this.#frames[at + 3]!;
    this.lightCount = this.#frames[at + 4]!;
    this.environmentLight = this.#frames[at + 5]!;
    this.sunLight = this.#frames[at + 6]!;
  }
}

/** 32-bit words of one element of a section. */
export const words = {
  node: sceneSections.nodes.stride / 4,
  triangle: sceneSections.triangles.stride / 4,
  attribute: sceneSections.attributes.stride / 4,
  material: sceneSections.materials.stride / 4,
  light: sceneSections.lights.stride / 4,
  texture: sceneSections.textures.stride / 4,
  instance: sceneSections.instances.stride / 4,
  frame: sceneSections.frames.stride / 4,
} as const;

export const COVERED_IN_PART = 0x80000000;
/** Index of a triangle's material. */
export const materialOf = (scene: Scene, triangle: number): number => scene.triangleWords[triangle * words.triangle + 3]! & 0x7fffffff;

/** Flags of a material. */
export const flag = { doubleSided: 1, mask: 2, blend: 4, unlit: 8, solid: 16 } as const;
export const flagsOf = (scene: Scene, material: number): number => scene.materialWords[material * words.material + 23]!;

/** Places of textures in a material, in the order of `textureSlots`. */
export const slot = {
  base: 0,
  metallicRoughness: 1,
  normal: 2,
  emission: 3,
  transmission: 4,
  specular: 5,
  specularColor: 6,
  clearcoat: 7,
  clearcoatRoughness: 8,
  clearcoatNormal: 9,
} as const;
export const textureOf = (scene: Scene, material: number, place: number): number => scene.materialWords[material * words.material + 24 + place]!;
