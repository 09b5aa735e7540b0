// Bindings: the packed scene (`sceneSections` in shared/formats.ts), the job, and one slice of work.

// What the scene has; code for what it has not is never compiled.
override TEXTURES: bool;
override INSTANCES: bool;
override COVERAGE: bool;
override GLASS: bool;
override CLEARCOAT: bool;
override NORMAL_MAPS: bool;
override VERTEX_COLORS: bool;
override ENVIRONMENT: bool;
override BARE_LIGHTS: bool;

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
  // Scalars keep the layout tight: a vec2f would be aligned to 8 bytes.
  normals: array<u32, 3>,
  tangents: array<u32, 3>,
  // Two sets, three corners, two coordinates.
  uvs: array<f32, 12>,
  colors: array<u32, 6>,
}

struct Material {
  baseColor: vec3f, alpha: f32,
  emission: vec3f, metallic: f32,
  specularColor: vec3f, specular: f32,
  absorption: vec3f, roughness: f32,
  ior: f32, transmission: f32, clearcoat: f32, clearcoatRoughness: f32,
  alphaCutoff: f32, normalScale: f32, clearcoatNormalScale: f32, flags: u32,
  textures: array<i32, 10>, glassTable: u32, reserved: u32,
}

struct Light {
  kind: u32, triangle: u32, instance: u32, cumulative: f32,
  position: vec3f, probability: f32,
  color: vec3f, area: f32,
  direction: vec3f, extent: f32,
}

struct Texture {
  first: u32, width: u32, height: u32, flags: u32,
  transform: array<f32, 6>,
  reserved0: u32, reserved1: u32,
}

// Rows of 3x4 matrices.
struct Instance {
  worldX: vec4f, worldY: vec4f, worldZ: vec4f,
  objectX: vec4f, objectY: vec4f, objectZ: vec4f,
  root: u32, firstLight: u32, mirrored: u32, reserved: u32,
}

struct Job {
  // 1 / (width, height) of the picture.
  pixelSize: vec2f, width: u32, seed: u32,
  sky: vec3f, bounces: u32,
  stepsPerRadiance: f32, stepsPerMetre: f32, rouletteDepth: u32, environmentEdge: u32,
  // sRGB byte -> linear, four to a vector.
  srgb: array<vec4f, 64>,
}

// What is summed: light of a tile, features of a tile (two elements a pixel), or one kind of feature of scattered pixels.
const LIGHT = 0u;
const FEATURES = 1u;
const ALBEDO = 2u;
const NORMAL = 3u;

// A frame as a camera sees it, and a range of numbered paths. A tile's and pass's are numbered sample by sample, pixel by pixel: neighbours
// take similar ways. Those of scattered pixels, for audits, are numbered slot by slot, sample by sample, with as many to every slot as a
// part has samples.
struct Slice {
  // `CameraRays` of params.ts.
  origin: vec3f, inverseFocus: f32,
  originRight: vec3f, root: u32,
  originDown: vec3f, firstInstance: u32,
  corner: vec3f, firstLight: u32,
  right: vec3f, lightCount: u32,
  down: vec3f, environmentLight: u32,
  lensRight: vec3f, sunLight: u32,
  lensDown: vec3f, frame: u32,
  // Corner and width of the tile, and its pixels. Width 0: the paths are those of `slots`.
  x: u32, y: u32, width: u32, pixels: u32,
  firstPath: u32, endPath: u32, firstSample: u32, partSamples: u32,
  kind: u32, reserved0: u32, reserved1: u32, reserved2: u32,
  // Two slots to a vector, because elements of uniform arrays take 16 bytes: column + row << 16, first sample + samples << 16.
  slots: array<vec4u, 512>,
}

@group(0) @binding(0) var<storage, read> nodes: array<Node>;
@group(0) @binding(1) var<storage, read> triangles: array<Triangle>;
@group(0) @binding(2) var<storage, read> attributes: array<Attributes>;
@group(0) @binding(3) var<storage, read> materials: array<Material>;
@group(0) @binding(4) var<storage, read> lights: array<Light>;
@group(0) @binding(5) var<storage, read> textures: array<Texture>;
@group(0) @binding(6) var<storage, read> instances: array<Instance>;
@group(0) @binding(7) var<uniform> job: Job;
// Texels one after the other, TEXEL_ROW to a row and as many rows to a layer: eight storage buffers of 128 MiB hold no 512 MiB of them.
@group(0) @binding(8) var texels: texture_2d_array<u32>;
@group(0) @binding(9) var tables: texture_2d<f32>;
@group(0) @binding(10) var environment: texture_2d<u32>;
@group(0) @binding(11) var environmentCdf: texture_2d<f32>;
@group(1) @binding(0) var<uniform> slice: Slice;
// Per part and element of the tile, or per slot: four sums.
@group(1) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;

const NOTHING = 0xffffffffu;
const COVERED_IN_PART = 0x80000000u;

const DOUBLE_SIDED = 1u;
const MASK = 2u;
const BLEND = 4u;
const UNLIT = 8u;
const SOLID = 16u;

// Places in `Material.textures`.
const BASE_TEXTURE = 0u;
const ROUGHNESS_TEXTURE = 1u;
const NORMAL_TEXTURE = 2u;
const EMISSION_TEXTURE = 3u;
const TRANSMISSION_TEXTURE = 4u;
const SPECULAR_TEXTURE = 5u;
const SPECULAR_COLOR_TEXTURE = 6u;
const CLEARCOAT_TEXTURE = 7u;
const CLEARCOAT_ROUGHNESS_TEXTURE = 8u;
const CLEARCOAT_NORMAL_TEXTURE = 9u;

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

fn luminance(c: vec3f) -> f32 {
  return 0.2126 * c.x + 0.7152 * c.y + 0.0722 * c.z;
}

fn pointToWorld(at: u32, p: vec3f) -> vec3f {
  let instance = &instances[at];
  return vec3f(
    dot3((*instance).worldX.xyz, p) + (*instance).worldX.w,
    dot3((*instance).worldY.xyz, p) + (*instance).worldY.w,
    dot3((*instance).worldZ.xyz, p) + (*instance).worldZ.w,
  );
}

fn vectorToWorld(at: u32, v: vec3f) -> vec3f {
  let instance = &instances[at];
  return vec3f(dot3((*instance).worldX.xyz, v), dot3((*instance).worldY.xyz, v), dot3((*instance).worldZ.xyz, v));
}

// Of any length.
fn normalToWorld(at: u32, n: vec3f) -> vec3f {
  let instance = &instances[at];
  return (*instance).objectX.xyz * n.x + (*instance).objectY.xyz * n.y + (*instance).objectZ.xyz * n.z;
}
