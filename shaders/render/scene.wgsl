// Bindings: the packed scene (`sceneSections` in shared/formats.ts), the job, and one slice of work.

struct Node {
  leftMin: vec3f, leftRef: u32,
  leftMax: vec3f, leftCount: u32,
  rightMin: vec3f, rightRef: u32,
  rightMax: vec3f, rightCount: u32,
}

struct Triangle {
  corner: vec3f, material: u32,
  edge1: vec3f, id: u32,
  edge2: vec3f, light: u32,
}

struct Attributes {
  // Octahedral, two snorm16 each.
  normal0: u32, normal1: u32, normal2: u32,
  // Scalars keep the layout tight: a vec2f would be aligned to 8 bytes.
  u0: f32, v0: f32, u1: f32, v1: f32, u2: f32, v2: f32,
  reserved0: u32, reserved1: u32, reserved2: u32,
}

struct Material {
  baseColor: vec3f, metallic: f32,
  emission: vec3f, roughness: f32,
  baseTexture: i32, roughnessTexture: i32, emissionTexture: i32, flags: u32,
  reserved: vec4u,
}

struct Light { triangle: u32, cumulative: f32, probability: f32, area: f32 }

struct Texture { first: u32, width: u32, height: u32, flags: u32 }

struct Job {
  origin: vec3f, seed: u32,
  corner: vec3f, bounces: u32,
  right: vec3f, lightCount: u32,
  down: vec3f, stepsPerRadiance: f32,
  sky: vec3f, width: u32,
  // 1 / (width, height) of the picture.
  pixelSize: vec2f, reserved: vec2u,
  // sRGB byte -> linear, four to a vector.
  srgb: array<vec4f, 64>,
}

// A range of numbered paths. A tile's and pass's are numbered sample by sample, pixel by pixel: neighbours take similar ways.
// Those of scattered pixels, for audits, are numbered slot by slot, sample by sample, with as many to every slot as a part has samples.
struct Slice {
  // Corner and width of the tile, and its pixels. Width 0: the paths are those of `slots`.
  x: u32, y: u32, width: u32, pixels: u32,
  firstPath: u32, endPath: u32,
  // First sample of the pass, and samples of a part.
  firstSample: u32, partSamples: u32,
  // Two slots to a vector, because elements of uniform arrays take 16 bytes: column + row << 16, first sample + samples << 16.
  slots: array<vec4u, 512>,
}

@group(0) @binding(0) var<storage, read> nodes: array<Node>;
@group(0) @binding(1) var<storage, read> triangles: array<Triangle>;
@group(0) @binding(2) var<storage, read> attributes: array<Attributes>;
@group(0) @binding(3) var<storage, read> materials: array<Material>;
@group(0) @binding(4) var<storage, read> lights: array<Light>;
@group(0) @binding(5) var<storage, read> textures: array<Texture>;
@group(0) @binding(6) var<storage, read> texels: array<u32>;
@group(0) @binding(7) var<uniform> job: Job;
@group(1) @binding(0) var<uniform> slice: Slice;
// Per part and pixel of the tile, or per slot: the four sums of `radiancePart`.
@group(1) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;

// Built-in dot, cross and normalize may be computed in any order and precision; these are the same everywhere.
fn dot3(a: vec3f, b: vec3f) -> f32 {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

fn cross3(a: vec3f, b: vec3f) -> vec3f {
  return vec3f(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

fn normalize3(a: vec3f) -> vec3f {
  return a * (1.0 / sqrt(dot3(a, a)));
}

fn largest(a: vec3f) -> f32 {
  let size = abs(a);
  return max(size.x, max(size.y, size.z));
}
