import { isThere, type Purpose } from './coverage.ts';
import { pushAll, pushEach, pushedBy, rounded } from './rounding.ts';
import { COVERED_IN_PART, type Scene, words } from './scene.ts';
import { f32, largest, rowDot, rowPoint, type Vector, vector } from './vector.ts';

/** What a ray met. Reused between rays. */
export class Hit {
  /** Index in leaf order, -1 for nothing. */
  triangle = -1;
  instance = -1;
  /** Distance, then the barycentric weights of the second and third corner. */
  readonly tuv = new Float32Array(3);
  /** Node visits and triangle tests since the path began. */
  steps = 0;
}

/** Further than any surface, and still finite after the products below. */
export const DISTANCE_MAX = f32(1e30);
const MISS = f32(3e38);
/** Boxes and edges are widened by some units in the last place, so that no ray slips between neighbours. */
const BOX_SLACK = f32(1.0000004);
const EDGE_SLACK = f32(1e-6);
/** Determinants below it belong to degenerate triangles. */
const DETERMINANT_MIN = f32(1e-18);
const DIRECTION_MIN = f32(1e-20);
/** Two extents are one to three times the product of the lengths, and rounding moves such a product by up to 5 x 2^-24 of that: this pushes by 4 to 12. */
const PRODUCT_SHARE = 1 / 4;

/** 2^31 is more than any id: ids are below the triangle limit. */
const NO_ID = 0x80000000;
const STACK_SIZE = 72;
const stack = new Uint32Array(STACK_SIZE);
/** Back from an instance into the world; looks like a leaf of 14. */
const LEAVE = 0xfffffffe;

/** The ray in the space of the tree that is walked. */
const ray = {
  origin: vector(),
  direction: vector(),
  ix: 0,
  iy: 0,
  iz: 0,
};

function aimRay(): void {
  ray.ix = inverse(ray.direction[0]!);
  ray.iy = inverse(ray.direction[1]!);
  ray.iz = inverse(ray.direction[2]!);
}

function inverse(component: number): number {
  if (Math.abs(component) < DIRECTION_MIN) return f32(1 / (component >= 0 ? DIRECTION_MIN : -DIRECTION_MIN));
  return f32(1 / component);
}

/** The ray in an instance's space. Its direction keeps the length that makes distances those of the world. */
function enterInstance(scene: Scene, at: number, origin: Vector, direction: Vector): void {
  const rows = at * words.instance + 12;
  for (let axis = 0; axis < 3; axis++) {
    ray.origin[axis] = rowPoint(scene.instances, rows + axis * 4, origin);
    ray.direction[axis] = rowDot(scene.instances, rows + axis * 4, direction);
  }
  pushAll(ray.origin, largest(ray.origin) * PRODUCT_SHARE);
  pushEach(ray.direction);
  aimRay();
}

function enterWorld(origin: Vector, direction: Vector): void {
  ray.origin.set(origin);
  ray.direction.set(direction);
  aimRay();
}

/**
 * Nearest triangle closer than `distanceMax` along the ray, or just any for a shadow. Of equally near ones the smaller id wins, so that
 * the order of the tree does not matter. BVH2s with an explicit stack, nearer child first; one of instances over one a mesh.
 */
export function traverse(scene: Scene, origin: Vector, direction: Vector, distanceMax: number, purpose: Purpose, hit: Hit): void {
  enterWorld(origin, direction);
  const { nodes, nodeWords, placed } = scene;
  hit.triangle = -1;
  hit.instance = -1;
  hit.tuv[0] = distanceMax;
  let bestId = NO_ID;
  let top = 0;
  let at = scene.firstInstance;
  let inside = !placed;
  // An entry is a reference and the count of triangles in its low 4 bits, 0 for a node.
  let entry = scene.root << 4;
  for (;;) {
    const count = entry & 15;
    if (count === 0) {
      hit.steps++;
      const left = (entry >>> 4) * words.node;
      const limit = hit.tuv[0]!;
      const leftNear = slab(nodes, left, limit);
      const rightNear = slab(nodes, left + 8, limit);
      if (leftNear < MISS || rightNear < MISS) {
        const leftFirst = leftNear <= rightNear;
        const first = leftFirst ? left : left + 8;
        const second = leftFirst ? left + 8 : left;
        if (leftNear < MISS && rightNear < MISS) stack[top++] = (nodeWords[second + 3]! << 4) | nodeWords[second + 7]!;
        entry = (nodeWords[first + 3]! << 4) | nodeWords[first + 7]!;
        continue;
      }
    } else if (!inside) {
      at = entry >>> 4;
      enterInstance(scene, at, origin, direction);
      inside = true;
      stack[top++] = LEAVE;
      entry = scene.instanceWords[at * words.instance + 24]! << 4;
      continue;
    } else if (entry >>> 0 === LEAVE) {
      enterWorld(origin, direction);
      inside = false;
    } else {
      const begin = entry >>> 4;
      hit.steps += count;
      for (let triangle = begin; triangle < begin + count; triangle++) {
        if (triangle === purpose.skipTriangle && (!placed || at === purpose.skipInstance)) continue;
        if (!meets(scene, triangle, at, bestId, purpose, hit)) continue;
        if (purpose.shadow) return;
        bestId = scene.triangleWords[triangle * words.triangle + 7]!;
      }
    }
    if (top === 0) return;
    entry = stack[--top]!;
  }
}

/** Distance at which the ray enters a child's box, or MISS when it does not before `limit`. */
function slab(nodes: Float32Array, box: number, limit: number): number {
  const { origin, ix, iy, iz } = ray;
  const [ox, oy, oz] = [origin[0]!, origin[1]!, origin[2]!];
  // Words from a child's box to its nearer and farther plane.
  const [nearX, nearY, nearZ] = [ix < 0 ? 4 : 0, iy < 0 ? 5 : 1, iz < 0 ? 6 : 2];
  const x0 = f32(f32(nodes[box + nearX]! - ox) * ix);
  const y0 = f32(f32(nodes[box + nearY]! - oy) * iy);
  const z0 = f32(f32(nodes[box + nearZ]! - oz) * iz);
  const x1 = f32(f32(nodes[box + 4 - nearX]! - ox) * ix);
  const y1 = f32(f32(nodes[box + 6 - nearY]! - oy) * iy);
  const z1 = f32(f32(nodes[box + 8 - nearZ]! - oz) * iz);
  const near = Math.max(Math.max(x0, y0), Math.max(z0, 0));
  const far = Math.min(Math.min(x1, y1), Math.min(z1, limit));
  return near <= f32(far * BOX_SLACK) ? near : MISS;
}

/** Size of a vector as a push of its products has it; nobody else asks. */
const extent = (x: number, y: number, z: number): number => (rounded() ? 0 : Math.abs(x) + Math.abs(y) + Math.abs(z));

/**
 * Whether the ray meets the triangle nearer than `hit`, or as near with a smaller id than `bestId`; then `hit` is updated.
 * Moeller & Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection", 1997, both sides, divided only when it is a hit.
 */
function meets(scene: Scene, triangle: number, instance: number, bestId: number, purpose: Purpose, hit: Hit): boolean {
  const { triangles } = scene;
  const { origin, direction } = ray;
  const at = triangle * words.triangle;
  const [dx, dy, dz] = [direction[0]!, direction[1]!, direction[2]!];
  const [ax, ay, az] = [triangles[at + 4]!, triangles[at + 5]!, triangles[at + 6]!];
  const [bx, by, bz] = [triangles[at + 8]!, triangles[at + 9]!, triangles[at + 10]!];
  const px = f32(f32(dy * bz) - f32(dz * by));
  const py = f32(f32(dz * bx) - f32(dx * bz));
  const pz = f32(f32(dx * by) - f32(dy * bx));
  const determinant = f32(f32(f32(ax * px) + f32(ay * py)) + f32(az * pz));
  const size = Math.abs(determinant);
  if (size < DETERMINANT_MIN) return false;
  const sign = determinant < 0 ? -1 : 1;
  const slack = f32(size * EDGE_SLACK);
  const sx = f32(origin[0]! - triangles[at]!);
  const sy = f32(origin[1]! - triangles[at + 1]!);
  const sz = f32(origin[2]! - triangles[at + 2]!);
  // What cancels in these products is, of a small triangle far away, more than the slack: a ray may slip between neighbours.
  const offset = extent(sx, sy, sz) * PRODUCT_SHARE;
  const along = extent(ax, ay, az);
  const across = extent(bx, by, bz);
  const u = pushedBy(sign * f32(f32(f32(sx * px) + f32(sy * py)) + f32(sz * pz)), offset * across);
  if (u < -slack || u > f32(size + slack)) return false;
  const qx = f32(f32(sy * az) - f32(sz * ay));
  const qy = f32(f32(sz * ax) - f32(sx * az));
  const qz = f32(f32(sx * ay) - f32(sy * ax));
  const v = pushedBy(sign * f32(f32(f32(dx * qx) + f32(dy * qy)) + f32(dz * qz)), offset * along);
  if (v < -slack || f32(u + v) > f32(size + slack)) return false;
  const t = pushedBy(sign * f32(f32(f32(bx * qx) + f32(by * qy)) + f32(bz * qz)), offset * along * across);
  if (t <= 0) return false;
  const scale = f32(1 / size);
  const distance = f32(t * scale);
  const best = hit.tuv[0]!;
  if (distance > best || (distance === best && scene.triangleWords[at + 7]! >= bestId)) return false;
  if ((scene.triangleWords[at + 3]! & COVERED_IN_PART) !== 0 && !isThere(scene, triangle, instance, f32(u * scale), f32(v * scale), purpose)) return false;
  hit.triangle = triangle;
  hit.instance = instance;
  hit.tuv[0] = distance;
  hit.tuv[1] = u * scale;
  hit.tuv[2] = v * scale;
  return true;
}
