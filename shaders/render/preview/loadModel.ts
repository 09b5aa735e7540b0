import { type AnimationClip, type Group, type Object3D, Texture } from 'three';
import { type GLTF, GLTFLoader, type GLTFParser } from 'three/examples/jsm/loaders/GLTFLoader.js';
import type { ReadModel } from './readModel.ts';

export interface LoadedModel {
  readonly root: Group;
  /** Of every node of the file. */
  readonly nodes: readonly Object3D[];
  readonly clip: AnimationClip | null;
}

/** Decodes beside the page's thread, and needs no address: the content security policy lets nothing be fetched from `blob:`. */
class Images {
  readonly #images: readonly ArrayBuffer[];
  readonly #textures = new Map<number, Promise<Texture>>();

  constructor(images: readonly ArrayBuffer[]) {
    this.#images = images;
  }

  async texture(index: number): Promise<Texture> {
    const known = this.#textures.get(index);
    if (known) return (await known).clone();
    const made = this.#make(index);
    this.#textures.set(index, made);
    return made;
  }

  async #make(index: number): Promise<Texture> {
    const texture = new Texture(await createImageBitmap(new Blob([this.#images[index]!]), { premultiplyAlpha: 'none', colorSpaceConversion: 'none' }));
    texture.needsUpdate = true;
    return texture;
  }
}

/** Hands the loader what was read, in place of what it would fetch. */
const fromMemory =
  ({ buffers, images }: ReadModel) =>
  (parser: GLTFParser) => {
    const pictures = new Images(images);
    parser.loadBuffer = async (index) => buffers[index]!;
    parser.loadImageSource = (index) => pictures.texture(index);
    return { name: 'from memory' };
  };

/** As three.js objects. `gltf` has been read by `readModel`. */
export async function loadModel(read: ReadModel): Promise<LoadedModel> {
  const { gltf } = read;
  const loader = new GLTFLoader().register(fromMemory(read));
  const loaded = await new Promise<GLTF>((resolve, reject) => loader.parse(gltf as never, '', resolve, reject));
  const nodes = (await loaded.parser.getDependencies('node')) as Object3D[];
  for (const [index, { matrix }] of (gltf.nodes ?? []).entries()) {
    if (!matrix) continue;
    // The loader takes a matrix apart into translation, rotation and scale, which loses skew.
    nodes[index]!.matrixAutoUpdate = false;
    nodes[index]!.matrix.fromArray(matrix);
  }
  return { root: loaded.scene, nodes, clip: loaded.animations[0] ?? null };
}
