import { concatBytes, encodeScene, sceneFeatures, sceneSections } from '../../shared/formats.ts';
import { InputError } from '../../shared/workload.ts';
import { ggxTables } from './albedo.ts';
import { type Bvh, buildBvh, instanceTree } from './bvh.ts';
import type { Box } from './camera.ts';
import { invert, isIdentity, isMirrored } from './matrix.ts';
import type { Instance, Matrix, MeshScene, Triangles } from './mesh.ts';
import { type Beyond, type Emitters, type FrameLights, frameLights, meanEmissions, NO_LIGHT } from './packLights.ts';
import { isCoveredInPart, isGlass, packMaterials, packTexels } from './packMaterials.ts';
import { bytesOf, encodeOctahedral, encodeTangent, roundOutward, srgbToLinear } from './packMath.ts';

/** The layouts written here are documented with `sceneSections` in shared/formats.ts. */

const COVERED_IN_PART = 0x80000000;
const INSTANCE_WORDS = sceneSections.instances.stride / 4;
const FRAME_WORDS = sceneSections.frames.stride / 4;
/** A storage binding holds 128 MiB everywhere. */
const LIGHTS_MAX = 2 ** 21;
/** Boxes of instances are wider by this share of their size and place: rays are rounded on their way into an instance. */
const INSTANCE_SLACK = 2 ** -20;

export interface PackedScene {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Lights of the first frame. */
  readonly lights: number;
  /** Around everything in all frames. */
  readonly box: Box;
}

export const nothingBeyond: Beyond = { environment: null, strength: 0, sun: null };

/**
 * Builds the trees and lays everything out. A scene needs at least one triangle. The same scene gives the same bytes. What does not move
 * over the frames has one record of `frames`, which serves all of them.
 */
export function packScene(scene: MeshScene, beyond: Beyond = nothingBeyond): PackedScene {
  const emissions = meanEmissions(scene);
  const meshes = new MeshPacker(scene, emissions);
  for (const mesh of scene.meshes) meshes.add(mesh);
  const frames = new FramePacker(scene, meshes, beyond);
  const { materials, textures, glasses } = packMaterials(scene);
  const { environment } = beyond;
  const bytes = encodeScene(
    {
      nodes: concatBytes(...meshes.nodes, ...frames.nodes),
      triangles: concatBytes(...meshes.triangles),
      attributes: concatBytes(...meshes.attributes),
      materials,
      lights: concatBytes(...frames.lights),
      textures,
      texels: packTexels(scene.images),
      instances: concatBytes(...frames.instances),
      frames: bytesOf(Uint32Array.from(frames.records)),
      srgb: bytesOf(srgbToLinear),
      tables: bytesOf(ggxTables(glasses)),
      environment: environment ? bytesOf(environment.texels) : new Uint8Array(),
      environmentCdf: environment ? bytesOf(environment.cdf) : new Uint8Array(),
    },
    featuresOf(scene, meshes, frames, beyond),
  );
  return { bytes, lights: frames.records[4] ?? 0, box: frames.box };
}

function featuresOf(scene: MeshScene, meshes: MeshPacker, frames: FramePacker, beyond: Beyond): number {
  const { materials } = scene;
  const has: Readonly<Record<keyof typeof sceneFeatures, boolean>> = {
    textures: materials.some(({ textures }) => Object.keys(textures).length > 0),
    instances: frames.placed,
    coverage: meshes.coveredInPart,
    glass: materials.some(isGlass),
    clearcoat: materials.some(({ clearcoat }) => clearcoat > 0),
    normalMaps: materials.some(({ textures }) => textures.normal !== undefined || textures.clearcoatNormal !== undefined),
    vertexColors: scene.meshes.some(({ colors }) => colors !== null),
    environment: beyond.environment !== null,
    bareLights: scene.lights.length > 0 || beyond.sun !== null,
  };
  return Object.entries(sceneFeatures).reduce((set, [name, bit]) => set | (has[name as keyof typeof has] ? bit : 0), 0);
}

/**
 * The triangles as the kernel sees them, first corner and two f32 edges (9 numbers), and boxes around exactly those:
 * the corner v0 + edge differs from the file's in its last bit.
 */
function edgeForm({ count, positions }: Triangles): { corners: Float32Array; bounds: Float32Array } {
  const corners = new Float32Array(count * 9);
  const bounds = new Float32Array(count * 6);
  for (let triangle = 0; triangle < count; triangle++) {
    for (let axis = 0; axis < 3; axis++) {
      const at = triangle * 9 + axis;
      const first = positions[at]!;
      corners[at] = first;
      corners[at + 3] = positions[at + 3]! - first;
      corners[at + 6] = positions[at + 6]! - first;
      const [second, third] = [first + corners[at + 3]!, first + corners[at + 6]!];
      bounds[triangle * 6 + axis] = roundOutward(Math.min(first, second, third), -1);
      bounds[triangle * 6 + 3 + axis] = roundOutward(Math.max(first, second, third), 1);
    }
  }
  return { corners, bounds };
}

/** Trees and triangles of all meshes, one behind the other. */
class MeshPacker {
  readonly #scene: MeshScene;
  readonly #emissions: Float64Array;
  readonly nodes: Uint8Array[] = [];
  readonly triangles: Uint8Array[] = [];
  readonly attributes: Uint8Array[] = [];
  readonly emitters: Emitters[] = [];
  readonly roots: number[] = [];
  readonly boxes: Box[] = [];
  coveredInPart = false;
  nodeCount = 0;
  #triangleCount = 0;

  constructor(scene: MeshScene, emissions: Float64Array) {
    this.#scene = scene;
    this.#emissions = emissions;
  }

  add(mesh: Triangles): void {
    const { corners, bounds } = edgeForm(mesh);
    const tree = buildBvh(bounds);
    const emitters = this.#emittersOf(mesh, corners, tree);
    const lightOf = new Uint32Array(mesh.count).fill(NO_LIGHT);
    emitters.places.forEach((place, light) => {
      lightOf[place - this.#triangleCount] = light;
    });
    this.roots.push(this.nodeCount);
    this.boxes.push(boxOf(bounds));
    this.nodes.push(shifted(tree.nodes, this.nodeCount, this.#triangleCount));
    this.emitters.push(emitters);
    this.triangles.push(this.#packTriangles(mesh, corners, tree.order, lightOf));
    this.attributes.push(packAttributes(mesh, tree.order));
    this.nodeCount += tree.nodes.byteLength / sceneSections.nodes.stride;
    this.#triangleCount += mesh.count;
  }

  #emittersOf({ materials }: Triangles, corners: Float32Array, { order }: Bvh): Emitters {
    const lit = [...order.keys()].filter((place) => this.#emissions[materials[order[place]!]!]! > 0);
    const edges = new Float32Array(lit.length * 6);
    lit.forEach((place, light) => {
      edges.set(corners.subarray(order[place]! * 9 + 3, order[place]! * 9 + 9), light * 6);
    });
    return {
      places: Uint32Array.from(lit, (place) => this.#triangleCount + place),
      edges,
      luminances: Float32Array.from(lit, (place) => this.#emissions[materials[order[place]!]!]!),
    };
  }

  #packTriangles({ materials, colors }: Triangles, corners: Float32Array, order: Uint32Array, lightOf: Uint32Array): Uint8Array {
    const covered = this.#scene.materials.map((material) => isCoveredInPart(material, colors !== null));
    const floats = new Float32Array(order.length * 12);
    const words = new Uint32Array(floats.buffer);
    for (let place = 0; place < order.length; place++) {
      const triangle = order[place]!;
      const material = materials[triangle]!;
      for (let row = 0; row < 3; row++) for (let axis = 0; axis < 3; axis++) floats[place * 12 + row * 4 + axis] = corners[triangle * 9 + row * 3 + axis]!;
      words[place * 12 + 3] = material | (covered[material] ? COVERED_IN_PART : 0);
      words[place * 12 + 7] = this.#triangleCount + triangle;
      words[place * 12 + 11] = lightOf[place]!;
      this.coveredInPart ||= covered[material]!;
    }
    return bytesOf(floats);
  }
}

function boxOf(bounds: Float32Array): Box {
  const box: [number, number, number, number, number, number] = [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity];
  for (let at = 0; at < bounds.length; at += 6) {
    for (let axis = 0; axis < 3; axis++) {
      box[axis] = Math.min(box[axis]!, bounds[at + axis]!);
      box[axis + 3] = Math.max(box[axis + 3]!, bounds[at + axis + 3]!);
    }
  }
  return box;
}

/** A tree whose nodes come behind `nodeBase` others and whose leaves name things behind `leafBase` others. */
function shifted(nodes: Uint8Array<ArrayBuffer>, nodeBase: number, leafBase: number): Uint8Array {
  const words = new Uint32Array(nodes.buffer, nodes.byteOffset, nodes.byteLength / 4);
  for (let child = 0; child < words.length; child += 8) words[child + 3]! += words[child + 7] === 0 ? nodeBase : leafBase;
  return nodes;
}

function packAttributes({ normals, tangents, uvs, uvs1, colors }: Triangles, order: Uint32Array): Uint8Array {
  const floats = new Float32Array(order.length * 24);
  const words = new Uint32Array(floats.buffer);
  for (let place = 0; place < order.length; place++) {
    const triangle = order[place]!;
    const at = place * 24;
    for (let corner = 0; corner < 3; corner++) {
      const from = triangle * 9 + corner * 3;
      words[at + corner] = encodeOctahedral(normals[from]!, normals[from + 1]!, normals[from + 2]!);
      const tangent = triangle * 12 + corner * 4;
      if (tangents) words[at + 3 + corner] = encodeTangent(tangents[tangent]!, tangents[tangent + 1]!, tangents[tangent + 2]!, tangents[tangent + 3]!);
    }
    for (let i = 0; i < 6; i++) floats[at + 6 + i] = uvs[triangle * 6 + i]!;
    if (uvs1) for (let i = 0; i < 6; i++) floats[at + 12 + i] = uvs1[triangle * 6 + i]!;
    for (let i = 0; i < 6; i++) words[at + 18 + i] = colors ? twoUnorms(colors[triangle * 12 + i * 2]!, colors[triangle * 12 + i * 2 + 1]!) : 0xffffffff;
  }
  return bytesOf(floats);
}

const twoUnorms = (low: number, high: number): number => (Math.round(low * 65535) | (Math.round(high * 65535) << 16)) >>> 0;

/** Instances, their trees and lights, frame by frame. */
class FramePacker {
  readonly #scene: MeshScene;
  readonly #meshes: MeshPacker;
  readonly #beyond: Beyond;
  readonly nodes: Uint8Array[] = [];
  readonly instances: Uint8Array[] = [];
  readonly lights: Uint8Array[] = [];
  /** Words of the section `frames`. */
  readonly records: number[] = [];
  /** Rays must pass through a tree of instances. */
  readonly placed: boolean;
  readonly box: Box;
  #nodeCount: number;
  #lightCount = 0;

  constructor(scene: MeshScene, meshes: MeshPacker, beyond: Beyond) {
    this.#scene = scene;
    this.#meshes = meshes;
    this.#beyond = beyond;
    this.#nodeCount = meshes.nodeCount;
    const frames = Math.max(...scene.instances.map(({ transforms }) => transforms.length), ...scene.lights.map(({ poses }) => poses.length));
    this.placed = scene.instances.length > 1 || frames > 1 || !isIdentity(scene.instances[0]!.transforms[0]!);
    const bounds = Array.from({ length: frames }, (_, frame) => this.#boundsOf(frame));
    this.box = bounds.map(boxOf).reduce(union);
    for (const [frame, bound] of bounds.entries()) this.#add(frame, bound);
  }

  #matrixOf({ transforms }: Instance, frame: number): Matrix {
    return transforms[Math.min(frame, transforms.length - 1)]!;
  }

  #boundsOf(frame: number): Float32Array {
    const bounds = new Float32Array(this.#scene.instances.length * 6);
    this.#scene.instances.forEach((instance, index) => {
      bounds.set(this.placed ? worldBox(this.#meshes.boxes[instance.mesh]!, this.#matrixOf(instance, frame)) : this.#meshes.boxes[instance.mesh]!, index * 6);
    });
    return bounds;
  }

  #add(frame: number, bounds: Float32Array): void {
    const { instances } = this.#scene;
    const firstInstance = frame * instances.length;
    const radius = Math.hypot(this.box[3] - this.box[0], this.box[4] - this.box[1], this.box[5] - this.box[2]) / 2;
    const lights = frameLights(this.#scene, this.#meshes.emitters, frame, firstInstance, this.#lightCount, radius, this.#beyond);
    if (this.#lightCount + lights.count > LIGHTS_MAX)
      throw new InputError(
        'model',
        `The frames up to ${frame} have ${this.#lightCount + lights.count} emitting triangles and lights.`,
        `at most ${LIGHTS_MAX}`,
      );
    let root = this.#meshes.roots[instances[0]!.mesh]!;
    if (this.placed) {
      const tree = buildBvh(bounds, instanceTree);
      root = this.#nodeCount;
      this.nodes.push(inOrder(shifted(tree.nodes, this.#nodeCount, 0), tree.order, firstInstance));
      this.#nodeCount += tree.nodes.byteLength / sceneSections.nodes.stride;
    }
    this.instances.push(this.#packInstances(frame, lights));
    this.lights.push(lights.section);
    this.records.push(root, firstInstance, instances.length, this.#lightCount, lights.count, lights.environment, lights.sun, 0);
    this.#lightCount += lights.count;
    if (this.records.length % FRAME_WORDS !== 0) throw new Error('a frame record has the wrong length');
  }

  #packInstances(frame: number, lights: FrameLights): Uint8Array {
    const { instances } = this.#scene;
    const floats = new Float32Array(instances.length * INSTANCE_WORDS);
    const words = new Uint32Array(floats.buffer);
    instances.forEach((instance, index) => {
      const at = index * INSTANCE_WORDS;
      const world = this.#matrixOf(instance, frame);
      const object = invert(world);
      if (!object) throw new InputError('model', 'An instance is placed by a transform that cannot be inverted.');
      for (let row = 0; row < 3; row++) {
        for (let column = 0; column < 4; column++) {
          floats[at + row * 4 + column] = world[column * 4 + row]!;
          floats[at + 12 + row * 4 + column] = object[column * 4 + row]!;
        }
      }
      words.set([this.#meshes.roots[instance.mesh]!, lights.firsts[index]!, isMirrored(world) ? 1 : 0, 0], at + 24);
    });
    return bytesOf(floats);
  }
}

/** Leaves of a tree of instances name the instance itself, because instances stay in the scene's order. */
function inOrder(nodes: Uint8Array, order: Uint32Array, firstInstance: number): Uint8Array {
  const words = new Uint32Array(nodes.buffer, nodes.byteOffset, nodes.byteLength / 4);
  for (let child = 0; child < words.length; child += 8) if (words[child + 7] !== 0) words[child + 3] = firstInstance + order[words[child + 3]!]!;
  return nodes;
}

function union(a: Box, b: Box): Box {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.min(a[2], b[2]), Math.max(a[3], b[3]), Math.max(a[4], b[4]), Math.max(a[5], b[5])];
}

/** Box in the world around a box of an instance. */
function worldBox(box: Box, m: Matrix): Box {
  const out: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];
  for (let axis = 0; axis < 3; axis++) {
    let [low, high] = [m[12 + axis]!, m[12 + axis]!];
    for (let from = 0; from < 3; from++) {
      const [a, b] = [m[from * 4 + axis]! * box[from]!, m[from * 4 + axis]! * box[from + 3]!];
      low += Math.min(a, b);
      high += Math.max(a, b);
    }
    const slack = (Math.abs(low) + Math.abs(high)) * INSTANCE_SLACK;
    out[axis] = roundOutward(low - slack, -1);
    out[axis + 3] = roundOutward(high + slack, 1);
  }
  return out;
}
