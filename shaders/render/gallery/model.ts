import { type Accessor, Document, type Material, type Mesh, type Texture, WebIO } from '@gltf-transform/core';
import { KHRMaterialsEmissiveStrength } from '@gltf-transform/extensions';
import type { Shape } from './shapes.ts';

type Triple = readonly [number, number, number];

export interface Look {
  /** Linear, 0 to 1. */
  readonly color?: Triple;
  readonly metallic?: number;
  readonly roughness?: number;
  /** PNG bytes, multiplied with the colour. */
  readonly texture?: Uint8Array;
  /** Linear radiance. */
  readonly emission?: Triple;
}

export interface Place {
  readonly at?: Triple;
  /** Unit quaternion, see `turn`. */
  readonly rotation?: readonly [number, number, number, number];
  readonly scale?: Triple;
}

type Geometry = Readonly<Record<'position' | 'normal' | 'uv' | 'indices', Accessor>>;

/** Quaternion of a rotation about an axis of length 1, counter-clockwise seen against it. */
export function turn(axis: Triple, degrees: number): [number, number, number, number] {
  const half = (degrees * Math.PI) / 360;
  return [axis[0] * Math.sin(half), axis[1] * Math.sin(half), axis[2] * Math.sin(half), Math.cos(half)];
}

/** Builds a .glb as an exporter would, so that the gallery goes the way of every upload. Equal calls give equal bytes. */
export class Model {
  readonly #document = new Document();
  readonly #buffer = this.#document.createBuffer();
  readonly #scene = this.#document.createScene();
  readonly #strength = this.#document.createExtension(KHRMaterialsEmissiveStrength).setRequired(false);
  readonly #textures = new Map<Uint8Array, Texture>();
  readonly #geometries = new Map<Shape, Geometry>();

  material({ color = [1, 1, 1], metallic = 0, roughness = 1, texture, emission }: Look): Material {
    const material = this.#document
      .createMaterial()
      .setBaseColorFactor([...color, 1])
      .setMetallicFactor(metallic)
      .setRoughnessFactor(roughness);
    if (texture) material.setBaseColorTexture(this.#texture(texture));
    if (!emission) return material;
    const strength = Math.max(...emission);
    material.setEmissiveFactor([emission[0] / strength, emission[1] / strength, emission[2] / strength]);
    material.setExtension('KHR_materials_emissive_strength', this.#strength.createEmissiveStrength().setEmissiveStrength(strength));
    return material;
  }

  #texture(png: Uint8Array): Texture {
    const texture = this.#textures.get(png) ?? this.#document.createTexture().setImage(new Uint8Array(png)).setMimeType('image/png');
    this.#textures.set(png, texture);
    return texture;
  }

  mesh(shape: Shape, material: Material): Mesh {
    const { position, normal, uv, indices } = this.#geometryOf(shape);
    const primitive = this.#document.createPrimitive().setIndices(indices).setMaterial(material);
    primitive.setAttribute('POSITION', position).setAttribute('NORMAL', normal).setAttribute('TEXCOORD_0', uv);
    return this.#document.createMesh().addPrimitive(primitive);
  }

  /** Meshes of one shape share its numbers. */
  #geometryOf(shape: Shape): Geometry {
    const accessor = (values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, type: 'SCALAR' | 'VEC2' | 'VEC3') =>
      this.#document.createAccessor().setArray(values).setType(type).setBuffer(this.#buffer);
    const geometry = this.#geometries.get(shape) ?? {
      position: accessor(Float32Array.from(shape.positions), 'VEC3'),
      normal: accessor(Float32Array.from(shape.normals), 'VEC3'),
      uv: accessor(Float32Array.from(shape.uvs), 'VEC2'),
      indices: accessor(Uint32Array.from(shape.indices), 'SCALAR'),
    };
    this.#geometries.set(shape, geometry);
    return geometry;
  }

  place(mesh: Mesh, { at = [0, 0, 0], rotation = [0, 0, 0, 1], scale = [1, 1, 1] }: Place = {}): void {
    this.#scene.addChild(
      this.#document
        .createNode()
        .setMesh(mesh)
        .setTranslation([...at])
        .setRotation([...rotation])
        .setScale([...scale]),
    );
  }

  /** A mesh that is there once. */
  add(shape: Shape, material: Material, place?: Place): void {
    this.place(this.mesh(shape, material), place);
  }

  /** `yfov`: vertical field of view in degrees. */
  camera(at: Triple, target: Triple, yfov: number): void {
    const [x, y, z] = [target[0] - at[0], target[1] - at[1], target[2] - at[2]];
    const heading = (Math.atan2(-x, -z) * 180) / Math.PI;
    const pitch = (Math.atan2(y, Math.hypot(x, z)) * 180) / Math.PI;
    const camera = this.#document
      .createCamera()
      .setType('perspective')
      .setYFov((yfov * Math.PI) / 180)
      .setZNear(0.01);
    const tilt = this.#document
      .createNode()
      .setCamera(camera)
      .setRotation(turn([1, 0, 0], pitch));
    this.#scene.addChild(
      this.#document
        .createNode()
        .setTranslation([...at])
        .setRotation(turn([0, 1, 0], heading))
        .addChild(tilt),
    );
  }

  write(): Promise<Uint8Array> {
    return new WebIO().registerExtensions([KHRMaterialsEmissiveStrength]).writeBinary(this.#document);
  }
}
