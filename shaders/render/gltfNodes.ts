import { refuse } from './glb.ts';
import type { Gltf, GltfNode } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';

/**
 * The node tree, flattened. It is walked here in plain 4x4 matrices because the library splits a matrix into translation, rotation
 * and scale, which loses skew and turns a flattening scale of 0 into NaN.
 */

/** Column-major as in glTF: element (row, column) at column * 4 + row. The last row is 0 0 0 1. */
export type Matrix = Float64Array;

export interface Placed {
  readonly node: GltfNode;
  /** Index of the node in the file. */
  readonly index: number;
  /** From the node's space to the world's. */
  readonly world: Matrix;
}

const identity = (): Matrix => Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);

function multiply(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(16);
  for (let column = 0; column < 4; column++)
    for (let row = 0; row < 4; row++) for (let k = 0; k < 4; k++) out[column * 4 + row]! += a[k * 4 + row]! * b[column * 4 + k]!;
  return out;
}

function localMatrix({ matrix, translation = [0, 0, 0], rotation = [0, 0, 0, 1], scale = [1, 1, 1] }: GltfNode): Matrix {
  if (matrix) return Float64Array.from(matrix);
  const [x, y, z, w] = rotation as [number, number, number, number];
  const [sx, sy, sz] = scale as [number, number, number];
  const [tx, ty, tz] = translation as [number, number, number];
  // A rotation matrix from a quaternion, its columns scaled. A quaternion that is not quite of length 1 is taken as if it were.
  const s = 2 / (x * x + y * y + z * z + w * w || 1);
  const columns = [
    [1 - s * (y * y + z * z), s * (x * y + z * w), s * (x * z - y * w)].map((value) => value * sx),
    [s * (x * y - z * w), 1 - s * (x * x + z * z), s * (y * z + x * w)].map((value) => value * sy),
    [s * (x * z + y * w), s * (y * z - x * w), 1 - s * (x * x + y * y)].map((value) => value * sz),
  ];
  return Float64Array.of(...columns.flatMap((column) => [...column, 0]), tx, ty, tz, 1);
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

/** All nodes of the file's scene in depth-first order, each before its children. */
export function placeNodes(gltf: Gltf): Placed[] {
  const nodes = gltf.nodes ?? [];
  const parents = checkTree(nodes);
  const roots = gltf.scenes?.[gltf.scene ?? 0]?.nodes ?? nodes.flatMap((_, node) => (parents[node] === -1 ? [node] : []));
  const placed: Placed[] = [];
  const seen = new Set<number>();
  const stack: { node: number; above: Matrix }[] = roots.toReversed().map((node) => ({ node, above: identity() }));
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    if (seen.has(entry.node)) throw refuse(`nodes[${entry.node}] occurs twice in the scene.`);
    seen.add(entry.node);
    const node = nodes[entry.node]!;
    const world = multiply(entry.above, localMatrix(node));
    placed.push({ node, index: entry.node, world });
    for (const child of (node.children ?? []).toReversed()) stack.push({ node: child, above: world });
  }
  return placed;
}
