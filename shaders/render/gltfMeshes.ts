import type { Document } from '@gltf-transform/core';
import { refuse } from './glb.ts';
import { addGeometry, GeometryReader, type MaterialNeeds, numbersOf } from './gltfGeometry.ts';
import type { NodeTree } from './gltfNodes.ts';
import { type MeshPlan, placesOf } from './gltfPlan.ts';
import type { Gltf, GltfNode } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';
import { cofactors, compose, isInvertible, multiply, sizeOf } from './matrix.ts';
import { type Instance, identityMatrix, type Matrix, TriangleBuilder, type Triangles } from './mesh.ts';

/** One mesh at one place, once or in every frame. */
interface Placement {
  readonly mesh: number;
  /** Index of the node, for messages. */
  readonly node: number;
  readonly transforms: readonly Matrix[];
}

const tooFar = ({ mesh, node }: Placement): Error =>
  refuse(`meshes[${mesh}], placed by nodes[${node}], has a vertex that is not a number or too far out.`, `coordinates up to ${sceneLimits.coordinateMax}`);

/** Builds what `planMeshes` planned. The world's mesh comes first, unless nothing is in it. */
export class MeshMaker {
  readonly #gltf: Gltf;
  readonly #document: Document;
  readonly #plan: MeshPlan;
  readonly #geometries: GeometryReader;
  readonly #report: string[];
  readonly #builders: TriangleBuilder[] = [];
  /** Triangles of placements without any extent. */
  #flattened = 0;
  #thickened = 0;
  #vanished = 0;

  constructor(gltf: Gltf, document: Document, plan: MeshPlan, needs: readonly MaterialNeeds[], report: string[]) {
    this.#gltf = gltf;
    this.#document = document;
    this.#plan = plan;
    this.#report = report;
    this.#geometries = new GeometryReader(document, needs, report);
  }

  make(tree: NodeTree, worlds: ReadonlyMap<number, readonly Matrix[]>): { meshes: Triangles[]; instances: Instance[] } {
    const baked: Placement[] = [];
    const instanced: Placement[] = [];
    for (const { node, index, moves } of tree.placed) {
      const { mesh } = node;
      if (mesh === undefined || this.#plan.triangles[mesh] === 0) continue;
      for (const transforms of this.#transformsOf(node, worlds.get(index)!)) {
        const placement = { mesh, node: index, transforms };
        if (!transforms.every((transform) => transform.every(Number.isFinite))) throw tooFar(placement);
        if (!this.#plan.isInstanced(mesh, moves)) baked.push(placement);
        else if (transforms.every(isInvertible)) instanced.push(placement);
        else if (transforms.length === 1) baked.push(placement);
        else this.#thicken(placement, instanced);
      }
    }
    const world = this.#bake(baked.filter((placement) => this.#hasExtent(placement)));
    const made = this.#instance(instanced, world ? 1 : 0);
    this.#tell();
    const meshes = world ? [world, ...made.meshes] : made.meshes;
    if (meshes.length === 0) throw refuse('The scene has no triangles with an area.', 'at least one triangle');
    return { meshes, instances: world ? [{ mesh: 0, transforms: [identityMatrix()] }, ...made.instances] : made.instances };
  }

  /** One list for every place of EXT_mesh_gpu_instancing. */
  #transformsOf(node: GltfNode, worlds: readonly Matrix[]): readonly (readonly Matrix[])[] {
    const attributes = node.extensions?.EXT_mesh_gpu_instancing?.attributes;
    if (!attributes) return [worlds];
    const accessors = this.#document.getRoot().listAccessors();
    const read = (name: string): ArrayLike<number> | null =>
      attributes[name] === undefined ? null : numbersOf(accessors[attributes[name]]!, name === 'ROTATION');
    const [translations, rotations, scales] = [read('TRANSLATION'), read('ROTATION'), read('SCALE')];
    const entry = (list: ArrayLike<number> | null, index: number, otherwise: readonly number[]): readonly number[] =>
      list ? otherwise.map((_, i) => list[index * otherwise.length + i]!) : otherwise;
    return Array.from({ length: placesOf(this.#gltf, node) }, (_, index) => {
      const place = compose(entry(translations, index, [0, 0, 0]), entry(rotations, index, [0, 0, 0, 1]), entry(scales, index, [1, 1, 1]));
      return worlds.map((world) => multiply(world, place));
    });
  }

  /** False: flattened to a line or a point, as files hide things. */
  #hasExtent({ mesh, transforms }: Placement): boolean {
    const size = sizeOf(transforms[0]!);
    const largest = cofactors(transforms[0]!).rows.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (size > sceneLimits.coordinateMax || largest > NO_EXTENT * size * size) return true;
    this.#flattened += this.#plan.triangles[mesh]!;
    return false;
  }

  /** A moving mesh that cannot be inverted in some frames keeps a little of its largest size there: animations hide things by a scale of 0. */
  #thicken(placement: Placement, instanced: Placement[]): void {
    const extent = THICKNESS * Math.max(...placement.transforms.map(sizeOf));
    const transforms = placement.transforms.map((transform) => {
      if (isInvertible(transform)) return transform;
      const thick = transform.slice();
      for (const diagonal of [0, 5, 10]) thick[diagonal]! += extent;
      return thick;
    });
    if (transforms.every(isInvertible)) {
      this.#thickened++;
      instanced.push({ ...placement, transforms });
    } else this.#vanished++;
  }

  #bake(placements: readonly Placement[]): Triangles | null {
    const capacity = placements.reduce((sum, { mesh }) => sum + this.#plan.triangles[mesh]!, 0);
    if (capacity > sceneLimits.trianglesMax) throw refuse(`The scene has ${capacity} triangles.`, `at most ${sceneLimits.trianglesMax} triangles`);
    const builder = this.#builderOf(capacity);
    for (const placement of placements)
      for (const geometry of this.#geometries.geometriesOf(placement.mesh))
        if (!addGeometry(geometry, placement.transforms[0]!, builder)) throw tooFar(placement);
    const triangles = builder.finish();
    return triangles.count > 0 ? triangles : null;
  }

  #instance(placements: readonly Placement[], first: number): { meshes: Triangles[]; instances: Instance[] } {
    const meshes: Triangles[] = [];
    const made = new Map<number, { index: number; corners: Float64Array } | null>();
    const instances: Instance[] = [];
    for (const placement of placements) {
      let own = made.get(placement.mesh);
      if (own === undefined) {
        const triangles = this.#inItsSpace(placement);
        own = triangles && { index: first + meshes.push(triangles) - 1, corners: boxCorners(triangles.positions) };
        made.set(placement.mesh, own);
      }
      if (!own) continue;
      for (const transform of placement.transforms) if (!isNear(own.corners, transform)) throw tooFar(placement);
      instances.push({ mesh: own.index, transforms: placement.transforms });
    }
    return { meshes, instances };
  }

  /** Null: nothing in it has an area. */
  #inItsSpace(placement: Placement): Triangles | null {
    const builder = this.#builderOf(this.#plan.triangles[placement.mesh]!);
    for (const geometry of this.#geometries.geometriesOf(placement.mesh)) if (!addGeometry(geometry, identityMatrix(), builder)) throw tooFar(placement);
    const triangles = builder.finish();
    return triangles.count > 0 ? triangles : null;
  }

  #builderOf(capacity: number): TriangleBuilder {
    const builder = new TriangleBuilder(capacity);
    this.#builders.push(builder);
    return builder;
  }

  #tell(): void {
    const sum = (of: (builder: TriangleBuilder) => number): number => this.#builders.reduce((total, builder) => total + of(builder), 0);
    const found: readonly (readonly [number, string, string])[] = [
      [sum(({ dropped }) => dropped) + this.#flattened, 'Triangles without area were dropped', ''],
      [sum(({ repairedNormals }) => repairedNormals), 'Unusable normals were replaced by flat ones', ' triangles'],
      [sum(({ repairedTangents }) => repairedTangents), 'Unusable tangents were replaced by any at right angles to the normal', ' triangles'],
      [sum(({ repairedUvs }) => repairedUvs), 'Texture coordinates that are not numbers or too far out were set to 0', ' triangles'],
      [sum(({ repairedColors }) => repairedColors), 'Vertex colours that are not numbers were set to 1', ' triangles'],
      [this.#thickened, 'Moving meshes that are flat or gone in some frames keep a ten-thousandth of their size there', ''],
      [this.#vanished, 'Moving meshes whose transform cannot be inverted were left out', ''],
    ];
    for (const [times, sentence, unit] of found) if (times > 0) this.#report.push(`${sentence} (${times}${unit}).`);
  }
}

/** Share of the square of a transform's size below which all its cofactors are rounding. */
const NO_EXTENT = 1e-15;
/** A share of a mesh's largest size that no picture shows, and that f32 can invert. */
const THICKNESS = 1e-4;

/** The eight corners of the box around all positions. */
function boxCorners(positions: Float32Array): Float64Array {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let at = 0; at < positions.length; at++) {
    low[at % 3] = Math.min(low[at % 3]!, positions[at]!);
    high[at % 3] = Math.max(high[at % 3]!, positions[at]!);
  }
  return Float64Array.from({ length: 24 }, (_, i) => ((Math.floor(i / 3) >> (i % 3)) & 1 ? high : low)[i % 3]!);
}

function isNear(corners: Float64Array, m: Matrix): boolean {
  for (let at = 0; at < 24; at += 3)
    for (let row = 0; row < 3; row++) {
      const value = m[row]! * corners[at]! + m[4 + row]! * corners[at + 1]! + m[8 + row]! * corners[at + 2]! + m[12 + row]!;
      if (!(Math.abs(value) <= sceneLimits.coordinateMax)) return false;
    }
  return true;
}
