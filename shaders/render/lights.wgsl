// Where light comes from: emitting triangles, points, spots, directions, a sun, an environment map. reference/lights.ts mirrors it.

const TRIANGLE_LIGHT = 0u;
const POINT_LIGHT = 1u;
const SPOT_LIGHT = 2u;
const DIRECTION_LIGHT = 3u;
const SUN_LIGHT = 4u;
const ENVIRONMENT_LIGHT = 5u;

// Shadow rays end this far before the light, relatively.
const SHADOW_SHARE = 0.9999f;
const INVERSE_TWO_PI = 0.15915494309189535f;
// The largest fraction below 1.
const BELOW_ONE = 0.99999994f;

// A direction towards light: what arrives from there, and the density with which it was chosen; 0 for a light that rays cannot hit, whose
// radiance then is divided by its probability already.
struct LightSample {
  direction: vec3f,
  distance: f32,
  radiance: vec3f,
  pdf: f32,
}

// First light of the frame whose cumulative probability exceeds u.
fn pickLight(u: f32) -> u32 {
  var low = slice.firstLight;
  var high = slice.firstLight + slice.lightCount - 1u;
  while (low < high) {
    let middle = (low + high) >> 1u;
    if (u < lights[middle].cumulative) {
      high = middle;
    } else {
      low = middle + 1u;
    }
  }
  return low;
}

// Density per unit of solid angle with which a point of an emitting triangle at this distance and cosine is chosen.
fn triangleDensity(index: u32, distance2: f32, cosine: f32) -> f32 {
  return lights[index].probability / lights[index].area * distance2 / cosine;
}

// Uniform barycentric weights. Heitz, "A Low-Distortion Map Between Triangle and Square", 2019.
fn pointInTriangle(u: f32, v: f32) -> vec2f {
  return select(vec2f(u - v * 0.5, v * 0.5), vec2f(u * 0.5, v - u * 0.5), v > u);
}

fn sampleTriangle(index: u32, origin: vec3f, u: f32, v: f32) -> LightSample {
  let at = lights[index].triangle;
  let triangle = triangles[at];
  var corner = triangle.corner;
  var edge1 = triangle.edge1;
  var edge2 = triangle.edge2;
  var orientation = 1.0;
  if (INSTANCES) {
    let instance = lights[index].instance;
    corner = pointToWorld(instance, corner);
    edge1 = vectorToWorld(instance, edge1);
    edge2 = vectorToWorld(instance, edge2);
    orientation = select(1.0, -1.0, instances[instance].mirrored == 1u);
  }
  let point = pointInTriangle(u, v);
  let path = corner + edge1 * point.x + edge2 * point.y - origin;
  let distance2 = dot3(path, path);
  let distance = sqrt(distance2);
  let direction = path * (1.0 / distance);
  let cosine = -dot3(normalize3(cross3(edge1, edge2)) * orientation, direction);
  let material = triangle.material & ~COVERED_IN_PART;
  var emission = emissionAt(at, material, point.x, point.y, cosine > 0.0);
  if (COVERAGE && (triangle.material & COVERED_IN_PART) != 0u) {
    let coverage = coverageAt(at, material, point.x, point.y);
    emission *= select(coverage, select(0.0, 1.0, coverage >= materials[material].alphaCutoff), (materials[material].flags & MASK) != 0u);
  }
  return LightSample(direction, distance * SHADOW_SHARE, emission, triangleDensity(index, distance2, abs(cosine)));
}

fn sampleBare(index: u32, origin: vec3f, u: f32, v: f32) -> LightSample {
  let light = lights[index];
  if (light.kind == DIRECTION_LIGHT) {
    return LightSample(-light.direction, DISTANCE_MAX, light.color * (1.0 / light.probability), 0.0);
  }
  if (light.kind == SUN_LIGHT) {
    let fallen = u * light.area;
    let circle = turn(v) * sqrt(max(fallen * (2.0 - fallen), 0.0));
    let frame = frameAround(-light.direction);
    let direction = normalize3(toWorld(frame, vec3f(circle, 1.0 - fallen)));
    return LightSample(direction, DISTANCE_MAX, light.color, light.probability * INVERSE_TWO_PI / light.area);
  }
  let path = light.position - origin;
  let distance2 = dot3(path, path);
  let distance = sqrt(distance2);
  let direction = path * (1.0 / distance);
  var strength = 1.0 / (distance2 * light.probability);
  if (light.kind == SPOT_LIGHT) {
    // KHR_lights_punctual: the square of a ramp over the cosine.
    let cone = clamp(light.extent - dot3(direction, light.direction) * light.area, 0.0, 1.0);
    strength *= cone * cone;
  }
  return LightSample(direction, distance * SHADOW_SHARE, light.color * strength, 0.0);
}

// RGB9E5, as exact f32.
fn decodeShared(bits: u32) -> vec3f {
  let scale = bitcast<f32>(((bits >> 27u) + 103u) << 23u);
  return vec3f(f32(bits & 511u), f32((bits >> 9u) & 511u), f32((bits >> 18u) & 511u)) * scale;
}

// A texel of the octahedral map; past its edges it goes on, mirrored.
fn environmentTexel(column: i32, row: i32) -> vec3f {
  let edge = i32(job.environmentEdge);
  var at = vec2i(column, row);
  if (column < 0 || column >= edge) {
    at = vec2i(clamp(at.x, 0, edge - 1), edge - 1 - at.y);
  }
  if (row < 0 || row >= edge) {
    at = vec2i(edge - 1 - at.x, clamp(at.y, 0, edge - 1));
  }
  return decodeShared(textureLoad(environment, vec2u(at), 0).x);
}

// Octahedral coordinates in [0, 1] of a direction, y up; and the sum of its components' sizes.
fn environmentPlace(direction: vec3f) -> vec3f {
  let size = abs(direction);
  let sum = size.x + size.y + size.z;
  let p = direction.xz * (1.0 / sum);
  let folded = (1.0 - abs(p.yx)) * select(vec2f(-1.0), vec2f(1.0), p >= vec2f(0.0));
  return vec3f(select(p, folded, direction.y < 0.0) * 0.5 + 0.5, sum);
}

// Bilinear radiance at octahedral coordinates.
fn environmentRadiance(place: vec2f) -> vec3f {
  let at = place * f32(job.environmentEdge) - 0.5;
  let whole = floor(at);
  let f = at - whole;
  let g = 1.0 - f;
  let corner = vec2i(whole);
  let upper = environmentTexel(corner.x, corner.y) * g.x + environmentTexel(corner.x + 1, corner.y) * f.x;
  let lower = environmentTexel(corner.x, corner.y + 1) * g.x + environmentTexel(corner.x + 1, corner.y + 1) * f.x;
  return (upper * g.y + lower * f.y) * job.sky;
}

// Cumulative probability before and at column `index` of a row of `environmentCdf`.
fn environmentStep(index: u32, row: u32) -> vec2f {
  let before = select(0.0, textureLoad(environmentCdf, vec2u(max(index, 1u) - 1u, row), 0).x, index > 0u);
  return vec2f(before, textureLoad(environmentCdf, vec2u(index, row), 0).x);
}

// First column whose cumulative probability exceeds u.
fn environmentPick(u: f32, row: u32) -> u32 {
  var low = 0u;
  var high = job.environmentEdge - 1u;
  while (low < high) {
    let middle = (low + high) >> 1u;
    if (u < textureLoad(environmentCdf, vec2u(middle, row), 0).x) {
      high = middle;
    } else {
      low = middle + 1u;
    }
  }
  return low;
}

// Density per unit of solid angle of a texel's place that was chosen with `probability`; `sum` as from `environmentPlace`. The map
// stretches a unit of its area over 4 / sum^-3 of solid angle.
fn environmentDensity(probability: f32, sum: f32) -> f32 {
  let edge = f32(job.environmentEdge);
  return probability * (edge * edge) * 0.25 / (sum * sum * sum);
}

// What arrives from a direction (xyz), and the density with which `sampleEnvironment` chooses it (w).
fn environmentAt(direction: vec3f) -> vec4f {
  let place = environmentPlace(direction);
  let last = job.environmentEdge - 1u;
  let texel = min(vec2u(place.xy * f32(job.environmentEdge)), vec2u(last));
  let columns = environmentStep(texel.x, texel.y);
  let rows = environmentStep(texel.y, job.environmentEdge);
  let probability = (columns.y - columns.x) * (rows.y - rows.x) * lights[slice.environmentLight].probability;
  return vec4f(environmentRadiance(place.xy), environmentDensity(probability, place.z));
}

fn sampleEnvironment(u: f32, v: f32) -> LightSample {
  let row = environmentPick(v, job.environmentEdge);
  let rows = environmentStep(row, job.environmentEdge);
  let column = environmentPick(u, row);
  let columns = environmentStep(column, row);
  let inside = vec2f((u - columns.x) / (columns.y - columns.x), (v - rows.x) / (rows.y - rows.x));
  let place = (vec2f(f32(column), f32(row)) + clamp(inside, vec2f(0.0), vec2f(BELOW_ONE))) * (1.0 / f32(job.environmentEdge));
  let p = place * 2.0 - 1.0;
  let unfolded = unfold(p.x, p.y);
  let direction = vec3f(unfolded.x, unfolded.z, unfolded.y);
  let size = abs(direction);
  let probability = (columns.y - columns.x) * (rows.y - rows.x) * lights[slice.environmentLight].probability;
  return LightSample(direction, DISTANCE_MAX, environmentRadiance(place), environmentDensity(probability, size.x + size.y + size.z));
}

fn sampleLight(origin: vec3f, choice: f32, u: f32, v: f32) -> LightSample {
  let index = pickLight(choice);
  let kind = lights[index].kind;
  if (ENVIRONMENT && kind == ENVIRONMENT_LIGHT) {
    return sampleEnvironment(u, v);
  }
  if (BARE_LIGHTS && kind != TRIANGLE_LIGHT) {
    return sampleBare(index, origin, u, v);
  }
  return sampleTriangle(index, origin, u, v);
}

// Weight of light that a ray found which was chosen with density `chosen`, and that `sampleLight` finds with `density` (balance
// heuristic, Veach 1997).
fn foundWeight(chosen: f32, density: f32) -> f32 {
  return chosen / (chosen + density);
}

// Light of all that lies beyond the scene, for a ray that was chosen with density `chosen`; a camera's ray (`camera`) has not been chosen.
fn beyond(direction: vec3f, chosen: f32, camera: bool) -> vec3f {
  var radiance = job.sky;
  if (ENVIRONMENT) {
    let seen = environmentAt(direction);
    radiance = seen.xyz * select(foundWeight(chosen, seen.w), 1.0, camera);
  }
  if (BARE_LIGHTS && slice.sunLight != NOTHING) {
    let sun = lights[slice.sunLight];
    let across = cross3(direction, sun.direction);
    if (dot3(across, across) < sun.extent && dot3(direction, sun.direction) < 0.0) {
      radiance += sun.color * select(foundWeight(chosen, sun.probability * INVERSE_TWO_PI / sun.area), 1.0, camera);
    }
  }
  return radiance;
}
