import { PNG } from 'pngjs';

/** Writes a .glb by hand, from the glTF 2.0 specification alone: what a user's modelling program would export. */

const JSON_CHUNK = 0x4e4f534a;
const BINARY_CHUNK = 0x004e4942;
const FLOAT = 5126;
const UNSIGNED_SHORT = 5123;
const ARRAY_BUFFER = 34962;
const ELEMENT_ARRAY_BUFFER = 34963;

type Vec3 = readonly [number, number, number];

interface Quad {
  /** One corner, and the two edges that start there; the front is where edge1 x edge2 points. */
  readonly corner: Vec3;
  readonly edge1: Vec3;
  readonly edge2: Vec3;
  readonly material: number;
}

const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const padded = (bytes: Buffer, filler: number): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4, filler)]);

/** A checkerboard of 8 x 8 texels, sRGB. */
function checkerboard(): Buffer {
  const png = new PNG({ width: 8, height: 8 });
  for (let at = 0; at < 64; at++) {
    const dark = ((at & 7) + (at >> 3)) % 2 === 0;
    png.data.set(dark ? [60, 90, 200, 255] : [240, 230, 210, 255], at * 4);
  }
  return PNG.sync.write(png);
}

/** An open room: a checkered floor, a coloured wall, a metal slab, a lamp, and a camera. */
const quads: readonly Quad[] = [
  { corner: [-2, 0, 2], edge1: [4, 0, 0], edge2: [0, 0, -4], material: 0 },
  { corner: [-2, 0, -2], edge1: [4, 0, 0], edge2: [0, 3, 0], material: 1 },
  { corner: [-0.2, 0.01, 0.4], edge1: [1.2, 0, -0.4], edge2: [0, 1.2, 0], material: 2 },
  { corner: [-1.6, 2.9, 1.8], edge1: [0, 0, -3.2], edge2: [3.2, 0, 0], material: 3 },
];

const materials = [
  { pbrMetallicRoughness: { baseColorTexture: { index: 0 }, metallicFactor: 0, roughnessFactor: 0.9 }, doubleSided: true },
  { pbrMetallicRoughness: { baseColorFactor: [0.7, 0.2, 0.15, 1], metallicFactor: 0, roughnessFactor: 1 }, doubleSided: true },
  { pbrMetallicRoughness: { baseColorFactor: [0.9, 0.8, 0.5, 1], metallicFactor: 1, roughnessFactor: 0.35 }, doubleSided: true },
  {
    pbrMetallicRoughness: { baseColorFactor: [0, 0, 0, 1] },
    emissiveFactor: [1, 0.95, 0.85],
    extensions: { KHR_materials_emissive_strength: { emissiveStrength: 2.5 } },
    doubleSided: true,
  },
];

/** A glTF file of four textured, coloured, metallic and shining quads. */
export function roomGlb(): Buffer {
  const pieces: Buffer[] = [];
  const bufferViews: object[] = [];
  const accessors: object[] = [];
  const view = (bytes: Buffer, target?: number): number => {
    bufferViews.push({ buffer: 0, byteOffset: pieces.reduce((sum, piece) => sum + piece.length, 0), byteLength: bytes.length, ...(target ? { target } : {}) });
    pieces.push(padded(bytes, 0));
    return bufferViews.length - 1;
  };
  const floats = (values: readonly number[], type: 'VEC2' | 'VEC3'): number => {
    const size = type === 'VEC3' ? 3 : 2;
    const columns = Array.from({ length: size }, (_, column) => values.filter((_value, index) => index % size === column));
    accessors.push({
      bufferView: view(Buffer.from(Float32Array.from(values).buffer), ARRAY_BUFFER),
      componentType: FLOAT,
      count: values.length / size,
      type,
      min: columns.map((column) => Math.fround(Math.min(...column))),
      max: columns.map((column) => Math.fround(Math.max(...column))),
    });
    return accessors.length - 1;
  };
  accessors.push({
    bufferView: view(Buffer.from(Uint16Array.of(0, 1, 2, 0, 2, 3).buffer), ELEMENT_ARRAY_BUFFER),
    componentType: UNSIGNED_SHORT,
    count: 6,
    type: 'SCALAR',
  });
  const uv = floats([0, 0, 1, 0, 1, 1, 0, 1], 'VEC2');
  const meshes = quads.map(({ corner, edge1, edge2, material }) => {
    const corners = [corner, add(corner, edge1), add(add(corner, edge1), edge2), add(corner, edge2)];
    return { primitives: [{ attributes: { POSITION: floats(corners.flat(), 'VEC3'), TEXCOORD_0: uv }, indices: 0, material }] };
  });
  const image = view(checkerboard());
  const document = {
    asset: { version: '2.0', generator: 'end-to-end test' },
    extensionsUsed: ['KHR_materials_emissive_strength'],
    scene: 0,
    scenes: [{ nodes: [...meshes.keys(), meshes.length] }],
    nodes: [...meshes.map((_, mesh) => ({ mesh })), { camera: 0, translation: [0, 1.3, 3.9] }],
    cameras: [{ type: 'perspective', perspective: { yfov: 0.75, znear: 0.1 } }],
    meshes,
    materials,
    textures: [{ source: 0, sampler: 0 }],
    samplers: [{ magFilter: 9729, minFilter: 9729, wrapS: 10497, wrapT: 10497 }],
    images: [{ bufferView: image, mimeType: 'image/png' }],
    accessors,
    bufferViews,
    buffers: [{ byteLength: pieces.reduce((sum, piece) => sum + piece.length, 0) }],
  };
  return glb(Buffer.from(JSON.stringify(document)), Buffer.concat(pieces));
}

/** The container: header, JSON chunk padded with spaces, binary chunk padded with zeros. */
function glb(json: Buffer, binary: Buffer): Buffer {
  const chunk = (type: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(bytes.length, 0);
    head.writeUInt32LE(type, 4);
    return Buffer.concat([head, bytes]);
  };
  const body = Buffer.concat([chunk(JSON_CHUNK, padded(json, 0x20)), chunk(BINARY_CHUNK, padded(binary, 0))]);
  const head = Buffer.alloc(12);
  head.write('glTF', 0, 'latin1');
  head.writeUInt32LE(2, 4);
  head.writeUInt32LE(12 + body.length, 8);
  return Buffer.concat([head, body]);
}
