import { sceneLimits } from './limits.ts';
import type { Triangles } from './mesh.ts';

/**
 * A triangle whose height is below this share of its longest edge counts as having no area: the kernel takes its normal
 * from a cross product in f32, which has 24 bits.
 */
const FLATNESS_MIN = 1e-6;
/** Below this twice-area the f32 square of the cross product would underflow. */
const DOUBLE_AREA_MIN = 1e-17;

const hypot3 = (x: number, y: number, z: number): number => Math.sqrt(x * x + y * y + z * z);

/** What most triangles do not have. */
export interface CornerExtras {
  /** 6 numbers; 0 where they are left out. */
  readonly uvs1?: ArrayLike<number> | null;
  /** 12 numbers, linear RGBA, clamped to 0..1; white where they are left out. */
  readonly colors?: ArrayLike<number> | null;
  /** 12 numbers: three tangents of any length, each with the sign of its bitangent. */
  readonly tangents?: ArrayLike<number> | null;
}

/** Collects triangles, drops those without area, and repairs normals, tangents, colours and texture coordinates that are not numbers. */
export class TriangleBuilder {
  readonly #positions: Float32Array;
  readonly #normals: Float32Array;
  readonly #uvs: Float32Array;
  readonly #materials: Uint32Array;
  // Made when the first triangle has any: most scenes have none.
  readonly #extras: { uvs1?: Float32Array; colors?: Float32Array; tangents?: Float32Array } = {};
  readonly #capacity: number;
  #count = 0;
  /** Triangles without area. */
  dropped = 0;
  /** Triangles with at least one normal, texture coordinate, colour or tangent that was replaced. */
  repairedNormals = 0;
  repairedUvs = 0;
  repairedColors = 0;
  repairedTangents = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#positions = new Float32Array(capacity * 9);
    this.#normals = new Float32Array(capacity * 9);
    this.#uvs = new Float32Array(capacity * 6);
    this.#materials = new Uint32Array(capacity);
  }

  /**
   * `positions`: 9 numbers, counter-clockwise. `normals`: 9 numbers of any length, or null for flat ones. `uvs`: 6 numbers, or null for 0.
   * False: a coordinate is not a number or too large, and nothing was added.
   */
  add(positions: ArrayLike<number>, normals: ArrayLike<number> | null, uvs: ArrayLike<number> | null, material: number, extras: CornerExtras = {}): boolean {
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
    const repaired = this.#addUvs(this.#uvs, uvs);
    const repaired1 = extras.uvs1 ? this.#addUvs(this.#lists('uvs1', 6), extras.uvs1) : false;
    if (repaired || repaired1) this.repairedUvs++;
    if (extras.colors) this.#addColors(this.#lists('colors', 12), extras.colors);
    if (extras.tangents) this.#addTangents(this.#lists('tangents', 12), extras.tangents);
    this.#materials[this.#count++] = material;
    return true;
  }

  #lists(name: keyof CornerExtras, size: number): Float32Array {
    const list = this.#extras[name] ?? new Float32Array(this.#capacity * size).fill(name === 'colors' ? 1 : 0);
    this.#extras[name] = list;
    return list;
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

  /** True: at least one was replaced. */
  #addUvs(out: Float32Array, uvs: ArrayLike<number> | null): boolean {
    const at = this.#count * 6;
    let repaired = false;
    for (let i = 0; i < 6; i++) {
      const value = uvs ? uvs[i]! : 0;
      const usable = Math.abs(value) <= sceneLimits.uvMax;
      repaired ||= !usable;
      out[at + i] = usable ? value : 0;
    }
    return repaired;
  }

  #addColors(out: Float32Array, colors: ArrayLike<number>): void {
    let repaired = false;
    for (let i = 0; i < 12; i++) {
      const value = colors[i]!;
      repaired ||= Number.isNaN(value);
      out[this.#count * 12 + i] = Number.isNaN(value) ? 1 : Math.min(1, Math.max(0, value));
    }
    if (repaired) this.repairedColors++;
  }

  /** Unit vectors at right angles to the normals, which have been added. */
  #addTangents(out: Float32Array, tangents: ArrayLike<number>): void {
    let repaired = false;
    for (let corner = 0; corner < 3; corner++) {
      const [from, normal, at] = [corner * 4, this.#count * 9 + corner * 3, this.#count * 12 + corner * 4];
      const n = this.#normals.subarray(normal, normal + 3);
      const usable = setTangent(out, at, n, tangents[from]!, tangents[from + 1]!, tangents[from + 2]!);
      repaired ||= !usable;
      // Any direction at right angles will do.
      if (!usable && !setTangent(out, at, n, 1, 0, 0)) setTangent(out, at, n, 0, 1, 0);
      out[at + 3] = tangents[from + 3]! < 0 ? -1 : 1;
    }
    if (repaired) this.repairedTangents++;
  }

  finish(): Triangles {
    const count = this.#count;
    // Triangles added without tangents in between have none yet.
    const { uvs1, colors, tangents } = this.#extras;
    if (tangents) for (let at = 0; at < count * 12; at += 4) if (tangents[at + 3] === 0) this.#fillTangent(tangents, at);
    return {
      count,
      positions: this.#positions.subarray(0, count * 9),
      normals: this.#normals.subarray(0, count * 9),
      tangents: tangents?.subarray(0, count * 12) ?? null,
      uvs: this.#uvs.subarray(0, count * 6),
      uvs1: uvs1?.subarray(0, count * 6) ?? null,
      colors: colors?.some((value) => value !== 1) ? colors.subarray(0, count * 12) : null,
      materials: this.#materials.subarray(0, count),
    };
  }

  #fillTangent(out: Float32Array, at: number): void {
    const n = this.#normals.subarray((at / 4) * 3, (at / 4) * 3 + 3);
    if (!setTangent(out, at, n, 1, 0, 0)) setTangent(out, at, n, 0, 1, 0);
    out[at + 3] = 1;
  }
}

/** Below this length, the part of a tangent at right angles to its normal has no direction in f32. */
const TANGENT_MIN = 1e-4;

/** Writes the part of a vector at right angles to the unit vector `n`, made a unit vector. False: there is none, and nothing was written. */
function setTangent(out: Float32Array, at: number, n: Float32Array, x: number, y: number, z: number): boolean {
  const length = hypot3(x, y, z);
  if (!(length > 0 && length < Infinity)) return false;
  const [ux, uy, uz] = [x / length, y / length, z / length];
  const along = n[0]! * ux + n[1]! * uy + n[2]! * uz;
  const [tx, ty, tz] = [ux - n[0]! * along, uy - n[1]! * along, uz - n[2]! * along];
  const across = hypot3(tx, ty, tz);
  if (across < TANGENT_MIN) return false;
  out[at] = tx / across;
  out[at + 1] = ty / across;
  out[at + 2] = tz / across;
  return true;
}
