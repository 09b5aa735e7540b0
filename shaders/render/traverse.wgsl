// Nearest hits and shadows in BVH2s: one of instances over one a mesh. reference/trace.ts mirrors it.

// `treeDepthMax` and `instanceDepthMax` of bvh.ts, LAST and LEAVE fit.
const STACK_SIZE = 72u;
// Stack entries that look like leaves: nothing is left; back from an instance into the world.
const LAST = 0xffffffffu;
const LEAVE = 0xfffffffeu;
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
  instance: u32,
  distance: f32,
  // Barycentric weights of the second and third corner.
  u: f32,
  v: f32,
}

// What a ray is for: from the camera or not, where it starts, and the key of its random numbers.
struct Purpose {
  skipTriangle: u32,
  skipInstance: u32,
  camera: bool,
  shadow: bool,
  key: u32,
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

// The ray in an instance's space. Its direction keeps the length that makes distances those of the world.
fn rayInto(at: u32, origin: vec3f, direction: vec3f) -> Ray {
  let instance = &instances[at];
  let start = vec3f(
    dot3((*instance).objectX.xyz, origin) + (*instance).objectX.w,
    dot3((*instance).objectY.xyz, origin) + (*instance).objectY.w,
    dot3((*instance).objectZ.xyz, origin) + (*instance).objectZ.w,
  );
  let along = vec3f(dot3((*instance).objectX.xyz, direction), dot3((*instance).objectY.xyz, direction), dot3((*instance).objectZ.xyz, direction));
  return makeRay(start, along);
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
fn meets(ray: Ray, index: u32, at: u32, bestId: u32, purpose: Purpose, best: ptr<function, Hit>) -> bool {
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
  if (COVERAGE && ((*triangle).material & COVERED_IN_PART) != 0u && !isThere(index, at, u * scale, v * scale, purpose)) {
    return false;
  }
  *best = Hit(index, at, distance, u * scale, v * scale);
  return true;
}

// Nearest triangle closer than `distanceMax`, or just any for a shadow. Of equally near ones the smaller id wins, so that the order of
// the tree does not matter.
fn traverse(origin: vec3f, direction: vec3f, distanceMax: f32, purpose: Purpose) -> Hit {
  var ray = makeRay(origin, direction);
  var best = Hit(NOTHING, NOTHING, distanceMax, 0.0, 0.0);
  var bestId = NOTHING;
  // An entry is a reference and the count of triangles in its low 4 bits, 0 for a node. LAST lies at the bottom.
  stack[0] = LAST;
  var top = 1u;
  var entry = slice.root << 4u;
  var at = slice.firstInstance;
  var inside = !INSTANCES;
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
    if (INSTANCES && !inside) {
      at = entry >> 4u;
      ray = rayInto(at, origin, direction);
      inside = true;
      stack[top] = LEAVE;
      top++;
      entry = instances[at].root << 4u;
      continue;
    }
    if (INSTANCES && entry == LEAVE) {
      ray = makeRay(origin, direction);
      inside = false;
    } else {
      let first = entry >> 4u;
      for (var index = first; index < first + (entry & 15u); index++) {
        let start = index == purpose.skipTriangle && (!INSTANCES || at == purpose.skipInstance);
        if (!start && meets(ray, index, at, bestId, purpose, &best)) {
          if (purpose.shadow) {
            return best;
          }
          bestId = triangles[index].id;
        }
      }
    }
    top--;
    entry = stack[top];
  }
  return best;
}
