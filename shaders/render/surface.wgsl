// What a path needs to know where it met the scene. reference/surface.ts and reference/texture.ts mirror it.

const WRAP_CLAMP = 1u;
const WRAP_MIRROR = 2u;
const NEAREST = 16u;
const SRGB = 32u;
const SECOND_SET = 64u;
// Texel coordinates beyond it would lose their fraction long before; it keeps them inside i32.
const COORDINATE_MAX = 1e9f;
const BYTE_SCALE: f32 = 1.0 / 255.0;
const UNORM_SCALE: f32 = 1.0 / 65535.0;
const SNORM_SCALE: f32 = 1.0 / 32767.0;
const SNORM15_SCALE: f32 = 1.0 / 16383.0;
// Rows and layers of `texels`: TEXEL_ROW of shared/formats.ts is 2^11.
const TEXEL_BITS = 11u;
const TEXEL_MASK = 2047u;
// Roughness below which f32 half vectors are too coarse: GGX widths of 1e-3.
const ROUGHNESS_MIN = 0.0316227766f;
// Distance by which rays start off a surface, relative to its size and to its distance from the origin.
const OFFSET = 0x1p-19f;

struct Surface {
  // Of the flat triangle, on the side of the viewer.
  geometric: vec3f,
  // Interpolated and mapped; the geometric one where it would face away from the viewer.
  shading: vec3f,
  // The same of the clear coat.
  coating: vec3f,
  // Towards the viewer, unit length.
  view: vec3f,
  position: vec3f,
  // Distance by which rays start off the surface.
  offset: f32,
  // Radiance towards the viewer.
  emission: vec3f,
  light: u32,
  base: vec3f,
  diffuse: vec3f,
  // Reflectance at normal incidence and at grazing angles of what is no metal.
  dielectric: vec3f,
  grazing: f32,
  metallic: f32,
  roughness: f32,
  // Share of the light that enters what is no metal and passes.
  transmission: f32,
  // Index of refraction beyond the surface over that on the side of the viewer.
  eta: f32,
  // From the inside of a solid: what it absorbs per metre.
  absorption: vec3f,
  coat: f32,
  coatRoughness: f32,
  flags: u32,
  glassTable: u32,
  front: bool,
}

// Where a ray that goes to this side of the surface starts.
fn startOf(surface: Surface, direction: vec3f) -> vec3f {
  let side = select(-1.0, 1.0, dot3(direction, surface.geometric) > 0.0);
  return surface.position + surface.geometric * (side * surface.offset);
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

fn fetchTexel(first: u32, flags: u32, index: u32) -> vec4f {
  let at = first + index;
  let texel = textureLoad(texels, vec2u(at & TEXEL_MASK, (at >> TEXEL_BITS) & TEXEL_MASK), at >> (2u * TEXEL_BITS), 0);
  return vec4f(decodeByte(texel.x, flags), decodeByte(texel.y, flags), decodeByte(texel.z, flags), f32(texel.w) * BYTE_SCALE);
}

// Coordinates of a texture at barycentric (u, v) of a triangle.
fn textureCoordinates(texture: u32, triangle: u32, u: f32, v: f32) -> vec2f {
  let w = 1.0 - u - v;
  let first = select(0u, 6u, (textures[texture].flags & SECOND_SET) != 0u);
  let a = &attributes[triangle].uvs;
  let s = (*a)[first] * w + (*a)[first + 2u] * u + (*a)[first + 4u] * v;
  let t = (*a)[first + 1u] * w + (*a)[first + 3u] * u + (*a)[first + 5u] * v;
  let m = &textures[texture].transform;
  return vec2f((*m)[0] * s + (*m)[1] * t + (*m)[2], (*m)[3] * s + (*m)[4] * t + (*m)[5]);
}

// Filtered texture at barycentric (u, v) of a triangle; white where `index` is -1. Bilinear between texel centres unless the texture says
// nearest; sRGB bytes are decoded before they are mixed. The outer loop runs once or not at all: SwiftShader runs the bodies of all
// branches and skips only loops, so that as an `if` it cost a third of the speed of surfaces without textures.
fn sampleTexture(index: i32, triangle: u32, u: f32, v: f32) -> vec4f {
  var color = vec4f(1.0);
  if (!TEXTURES) {
    return color;
  }
  for (var textured = index >= 0; textured; textured = false) {
    let texture = &textures[index];
    let flags = (*texture).flags;
    let nearest = (flags & NEAREST) != 0u;
    let size = vec2i(i32((*texture).width), i32((*texture).height));
    let scaled = textureCoordinates(u32(index), triangle, u, v) * vec2f(size);
    let at = clamp(scaled, vec2f(-COORDINATE_MAX), vec2f(COORDINATE_MAX)) - select(0.5, 0.0, nearest);
    let whole = floor(at);
    let f = select(at - whole, vec2f(0.0), nearest);
    let g = 1.0 - f;
    color = vec4f(0.0);
    for (var tap = 0; tap < select(4, 1, nearest); tap++) {
      let column = wrapped(i32(whole.x) + (tap & 1), size.x, flags & 3u);
      let row = wrapped(i32(whole.y) + (tap >> 1u), size.y, (flags >> 2u) & 3u);
      let weight = select(g.x, f.x, (tap & 1) == 1) * select(g.y, f.y, tap >= 2);
      color += fetchTexel((*texture).first, flags, u32(row) * u32(size.x) + u32(column)) * weight;
    }
  }
  return color;
}

// Unit vector on the octahedron. Cigolle et al., JCGT 3(2), 2014.
fn unfold(x: f32, y: f32) -> vec3f {
  let z = 1.0 - abs(x) - abs(y);
  let folded = vec2f(1.0 - abs(y), 1.0 - abs(x)) * select(vec2f(-1.0), vec2f(1.0), vec2f(x, y) >= vec2f(0.0));
  return normalize3(vec3f(select(vec2f(x, y), folded, z < 0.0), z));
}

fn decodeNormal(bits: u32) -> vec3f {
  let x = max(f32(bitcast<i32>(bits << 16u) >> 16u) * SNORM_SCALE, -1.0);
  let y = max(f32(bitcast<i32>(bits) >> 16u) * SNORM_SCALE, -1.0);
  return unfold(x, y);
}

fn decodeTangent(bits: u32) -> vec3f {
  let x = max(f32(bitcast<i32>(bits << 16u) >> 16u) * SNORM_SCALE, -1.0);
  let y = max(f32(bitcast<i32>(bits) >> 17u) * SNORM15_SCALE, -1.0);
  return unfold(x, y);
}

fn decodeColor(bits: ptr<storage, array<u32, 6>>, corner: u32) -> vec4f {
  let low = (*bits)[corner * 2u];
  let high = (*bits)[corner * 2u + 1u];
  return vec4f(f32(low & 0xffffu), f32(low >> 16u), f32(high & 0xffffu), f32(high >> 16u)) * UNORM_SCALE;
}

// Colour and coverage that a triangle brings itself, at barycentric (u, v).
fn vertexColor(triangle: u32, u: f32, v: f32) -> vec4f {
  if (!VERTEX_COLORS) {
    return vec4f(1.0);
  }
  let bits = &attributes[triangle].colors;
  return decodeColor(bits, 0u) * (1.0 - u - v) + decodeColor(bits, 1u) * u + decodeColor(bits, 2u) * v;
}

fn coverageAt(triangle: u32, materialIndex: u32, u: f32, v: f32) -> f32 {
  let material = &materials[materialIndex];
  return (*material).alpha * sampleTexture((*material).textures[BASE_TEXTURE], triangle, u, v).w * vertexColor(triangle, u, v).w;
}

// Whether a surface that is there in part only is there for this ray.
fn isThere(triangle: u32, at: u32, u: f32, v: f32, purpose: Purpose) -> bool {
  let index = triangles[triangle].material & ~COVERED_IN_PART;
  let flags = materials[index].flags;
  if ((flags & UNLIT) != 0u && !purpose.camera) {
    return false;
  }
  if ((flags & (MASK | BLEND)) == 0u) {
    return true;
  }
  let coverage = coverageAt(triangle, index, u, v);
  let least = select(unitNumber(purpose.key, pcgHash(triangles[triangle].id) ^ at), materials[index].alphaCutoff, (flags & MASK) != 0u);
  return coverage > least || (coverage == least && (flags & MASK) != 0u);
}

// Radiance that a triangle emits at barycentric (u, v); zero on the back unless the material is double-sided.
fn emissionAt(triangle: u32, materialIndex: u32, u: f32, v: f32, front: bool) -> vec3f {
  let material = &materials[materialIndex];
  let emits = (front || ((*material).flags & DOUBLE_SIDED) != 0u) && largest((*material).emission) > 0.0;
  let texture = select(-1, (*material).textures[EMISSION_TEXTURE], emits);
  return select(vec3f(0.0), (*material).emission, emits) * sampleTexture(texture, triangle, u, v).xyz;
}

// A normal bent by a map, before it is turned to the viewer. `around`: the interpolated one.
fn mapped(index: i32, scale: f32, around: vec3f, triangle: u32, at: u32, u: f32, v: f32) -> vec3f {
  var normal = around;
  for (var textured = NORMAL_MAPS && index >= 0; textured; textured = false) {
    let a = &attributes[triangle].tangents;
    var tangent = decodeTangent((*a)[0]) * (1.0 - u - v) + decodeTangent((*a)[1]) * u + decodeTangent((*a)[2]) * v;
    var handed = select(1.0, -1.0, (((*a)[0] >> 16u) & 1u) == 1u);
    if (INSTANCES) {
      tangent = vectorToWorld(at, tangent);
      handed *= select(1.0, -1.0, instances[at].mirrored == 1u);
    }
    tangent = normalize3(tangent);
    let bitangent = cross3(around, tangent) * handed;
    let texel = sampleTexture(index, triangle, u, v) * 2.0 - 1.0;
    normal = normalize3(tangent * (texel.x * scale) + bitangent * (texel.y * scale) + around * texel.z);
  }
  return normal;
}

// The side of the viewer, or the geometric normal where the other would face away from it. Also where it is NaN, because normals cancelled.
fn facing(normal: vec3f, side: f32, surface: Surface) -> vec3f {
  let turned = normal * side;
  return select(surface.geometric, turned, dot3(turned, surface.view) > 0.0);
}

// What a ray in `direction` sees at its hit: geometry first, then the material, metallic-roughness as in appendix B of the glTF 2.0
// specification with its extensions.
fn describe(hit: Hit, direction: vec3f) -> Surface {
  let triangle = triangles[hit.triangle];
  let u = hit.u;
  let v = hit.v;
  let w = 1.0 - u - v;
  var corner = triangle.corner;
  var edge1 = triangle.edge1;
  var edge2 = triangle.edge2;
  let a = &attributes[hit.triangle].normals;
  var smoothNormal = decodeNormal((*a)[0]) * w + decodeNormal((*a)[1]) * u + decodeNormal((*a)[2]) * v;
  var orientation = 1.0;
  var firstLight = slice.firstLight;
  if (INSTANCES) {
    corner = pointToWorld(hit.instance, corner);
    edge1 = vectorToWorld(hit.instance, edge1);
    edge2 = vectorToWorld(hit.instance, edge2);
    smoothNormal = normalToWorld(hit.instance, smoothNormal);
    orientation = select(1.0, -1.0, instances[hit.instance].mirrored == 1u);
    firstLight = instances[hit.instance].firstLight;
  }
  var surface: Surface;
  surface.view = -direction;
  surface.geometric = normalize3(cross3(edge1, edge2)) * orientation;
  surface.front = dot3(surface.geometric, surface.view) > 0.0;
  let side = select(-1.0, 1.0, surface.front);
  surface.geometric *= side;
  surface.position = edge1 * u + edge2 * v + corner;
  let size = max(largest(surface.position), max(largest(edge1), largest(edge2)));
  surface.offset = size * OFFSET;
  surface.light = select(firstLight + triangle.light, NOTHING, triangle.light == NOTHING);

  let materialIndex = triangle.material & ~COVERED_IN_PART;
  let material = &materials[materialIndex];
  surface.flags = (*material).flags;
  surface.emission = emissionAt(hit.triangle, materialIndex, u, v, surface.front);
  let around = normalize3(smoothNormal);
  surface.shading = facing(mapped((*material).textures[NORMAL_TEXTURE], (*material).normalScale, around, hit.triangle, hit.instance, u, v), side, surface);

  let own = vertexColor(hit.triangle, u, v).xyz;
  surface.emission *= select(vec3f(1.0), own, (surface.flags & UNLIT) != 0u);
  surface.base = (*material).baseColor * sampleTexture((*material).textures[BASE_TEXTURE], hit.triangle, u, v).xyz * own;
  let texel = sampleTexture((*material).textures[ROUGHNESS_TEXTURE], hit.triangle, u, v);
  surface.roughness = max((*material).roughness * texel.y, ROUGHNESS_MIN);
  surface.metallic = (*material).metallic * texel.z;
  let ratio = ((*material).ior - 1.0) / ((*material).ior + 1.0);
  let tint = (*material).specularColor * sampleTexture((*material).textures[SPECULAR_COLOR_TEXTURE], hit.triangle, u, v).xyz;
  surface.grazing = (*material).specular * sampleTexture((*material).textures[SPECULAR_TEXTURE], hit.triangle, u, v).w;
  surface.dielectric = min(tint * (ratio * ratio), vec3f(1.0)) * surface.grazing;
  surface.diffuse = surface.base * (1.0 - surface.metallic);
  if (GLASS) {
    surface.transmission = (*material).transmission * sampleTexture((*material).textures[TRANSMISSION_TEXTURE], hit.triangle, u, v).x;
    surface.diffuse *= 1.0 - surface.transmission;
    surface.eta = select(1.0 / (*material).ior, (*material).ior, surface.front || (surface.flags & SOLID) == 0u);
    surface.absorption = select((*material).absorption, vec3f(0.0), surface.front || (surface.flags & SOLID) == 0u);
    surface.glassTable = (*material).glassTable;
  }
  if (CLEARCOAT) {
    surface.coat = (*material).clearcoat * sampleTexture((*material).textures[CLEARCOAT_TEXTURE], hit.triangle, u, v).x;
    let coatTexel = sampleTexture((*material).textures[CLEARCOAT_ROUGHNESS_TEXTURE], hit.triangle, u, v);
    surface.coatRoughness = max((*material).clearcoatRoughness * coatTexel.y, ROUGHNESS_MIN);
    let coating = mapped((*material).textures[CLEARCOAT_NORMAL_TEXTURE], (*material).clearcoatNormalScale, around, hit.triangle, hit.instance, u, v);
    surface.coating = facing(coating, side, surface);
  }
  return surface;
}
