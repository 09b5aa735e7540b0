import { type Accessor, type Document, MathUtils, type Primitive } from '@gltf-transform/core';
import { refuse } from './glb.ts';
import type { Matrix, Placed } from './gltfNodes.ts';
import type { Gltf, GltfPrimitive } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';
import { TriangleBuilder, type Triangles } from './mesh.ts';

/** Primitive modes of glTF 2.0 that are made of triangles. */
const TRIANGLES = 4;
const STRIP = 5;
const FAN = 6;

const trianglesOf = (mode: number, corners: number): number => {
  if (mode === TRIANGLES) return Math.floor(corners / 3);
  return mode === STRIP || mode === FAN ? Math.max(0, corners - 2) : 0;
};

/** Triangles of one primitive, 0 where it has no positions or is not made of triangles. */
export function triangleCount(gltf: Gltf, { mode = TRIANGLES, attributes, indices }: GltfPrimitive): number {
  if (attributes.POSITION === undefined) return 0;
  return trianglesOf(mode!, gltf.accessors![indices ?? attributes.POSITION]!.count);
}

/** One primitive with plain numbers, decoded once however often it is placed. */
interface Geometry {
  readonly positions: ArrayLike<number>;
  readonly normals: ArrayLike<number> | null;
  readonly uvs: ArrayLike<number> | null;
  readonly indices: ArrayLike<number> | null;
  readonly mode: number;
  readonly triangles: number;
  readonly material: number;
}

/** Places all instances: world-space triangles, counter-clockwise from the front also under mirroring transforms. Every mesh was counted into `capacity`. */
export function flatten(document: Document, placed: readonly Placed[], capacity: number, report: string[]): Triangles {
  const reader = new GeometryReader(document);
  const builder = new TriangleBuilder(capacity);
  for (const { node, index, world } of placed) {
    if (node.mesh === undefined) continue;
    for (const geometry of reader.geometriesOf(node.mesh))
      if (!place(geometry, world, builder))
        throw refuse(
          `meshes[${node.mesh}], placed by nodes[${index}], has a vertex that is not a number or too far out.`,
          `coordinates up to ${sceneLimits.coordinateMax}`,
        );
  }
  const triangles = builder.finish();
  if (triangles.count === 0) throw refuse('The scene has no triangles with an area.', 'at least one triangle');
  if (builder.dropped > 0) report.push(`Triangles without area were dropped (${builder.dropped}).`);
  if (builder.repairedNormals > 0) report.push(`Unusable normals were replaced by flat ones (${builder.repairedNormals} triangles).`);
  if (builder.repairedUvs > 0) report.push(`Texture coordinates that are not numbers were set to 0 (${builder.repairedUvs} triangles).`);
  return triangles;
}

class GeometryReader {
  readonly #document: Document;
  readonly #materials: Map<unknown, number>;
  readonly #meshes = new Map<number, readonly Geometry[]>();
  readonly #numbers = new Map<Accessor, ArrayLike<number>>();

  constructor(document: Document) {
    this.#document = document;
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
    return {
      positions: this.#numbersOf(positions),
      normals: this.#optional(primitive.getAttribute('NORMAL')),
      uvs: this.#optional(primitive.getAttribute('TEXCOORD_0')),
      indices: indexArray,
      mode: primitive.getMode(),
      triangles,
      // The default material comes after the file's own.
      material: this.#materials.get(primitive.getMaterial()) ?? this.#materials.size,
    };
  }

  #optional(accessor: Accessor | null): ArrayLike<number> | null {
    return accessor && this.#numbersOf(accessor);
  }

  #numbersOf(accessor: Accessor): ArrayLike<number> {
    const known = this.#numbers.get(accessor);
    if (known) return known;
    const array = accessor.getArray()!;
    const type = accessor.getComponentType();
    const numbers = accessor.getNormalized() ? Float32Array.from(array, (value) => MathUtils.decodeNormalizedInt(value, type)) : array;
    this.#numbers.set(accessor, numbers);
    return numbers;
  }
}

/** Cofactors of the upper 3x3 times the sign of its determinant, row by row: turns normals as the inverse transpose does, and exists for flattening transforms too. */
function normalMatrix(m: Matrix): { rows: Float64Array; mirrored: boolean } {
  const at = (row: number, column: number): number => m[(column % 3) * 4 + (row % 3)]!;
  const cofactor = (row: number, column: number): number =>
    at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1);
  const determinant = at(0, 0) * cofactor(0, 0) + at(0, 1) * cofactor(0, 1) + at(0, 2) * cofactor(0, 2);
  const mirrored = determinant < 0;
  return { rows: Float64Array.from({ length: 9 }, (_, i) => cofactor(Math.floor(i / 3), i % 3) * (mirrored ? -1 : 1)), mirrored };
}

/** False: a vertex is not a number or too far out. */
function place(geometry: Geometry, world: Matrix, builder: TriangleBuilder): boolean {
  const { positions, normals, uvs, indices, material } = geometry;
  const { rows, mirrored } = normalMatrix(world);
  const [corners, cornerNormals, cornerUvs, vertices] = [new Float64Array(9), new Float64Array(9), new Float64Array(6), new Uint32Array(3)];
  for (let triangle = 0; triangle < geometry.triangles; triangle++) {
    cornersOf(geometry.mode, triangle, vertices);
    if (mirrored) vertices.subarray(1).reverse();
    for (let corner = 0; corner < 3; corner++) {
      const vertex = indices ? indices[vertices[corner]!]! : vertices[corner]!;
      const [x, y, z] = [positions[vertex * 3]!, positions[vertex * 3 + 1]!, positions[vertex * 3 + 2]!];
      for (let row = 0; row < 3; row++) corners[corner * 3 + row] = world[row]! * x + world[4 + row]! * y + world[8 + row]! * z + world[12 + row]!;
      if (normals) {
        const [nx, ny, nz] = [normals[vertex * 3]!, normals[vertex * 3 + 1]!, normals[vertex * 3 + 2]!];
        for (let row = 0; row < 3; row++) cornerNormals[corner * 3 + row] = rows[row * 3]! * nx + rows[row * 3 + 1]! * ny + rows[row * 3 + 2]! * nz;
      }
      if (uvs) for (let i = 0; i < 2; i++) cornerUvs[corner * 2 + i] = uvs[vertex * 2 + i]!;
    }
    if (!builder.add(corners, normals && cornerNormals, uvs && cornerUvs, material)) return false;
  }
  return true;
}

/** Places in the index list of the three corners of a triangle; glTF 2.0, 3.7.2.1. */
function cornersOf(mode: number, triangle: number, out: Uint32Array): void {
  const odd = triangle % 2;
  if (mode === TRIANGLES) out.set([triangle * 3, triangle * 3 + 1, triangle * 3 + 2]);
  else if (mode === STRIP) out.set([triangle, triangle + 1 + odd, triangle + 2 - odd]);
  else out.set([triangle + 1, triangle + 2, 0]);
}
