// Reflection and refraction at a surface, as glTF 2.0 (appendix B) layers them, without its gains and losses of energy:
//   coat over (metal, or specular over diffuse, or glass); what lies below a layer is scaled by 1 - the layer's directional albedo.
// GGX with Smith's height-correlated masking (Heitz, JCGT 3(2), 2014); light scattered several times between microfacets is added
// in proportion (Turquin, "Practical Multiple Scattering Compensation for Microfacet Models", 2019).
// Local coordinates have the shading normal as z. reference/scatter.ts mirrors it.

const INVERSE_PI = 0.3183098861837907f;
// Index and reflectance at normal incidence of coats, and of what is no metal unless it says otherwise.
const USUAL_IOR = 1.5f;
const USUAL_F0 = 0.04f;
const NO_DIVISION_BY_ZERO = 1e-20f;
// `ALBEDO_EDGE` of albedo.ts.
const ALBEDO_EDGE = 32u;

struct Frame {
  tangent: vec3f,
  bitangent: vec3f,
  normal: vec3f,
}

// What the directions in and out of one surface share.
struct Shading {
  frame: Frame,
  coatFrame: Frame,
  // Towards the viewer, in coordinates of either frame.
  view: vec3f,
  coatView: vec3f,
  // Probabilities of sampling each lobe.
  coat: f32,
  specular: f32,
  glass: f32,
  diffuse: f32,
  // Factors on the lobes.
  specularF0: vec3f,
  specularF90: vec3f,
  glassScale: f32,
  diffuseColor: vec3f,
}

// BSDF times cosine, and the density with which `sampleDirection` would choose the direction; 0 where nothing goes there.
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

// Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017.
fn frameAround(n: vec3f) -> Frame {
  let side = select(-1.0, 1.0, n.z >= 0.0);
  let a = -1.0 / (side + n.z);
  let b = n.x * n.y * a;
  return Frame(vec3f(1.0 + side * (n.x * n.x * a), side * b, -side * n.x), vec3f(b, side + n.y * n.y * a, -n.y), n);
}

fn toLocal(frame: Frame, world: vec3f) -> vec3f {
  return vec3f(dot3(world, frame.tangent), dot3(world, frame.bitangent), dot3(world, frame.normal));
}

fn toWorld(frame: Frame, local: vec3f) -> vec3f {
  return frame.tangent * local.x + frame.bitangent * local.y + frame.normal * local.z;
}

// Reflectance of a smooth boundary; `eta`: index of refraction beyond it over that on this side; 1 where all is reflected.
fn fresnel(cosine: f32, eta: f32) -> f32 {
  let c = min(abs(cosine), 1.0);
  let g2 = eta * eta - 1.0 + c * c;
  if (g2 <= 0.0) {
    return 1.0;
  }
  let g = sqrt(g2);
  let a = (g - c) / (g + c);
  let b = (c * (g + c) - 1.0) / (c * (g - c) + 1.0);
  return min(0.5 * (a * a) * (1.0 + b * b), 1.0);
}

// How far from its value at normal incidence (0) to that at grazing angles (1) the reflectance is: as between air and an index of 1.5.
fn grazing(cosine: f32) -> f32 {
  return clamp((fresnel(cosine, USUAL_IOR) - USUAL_F0) * (1.0 / (1.0 - USUAL_F0)), 0.0, 1.0);
}

// Bilinear from the tables of albedo.ts; number 0: (reflected as at normal incidence, as at grazing angles), others: glass (from outside, inside).
fn albedo(table: u32, cosine: f32, roughness: f32) -> vec2f {
  let edge = f32(ALBEDO_EDGE - 1u);
  let at = clamp(vec2f(cosine, roughness), vec2f(0.0), vec2f(1.0)) * edge;
  let whole = min(floor(at), vec2f(edge - 1.0));
  let f = at - whole;
  let g = 1.0 - f;
  let column = u32(whole.x);
  let row = u32(whole.y) + table * ALBEDO_EDGE;
  let low = textureLoad(tables, vec2u(column, row), 0).xy * g.x + textureLoad(tables, vec2u(column + 1u, row), 0).xy * f.x;
  let high = textureLoad(tables, vec2u(column, row + 1u), 0).xy * g.x + textureLoad(tables, vec2u(column + 1u, row + 1u), 0).xy * f.x;
  return low * g.y + high * f.y;
}

fn shade(surface: Surface) -> Shading {
  var s: Shading;
  s.frame = frameAround(surface.shading);
  s.view = toLocal(s.frame, surface.view);
  var below = 1.0;
  if (CLEARCOAT) {
    s.coatFrame = frameAround(surface.coating);
    s.coatView = toLocal(s.coatFrame, surface.view);
    let e = albedo(0u, s.coatView.z, surface.coatRoughness);
    s.coat = surface.coat * (e.x * USUAL_F0 + e.y);
    below = 1.0 - s.coat;
  }
  let e = albedo(0u, s.view.z, surface.roughness);
  let lost = 1.0 / (e.x + e.y) - 1.0;
  // What is no metal and scatters, and what is metal, each with what its microfacets send on after several hits.
  let scattering = (1.0 - surface.metallic) * (1.0 - surface.transmission) * below;
  let enamel = 1.0 + surface.dielectric * lost;
  let metal = (1.0 + surface.base * lost) * (surface.metallic * below);
  s.specularF0 = surface.dielectric * enamel * scattering + surface.base * metal;
  s.specularF90 = enamel * (surface.grazing * scattering) + metal;
  let layer = (surface.dielectric * e.x + surface.grazing * e.y) * enamel;
  s.diffuseColor = surface.diffuse * (max(1.0 - layer, vec3f(0.0)) * below);
  s.specular = luminance(s.specularF0 * e.x + s.specularF90 * e.y);
  s.diffuse = luminance(s.diffuseColor);
  if (GLASS) {
    s.glass = (1.0 - surface.metallic) * surface.transmission * below;
    let thin = (surface.flags & SOLID) == 0u;
    let through = albedo(surface.glassTable, s.view.z, surface.roughness);
    s.glassScale = s.glass / select(select(through.y, through.x, surface.front), e.x + e.y, thin);
  }
  let share = 1.0 / max(s.coat + s.specular + s.glass + s.diffuse, NO_DIVISION_BY_ZERO);
  s.coat *= share;
  s.specular *= share;
  s.glass *= share;
  s.diffuse *= share;
  return s;
}

// sqrt(alpha^2 sin^2 + cos^2) of a local direction.
fn slope(w: vec3f, alpha2: f32) -> f32 {
  return sqrt(alpha2 * (w.x * w.x + w.y * w.y) + w.z * w.z);
}

// GGX density of a microfacet normal.
fn density(half: vec3f, alpha2: f32) -> f32 {
  let spread = half.x * half.x + half.y * half.y + alpha2 * half.z * half.z;
  return alpha2 * INVERSE_PI / (spread * spread);
}

// A GGX lobe of reflection about `half`: (D V cosine, density of sampling it). Visible normals have density G1 max(0, view.half) D / view.z,
// and reflecting about them divides by 4 view.half.
fn reflected(view: vec3f, light: vec3f, half: vec3f, roughness: f32) -> vec2f {
  let alpha = roughness * roughness;
  let alpha2 = alpha * alpha;
  let d = density(half, alpha2);
  let viewSlope = slope(view, alpha2);
  let visibility = 0.5 / (light.z * viewSlope + view.z * slope(light, alpha2));
  return vec2f(d * visibility * light.z, d * 0.5 / (view.z + viewSlope));
}

// The same of refraction. `light` lies below the surface. Radiance is not scaled by the square of the indices, as nobody sees inside.
// Walter et al., "Microfacet Models for Refraction through Rough Surfaces", EGSR 2007.
fn refracted(view: vec3f, light: vec3f, half: vec3f, roughness: f32, eta: f32) -> vec2f {
  let alpha = roughness * roughness;
  let alpha2 = alpha * alpha;
  let viewHalf = dot3(view, half);
  let lightHalf = dot3(light, half);
  if (!(viewHalf > 0.0 && lightHalf < 0.0)) {
    return vec2f(0.0);
  }
  let d = density(half, alpha2);
  let viewSlope = slope(view, alpha2);
  let below = -light.z;
  let denominator = viewHalf + eta * lightHalf;
  let jacobian = viewHalf * -lightHalf * (eta * eta) / (denominator * denominator);
  let visibility = 2.0 / (below * viewSlope + view.z * slope(light, alpha2));
  return vec2f(d * visibility * below, d * 2.0 / (view.z + viewSlope)) * jacobian;
}

// Half vector of a refraction, on the side of the viewer.
fn halfThrough(view: vec3f, light: vec3f, eta: f32) -> vec3f {
  let sum = view + light * eta;
  return normalize3(sum * select(1.0, -1.0, sum.z < 0.0));
}

// All lobes together for a direction on the side of the viewer. `half`, `coatHalf`: half way between it and the view in either frame. A
// sampled direction brings the normal that it was reflected about: computed back from the two directions, the density of a narrow
// lobe would be off by their rounding over alpha.
fn evaluateAbove(surface: Surface, s: Shading, light: vec3f, half: vec3f, coatLight: vec3f, coatHalf: vec3f) -> vec4f {
  var value = s.diffuseColor * (INVERSE_PI * light.z);
  var pdf = s.diffuse * (light.z * INVERSE_PI);
  let lobe = reflected(s.view, light, half, surface.roughness);
  let cosine = dot3(s.view, half);
  let weight = grazing(cosine);
  value += (s.specularF0 * (1.0 - weight) + s.specularF90 * weight) * lobe.x;
  pdf += s.specular * lobe.y;
  if (GLASS && s.glass > 0.0) {
    let f = fresnel(cosine, surface.eta);
    value += vec3f(f * s.glassScale * lobe.x);
    pdf += s.glass * f * lobe.y;
  }
  if (CLEARCOAT && surface.coat > 0.0 && coatLight.z > 0.0) {
    let coat = reflected(s.coatView, coatLight, coatHalf, surface.coatRoughness);
    let f = USUAL_F0 + (1.0 - USUAL_F0) * grazing(dot3(s.coatView, coatHalf));
    value += vec3f(surface.coat * f * coat.x);
    pdf += s.coat * coat.y;
  }
  return vec4f(value, pdf);
}

// What passes to the other side. `half`: that of the refraction, or of the reflection that a thin wall mirrors.
fn evaluateBelow(surface: Surface, s: Shading, light: vec3f, half: vec3f) -> vec4f {
  if (!GLASS || s.glass == 0.0) {
    return vec4f(0.0);
  }
  let passed = 1.0 - fresnel(dot3(s.view, half), surface.eta);
  var lobe: vec2f;
  if ((surface.flags & SOLID) != 0u) {
    lobe = refracted(s.view, light, half, surface.roughness, surface.eta);
  } else {
    lobe = reflected(s.view, vec3f(light.xy, -light.z), half, surface.roughness);
  }
  return vec4f(surface.base * (passed * s.glassScale * lobe.x), s.glass * passed * lobe.y);
}

fn evaluate(surface: Surface, s: Shading, direction: vec3f) -> Scattered {
  let light = toLocal(s.frame, direction);
  let outside = dot3(direction, surface.geometric);
  var result = vec4f(0.0);
  if (light.z > 0.0 && outside > 0.0) {
    var coatLight = vec3f(0.0);
    var coatHalf = vec3f(0.0, 0.0, 1.0);
    if (CLEARCOAT) {
      coatLight = toLocal(s.coatFrame, direction);
      coatHalf = normalize3(s.coatView + coatLight);
    }
    result = evaluateAbove(surface, s, light, normalize3(s.view + light), coatLight, coatHalf);
  }
  if (GLASS && light.z < 0.0 && outside < 0.0) {
    var half: vec3f;
    if ((surface.flags & SOLID) != 0u) {
      half = halfThrough(s.view, light, surface.eta);
    } else {
      half = normalize3(s.view + vec3f(light.xy, -light.z));
    }
    result = evaluateBelow(surface, s, light, half);
  }
  return Scattered(result.xyz, result.w, direction);
}

// A visible GGX normal. Dupuy & Benyoub, "Sampling Visible GGX Normals with Spherical Caps", HPG 2023.
fn visibleNormal(view: vec3f, roughness: f32, u: f32, circle: vec2f) -> vec3f {
  let alpha = roughness * roughness;
  let stretched = normalize3(vec3f(view.xy * alpha, view.z));
  // Not z + stretched.z, which a compiler may fold into this and round otherwise; SwiftShader's does.
  let height = (1.0 - u) * (1.0 + stretched.z);
  let z = height - stretched.z;
  let radius = sqrt(max((1.0 - z) * (1.0 + z), 0.0));
  let cap = radius * circle + stretched.xy;
  return normalize3(vec3f(cap * alpha, height));
}

// The direction in which light passes a microfacet of a solid; not a number where all is reflected.
fn refract3(view: vec3f, half: vec3f, eta: f32) -> vec3f {
  let inverse = 1.0 / eta;
  let c = dot3(view, half);
  let k = 1.0 - inverse * inverse * (1.0 - c * c);
  return half * (inverse * c - sqrt(k)) - view * inverse;
}

// Draws a direction from a number that chooses the lobe, one that chooses between reflection and refraction, and two for the direction.
fn sampleDirection(surface: Surface, s: Shading, choice: f32, passing: f32, u: f32, v: f32) -> Scattered {
  let circle = turn(v);
  var light: vec3f;
  var half: vec3f;
  var coatLight = vec3f(0.0);
  var coatHalf = vec3f(0.0, 0.0, 1.0);
  var coated = false;
  if (CLEARCOAT && choice < s.coat) {
    coatHalf = visibleNormal(s.coatView, surface.coatRoughness, u, circle);
    coatLight = 2.0 * dot3(s.coatView, coatHalf) * coatHalf - s.coatView;
    light = toLocal(s.frame, toWorld(s.coatFrame, coatLight));
    half = normalize3(s.view + light);
    coated = true;
  } else if (choice < s.coat + s.specular + s.glass) {
    half = visibleNormal(s.view, surface.roughness, u, circle);
    light = 2.0 * dot3(s.view, half) * half - s.view;
    if (GLASS && choice >= s.coat + s.specular && passing >= fresnel(dot3(s.view, half), surface.eta)) {
      if ((surface.flags & SOLID) != 0u) {
        light = refract3(s.view, half, surface.eta);
      } else {
        light = vec3f(light.xy, -light.z);
      }
      let direction = toWorld(s.frame, light);
      if (!(light.z < 0.0 && dot3(direction, surface.geometric) < 0.0)) {
        return Scattered(vec3f(0.0), 0.0, direction);
      }
      let result = evaluateBelow(surface, s, light, half);
      return Scattered(result.xyz, result.w, direction);
    }
  } else {
    light = vec3f(sqrt(u) * circle, sqrt(1.0 - u));
    half = normalize3(s.view + light);
  }
  let direction = toWorld(s.frame, light);
  if (!(light.z > 0.0 && dot3(direction, surface.geometric) > 0.0)) {
    return Scattered(vec3f(0.0), 0.0, direction);
  }
  if (CLEARCOAT && !coated) {
    coatLight = toLocal(s.coatFrame, direction);
    coatHalf = normalize3(s.coatView + coatLight);
  }
  let result = evaluateAbove(surface, s, light, half, coatLight, coatHalf);
  return Scattered(result.xyz, result.w, direction);
}
