import type { Gltf } from './gltfSchema.ts';

/** Builds .glb bytes for tests, right ones and wrong ones. */

const COMPONENT_TYPES = new Map<unknown, number>([
  [Int8Array, 5120],
  [Uint8Array, 5121],
  [Int16Array, 5122],
  [Uint16Array, 5123],
  [Uint32Array, 5125],
  [Float32Array, 5126],
]);
const TYPE_NUMBERS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 } as const;

type Numbers = Int8Array | Uint8Array | Int16Array | Uint16Array | Uint32Array | Float32Array;

/** A GLB container around any JSON text and binary chunk. */
export function glbOf(json: unknown, binary: Uint8Array = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json));
  const padded = (bytes: Uint8Array): number => Math.ceil(bytes.byteLength / 4) * 4;
  const out = new Uint8Array(12 + 8 + padded(text) + 8 + padded(binary));
  const view = new DataView(out.buffer);
  const words: readonly (readonly [number, number])[] = [
    [0, 0x46546c67],
    [4, 2],
    [8, out.byteLength],
    [12, padded(text)],
    [16, 0x4e4f534a],
    [20 + padded(text), padded(binary)],
    [24 + padded(text), 0x004e4942],
  ];
  for (const [at, word] of words) view.setUint32(at, word, true);
  out.fill(0x20, 20, 20 + padded(text));
  out.set(text, 20);
  out.set(binary, 28 + padded(text));
  return out;
}

/** What tests write into: the JSON as glTF has it, with anything else they want to try. */
export type LooseGltf = Gltf & Record<string, unknown>;

/** A file in the making: numbers and images go to the one buffer, the JSON stays open to changes. */
export class TestModel {
  readonly json: LooseGltf = { asset: { version: '2.0' }, buffers: [], bufferViews: [], accessors: [], nodes: [], meshes: [], scenes: [{ nodes: [] }] };
  #binary: Uint8Array[] = [];
  #bytes = 0;

  /** Index of a new buffer view. */
  view(bytes: Uint8Array): number {
    const byteOffset = this.#bytes;
    const padding = new Uint8Array(-bytes.byteLength & 3);
    this.#binary.push(bytes, padding);
    this.#bytes += bytes.byteLength + padding.byteLength;
    return this.json.bufferViews!.push({ buffer: 0, byteOffset, byteLength: bytes.byteLength }) - 1;
  }

  /** Index of a new accessor. */
  accessor(numbers: Numbers, type: keyof typeof TYPE_NUMBERS, normalized = false): number {
    const componentType = COMPONENT_TYPES.get(numbers.constructor) as 5126;
    const bufferView = this.view(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    return this.json.accessors!.push({ bufferView, componentType, count: numbers.length / TYPE_NUMBERS[type], type, normalized }) - 1;
  }

  /** Index of a new mesh of one primitive. */
  mesh(primitive: Omit<NonNullable<Gltf['meshes']>[number]['primitives'][number], 'attributes'> & { attributes: Record<string, number> }): number {
    return this.json.meshes!.push({ primitives: [primitive] }) - 1;
  }

  /** Index of a new node at the top of the scene. */
  node(node: NonNullable<Gltf['nodes']>[number] & Record<string, unknown>): number {
    const index = this.json.nodes!.push(node) - 1;
    this.json.scenes![0]!.nodes!.push(index);
    return index;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const binary = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#binary) {
      binary.set(piece, at);
      at += piece.byteLength;
    }
    if (this.json.buffers!.length === 0 && at > 0) this.json.buffers!.push({ byteLength: at });
    return glbOf(this.json, binary);
  }
}

/** One triangle in the plane z = 0, facing +z: (0, 0), (1, 0), (0, 1). */
export const trianglePositions = Float32Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0);

/** The smallest useful file: one node, one mesh, one triangle. */
export function triangleModel(positions: Numbers = trianglePositions): TestModel {
  const model = new TestModel();
  model.node({ mesh: model.mesh({ attributes: { POSITION: model.accessor(positions, 'VEC3') } }) });
  return model;
}
