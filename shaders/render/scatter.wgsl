// Reflection: Lambert below GGX, mixed by Schlick's Fresnel term as glTF 2.0 (appendix B) has it:
//   f = (1 - F) diffuse / pi + F D V,  F = F0 + (1 - F0) (1 - view.half)^5
// with Smith's height-correlated masking (Heitz, JCGT 3(2), 2014). Local coordinates have the shading normal as z.
// reference/scatter.ts mirrors it.

const INVERSE_PI = 0.3183098861837907f;

struct Frame {
  tangent: vec3f,
  bitangent: vec3f,
  normal: vec3f,
  // Towards the viewer, in local coordinates.
  view: vec3f,
  // Probability of sampling the specular lobe.
  share: f32,
}

// BRDF times cosine, and the density with which `sampleDirection` would choose the direction; 0 where nothing is reflected.
struct Scattered {
  value: vec3f,
  pdf: f32,
  // In world space.
  direction: vec3f,
}

// (cos, sin) of 2 pi u by Taylor polynomials on an eighth of a turn, error below 2^-24: built-in sin and cos differ between GPUs.
fn turn(u: f32) -> vec2f {
  let quarters = u * 4.0;
  let whole = floor(quarters + 0.5);
  let x = quarters - whole;
  let s = x * x;
  let sine = x * (1.5707963705062866f + s * (-0.6459640860557556f + s * (0.07969262450933456f + s * (-0.004681753925979137f + s * 0.00016044118092395365f))));
  let cosine = 1.0 + s * (-1.2337005138397217f + s * (0.25366950035095215f + s * (-0.020863480865955353f + s * 0.0009192602592520416f)));
  let quadrant = u32(whole);
  let point = select(vec2f(cosine, sine), vec2f(sine, cosine), (quadrant & 1u) == 1u);
  return point * select(vec2f(1.0), vec2f(-1.0), vec2<bool>(quadrant == 1u || quadrant == 2u, quadrant == 2u || quadrant == 3u));
}

fn toLocal(frame: Frame, world: vec3f) -> vec3f {
  return vec3f(dot3(world, frame.tangent), dot3(world, frame.bitangent), dot3(world, frame.normal));
}

// (1 - x)^5 of Schlick's approximation.
fn schlick(cosine: f32) -> f32 {
  let x = clamp(1.0 - cosine, 0.0, 1.0);
  let x2 = x * x;
  return x2 * x2 * x;
}

fn luminance(c: vec3f) -> f32 {
  return 0.2126 * c.x + 0.7152 * c.y + 0.0722 * c.z;
}

// Tangents: Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017. The share of the specular lobe is that of the
// light it would reflect, judged by the angle of view.
fn makeFrame(surface: Surface) -> Frame {
  let n = surface.shading;
  let side = select(-1.0, 1.0, n.z >= 0.0);
  let a = -1.0 / (side + n.z);
  let b = n.x * n.y * a;
  var frame: Frame;
  frame.tangent = vec3f(1.0 + side * (n.x * n.x * a), side * b, -side * n.x);
  frame.bitangent = vec3f(b, side + n.y * n.y * a, -n.y);
  frame.normal = n;
  frame.view = toLocal(frame, surface.view);
  let f0 = luminance(surface.f0);
  let specular = f0 + (1.0 - f0) * schlick(frame.view.z);
  let diffuse = (1.0 - specular) * luminance(surface.diffuse);
  frame.share = specular / (specular + diffuse);
  return frame;
}

// sqrt(alpha^2 sin^2 + cos^2) of a local direction.
fn slope(w: vec3f, alpha2: f32) -> f32 {
  return sqrt(alpha2 * (w.x * w.x + w.y * w.y) + w.z * w.z);
}

// `light`: a local direction with z > 0; `half`: half way between it and the view. A sampled direction brings the normal that it was
// reflected about: computed back from the two directions, the density of a narrow lobe would be off by their rounding over alpha.
fn evaluateLocal(surface: Surface, frame: Frame, light: vec3f, half: vec3f, direction: vec3f) -> Scattered {
  let view = frame.view;
  let alpha2 = surface.alpha * surface.alpha;
  let spread = half.x * half.x + half.y * half.y + alpha2 * half.z * half.z;
  let d = alpha2 * INVERSE_PI / (spread * spread);
  let viewSlope = slope(view, alpha2);
  let lightSlope = slope(light, alpha2);
  let visibility = 0.5 / (light.z * viewSlope + view.z * lightSlope);
  let fresnel = surface.f0 + (1.0 - surface.f0) * schlick(dot3(view, half));
  let diffuse = (1.0 - fresnel) * surface.diffuse * INVERSE_PI;
  let value = (diffuse + fresnel * (d * visibility)) * light.z;
  // Visible normals have density G1 max(0, view.half) D / view.z, and reflecting about them divides by 4 view.half.
  let specularPdf = d * 0.5 / (view.z + viewSlope);
  return Scattered(value, frame.share * specularPdf + (1.0 - frame.share) * (light.z * INVERSE_PI), direction);
}

fn evaluate(surface: Surface, frame: Frame, direction: vec3f) -> Scattered {
  let light = toLocal(frame, direction);
  if (!(light.z > 0.0 && dot3(direction, surface.geometric) > 0.0)) {
    return Scattered(vec3f(0.0), 0.0, direction);
  }
  return evaluateLocal(surface, frame, light, normalize3(frame.view + light), direction);
}

// A visible GGX normal. Dupuy & Benyoub, "Sampling Visible GGX Normals with Spherical Caps", HPG 2023.
fn visibleNormal(view: vec3f, alpha: f32, u: f32, circle: vec2f) -> vec3f {
  let stretched = normalize3(vec3f(view.xy * alpha, view.z));
  // Not z + stretched.z, which a compiler may fold into this and round otherwise; SwiftShader's does.
  let height = (1.0 - u) * (1.0 + stretched.z);
  let z = height - stretched.z;
  let radius = sqrt(max((1.0 - z) * (1.0 + z), 0.0));
  let cap = radius * circle + stretched.xy;
  return normalize3(vec3f(cap * alpha, height));
}

// Draws a direction from three numbers in [0, 1).
fn sampleDirection(surface: Surface, frame: Frame, choice: f32, u: f32, v: f32) -> Scattered {
  let circle = turn(v);
  var light: vec3f;
  var half: vec3f;
  if (choice < frame.share) {
    half = visibleNormal(frame.view, surface.alpha, u, circle);
    light = 2.0 * dot3(frame.view, half) * half - frame.view;
  } else {
    light = vec3f(sqrt(u) * circle, sqrt(1.0 - u));
    half = normalize3(frame.view + light);
  }
  let direction = frame.tangent * light.x + frame.bitangent * light.y + frame.normal * light.z;
  if (!(light.z > 0.0 && dot3(direction, surface.geometric) > 0.0)) {
    return Scattered(vec3f(0.0), 0.0, direction);
  }
  return evaluateLocal(surface, frame, light, half, direction);
}
