import { type Accessor, type Document, MathUtils, type Primitive } from '@gltf-transform/core';
import { refuse } from './glb.ts';
import { STRIP, TRIANGLES, trianglesOf } from './gltfPrimitives.ts';
import { cornerTangents } from './gltfTangents.ts';
import { cofactors } from './matrix.ts';
import type { Matrix, TriangleBuilder } from './mesh.ts';

/** The numbers of an accessor, normalised integers decoded. */
export function numbersOf(accessor: Accessor, normalized = accessor.getNormalized()): ArrayLike<number> {
  const array = accessor.getArray()!;
  if (!normalized || array instanceof Float32Array) return array;
  const type = accessor.getComponentType();
  return Float32Array.from(array, (value) => MathUtils.decodeNormalizedInt(value, type));
}

/** What a material reads of a mesh. */
export interface MaterialNeeds {
  readonly uvs1: boolean;
  /** The set of texture coordinates that tangents go along; null where none are needed. */
  readonly tangents: 0 | 1 | null;
}

/** One primitive with plain numbers, decoded once however often it is placed. */
export interface Geometry {
  readonly positions: ArrayLike<number>;
  readonly normals: ArrayLike<number> | null;
  readonly uvs: ArrayLike<number> | null;
  readonly uvs1: ArrayLike<number> | null;
  /** RGBA. */
  readonly colors: ArrayLike<number> | null;
  /** Of the vertices, from the file, or else made for every corner of every triangle; null where no material reads them. */
  readonly tangents: { readonly values: ArrayLike<number>; readonly perCorner: boolean } | null;
  readonly indices: ArrayLike<number> | null;
  readonly mode: number;
  readonly triangles: number;
  readonly material: number;
}

export class GeometryReader {
  readonly #document: Document;
  readonly #needs: readonly MaterialNeeds[];
  readonly #materials: Map<unknown, number>;
  readonly #meshes = new Map<number, readonly Geometry[]>();
  readonly #numbers = new Map<Accessor, ArrayLike<number>>();
  readonly #report: string[];

  /** `needs`: of the file's materials and then the default one. */
  constructor(document: Document, needs: readonly MaterialNeeds[], report: string[]) {
    this.#document = document;
    this.#needs = needs;
    this.#report = report;
    this.#materials = new Map(
      document
        .getRoot()
        .listMaterials()
        .map((material, index) => [material, index]),
    );
  }

  geometriesOf(mesh: number): readonly Geometry[] {
    const known = this.#meshes.get(mesh);
    if (known) return known;
    const primitives = this.#document.getRoot().listMeshes()[mesh]!.listPrimitives();
    const geometries = primitives.map((primitive, index) => this.#read(primitive, `meshes[${mesh}].primitives[${index}]`)).filter((g) => g !== null);
    this.#meshes.set(mesh, geometries);
    return geometries;
  }

  #read(primitive: Primitive, path: string): Geometry | null {
    const positions = primitive.getAttribute('POSITION');
    const indices = primitive.getIndices();
    if (!positions) return null;
    const triangles = trianglesOf(primitive.getMode(), (indices ?? positions).getCount());
    if (triangles === 0) return null;
    const indexArray = indices?.getArray() ?? null;
    const vertices = positions.getCount();
    if (indexArray)
      for (const index of indexArray) if (index >= vertices) throw refuse(`${path}.indices names vertex ${index}, but there are only ${vertices}.`);
    // The default material comes after the file's own.
    const material = this.#materials.get(primitive.getMaterial()) ?? this.#materials.size;
    const needs = this.#needs[material]!;
    const geometry: Geometry = {
      positions: this.#numbersOf(positions),
      normals: this.#optional(primitive.getAttribute('NORMAL')),
      uvs: this.#optional(primitive.getAttribute('TEXCOORD_0')),
      uvs1: needs.uvs1 ? this.#optional(primitive.getAttribute('TEXCOORD_1')) : null,
      colors: colorsOf(primitive.getAttribute('COLOR_0')),
      tangents: null,
      indices: indexArray,
      mode: primitive.getMode(),
      triangles,
      material,
    };
    return needs.tangents === null ? geometry : { ...geometry, tangents: this.#tangents(primitive, geometry, needs.tangents, path) };
  }

  #tangents(primitive: Primitive, geometry: Geometry, uvSet: 0 | 1, path: string): Geometry['tangents'] {
    const own = primitive.getAttribute('TANGENT');
    // glTF 2.0, 3.7.2.1: without normals the file's tangents must not be used.
    if (own && geometry.normals) return { values: this.#numbersOf(own), perCorner: false };
    return { values: cornerTangents(geometry, uvSet, path, this.#report), perCorner: true };
  }

  #optional(accessor: Accessor | null): ArrayLike<number> | null {
    return accessor && this.#numbersOf(accessor);
  }

  #numbersOf(accessor: Accessor): ArrayLike<number> {
    const known = this.#numbers.get(accessor);
    if (known) return known;
    const numbers = numbersOf(accessor);
    this.#numbers.set(accessor, numbers);
    return numbers;
  }
}

/** Three or four numbers a vertex -> four. Integers are normalised also where the file forgets to say so. */
function colorsOf(accessor: Accessor | null): ArrayLike<number> | null {
  if (!accessor) return null;
  const numbers = numbersOf(accessor, true);
  const size = accessor.getElementSize();
  if (size === 4) return numbers;
  return Float32Array.from({ length: accessor.getCount() * 4 }, (_, i) => (i % 4 === 3 ? 1 : numbers[Math.floor(i / 4) * 3 + (i % 4)]!));
}

/** Places in the index list of the three corners of a triangle; glTF 2.0, 3.7.2.1. */
export function cornersOf(mode: number, triangle: number, out: Uint32Array): void {
  const odd = triangle % 2;
  const [a, b, c] =
    mode === TRIANGLES
      ? [triangle * 3, triangle * 3 + 1, triangle * 3 + 2]
      : mode === STRIP
        ? [triangle, triangle + 1 + odd, triangle + 2 - odd]
        : [triangle + 1, triangle + 2, 0];
  out[0] = a;
  out[1] = b;
  out[2] = c;
}

/** `normal`, turned by the rows of a 3x3. */
function turn(rows: ArrayLike<number>, x: number, y: number, z: number, out: Float64Array, at: number): void {
  for (let row = 0; row < 3; row++) out[at + row] = rows[row * 3]! * x + rows[row * 3 + 1]! * y + rows[row * 3 + 2]! * z;
}

/**
 * Adds a primitive under a transform, its triangles counter-clockwise from the front also where that mirrors. Normals turn by the cofactors,
 * as by the inverse transpose, which exist for flattening transforms too. False: a vertex is not a number or too far out.
 */
export function addGeometry(geometry: Geometry, world: Matrix, builder: TriangleBuilder): boolean {
  const { positions, normals, uvs, uvs1, colors, tangents, indices, material } = geometry;
  const { rows, determinant } = cofactors(world);
  const mirrored = determinant < 0;
  const sign = mirrored ? -1 : 1;
  const normalRows = rows.map((value) => value * sign);
  const linear = Float64Array.of(world[0]!, world[4]!, world[8]!, world[1]!, world[5]!, world[9]!, world[2]!, world[6]!, world[10]!);
  const slots = mirrored ? [0, 2, 1] : [0, 1, 2];
  const places = new Uint32Array(3);
  const corners = {
    positions: new Float64Array(9),
    normals: normals && new Float64Array(9),
    uvs: uvs && new Float64Array(6),
    uvs1: uvs1 && new Float64Array(6),
    colors: colors && new Float64Array(12),
    tangents: tangents && new Float64Array(12),
  };
  for (let triangle = 0; triangle < geometry.triangles; triangle++) {
    cornersOf(geometry.mode, triangle, places);
    for (let corner = 0; corner < 3; corner++) {
      const slot = slots[corner]!;
      const vertex = indices ? indices[places[slot]!]! : places[slot]!;
      turn(linear, positions[vertex * 3]!, positions[vertex * 3 + 1]!, positions[vertex * 3 + 2]!, corners.positions, corner * 3);
      for (let row = 0; row < 3; row++) corners.positions[corner * 3 + row]! += world[12 + row]!;
      if (normals) turn(normalRows, normals[vertex * 3]!, normals[vertex * 3 + 1]!, normals[vertex * 3 + 2]!, corners.normals!, corner * 3);
      if (uvs) for (let i = 0; i < 2; i++) corners.uvs![corner * 2 + i] = uvs[vertex * 2 + i]!;
      if (uvs1) for (let i = 0; i < 2; i++) corners.uvs1![corner * 2 + i] = uvs1[vertex * 2 + i]!;
      if (colors) for (let i = 0; i < 4; i++) corners.colors![corner * 4 + i] = colors[vertex * 4 + i]!;
      if (!tangents) continue;
      const { values, perCorner } = tangents;
      const at = (perCorner ? triangle * 3 + slot : vertex) * 4;
      turn(linear, values[at]!, values[at + 1]!, values[at + 2]!, corners.tangents!, corner * 4);
      corners.tangents![corner * 4 + 3] = values[at + 3]! * sign;
    }
    if (!builder.add(corners.positions, corners.normals, corners.uvs, material, corners)) return false;
  }
  return true;
}
