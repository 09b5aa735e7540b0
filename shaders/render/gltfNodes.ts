import { refuse } from './glb.ts';
import type { Gltf, GltfNode } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';
import { compose, multiply } from './matrix.ts';
import { identityMatrix, type Matrix } from './mesh.ts';

function localMatrix({ matrix, translation = [0, 0, 0], rotation = [0, 0, 0, 1], scale = [1, 1, 1] }: GltfNode): Matrix {
  return matrix ? Float64Array.from(matrix) : compose(translation, rotation, scale);
}

/**
 * The node tree, flattened. It is walked here in plain 4x4 matrices because the library splits a matrix into translation, rotation
 * and scale, which loses skew and turns a flattening scale of 0 into NaN.
 */

export interface PlacedNode {
  readonly node: GltfNode;
  /** Index of the node in the file. */
  readonly index: number;
  /** The node or one above it is animated, and there are frames for it to move in. */
  readonly moves: boolean;
}

/** All nodes of the file's scene in depth-first order, each before its children. */
export interface NodeTree {
  readonly placed: readonly PlacedNode[];
  /** Of every node of the file, -1 for none. */
  readonly parents: Int32Array;
}

/** Throws unless every node has at most one parent, itself not among its ancestors, and no more ancestors than the cap. */
function checkTree(nodes: readonly GltfNode[]): Int32Array {
  const parents = new Int32Array(nodes.length).fill(-1);
  nodes.forEach(({ children }, parent) => {
    for (const child of children ?? []) {
      if (parents[child] !== -1) throw refuse(`nodes[${child}] has two parents, nodes[${parents[child]}] and nodes[${parent}].`);
      parents[child] = parent;
    }
  });
  for (let node = 0; node < nodes.length; node++) {
    let depth = 0;
    for (let above = parents[node]!; above !== -1; above = parents[above]!) {
      if (above === node) throw refuse(`nodes[${node}] is its own ancestor.`);
      if (++depth > sceneLimits.nodeDepthMax) throw refuse(`nodes[${node}] is nested too deep.`, `at most ${sceneLimits.nodeDepthMax} levels`);
    }
  }
  return parents;
}

/** `animated`: nodes with a motion of their own, of as many frames. */
export function placeNodes(gltf: Gltf, animated: ReadonlySet<number>, frames: number): NodeTree {
  const nodes = gltf.nodes ?? [];
  const parents = checkTree(nodes);
  const roots = gltf.scenes?.[gltf.scene ?? 0]?.nodes ?? nodes.flatMap((_, node) => (parents[node] === -1 ? [node] : []));
  const placed: PlacedNode[] = [];
  const seen = new Set<number>();
  const stack = roots.toReversed().map((index) => ({ index, above: false }));
  let moving = 0;
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { index, above } = entry;
    if (seen.has(index)) throw refuse(`nodes[${index}] occurs twice in the scene.`);
    seen.add(index);
    const node = nodes[index]!;
    const moves = frames > 1 && (above || animated.has(index));
    if (moves) moving++;
    placed.push({ node, index, moves });
    for (const child of (node.children ?? []).toReversed()) stack.push({ index: child, above: moves });
  }
  if (moving * frames > sceneLimits.transformsMax)
    throw refuse(`${moving} nodes move over ${frames} frames.`, `at most ${sceneLimits.transformsMax} transforms, nodes times frames`);
  return { placed, parents };
}

/** Of every node that holds something, by its index: its space to the world's, once or for every frame. `motion` gives an animated node's own matrix. */
export function worldMatrices(tree: NodeTree, frames: number, motion: (node: number, frame: number) => Matrix | null): Map<number, Matrix[]> {
  const worlds = new Map<number, Matrix[]>();
  const identity = identityMatrix();
  for (const { node, index, moves } of tree.placed) {
    const above = worlds.get(tree.parents[index]!) ?? [identity];
    const still = localMatrix(node);
    const count = moves ? frames : 1;
    const matrices = Array.from({ length: count }, (_, frame) => multiply(above[Math.min(frame, above.length - 1)]!, motion(index, frame) ?? still));
    worlds.set(index, matrices);
  }
  return worlds;
}
