import {
  AnimationMixer,
  type BufferAttribute,
  InstancedMesh,
  type InterleavedBufferAttribute,
  type Light,
  LoopOnce,
  Matrix4,
  Mesh,
  type Object3D,
} from 'three';
import type { Box } from '../camera.ts';
import { animatedNodes } from '../gltfAnimated.ts';
import { type NodeTree, placeNodes } from '../gltfNodes.ts';
import { planMeshes } from '../gltfPlan.ts';
import { cameraAt, cameraPose } from '../gltfPoses.ts';
import type { Camera, Matrix } from '../mesh.ts';
import { type LoadedModel, loadModel } from './loadModel.ts';
import type { ReadModel } from './readModel.ts';

/** A scene to be shown, at one second of its motion. */
export interface Stage {
  readonly root: Object3D;
  readonly lights: readonly Light[];
  readonly triangles: number;
  readonly report: readonly string[];
  /** Of its motion; 0 where nothing moves. */
  readonly seconds: number;
  seek(second: number): void;
  /** Cameras that can be used, as they stand now. */
  cameras(): readonly Camera[];
  /** Around everything in all of these seconds, as the renderer finds it. */
  box(seconds: readonly number[]): Box;
}

/** Moving nodes times frames whose places are looked at for a box; of more frames only some are. */
const PLACES_MAX = 200_000;

export async function openModel(read: ReadModel): Promise<Stage> {
  return new ModelStage(read, await loadModel(read));
}

class ModelStage implements Stage {
  readonly root: Object3D;
  readonly lights: readonly Light[];
  readonly triangles: number;
  readonly report: readonly string[];
  readonly seconds: number;
  readonly #read: ReadModel;
  readonly #nodes: readonly Object3D[];
  readonly #isNode: ReadonlySet<Object3D>;
  readonly #still: NodeTree;
  readonly #motion: ((second: number) => void) | null;
  #second = 0;
  #stillBox: Box | null = null;

  constructor(read: ReadModel, { root, nodes, clip }: LoadedModel) {
    this.#read = read;
    this.#nodes = nodes;
    this.#isNode = new Set(nodes);
    this.root = root;
    this.report = read.report;
    this.#still = placeNodes(read.gltf, animatedNodes(read.gltf), 1);
    const { triangles } = planMeshes(read.gltf, this.#still, 1);
    this.triangles = this.#still.placed.reduce((sum, { node }) => sum + (triangles[node.mesh ?? -1] ?? 0), 0);
    this.seconds = clip?.duration ?? 0;
    this.#motion = clip && motionOf(root, clip);
    const lights: Light[] = [];
    root.traverse((object) => {
      // Culling needs bounds, which nobody has checked.
      object.frustumCulled = false;
      if ((object as Light).isLight) lights.push(object as Light);
    });
    this.lights = lights;
    this.seek(0);
  }

  seek(second: number): void {
    this.#second = second;
    this.#motion?.(second);
    this.root.updateMatrixWorld(true);
  }

  #world = (node: number): Matrix => Float64Array.from(this.#nodes[node]!.matrixWorld.elements);

  cameras(): Camera[] {
    const found: Camera[] = [];
    for (const { node, index } of this.#still.placed) {
      const pose = node.camera === undefined ? null : cameraPose(this.#world(index));
      if (pose) found.push({ ...cameraAt(this.#read.gltf, node, found.length), poses: [pose] });
    }
    return found;
  }

  box(seconds: readonly number[]): Box {
    if (this.#motion) return this.#boxOver(seconds);
    this.#stillBox ??= this.#boxOver([]);
    return this.#stillBox;
  }

  #boxOver(seconds: readonly number[]): Box {
    const { gltf } = this.#read;
    const frames = this.#motion ? Math.max(1, seconds.length) : 1;
    const tree = placeNodes(gltf, animatedNodes(gltf), frames);
    const plan = planMeshes(gltf, tree, frames);
    const shown = tree.placed.filter(({ node }) => (plan.triangles[node.mesh ?? -1] ?? 0) > 0);
    const moving = shown.filter(({ moves }) => moves);
    const box = new Bounds();
    const before = this.#second;
    const step = Math.ceil((moving.length * frames) / PLACES_MAX) || 1;
    for (let frame = 0; frame < frames; frame += step) {
      if (this.#motion && seconds[frame] !== undefined) this.seek(seconds[frame]!);
      for (const { node, index, moves } of frame === 0 ? shown : moving) box.addNode(this.#nodes[index]!, this.#isNode, plan.isInstanced(node.mesh!, moves));
    }
    if (this.#motion) this.seek(before);
    return box.box;
  }
}

/** Everything plays at once and stops at its end. */
function motionOf(root: Object3D, clip: NonNullable<LoadedModel['clip']>): (second: number) => void {
  const mixer = new AnimationMixer(root);
  const action = mixer.clipAction(clip).setLoop(LoopOnce, 1).play();
  action.clampWhenFinished = true;
  return (second) => {
    action.paused = false;
    action.time = Math.min(second, clip.duration);
    mixer.update(0);
  };
}

type Attribute = BufferAttribute | InterleavedBufferAttribute;

/** Grows around meshes: around the corners of an instance's own box, and around every vertex of what is laid out in the world. */
export class Bounds {
  readonly #values: [number, number, number, number, number, number] = [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity];

  get box(): Box {
    return [...this.#values];
  }

  add(x: number, y: number, z: number): void {
    const values = this.#values;
    if (x < values[0]) values[0] = x;
    if (y < values[1]) values[1] = y;
    if (z < values[2]) values[2] = z;
    if (x > values[3]) values[3] = x;
    if (y > values[4]) values[4] = y;
    if (z > values[5]) values[5] = z;
  }

  /** The meshes of one node, without those of its children among `nodes`. */
  addNode(node: Object3D, nodes: ReadonlySet<Object3D>, isInstanced: boolean): void {
    const parts = partsOf(node, nodes);
    const places = parts[0] instanceof InstancedMesh ? instancesOf(parts[0]) : [parts[0]?.matrixWorld ?? new Matrix4()];
    if (!isInstanced) for (const place of places) for (const part of parts) eachVertex(part, (x, y, z) => this.#addAt(place, x, y, z));
    else {
      const own = new Bounds();
      for (const part of parts) eachVertex(part, (x, y, z) => own.add(x, y, z));
      const box = own.box;
      for (const place of places)
        for (let corner = 0; corner < 8; corner++) this.#addAt(place, box[corner & 1 ? 3 : 0], box[corner & 2 ? 4 : 1], box[corner & 4 ? 5 : 2]);
    }
  }

  #addAt({ elements: m }: Matrix4, x: number, y: number, z: number): void {
    this.add(m[0]! * x + m[4]! * y + m[8]! * z + m[12]!, m[1]! * x + m[5]! * y + m[9]! * z + m[13]!, m[2]! * x + m[6]! * y + m[10]! * z + m[14]!);
  }
}

function partsOf(node: Object3D, nodes: ReadonlySet<Object3D>): Mesh[] {
  const parts: Mesh[] = [];
  const visit = (object: Object3D): void => {
    if (object instanceof Mesh) parts.push(object);
    for (const child of object.children) if (!nodes.has(child)) visit(child);
  };
  visit(node);
  return parts;
}

function instancesOf(mesh: InstancedMesh): Matrix4[] {
  return Array.from({ length: mesh.count }, (_, index) => {
    const place = new Matrix4();
    mesh.getMatrixAt(index, place);
    return place.premultiply(mesh.matrixWorld);
  });
}

/** Each vertex once; those that no triangle uses do not count. */
function eachVertex({ geometry }: Mesh, visit: (x: number, y: number, z: number) => void): void {
  const positions = geometry.getAttribute('position') as Attribute;
  const isUsed = new Uint8Array(positions.count).fill(geometry.index ? 0 : 1);
  for (const vertex of geometry.index?.array ?? []) isUsed[vertex] = 1;
  for (let at = 0; at < positions.count; at++) if (isUsed[at]) visit(positions.getX(at), positions.getY(at), positions.getZ(at));
}
