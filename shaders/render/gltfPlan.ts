import { refuse } from './glb.ts';

import type { NodeTree } from './gltfNodes.ts';
import { triangleCount } from './gltfPrimitives.ts';
import type { Gltf, GltfNode } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';

/**
 * Meshes of fewer triangles are copied into the world's mesh wherever they are placed: to enter an instance a ray is transformed and another tree
 * begun, about as much as a dozen nodes visited, and 64 triangles are only six more levels of the world's own tree.
 */
export const instancedTrianglesMin = 64;

/** How a file's meshes become meshes of the scene. */
export interface MeshPlan {
  /** Triangles of every mesh of the file. */
  readonly triangles: readonly number[];
  /** A placement of this mesh is an instance of its own; otherwise its triangles are copied into the world's mesh. */
  isInstanced(mesh: number, moves: boolean): boolean;
}

/** EXT_mesh_gpu_instancing; 1 for a plain node. */
export function placesOf(gltf: Gltf, { extensions }: GltfNode): number {
  const { TRANSLATION, ROTATION, SCALE } = extensions?.EXT_mesh_gpu_instancing?.attributes ?? {};
  const accessor = TRANSLATION ?? ROTATION ?? SCALE;
  return accessor === undefined ? 1 : gltf.accessors![accessor]!.count;
}

/** Counts everything from the JSON alone, and throws where there is none or too much of it. */
export function planMeshes(gltf: Gltf, tree: NodeTree, frames: number): MeshPlan {
  const triangles = (gltf.meshes ?? []).map(({ primitives }) => primitives.reduce((sum, primitive) => sum + triangleCount(gltf, primitive), 0));
  const places = new Float64Array(triangles.length);
  for (const { node } of tree.placed) if (node.mesh !== undefined) places[node.mesh]! += placesOf(gltf, node);
  const planOf = (trianglesMin: number): MeshPlan => ({
    triangles,
    isInstanced: (mesh, moves) => moves || (places[mesh]! > 1 && triangles[mesh]! >= trianglesMin),
  });
  let plan = planOf(instancedTrianglesMin);
  let counts = countOf(gltf, tree, plan, frames);
  if (counts.triangles > sceneLimits.trianglesMax) {
    // Thousands of copies of something small: as instances it may still fit.
    plan = planOf(1);
    counts = countOf(gltf, tree, plan, frames);
  }
  if (counts.triangles > sceneLimits.trianglesMax)
    throw refuse(`The scene has ${counts.triangles} triangles.`, `at most ${sceneLimits.trianglesMax} triangles`);
  if (counts.triangles === 0) throw refuse('The scene has no triangles.', 'at least one triangle');
  if (counts.instances > sceneLimits.instancesMax)
    throw refuse(`The scene has ${counts.instances} instances of meshes.`, `at most ${sceneLimits.instancesMax} instances`);
  if (counts.transforms > sceneLimits.transformsMax)
    throw refuse(`The scene has ${counts.transforms} transforms of instances over ${frames} frames.`, `at most ${sceneLimits.transformsMax} transforms`);
  return plan;
}

function countOf(gltf: Gltf, { placed }: NodeTree, plan: MeshPlan, frames: number): { triangles: number; instances: number; transforms: number } {
  const own = new Set<number>();
  let [triangles, instances, transforms] = [0, 0, 0];
  for (const { node, moves } of placed) {
    if (node.mesh === undefined || plan.triangles[node.mesh] === 0) continue;
    const places = placesOf(gltf, node);
    if (plan.isInstanced(node.mesh, moves)) {
      own.add(node.mesh);
      instances += places;
      transforms += places * (moves ? frames : 1);
    } else triangles += places * plan.triangles[node.mesh]!;
  }
  for (const mesh of own) triangles += plan.triangles[mesh]!;
  return { triangles, instances, transforms };
}
