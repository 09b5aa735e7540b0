// Nearest hits and shadows in a BVH2. reference/trace.ts mirrors it.

const NOTHING = 0xffffffffu;
// `bvhDepthMax` entries and LAST fit.
const STACK_SIZE = 64u;
const LAST = 0xffffffffu;
// Further than any surface, and still finite after the products below.
const DISTANCE_MAX = 1e30f;
const MISS = 3e38f;
// Boxes and edges are widened by some units in the last place, so that no ray slips between neighbours.
const BOX_SLACK = 1.0000004f;
const EDGE_SLACK = 1e-6f;
// Determinants below it belong to degenerate triangles.
const DETERMINANT_MIN = 1e-18f;
const DIRECTION_MIN = 1e-20f;

// Private, not local to `traverse`: WGSL would zero a local array at every call.
var<private> stack: array<u32, STACK_SIZE>;

struct Hit {
  triangle: u32,
  distance: f32,
  // Barycentric weights of the second and third corner.
  u: f32,
  v: f32,
}

struct Ray {
  origin: vec3f,
  direction: vec3f,
  inverse: vec3f,
  backwards: vec3<bool>,
}

fn makeRay(origin: vec3f, direction: vec3f) -> Ray {
  let least = select(vec3f(-DIRECTION_MIN), vec3f(DIRECTION_MIN), direction >= vec3f(0.0));
  let inverse = 1.0 / select(direction, least, abs(direction) < vec3f(DIRECTION_MIN));
  return Ray(origin, direction, inverse, inverse < vec3f(0.0));
}

// Distance at which the ray enters a box, or MISS when it does not before `limit`.
fn enterBox(ray: Ray, low: vec3f, high: vec3f, limit: f32) -> f32 {
  let t0 = (select(low, high, ray.backwards) - ray.origin) * ray.inverse;
  let t1 = (select(high, low, ray.backwards) - ray.origin) * ray.inverse;
  let near = max(max(t0.x, t0.y), max(t0.z, 0.0));
  let far = min(min(t1.x, t1.y), min(t1.z, limit));
  return select(MISS, near, near <= far * BOX_SLACK);
}

// Whether the ray meets the triangle nearer than `best`, or as near with a smaller id than `bestId`; then `best` is updated.
// Moeller & Trumbore, 1997, both sides, divided only when it is a hit.
fn meets(ray: Ray, index: u32, bestId: u32, best: ptr<function, Hit>) -> bool {
  let triangle = &triangles[index];
  let edge1 = (*triangle).edge1;
  let edge2 = (*triangle).edge2;
  let p = cross3(ray.direction, edge2);
  let determinant = dot3(edge1, p);
  let size = abs(determinant);
  let facing = select(1.0, -1.0, determinant < 0.0);
  let limit = size + size * EDGE_SLACK;
  let slack = size * EDGE_SLACK;
  let s = ray.origin - (*triangle).corner;
  let u = facing * dot3(s, p);
  if (size < DETERMINANT_MIN || u < -slack || u > limit) {
    return false;
  }
  let q = cross3(s, edge1);
  let v = facing * dot3(ray.direction, q);
  if (v < -slack || u + v > limit) {
    return false;
  }
  let t = facing * dot3(edge2, q);
  if (t <= 0.0) {
    return false;
  }
  let scale = 1.0 / size;
  let distance = t * scale;
  if (distance > (*best).distance || (distance == (*best).distance && (*triangle).id >= bestId)) {
    return false;
  }
  *best = Hit(index, distance, u * scale, v * scale);
  return true;
}

// Nearest triangle closer than `distanceMax`, or just any for `any`; `skip` is the triangle that the ray starts on. Of equally near
// ones the smaller id wins, so that the order of the tree does not matter.
fn traverse(origin: vec3f, direction: vec3f, skip: u32, distanceMax: f32, any: bool) -> Hit {
  let ray = makeRay(origin, direction);
  var best = Hit(NOTHING, distanceMax, 0.0, 0.0);
  var bestId = NOTHING;
  // An entry is a reference and the count of triangles in its low 4 bits, 0 for a node. LAST lies at the bottom and looks like a leaf.
  stack[0] = LAST;
  var top = 1u;
  var entry = 0u;
  loop {
    while ((entry & 15u) == 0u) {
      let node = nodes[entry >> 4u];
      let leftNear = enterBox(ray, node.leftMin, node.leftMax, best.distance);
      let rightNear = enterBox(ray, node.rightMin, node.rightMax, best.distance);
      let left = (node.leftRef << 4u) | node.leftCount;
      let right = (node.rightRef << 4u) | node.rightCount;
      let leftFirst = leftNear <= rightNear;
      if (leftNear < MISS && rightNear < MISS) {
        stack[top] = select(left, right, leftFirst);
        top++;
      }
      entry = select(right, left, leftFirst);
      if (min(leftNear, rightNear) == MISS) {
        top--;
        entry = stack[top];
      }
    }
    if (entry == LAST) {
      break;
    }
    let first = entry >> 4u;
    for (var index = first; index < first + (entry & 15u); index++) {
      if (index != skip && meets(ray, index, bestId, &best)) {
        if (any) {
          return best;
        }
        bestId = triangles[index].id;
      }
    }
    top--;
    entry = stack[top];
  }
  return best;
}
