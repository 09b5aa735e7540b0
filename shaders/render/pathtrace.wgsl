// Path tracer: one invocation traces one path. No built-in function whose result WGSL leaves open is called (sin, cos, pow, exp, ...),
// and contributions are summed as integers, so that honest devices agree within a step. reference.ts mirrors it.

// Fixed dimensions of a path's random numbers: the first eight belong to the pixel, then eight to every surface.
const PIXEL_X = 0u;
const PIXEL_Y = 1u;
const RED = 2u;
const GREEN = 3u;
const BLUE = 4u;
const SQUARES = 5u;
const SURFACES = 8u;
const PER_SURFACE = 8u;
const LIGHT = 0u;
const LIGHT_U = 1u;
const LIGHT_V = 2u;
const LOBE = 3u;
const DIRECTION_U = 4u;
const DIRECTION_V = 5u;

// Shadow rays end this far before the light, relatively.
const SHADOW_SHARE = 0.9999f;

// `radiancePart` of shared/formats.ts.
const SAMPLE_STEPS_MAX = 67108863u;
const STEP_SHARE = 0x1p-12f;
const SQUARE_LUMINANCE_MAX = 1023.0f;
const SQUARES_PER_UNIT = 64.0f;

// Density per unit of solid angle with which `directLight` chooses a point of a light at this distance and cosine.
fn lightDensity(light: Light, distance2: f32, cosine: f32) -> f32 {
  return light.probability / light.area * distance2 / cosine;
}

// First light whose cumulative probability exceeds u.
fn pickLight(u: f32) -> u32 {
  var low = 0u;
  var high = job.lightCount - 1u;
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

// Uniform barycentric weights. Heitz, "A Low-Distortion Map Between Triangle and Square", 2019.
fn pointInTriangle(u: f32, v: f32) -> vec2f {
  return select(vec2f(u - v * 0.5, v * 0.5), vec2f(u * 0.5, v - u * 0.5), v > u);
}

// Light of one random point of one random light, reflected to the viewer, where nothing stands between; weighted against the
// reflected ray finding the light too (balance heuristic, Veach 1997).
fn directLight(surface: Surface, frame: Frame, start: u32, key: u32, base: u32) -> vec3f {
  let light = lights[pickLight(unitNumber(key, base + LIGHT))];
  let triangle = triangles[light.triangle];
  let at = pointInTriangle(unitNumber(key, base + LIGHT_U), unitNumber(key, base + LIGHT_V));
  let path = triangle.corner + triangle.edge1 * at.x + triangle.edge2 * at.y - surface.origin;
  let distance2 = dot3(path, path);
  let distance = sqrt(distance2);
  let direction = path * (1.0 / distance);
  let scattered = evaluate(surface, frame, direction);
  if (scattered.pdf == 0.0) {
    return vec3f(0.0);
  }
  let cosine = -dot3(normalize3(cross3(triangle.edge1, triangle.edge2)), direction);
  let emission = emissionAt(light.triangle, triangle.material, at.x, at.y, cosine > 0.0);
  if (largest(emission) == 0.0) {
    return vec3f(0.0);
  }
  if (traverse(surface.origin, direction, start, distance * SHADOW_SHARE, true).triangle != NOTHING) {
    return vec3f(0.0);
  }
  return emission * scattered.value * (1.0 / (lightDensity(light, distance2, abs(cosine)) + scattered.pdf));
}

fn tracePath(x: u32, y: u32, key: u32) -> vec3f {
  let u = (f32(x) + unitNumber(key, PIXEL_X)) * job.pixelSize.x;
  let v = (f32(y) + unitNumber(key, PIXEL_Y)) * job.pixelSize.y;
  var origin = job.origin;
  var direction = normalize3(job.corner + job.right * u + job.down * v);
  var radiance = vec3f(0.0);
  var throughput = vec3f(1.0);
  // Density with which the present ray was chosen.
  var chosen = 0.0;
  var start = NOTHING;
  for (var depth = 0u; ; depth++) {
    let hit = traverse(origin, direction, start, DISTANCE_MAX, false);
    if (hit.triangle == NOTHING) {
      radiance += throughput * job.sky;
      break;
    }
    let surface = describe(hit, direction);
    var weight = 1.0;
    if (depth > 0u && surface.light != NOTHING) {
      let density = lightDensity(lights[surface.light], hit.distance * hit.distance, dot3(surface.geometric, surface.view));
      weight = chosen / (chosen + density);
    }
    radiance += throughput * surface.emission * weight;
    // The ray from the last surface still finds light, as the other half of its direct light.
    if (depth > job.bounces) {
      break;
    }
    let base = SURFACES + depth * PER_SURFACE;
    start = hit.triangle;
    let frame = makeFrame(surface);
    if (job.lightCount > 0u) {
      radiance += throughput * directLight(surface, frame, start, key, base);
    }
    let next = sampleDirection(
      surface,
      frame,
      unitNumber(key, base + LOBE),
      unitNumber(key, base + DIRECTION_U),
      unitNumber(key, base + DIRECTION_V),
    );
    if (!(next.pdf > 0.0)) {
      break;
    }
    chosen = next.pdf;
    throughput *= next.value * (1.0 / chosen);
    origin = surface.origin;
    direction = next.direction;
  }
  return radiance;
}

// Whole steps of `value` steps, the fraction rounded up with its own probability. NaN and infinities count as nothing.
fn stochasticSteps(value: f32, u: f32) -> u32 {
  let finite = (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
  if (!(finite && value > 0.0)) {
    return 0u;
  }
  if (value >= f32(SAMPLE_STEPS_MAX)) {
    return SAMPLE_STEPS_MAX;
  }
  let whole = floor(value);
  return u32(whole) + select(0u, 1u, u < value - whole);
}

// One numbered path: its pixel, its sample, and where its radiance is summed.
struct Place { x: u32, y: u32, sample: u32, sum: u32 }

fn placeInTile(path: u32) -> Place {
  let sample = path / slice.pixels;
  let pixel = path % slice.pixels;
  return Place(
    slice.x + pixel % slice.width,
    slice.y + pixel / slice.width,
    slice.firstSample + sample,
    sample / slice.partSamples * slice.pixels + pixel,
  );
}

// `sample` is NOTHING where a slot has fewer samples than a part: those of a job's last part.
fn placeInSlots(path: u32) -> Place {
  let slot = path / slice.partSamples;
  let sample = path % slice.partSamples;
  let pair = slice.slots[slot / 2u];
  let element = select(pair.xy, pair.zw, slot % 2u == 1u);
  let first = element.y & 0xffffu;
  let count = element.y >> 16u;
  return Place(element.x & 0xffffu, element.x >> 16u, select(NOTHING, first + sample, sample < count), slot);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let path = slice.firstPath + id.x;
  if (path >= slice.endPath) {
    return;
  }
  var place: Place;
  if (slice.width > 0u) {
    place = placeInTile(path);
  } else {
    place = placeInSlots(path);
  }
  if (place.sample == NOTHING) {
    return;
  }
  let key = pcgHash(pcgHash(pcgHash(job.seed) ^ (place.y * job.width + place.x)) ^ place.sample);
  let value = tracePath(place.x, place.y, key) * job.stepsPerRadiance;
  let r = stochasticSteps(value.x, unitNumber(key, RED));
  let g = stochasticSteps(value.y, unitNumber(key, GREEN));
  let b = stochasticSteps(value.z, unitNumber(key, BLUE));
  let q = min(luminance(vec3f(f32(r), f32(g), f32(b))) * STEP_SHARE, SQUARE_LUMINANCE_MAX);
  let squares = stochasticSteps(q * q * SQUARES_PER_UNIT, unitNumber(key, SQUARES));
  // Integer sums do not depend on the order of addition.
  let at = place.sum * 4u;
  atomicAdd(&sums[at], r);
  atomicAdd(&sums[at + 1u], g);
  atomicAdd(&sums[at + 2u], b);
  atomicAdd(&sums[at + 3u], squares);
}
