import { describe, expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { type Bvh, type BvhShape, buildBvh, instanceDepthMax, instanceTree, treeDepthMax, triangleTree } from './bvh.ts';

/** Walks the tree as a kernel does and checks every promise of the layout. */
function inspect({ nodes, order, depth }: Bvh, bounds: Float32Array, shape: BvhShape = triangleTree): { leaves: number; deepest: number } {
  const floats = new Float32Array(nodes.buffer);
  const words = new Uint32Array(nodes.buffer);
  const seen = new Uint8Array(order.length);
  const visited = new Set<number>();
  let [leaves, deepest] = [0, 0];
  const visit = (node: number, level: number, box: readonly number[]): void => {
    expect(visited.has(node), `node ${node} is reached once`).toBe(false);
    visited.add(node);
    for (const slot of [node * 16, node * 16 + 8]) {
      const inner = [...floats.subarray(slot, slot + 3), ...floats.subarray(slot + 4, slot + 7)];
      const [ref, count] = [words[slot + 3]!, words[slot + 7]!];
      if (inner[0]! > inner[3]!) {
        expect([node, slot, count, nodes.byteLength], 'only a scene of one leaf lacks a child').toEqual([0, 8, 1, 64]);
        continue;
      }
      for (let axis = 0; axis < 3; axis++) {
        expect(inner[axis]!).toBeGreaterThanOrEqual(box[axis]!);
        expect(inner[axis + 3]!).toBeLessThanOrEqual(box[axis + 3]!);
      }
      if (count === 0) {
        visit(ref, level + 1, inner);
        continue;
      }
      leaves++;
      deepest = Math.max(deepest, level + 1);
      expect(count).toBeLessThanOrEqual(shape.leafMax);
      for (let place = ref; place < ref + count; place++) {
        const triangle = order[place]!;
        expect(seen[triangle]!++, `triangle ${triangle} is in one leaf`).toBe(0);
        for (let axis = 0; axis < 3; axis++) {
          expect(bounds[triangle * 6 + axis]!).toBeGreaterThanOrEqual(inner[axis]!);
          expect(bounds[triangle * 6 + 3 + axis]!).toBeLessThanOrEqual(inner[axis + 3]!);
        }
      }
    }
  };
  visit(0, 0, [-Infinity, -Infinity, -Infinity, Infinity, Infinity, Infinity]);
  expect(seen.every((times) => times === 1)).toBe(true);
  expect(visited.size * 64).toBe(nodes.byteLength);
  expect(depth).toBeLessThanOrEqual(shape.depthMax);
  return { leaves, deepest };
}

function boxes(count: number, at: (index: number) => readonly [number, number, number], size: number): Float32Array {
  const bounds = new Float32Array(count * 6);
  for (let i = 0; i < count; i++) {
    const [x, y, z] = at(i);
    bounds.set([x, y, z, x + size, y + size, z + size], i * 6);
  }
  return bounds;
}

describe('buildBvh', () => {
  test.each([1, 2, 3, 4, 5, 6, 33, 1000])('%i random boxes: all in, all inside, depth as told', (count) => {
    const rng = new Rng(count);
    const bounds = boxes(count, () => [rng.unit(), rng.unit(), rng.unit()], 0.05);
    const bvh = buildBvh(bounds);
    const { deepest } = inspect(bvh, bounds);
    expect(deepest).toBe(Math.max(1, bvh.depth));
  });

  test('the same bounds give the same bytes', () => {
    const rng = new Rng(5);
    const bounds = boxes(500, () => [rng.unit(), rng.unit(), rng.unit()], 0.1);
    expect(buildBvh(bounds).nodes).toEqual(buildBvh(bounds.slice()).nodes);
    expect(buildBvh(bounds).order).toEqual(buildBvh(bounds.slice()).order);
  });

  test('boxes in one place still end in small leaves', () => {
    const bounds = boxes(4097, () => [1, 2, 3], 1);
    const { leaves } = inspect(buildBvh(bounds), bounds);
    expect(leaves).toBeGreaterThanOrEqual(Math.ceil(4097 / triangleTree.leafMax));
  });

  test('a scene that would make a chain stays within the depth', () => {
    // A geometric series over 160 powers of two, of which the heuristic peels two at a time: 84 levels if it were let.
    const bounds = boxes(20_000, (i) => [2 ** (29 - i * 0.008), 0, 0], 0);
    const bvh = buildBvh(bounds);
    inspect(bvh, bounds);
    expect(bvh.depth).toBe(treeDepthMax);
  });

  test.each([1, 2, 3, 200])('a tree of %i instances has one in every leaf, and its own depth', (count) => {
    const rng = new Rng(count);
    const bounds = boxes(count, () => [rng.unit(), rng.unit(), rng.unit()], 0.3);
    const { leaves } = inspect(buildBvh(bounds, instanceTree), bounds, instanceTree);
    expect(leaves).toBe(count);
    const chain = boxes(4000, (i) => [2 ** (29 - i * 0.04), 0, 0], 0);
    const bvh = buildBvh(chain, instanceTree);
    inspect(bvh, chain, instanceTree);
    expect(bvh.depth).toBe(instanceDepthMax);
  });

  test('both trees, the mark between them and the one at the bottom fit the stack of the kernel', () => {
    // A node leaves one child behind at every level.
    expect(treeDepthMax + instanceDepthMax + 2).toBeLessThanOrEqual(72);
    expect([triangleTree.depthMax, instanceTree.depthMax]).toEqual([treeDepthMax, instanceDepthMax]);
  });

  test('two far groups are separated at the root', () => {
    const bounds = boxes(20, (i) => [i < 10 ? i : 1000 + i, 0, 0], 1);
    const { nodes } = buildBvh(bounds);
    const floats = new Float32Array(nodes.buffer);
    expect([floats[4], floats[8]]).toEqual([10, 1010]);
  });

  test('its expected cost is far below that of halving in file order', () => {
    const rng = new Rng(3);
    const bounds = boxes(2000, () => [rng.unit() * 10, rng.unit() * 10, rng.unit() * 10], 0.1);
    expect(expectedTests(buildBvh(bounds))).toBeLessThan(40);
  });
});

/** Node visits and triangle tests that a random ray through the root box makes, by the surface areas. */
function expectedTests({ nodes }: Bvh): number {
  const floats = new Float32Array(nodes.buffer);
  const words = new Uint32Array(nodes.buffer);
  const area = (slot: number): number => {
    const [x, y, z] = [0, 1, 2].map((axis) => floats[slot + 4 + axis]! - floats[slot + axis]!) as [number, number, number];
    return x * y + y * z + z * x;
  };
  let sum = 0;
  for (let slot = 0; slot < floats.length; slot += 8) sum += area(slot) * Math.max(1, words[slot + 7]!);
  return 1 + sum / (10.1 * 10.1 * 3);
}
