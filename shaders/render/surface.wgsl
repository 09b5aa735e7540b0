// What a path needs to know where it met the scene. reference/surface.ts and reference/texture.ts mirror it.

const DOUBLE_SIDED = 1u;
const WRAP_CLAMP = 1u;
const WRAP_MIRROR = 2u;
const NEAREST = 16u;
const SRGB = 32u;
// Texel coordinates beyond it would lose their fraction long before; it keeps them inside i32.
const COORDINATE_MAX = 1e9f;
const BYTE_SCALE: f32 = 1.0 / 255.0;
const SNORM_SCALE: f32 = 1.0 / 32767.0;
// GGX width below which f32 half vectors are too coarse.
const ALPHA_MIN = 1e-3f;
// Reflectance of a dielectric of index 1.5 at normal incidence, as glTF has it.
const DIELECTRIC_F0 = 0.04f;
// Distance by which rays start off a surface, relative to its size and to its distance from the origin.
const OFFSET = 0x1p-19f;

struct Surface {
  // Of the flat triangle, on the side of the viewer.
  geometric: vec3f,
  // Interpolated; the geometric one where it would face away from the viewer.
  shading: vec3f,
  // Towards the viewer, unit length.
  view: vec3f,
  // Where rays start from here: off the surface, on the side of the viewer.
  origin: vec3f,
  // Radiance towards the viewer.
  emission: vec3f,
  light: u32,
  diffuse: vec3f,
  f0: vec3f,
  alpha: f32,
}

// Texel index in [0, size) of any integer coordinate.
fn wrapped(index: i32, size: i32, mode: u32) -> i32 {
  if (mode == WRAP_CLAMP) {
    return clamp(index, 0, size - 1);
  }
  let period = select(size, 2 * size, mode == WRAP_MIRROR);
  let rest = ((index % period) + period) % period;
  return select(period - 1 - rest, rest, rest < size);
}

fn decodeByte(byte: u32, flags: u32) -> f32 {
  return select(f32(byte) * BYTE_SCALE, job.srgb[byte >> 2u][byte & 3u], (flags & SRGB) != 0u);
}

fn fetchTexel(texture: Texture, column: i32, row: i32) -> vec3f {
  let texel = texels[texture.first + u32(row) * texture.width + u32(column)];
  return vec3f(
    decodeByte(texel & 255u, texture.flags),
    decodeByte((texel >> 8u) & 255u, texture.flags),
    decodeByte((texel >> 16u) & 255u, texture.flags),
  );
}

fn textureCoordinates(triangle: u32, u: f32, v: f32) -> vec2f {
  let w = 1.0 - u - v;
  let a = &attributes[triangle];
  return vec2f((*a).u0, (*a).v0) * w + vec2f((*a).u1, (*a).v1) * u + vec2f((*a).u2, (*a).v2) * v;
}

// Filtered colour of a texture at barycentric (u, v) of a triangle; white where `index` is -1. Bilinear between texel centres unless
// the texture says nearest; sRGB bytes are decoded before they are mixed. The outer loop runs once or not at all: SwiftShader runs
// the bodies of all branches and skips only loops, so that as an `if` it cost a third of the speed of scenes without textures.
fn sampleTexture(index: i32, triangle: u32, u: f32, v: f32) -> vec3f {
  var color = vec3f(1.0);
  for (var textured = index >= 0; textured; textured = false) {
    let texture = textures[index];
    let nearest = (texture.flags & NEAREST) != 0u;
    let size = vec2i(i32(texture.width), i32(texture.height));
    let scaled = textureCoordinates(triangle, u, v) * vec2f(size);
    let at = clamp(scaled, vec2f(-COORDINATE_MAX), vec2f(COORDINATE_MAX)) - select(0.5, 0.0, nearest);
    let whole = floor(at);
    let f = select(at - whole, vec2f(0.0), nearest);
    let g = 1.0 - f;
    color = vec3f(0.0);
    for (var tap = 0; tap < select(4, 1, nearest); tap++) {
      let column = wrapped(i32(whole.x) + (tap & 1), size.x, texture.flags & 3u);
      let row = wrapped(i32(whole.y) + (tap >> 1u), size.y, (texture.flags >> 2u) & 3u);
      let weight = select(g.x, f.x, (tap & 1) == 1) * select(g.y, f.y, tap >= 2);
      color += fetchTexel(texture, column, row) * weight;
    }
  }
  return color;
}

// Unit normal from two snorm16 in octahedral coordinates. Cigolle et al., JCGT 3(2), 2014.
fn decodeNormal(bits: u32) -> vec3f {
  let x = max(f32(bitcast<i32>(bits << 16u) >> 16u) * SNORM_SCALE, -1.0);
  let y = max(f32(bitcast<i32>(bits) >> 16u) * SNORM_SCALE, -1.0);
  let z = 1.0 - abs(x) - abs(y);
  let folded = vec2f(1.0 - abs(y), 1.0 - abs(x)) * select(vec2f(-1.0), vec2f(1.0), vec2f(x, y) >= vec2f(0.0));
  return normalize3(vec3f(select(vec2f(x, y), folded, z < 0.0), z));
}

// Radiance that a triangle emits at barycentric (u, v); zero on the back unless the material is double-sided.
fn emissionAt(triangle: u32, materialIndex: u32, u: f32, v: f32, front: bool) -> vec3f {
  let material = &materials[materialIndex];
  let emits = (front || ((*material).flags & DOUBLE_SIDED) != 0u) && largest((*material).emission) > 0.0;
  let texture = select(-1, (*material).emissionTexture, emits);
  return select(vec3f(0.0), (*material).emission, emits) * sampleTexture(texture, triangle, u, v);
}

// What a ray in `direction` sees at its hit. Metallic-roughness as in appendix B of the glTF 2.0 specification.
fn describe(hit: Hit, direction: vec3f) -> Surface {
  let triangle = triangles[hit.triangle];
  let material = &materials[triangle.material];
  let u = hit.u;
  let v = hit.v;
  let w = 1.0 - u - v;
  var surface: Surface;
  surface.view = -direction;
  surface.geometric = normalize3(cross3(triangle.edge1, triangle.edge2));
  let front = dot3(surface.geometric, surface.view) > 0.0;
  let side = select(-1.0, 1.0, front);
  surface.geometric *= side;

  let a = &attributes[hit.triangle];
  let smoothNormal = decodeNormal((*a).normal0) * w + decodeNormal((*a).normal1) * u + decodeNormal((*a).normal2) * v;
  surface.shading = normalize3(smoothNormal) * side;
  // Also true of NaN, where the three normals cancel.
  if (!(dot3(surface.shading, surface.view) > 0.0)) {
    surface.shading = surface.geometric;
  }

  let position = triangle.edge1 * u + triangle.edge2 * v + triangle.corner;
  let size = max(largest(position), max(largest(triangle.edge1), largest(triangle.edge2)));
  surface.origin = position + surface.geometric * (size * OFFSET);

  surface.light = triangle.light;
  surface.emission = emissionAt(hit.triangle, triangle.material, u, v, front);

  let base = (*material).baseColor * sampleTexture((*material).baseTexture, hit.triangle, u, v);
  let texel = sampleTexture((*material).roughnessTexture, hit.triangle, u, v);
  let roughness = (*material).roughness * texel.y;
  let metallic = (*material).metallic * texel.z;
  let dielectric = 1.0 - metallic;
  surface.f0 = vec3f(DIELECTRIC_F0 * dielectric) + base * metallic;
  surface.diffuse = base * dielectric;
  surface.alpha = max(roughness * roughness, ALPHA_MIN);
  return surface;
}
