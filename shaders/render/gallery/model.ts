import { type Accessor, Document, type Material, type Mesh, type Node, WebIO } from '@gltf-transform/core';
import { ALL_EXTENSIONS, EXTMeshGPUInstancing, KHRLightsPunctual } from '@gltf-transform/extensions';
import { type Look, Looks, type Triple } from './look.ts';
import type { Shape } from './shapes.ts';

export type { Look, Triple };

type Quaternion = readonly [number, number, number, number];

export interface Place {
  readonly at?: Triple;
  /** Unit quaternion, see `turn`. */
  readonly rotation?: Quaternion;
  readonly scale?: Triple;
  /** The node whose space this is in; the scene's where it is left out. */
  readonly parent?: Node;
}

/** What a shape does not have: one entry for every vertex of it. */
export interface VertexData {
  /** Linear RGBA, 0 to 1. */
  readonly colors?: readonly number[];
  /** A second set of texture coordinates. */
  readonly uvs1?: readonly number[];
}

export interface Light {
  readonly kind: 'point' | 'spot' | 'directional';
  readonly at?: Triple;
  /** What a spot or directional light shines at; straight down where it is left out. */
  readonly target?: Triple;
  readonly color?: Triple;
  /** Candela of `point` and `spot`, lux of `directional`. */
  readonly intensity: number;
  /** Degrees from the axis, of `spot`. */
  readonly innerCone?: number;
  readonly outerCone?: number;
}

/** Where a node is at which second. Of `CUBICSPLINE` there are three values for every time: tangent in, value, tangent out. */
export interface Motion {
  readonly times: readonly number[];
  readonly translation?: readonly Triple[];
  readonly rotation?: readonly Quaternion[];
  readonly scale?: readonly Triple[];
  readonly interpolation?: 'LINEAR' | 'STEP' | 'CUBICSPLINE';
}

interface Geometry {
  readonly position: Accessor;
  readonly normal: Accessor;
  readonly uv: Accessor;
  readonly indices: Accessor;
}

type AccessorType = 'SCALAR' | 'VEC2' | 'VEC3' | 'VEC4';

/** Quaternion of a rotation about an axis of length 1, counter-clockwise seen against it. */
export function turn(axis: Triple, degrees: number): [number, number, number, number] {
  const half = (degrees * Math.PI) / 360;
  return [axis[0] * Math.sin(half), axis[1] * Math.sin(half), axis[2] * Math.sin(half), Math.cos(half)];
}

/** Builds a .glb as an exporter would, so that the gallery goes the way of every upload. Equal calls give equal bytes. */
export class Model {
  /** For what the methods here do not offer. */
  readonly document = new Document();
  readonly #buffer = this.document.createBuffer();
  readonly #scene = this.document.createScene();
  readonly #looks = new Looks(this.document);
  readonly #geometries = new Map<Shape, Geometry>();

  material(look: Look): Material {
    return this.#looks.material(look);
  }

  mesh(shape: Shape, material: Material, { colors, uvs1 }: VertexData = {}): Mesh {
    const { position, normal, uv, indices } = this.#geometryOf(shape);
    const primitive = this.document.createPrimitive().setIndices(indices).setMaterial(material);
    primitive.setAttribute('POSITION', position).setAttribute('NORMAL', normal).setAttribute('TEXCOORD_0', uv);
    if (uvs1) primitive.setAttribute('TEXCOORD_1', this.#floats(uvs1, 'VEC2'));
    if (colors) primitive.setAttribute('COLOR_0', this.#floats(colors, 'VEC4'));
    return this.document.createMesh().addPrimitive(primitive);
  }

  /** Meshes of one shape share its numbers. */
  #geometryOf(shape: Shape): Geometry {
    const geometry = this.#geometries.get(shape) ?? {
      position: this.#floats(shape.positions, 'VEC3'),
      normal: this.#floats(shape.normals, 'VEC3'),
      uv: this.#floats(shape.uvs, 'VEC2'),
      indices: this.#accessor(Uint32Array.from(shape.indices), 'SCALAR'),
    };
    this.#geometries.set(shape, geometry);
    return geometry;
  }

  #floats(values: readonly number[], type: AccessorType): Accessor {
    return this.#accessor(Float32Array.from(values), type);
  }

  #accessor(values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, type: AccessorType): Accessor {
    return this.document.createAccessor().setArray(values).setType(type).setBuffer(this.#buffer);
  }

  /** An empty node: something to animate, or to be the `parent` of others. */
  node({ at = [0, 0, 0], rotation = [0, 0, 0, 1], scale = [1, 1, 1], parent }: Place = {}): Node {
    const node = this.document
      .createNode()
      .setTranslation([...at])
      .setRotation([...rotation])
      .setScale([...scale]);
    if (parent) parent.addChild(node);
    else this.#scene.addChild(node);
    return node;
  }

  place(mesh: Mesh, place?: Place): Node {
    return this.node(place).setMesh(mesh);
  }

  /** A mesh that is there once. */
  add(shape: Shape, material: Material, place?: Place): Node {
    return this.place(this.mesh(shape, material), place);
  }

  /** Many places of one mesh at one node, through EXT_mesh_gpu_instancing. */
  scatter(mesh: Mesh, places: readonly Omit<Place, 'parent'>[], at?: Place): Node {
    const instanced = this.document.createExtension(EXTMeshGPUInstancing).setRequired(true).createInstancedMesh();
    const column = (type: AccessorType, of: (place: Place) => readonly number[]) => this.#floats(places.flatMap(of), type);
    instanced.setAttribute(
      'TRANSLATION',
      column('VEC3', (place) => place.at ?? [0, 0, 0]),
    );
    instanced.setAttribute(
      'ROTATION',
      column('VEC4', (place) => place.rotation ?? [0, 0, 0, 1]),
    );
    instanced.setAttribute(
      'SCALE',
      column('VEC3', (place) => place.scale ?? [1, 1, 1]),
    );
    return this.place(mesh, at).setExtension('EXT_mesh_gpu_instancing', instanced);
  }

  /** All motions of a model play at once. A camera or light is moved by the node that made it. */
  animate(node: Node, { times, translation, rotation, scale, interpolation = 'LINEAR' }: Motion): void {
    const animation = this.document.getRoot().listAnimations()[0] ?? this.document.createAnimation();
    const input = this.#floats(times, 'SCALAR');
    for (const [path, values] of Object.entries({ translation, rotation, scale })) {
      if (!values) continue;
      const output = this.#floats(values.flat(), path === 'rotation' ? 'VEC4' : 'VEC3');
      const sampler = this.document.createAnimationSampler().setInput(input).setOutput(output).setInterpolation(interpolation);
      const channel = this.document
        .createAnimationChannel()
        .setSampler(sampler)
        .setTargetNode(node)
        .setTargetPath(path as 'translation' | 'rotation' | 'scale');
      animation.addSampler(sampler).addChannel(channel);
    }
  }

  /** `yfov`: vertical field of view in degrees. The node returned stands at the camera and turns it about the vertical. */
  camera(at: Triple, target: Triple, yfov: number, name = ''): Node {
    const camera = this.document.createCamera(name).setType('perspective');
    const { node, tilt } = this.#aimed(at, target);
    tilt.setCamera(camera.setYFov((yfov * Math.PI) / 180).setZNear(0.01));
    return node;
  }

  /** `height`: of what is seen, in metres. */
  orthographicCamera(at: Triple, target: Triple, height: number, name = ''): Node {
    const camera = this.document.createCamera(name).setType('orthographic');
    const { node, tilt } = this.#aimed(at, target);
    tilt.setCamera(
      camera
        .setXMag(height / 2)
        .setYMag(height / 2)
        .setZNear(0)
        .setZFar(1000),
    );
    return node;
  }

  light({ kind, at = [0, 0, 0], target, color = [1, 1, 1], intensity, innerCone = 0, outerCone = 45 }: Light): Node {
    const light = this.document.createExtension(KHRLightsPunctual).createLight().setType(kind).setIntensity(intensity);
    light.setColor([color[0], color[1], color[2]]);
    if (kind === 'spot') light.setInnerConeAngle((innerCone * Math.PI) / 180).setOuterConeAngle((outerCone * Math.PI) / 180);
    const { node, tilt } = this.#aimed(at, target ?? [at[0], at[1] - 1, at[2]]);
    tilt.setExtension('KHR_lights_punctual', light);
    return node;
  }

  /** Two nodes, heading and tilt, whose inner one looks along -z from `at` to `target`. */
  #aimed(at: Triple, target: Triple): { node: Node; tilt: Node } {
    const [x, y, z] = [target[0] - at[0], target[1] - at[1], target[2] - at[2]];
    const heading = (Math.atan2(-x, -z) * 180) / Math.PI;
    const pitch = (Math.atan2(y, Math.hypot(x, z)) * 180) / Math.PI;
    const tilt = this.document.createNode().setRotation(turn([1, 0, 0], pitch));
    const node = this.node({ at, rotation: turn([0, 1, 0], heading) }).addChild(tilt);
    return { node, tilt };
  }

  write(): Promise<Uint8Array> {
    return new WebIO().registerExtensions(ALL_EXTENSIONS).writeBinary(this.document);
  }
}
