// Path tracer: one invocation traces one path. No built-in function whose result WGSL leaves open is called (sin, cos, pow, exp, ...),
// and contributions are summed as integers, so that honest devices agree within a step. reference.ts mirrors it.

// Fixed dimensions of a path's numbers, drawn in pairs: those of the pixel first, then eight to every surface.
const PIXEL = 0u;
const LENS = 2u;
const SURFACES = 8u;
const PER_SURFACE = 8u;
const LIGHT_AND_LOBE = 0u;
const ON_LIGHT = 2u;
const DIRECTION = 4u;
const ROULETTE_AND_PASSING = 6u;
// Hashed, not of low discrepancy: keys of coverage, and rounding.
const SHADOW_KEY = 1u;
const RED = 0xfffffff0u;
const GREEN = 0xfffffff1u;
const BLUE = 0xfffffff2u;
const FOURTH = 0xfffffff3u;

// A path survives with at most this probability where it may end, so that it does end.
const SURVIVAL_MAX = 0.95f;

// `radiancePart` of shared/formats.ts.
const SAMPLE_STEPS_MAX = 67108863u;
const STEPS_PER_UNIT = 4096.0f;
const STEP_SHARE = 0x1p-12f;
const SQUARE_LUMINANCE_MAX = 1023.0f;
const SQUARES_PER_UNIT = 64.0f;

const LOG2_E = 1.4426950408889634f;

// One numbered path: its pixel, its sample, its sequence of numbers and the key of its hashes.
struct Path { x: u32, y: u32, sample: u32, sequence: u32, key: u32 }

struct CameraRay { origin: vec3f, direction: vec3f }

// e^-x for x >= 0: 2^whole exactly, the rest by a Taylor polynomial on half an octave, error below 2^-22.
fn fading(x: f32) -> f32 {
  let y = max(-x * LOG2_E, -126.0);
  let whole = floor(y + 0.5);
  let f = y - whole;
  let p = 1.0 + f * (0.6931471824645996f + f * (0.24022650718688965f + f * (0.05550410971045494f + f * (0.009618128649890423f + f * (0.0013333557872101665f + f * 0.0001540352968731895f)))));
  return p * bitcast<f32>(u32(i32(whole) + 127) << 23u);
}

fn aim(path: Path) -> CameraRay {
  let offset = numbers(path.sequence, path.sample, PIXEL);
  let x = (f32(path.x) + offset.x) * job.pixelSize.x;
  let y = (f32(path.y) + offset.y) * job.pixelSize.y;
  let lens = numbers(path.sequence, path.sample, LENS);
  let onDisc = turn(lens.y) * sqrt(lens.x);
  let aside = slice.lensRight * onDisc.x + slice.lensDown * onDisc.y;
  let origin = slice.origin + slice.originRight * x + slice.originDown * y + aside;
  return CameraRay(origin, normalize3(slice.corner + slice.right * x + slice.down * y - aside * slice.inverseFocus));
}

// Light of one random point of one random light, reflected to the viewer, where nothing stands between; weighted against the
// scattered ray finding the light too.
fn directLight(surface: Surface, s: Shading, hit: Hit, choice: f32, path: Path, base: u32) -> vec3f {
  let on = numbers(path.sequence, path.sample, base + ON_LIGHT);
  let light = sampleLight(startOf(surface, surface.geometric), choice, on.x, on.y);
  if (largest(light.radiance) == 0.0) {
    return vec3f(0.0);
  }
  let scattered = evaluate(surface, s, light.direction);
  if (scattered.pdf == 0.0) {
    return vec3f(0.0);
  }
  let purpose = Purpose(hit.triangle, hit.instance, false, true, pcgHash(path.key ^ (base + SHADOW_KEY)));
  if (traverse(startOf(surface, light.direction), light.direction, light.distance, purpose).triangle != NOTHING) {
    return vec3f(0.0);
  }
  return light.radiance * scattered.value * select(1.0 / (light.pdf + scattered.pdf), 1.0, light.pdf == 0.0);
}

fn tracePath(path: Path) -> vec3f {
  let ray = aim(path);
  var origin = ray.origin;
  var direction = ray.direction;
  var radiance = vec3f(0.0);
  var throughput = vec3f(1.0);
  // Density with which the present ray was chosen.
  var chosen = 0.0;
  var startTriangle = NOTHING;
  var startInstance = NOTHING;
  for (var depth = 0u; ; depth++) {
    let base = SURFACES + depth * PER_SURFACE;
    let hit = traverse(origin, direction, DISTANCE_MAX, Purpose(startTriangle, startInstance, depth == 0u, false, pcgHash(path.key ^ base)));
    if (hit.triangle == NOTHING) {
      radiance += throughput * beyond(direction, chosen, depth == 0u);
      break;
    }
    let surface = describe(hit, direction);
    if (GLASS && largest(surface.absorption) > 0.0) {
      let within = surface.absorption * hit.distance;
      throughput *= vec3f(fading(within.x), fading(within.y), fading(within.z));
    }
    var weight = 1.0;
    if (depth > 0u && surface.light != NOTHING) {
      weight = foundWeight(chosen, triangleDensity(surface.light, hit.distance * hit.distance, dot3(surface.geometric, surface.view)));
    }
    radiance += throughput * surface.emission * weight;
    // The ray from the last surface still finds light, as the other half of its direct light.
    if (depth > job.bounces || (surface.flags & UNLIT) != 0u) {
      break;
    }
    let s = shade(surface);
    let choices = numbers(path.sequence, path.sample, base + LIGHT_AND_LOBE);
    if (slice.lightCount > 0u) {
      radiance += throughput * directLight(surface, s, hit, choices.x, path, base);
    }
    let on = numbers(path.sequence, path.sample, base + DIRECTION);
    let chances = numbers(path.sequence, path.sample, base + ROULETTE_AND_PASSING);
    let next = sampleDirection(surface, s, choices.y, chances.y, on.x, on.y);
    if (!(next.pdf > 0.0)) {
      break;
    }
    chosen = next.pdf;
    throughput *= next.value * (1.0 / chosen);
    if (depth >= job.rouletteDepth) {
      let survival = min(largest(throughput), SURVIVAL_MAX);
      if (chances.x >= survival) {
        break;
      }
      throughput *= 1.0 / survival;
    }
    origin = startOf(surface, next.direction);
    direction = next.direction;
    startTriangle = hit.triangle;
    startInstance = hit.instance;
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

// Integer sums do not depend on the order of addition.
fn addTo(element: u32, a: u32, b: u32, c: u32, d: u32) {
  let at = element * 4u;
  atomicAdd(&sums[at], a);
  atomicAdd(&sums[at + 1u], b);
  atomicAdd(&sums[at + 2u], c);
  atomicAdd(&sums[at + 3u], d);
}

fn addLight(path: Path, element: u32) {
  let value = tracePath(path) * job.stepsPerRadiance;
  let r = stochasticSteps(value.x, unitNumber(path.key, RED));
  let g = stochasticSteps(value.y, unitNumber(path.key, GREEN));
  let b = stochasticSteps(value.z, unitNumber(path.key, BLUE));
  let q = min(luminance(vec3f(f32(r), f32(g), f32(b))) * STEP_SHARE, SQUARE_LUMINANCE_MAX);
  addTo(element, r, g, b, stochasticSteps(q * q * SQUARES_PER_UNIT, unitNumber(path.key, FOURTH)));
}

// What the camera's ray sees first: `radiancePart` and its features in shared/formats.ts.
fn addFeatures(path: Path, element: u32, albedo: bool, normal: bool, normalElement: u32) {
  let ray = aim(path);
  let hit = traverse(ray.origin, ray.direction, DISTANCE_MAX, Purpose(NOTHING, NOTHING, true, false, pcgHash(path.key ^ SURFACES)));
  if (hit.triangle == NOTHING) {
    return;
  }
  let surface = describe(hit, ray.direction);
  if (albedo) {
    let color = surface.base * STEPS_PER_UNIT;
    let r = stochasticSteps(color.x, unitNumber(path.key, RED));
    let g = stochasticSteps(color.y, unitNumber(path.key, GREEN));
    let b = stochasticSteps(color.z, unitNumber(path.key, BLUE));
    addTo(element, r, g, b, stochasticSteps(hit.distance * job.stepsPerMetre, unitNumber(path.key, FOURTH)));
  }
  if (normal) {
    let n = (surface.shading * 0.5 + 0.5) * STEPS_PER_UNIT;
    let x = stochasticSteps(n.x, unitNumber(path.key, RED));
    let y = stochasticSteps(n.y, unitNumber(path.key, GREEN));
    addTo(normalElement, x, y, stochasticSteps(n.z, unitNumber(path.key, BLUE)), u32(STEPS_PER_UNIT));
  }
}

// Where a path is: its pixel, its sample, and the element that sums it up.
struct Place { x: u32, y: u32, sample: u32, element: u32 }

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
  let number = slice.firstPath + id.x;
  if (number >= slice.endPath) {
    return;
  }
  var place: Place;
  if (slice.width > 0u) {
    place = placeInTile(number);
  } else {
    place = placeInSlots(number);
  }
  if (place.sample == NOTHING) {
    return;
  }
  let sequence = pcgHash(pcgHash(pcgHash(job.seed) ^ slice.frame) ^ (place.y * job.width + place.x));
  let path = Path(place.x, place.y, place.sample, sequence, pcgHash(sequence ^ place.sample));
  if (slice.kind == LIGHT) {
    addLight(path, place.element);
  } else {
    addFeatures(path, place.element, slice.kind != NORMAL, slice.kind != ALBEDO, place.element + select(0u, slice.pixels, slice.kind == FEATURES));
  }
}
