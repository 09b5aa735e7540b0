import type { Triple } from './peerMesh.ts';
import type { PeerEnvironment, PeerLight, PeerScene } from './peerScenes.ts';

/** A comparison scene as what a person would upload to us: a .glb, and an .hdr where there is an environment. */

/** Emission above 1 needs KHR_materials_emissive_strength. */
function emissionOf(emission: Triple): object {
  const strength = Math.max(...emission, 1);
  if (Math.max(...emission) === 0) return {};
  return { emissiveFactor: emission.map((value) => value / strength), extensions: { KHR_materials_emissive_strength: { emissiveStrength: strength } } };
}

function materialOf(color: Triple, metallic: number, roughness: number, emission: Triple, doubleSided: boolean): object {
  const { extensions, ...rest } = emissionOf(emission) as { extensions?: object };
  // Lambert: nothing is reflected at the boundary.
  const plain = metallic === 1 ? {} : { KHR_materials_specular: { specularFactor: 0 }, KHR_materials_ior: { ior: 1 } };
  const pbrMetallicRoughness = { baseColorFactor: [...color, 1], metallicFactor: metallic, roughnessFactor: roughness };
  return { pbrMetallicRoughness, doubleSided, ...rest, extensions: { ...plain, ...extensions } };
}

/** Buffer views and accessors over one growing buffer. */
class Buffers {
  readonly #chunks: Uint8Array[] = [];
  readonly bufferViews: object[] = [];
  readonly accessors: object[] = [];
  byteLength = 0;

  add(values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, type: 'VEC3' | 'SCALAR'): number {
    const bytes = new Uint8Array(values.buffer);
    this.bufferViews.push({ buffer: 0, byteOffset: this.byteLength, byteLength: bytes.length });
    this.byteLength += bytes.length;
    this.#chunks.push(bytes);
    const size = type === 'VEC3' ? 3 : 1;
    const bounds = type === 'VEC3' ? boundsOf(values) : {};
    const componentType = values instanceof Float32Array ? 5126 : 5125;
    this.accessors.push({ bufferView: this.bufferViews.length - 1, componentType, count: values.length / size, type, ...bounds });
    return this.accessors.length - 1;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

function boundsOf(values: ArrayLike<number>): { min: number[]; max: number[] } {
  const [min, max] = [
    [Infinity, Infinity, Infinity],
    [-Infinity, -Infinity, -Infinity],
  ];
  for (let i = 0; i < values.length; i++) {
    min![i % 3] = Math.min(min![i % 3]!, values[i]!);
    max![i % 3] = Math.max(max![i % 3]!, values[i]!);
  }
  return { min: min!, max: max! };
}

const normalized = (v: Triple): Triple => {
  const length = Math.hypot(...v);
  return [v[0] / length, v[1] / length, v[2] / length];
};
const cross = (a: Triple, b: Triple): Triple => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** A node's matrix that looks from `position` along `direction`: -z of its space. */
function lookAlong(position: Triple, direction: Triple): number[] {
  const back = normalized([-direction[0], -direction[1], -direction[2]]);
  const right = normalized(cross(Math.abs(back[1]) > 0.99 ? [1, 0, 0] : [0, 1, 0], back));
  const up = cross(back, right);
  return [...right, 0, ...up, 0, ...back, 0, ...position, 1];
}

/** KHR_lights_punctual: colour times intensity. Area lights are geometry. */
function punctualOf(light: PeerLight): { definition: object; matrix: number[] } | null {
  const split = (value: Triple): { color: number[]; intensity: number } => {
    const intensity = Math.max(...value);
    return { color: value.map((channel) => channel / intensity), intensity };
  };
  switch (light.kind) {
    case 'area':
      return null;
    case 'point':
      return { definition: { type: 'point', ...split(light.intensity) }, matrix: lookAlong(light.position, [0, 0, -1]) };
    case 'spot': {
      // A hard edge: falloffs inside it differ between renderers.
      const spot = { innerConeAngle: light.angle * 0.999, outerConeAngle: light.angle };
      return { definition: { type: 'spot', spot, ...split(light.intensity) }, matrix: lookAlong(light.position, light.direction) };
    }
    case 'directional':
      return { definition: { type: 'directional', ...split(light.illuminance) }, matrix: lookAlong([0, 0, 0], light.direction) };
    default:
      return light satisfies never;
  }
}

/** The four corners of an area light as a mesh, counter-clockwise seen from where it shines to. */
function lampMesh({ centre, right, up }: PeerLight & { kind: 'area' }): { positions: number[]; normals: number[] } {
  const normal = normalized(cross(right, up));
  const at = (r: number, u: number): number[] => [0, 1, 2].map((k) => centre[k]! + right[k]! * r + up[k]! * u);
  return { positions: [...at(-1, -1), ...at(1, -1), ...at(1, 1), ...at(-1, 1)], normals: [...normal, ...normal, ...normal, ...normal] };
}

export function glbOf(scene: PeerScene): Uint8Array<ArrayBuffer> {
  const buffers = new Buffers();
  const [materials, meshes, nodes]: object[][] = [[], [], []];
  const addMesh = (positions: Float32Array<ArrayBuffer>, normals: Float32Array<ArrayBuffer>, indices: Uint32Array<ArrayBuffer>, material: object): void => {
    materials!.push(material);
    const attributes = { POSITION: buffers.add(positions, 'VEC3'), NORMAL: buffers.add(normals, 'VEC3') };
    meshes!.push({ primitives: [{ attributes, indices: buffers.add(indices, 'SCALAR'), material: materials!.length - 1 }] });
    nodes!.push({ mesh: meshes!.length - 1 });
  };
  for (const { positions, normals, indices, material } of scene.meshes) {
    const lit = Math.max(...material.emission) > 0;
    addMesh(positions, normals, indices, materialOf(material.color, material.metallic, material.roughness, material.emission, !lit));
  }
  const definitions: object[] = [];
  for (const light of scene.lights) {
    if (light.kind === 'area') {
      const { positions, normals } = lampMesh(light);
      addMesh(new Float32Array(positions), new Float32Array(normals), Uint32Array.of(0, 1, 2, 0, 2, 3), materialOf([0, 0, 0], 0, 1, light.radiance, false));
      continue;
    }
    const { definition, matrix } = punctualOf(light)!;
    nodes!.push({ matrix, extensions: { KHR_lights_punctual: { light: definitions.push(definition) - 1 } } });
  }
  const { position, target, yfov } = scene.camera;
  nodes!.push({ camera: 0, matrix: lookAlong(position, [target[0] - position[0], target[1] - position[1], target[2] - position[2]]) });
  const extensionsUsed = [
    'KHR_materials_specular',
    'KHR_materials_ior',
    'KHR_materials_emissive_strength',
    ...(definitions.length ? ['KHR_lights_punctual'] : []),
  ];
  const json = {
    asset: { version: '2.0' },
    scene: 0,
    scenes: [{ nodes: [...nodes!.keys()] }],
    extensionsUsed,
    ...(definitions.length ? { extensions: { KHR_lights_punctual: { lights: definitions } } } : {}),
    nodes,
    meshes,
    materials,
    cameras: [{ type: 'perspective', perspective: { yfov, aspectRatio: 1, znear: 0.01 } }],
    accessors: buffers.accessors,
    bufferViews: buffers.bufferViews,
    buffers: [{ byteLength: buffers.byteLength }],
  };
  return container(Buffer.from(JSON.stringify(json)), buffers.bytes);
}

function container(json: Buffer, binary: Buffer): Uint8Array<ArrayBuffer> {
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 3, ' ')]);
  const head = (length: number, kind: number): Buffer => Buffer.from(Uint32Array.of(length, kind).buffer);
  const total = 12 + 8 + padded.length + 8 + binary.length;
  const start = Buffer.from(Uint32Array.of(0x46546c67, 2, total).buffer);
  return new Uint8Array(Buffer.concat([start, head(padded.length, 0x4e4f534a), padded, head(binary.length, 0x004e4942), binary]));
}

/** Radiance's .hdr with the run lengths that every reader knows, all of them literal. */
export function hdrOf({ width, height, rgbe }: PeerEnvironment): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [Buffer.from(`#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y ${height} +X ${width}\n`)];
  for (let row = 0; row < height; row++) {
    parts.push(Uint8Array.of(2, 2, width >> 8, width & 255));
    for (let channel = 0; channel < 4; channel++) {
      for (let first = 0; first < width; first += 128) {
        const count = Math.min(128, width - first);
        parts.push(
          Uint8Array.of(count),
          Uint8Array.from({ length: count }, (_, i) => rgbe[(row * width + first + i) * 4 + channel]!),
        );
      }
    }
  }
  return new Uint8Array(Buffer.concat(parts));
}
