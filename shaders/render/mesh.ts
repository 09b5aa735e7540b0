import { sceneLimits } from './limits.ts';

/** A scene as plain data in world space (x right, y up, right-handed, metres): what the glTF reader and the built-in scenes make, and `pack.ts` packs. */

export type Vec3 = readonly [number, number, number];

export interface Material {
  /** Linear reflectance, 0 to 1. */
  readonly baseColor: Vec3;
  readonly metallic: number;
  readonly roughness: number;
  /** Linear radiance. */
  readonly emission: Vec3;
  /** Indices in `MeshScene.textures`, -1 for none. */
  readonly baseTexture: number;
  readonly metallicRoughnessTexture: number;
  readonly emissionTexture: number;
  readonly doubleSided: boolean;
}

export interface Image {
  readonly width: number;
  readonly height: number;
  /** RGBA8, straight alpha, rows from the top. */
  readonly texels: Uint8Array;
}

export type Wrap = 'repeat' | 'clamp' | 'mirror';

/** One way of reading an image. */
export interface Texture {
  /** Index in `MeshScene.images`. */
  readonly image: number;
  readonly wrapS: Wrap;
  readonly wrapT: Wrap;
  readonly nearest: boolean;
  /** The bytes are sRGB-encoded; linear otherwise. */
  readonly srgb: boolean;
}

/** Where a pinhole camera stands. `forward` and `up` are unit vectors at right angles. */
export interface CameraPose {
  readonly position: Vec3;
  readonly forward: Vec3;
  readonly up: Vec3;
  /** Full vertical field of view, radians. */
  readonly yfov: number;
}

/** Parallel arrays over triangles, counter-clockwise seen from the front. */
export interface Triangles {
  readonly count: number;
  /** 9 a triangle: three corners. */
  readonly positions: Float32Array;
  /** 9 a triangle: three unit normals. */
  readonly normals: Float32Array;
  /** 6 a triangle: three texture coordinates, v down. */
  readonly uvs: Float32Array;
  /** 1 a triangle: index in `MeshScene.materials`. */
  readonly materials: Uint32Array;
}

export interface MeshScene {
  readonly triangles: Triangles;
  readonly materials: readonly Material[];
  readonly textures: readonly Texture[];
  readonly images: readonly Image[];
  /** Null: fit one to the bounding box. */
  readonly camera: CameraPose | null;
  /** What was ignored or repaired, in plain sentences. */
  readonly report: readonly string[];
}

export const whiteMaterial: Material = {
  baseColor: [1, 1, 1],
  metallic: 0,
  roughness: 1,
  emission: [0, 0, 0],
  baseTexture: -1,
  metallicRoughnessTexture: -1,
  emissionTexture: -1,
  doubleSided: false,
};

/**
 * A triangle whose height is below this share of its longest edge counts as having no area: the kernel takes its normal
 * from a cross product in f32, which has 24 bits.
 */
const FLATNESS_MIN = 1e-6;
/** Below this twice-area the f32 square of the cross product would underflow. */
const DOUBLE_AREA_MIN = 1e-17;

const hypot3 = (x: number, y: number, z: number): number => Math.sqrt(x * x + y * y + z * z);

/** Collects triangles, drops those without area, and repairs normals and texture coordinates that are not numbers. */
export class TriangleBuilder {
  readonly #positions: Float32Array;
  readonly #normals: Float32Array;
  readonly #uvs: Float32Array;
  readonly #materials: Uint32Array;
  #count = 0;
  /** Triangles without area. */
  dropped = 0;
  /** Triangles with at least one normal, or texture coordinate, that was replaced. */
  repairedNormals = 0;
  repairedUvs = 0;

  constructor(capacity: number) {
    this.#positions = new Float32Array(capacity * 9);
    this.#normals = new Float32Array(capacity * 9);
    this.#uvs = new Float32Array(capacity * 6);
    this.#materials = new Uint32Array(capacity);
  }

  /**
   * `positions`: 9 numbers, counter-clockwise. `normals`: 9 numbers of any length, or null for flat ones. `uvs`: 6 numbers, or null for 0.
   * False: a coordinate is not a number or too large, and nothing was added.
   */
  add(positions: ArrayLike<number>, normals: ArrayLike<number> | null, uvs: ArrayLike<number> | null, material: number): boolean {
    const p = this.#positions;
    const at = this.#count * 9;
    for (let i = 0; i < 9; i++) {
      const value = Math.fround(positions[i]!);
      if (!(Math.abs(value) <= sceneLimits.coordinateMax)) return false;
      p[at + i] = value;
    }
    const [ax, ay, az] = [p[at + 3]! - p[at]!, p[at + 4]! - p[at + 1]!, p[at + 5]! - p[at + 2]!];
    const [bx, by, bz] = [p[at + 6]! - p[at]!, p[at + 7]! - p[at + 1]!, p[at + 8]! - p[at + 2]!];
    const [nx, ny, nz] = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
    const doubleArea = hypot3(nx, ny, nz);
    const longest = Math.max(hypot3(ax, ay, az), hypot3(bx, by, bz), hypot3(bx - ax, by - ay, bz - az));
    if (doubleArea < DOUBLE_AREA_MIN || doubleArea < FLATNESS_MIN * longest * longest) {
      this.dropped++;
      return true;
    }
    this.#addNormals(normals, nx / doubleArea, ny / doubleArea, nz / doubleArea);
    this.#addUvs(uvs);
    this.#materials[this.#count++] = material;
    return true;
  }

  #addNormals(normals: ArrayLike<number> | null, flatX: number, flatY: number, flatZ: number): void {
    const at = this.#count * 9;
    let repaired = false;
    for (let corner = 0; corner < 9; corner += 3) {
      const [x, y, z] = normals ? [normals[corner]!, normals[corner + 1]!, normals[corner + 2]!] : [flatX, flatY, flatZ];
      const length = hypot3(x, y, z);
      const usable = length > 0 && length < Infinity;
      repaired ||= !usable;
      this.#normals[at + corner] = usable ? x / length : flatX;
      this.#normals[at + corner + 1] = usable ? y / length : flatY;
      this.#normals[at + corner + 2] = usable ? z / length : flatZ;
    }
    if (repaired) this.repairedNormals++;
  }

  #addUvs(uvs: ArrayLike<number> | null): void {
    if (!uvs) return;
    const at = this.#count * 6;
    let repaired = false;
    for (let i = 0; i < 6; i++) {
      const value = Math.fround(uvs[i]!);
      const usable = Number.isFinite(value);
      repaired ||= !usable;
      this.#uvs[at + i] = usable ? value : 0;
    }
    if (repaired) this.repairedUvs++;
  }

  finish(): Triangles {
    const count = this.#count;
    return {
      count,
      positions: this.#positions.subarray(0, count * 9),
      normals: this.#normals.subarray(0, count * 9),
      uvs: this.#uvs.subarray(0, count * 6),
      materials: this.#materials.subarray(0, count),
    };
  }
}
