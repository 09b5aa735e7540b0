import type { Document, Material, Texture, TextureInfo } from '@gltf-transform/core';
import {
  EXTTextureWebP,
  KHRMaterialsClearcoat,
  KHRMaterialsEmissiveStrength,
  KHRMaterialsIOR,
  KHRMaterialsSpecular,
  KHRMaterialsTransmission,
  KHRMaterialsUnlit,
  KHRMaterialsVolume,
  KHRTextureTransform,
} from '@gltf-transform/extensions';

export type Triple = readonly [number, number, number];

/** KHR_texture_transform: scaled, then turned by radians, then moved. */
export interface UvTransform {
  readonly offset?: readonly [number, number];
  readonly rotation?: number;
  readonly scale?: readonly [number, number];
}

/** Bytes of an image file (PNG, JPEG or WebP), and how a material reads it. */
export type TextureMap = Uint8Array | { readonly image: Uint8Array; readonly uvSet?: 0 | 1; readonly transform?: UvTransform; readonly nearest?: boolean };

/** A surface in the words of glTF 2.0 and its extensions; what is left out has the specification's value, but nothing is metal. */
export interface Look {
  /** Linear, 0 to 1. */
  readonly color?: Triple;
  /** Coverage, 0 to 1; counts with `alphaMode`. */
  readonly alpha?: number;
  readonly alphaMode?: 'OPAQUE' | 'MASK' | 'BLEND';
  readonly alphaCutoff?: number;
  readonly metallic?: number;
  readonly roughness?: number;
  /** Multiplied with the colour. */
  readonly texture?: TextureMap;
  /** Roughness in green, metalness in blue, multiplied with the factors. */
  readonly metallicRoughnessTexture?: TextureMap;
  readonly normalTexture?: TextureMap;
  readonly normalScale?: number;
  readonly occlusionTexture?: TextureMap;
  /** Linear radiance. */
  readonly emission?: Triple;
  /** Multiplied with the radiance. */
  readonly emissiveTexture?: TextureMap;
  readonly doubleSided?: boolean;
  /** Shows its colour as it is, whatever the light. */
  readonly unlit?: boolean;
  readonly ior?: number;
  /** Share of what enters that passes through, 0 to 1. */
  readonly transmission?: number;
  readonly transmissionTexture?: TextureMap;
  /** Has an inside. Metres; without `attenuationDistance` nothing is absorbed. */
  readonly volume?: { readonly thickness?: number; readonly attenuationDistance?: number; readonly attenuationColor?: Triple };
  readonly specular?: { readonly factor?: number; readonly color?: Triple; readonly texture?: TextureMap; readonly colorTexture?: TextureMap };
  readonly clearcoat?: {
    readonly factor: number;
    readonly roughness?: number;
    readonly texture?: TextureMap;
    readonly roughnessTexture?: TextureMap;
    readonly normalTexture?: TextureMap;
  };
}

const NEAREST = 9728;

/** Makes a document's materials. Extensions are added with the first material that needs them, images are there once. */
export class Looks {
  readonly #document: Document;
  readonly #textures = new Map<Uint8Array, Texture>();

  constructor(document: Document) {
    this.#document = document;
    document.createExtension(KHRMaterialsEmissiveStrength);
  }

  material(look: Look): Material {
    const { color = [1, 1, 1], alpha = 1, metallic = 0, roughness = 1, emission, emissiveTexture } = look;
    const material = this.#document
      .createMaterial()
      .setBaseColorFactor([...color, alpha])
      .setMetallicFactor(metallic)
      .setRoughnessFactor(roughness)
      .setAlphaMode(look.alphaMode ?? 'OPAQUE')
      .setAlphaCutoff(look.alphaCutoff ?? 0.5)
      .setDoubleSided(look.doubleSided ?? false)
      .setNormalScale(look.normalScale ?? 1);
    this.#map(look.texture, (image) => material.setBaseColorTexture(image).getBaseColorTextureInfo());
    this.#map(look.metallicRoughnessTexture, (image) => material.setMetallicRoughnessTexture(image).getMetallicRoughnessTextureInfo());
    this.#map(look.normalTexture, (image) => material.setNormalTexture(image).getNormalTextureInfo());
    this.#map(look.occlusionTexture, (image) => material.setOcclusionTexture(image).getOcclusionTextureInfo());
    this.#map(emissiveTexture, (image) => material.setEmissiveTexture(image).getEmissiveTextureInfo());
    if (emission ?? emissiveTexture) this.#emit(material, emission ?? [1, 1, 1]);
    if (look.unlit) material.setExtension('KHR_materials_unlit', this.#document.createExtension(KHRMaterialsUnlit).createUnlit());
    this.#transmit(material, look);
    this.#coat(material, look);
    return material;
  }

  #emit(material: Material, emission: Triple): void {
    const strength = Math.max(...emission);
    if (strength === 0) return;
    const extension = this.#document.createExtension(KHRMaterialsEmissiveStrength);
    material.setEmissiveFactor([emission[0] / strength, emission[1] / strength, emission[2] / strength]);
    material.setExtension('KHR_materials_emissive_strength', extension.createEmissiveStrength().setEmissiveStrength(strength));
  }

  #transmit(material: Material, { ior, transmission, transmissionTexture, volume }: Look): void {
    if (ior !== undefined) material.setExtension('KHR_materials_ior', this.#document.createExtension(KHRMaterialsIOR).createIOR().setIOR(ior));
    if (transmission !== undefined || transmissionTexture) {
      const extension = this.#document.createExtension(KHRMaterialsTransmission);
      const through = extension.createTransmission().setTransmissionFactor(transmission ?? 1);
      this.#map(transmissionTexture, (image) => through.setTransmissionTexture(image).getTransmissionTextureInfo());
      material.setExtension('KHR_materials_transmission', through);
    }
    if (!volume) return;
    const inside = this.#document.createExtension(KHRMaterialsVolume).createVolume();
    inside.setThicknessFactor(volume.thickness ?? 1).setAttenuationColor([...(volume.attenuationColor ?? [1, 1, 1])] as [number, number, number]);
    if (volume.attenuationDistance !== undefined) inside.setAttenuationDistance(volume.attenuationDistance);
    material.setExtension('KHR_materials_volume', inside);
  }

  #coat(material: Material, { specular, clearcoat }: Look): void {
    if (specular) {
      const { factor = 1, color = [1, 1, 1], texture, colorTexture } = specular;
      const made = this.#document.createExtension(KHRMaterialsSpecular).createSpecular();
      made.setSpecularFactor(factor).setSpecularColorFactor([color[0], color[1], color[2]]);
      this.#map(texture, (image) => made.setSpecularTexture(image).getSpecularTextureInfo());
      this.#map(colorTexture, (image) => made.setSpecularColorTexture(image).getSpecularColorTextureInfo());
      material.setExtension('KHR_materials_specular', made);
    }
    if (!clearcoat) return;
    const coat = this.#document.createExtension(KHRMaterialsClearcoat).createClearcoat();
    coat.setClearcoatFactor(clearcoat.factor).setClearcoatRoughnessFactor(clearcoat.roughness ?? 0);
    this.#map(clearcoat.texture, (image) => coat.setClearcoatTexture(image).getClearcoatTextureInfo());
    this.#map(clearcoat.roughnessTexture, (image) => coat.setClearcoatRoughnessTexture(image).getClearcoatRoughnessTextureInfo());
    this.#map(clearcoat.normalTexture, (image) => coat.setClearcoatNormalTexture(image).getClearcoatNormalTextureInfo());
    material.setExtension('KHR_materials_clearcoat', coat);
  }

  #map(map: TextureMap | undefined, attach: (texture: Texture) => TextureInfo | null): void {
    if (!map) return;
    const { image, uvSet = 0, transform, nearest = false } = map instanceof Uint8Array ? { image: map } : map;
    const info = attach(this.#texture(image))!.setTexCoord(uvSet);
    if (nearest) info.setMagFilter(NEAREST);
    if (!transform) return;
    const { offset = [0, 0], rotation = 0, scale = [1, 1] } = transform;
    const made = this.#document.createExtension(KHRTextureTransform).createTransform();
    made.setOffset([offset[0], offset[1]]).setRotation(rotation).setScale([scale[0], scale[1]]);
    info.setExtension('KHR_texture_transform', made);
  }

  #texture(image: Uint8Array): Texture {
    const type = image[0] === 0x89 ? 'image/png' : image[0] === 0xff ? 'image/jpeg' : 'image/webp';
    if (type === 'image/webp') this.#document.createExtension(EXTTextureWebP).setRequired(true);
    const texture = this.#textures.get(image) ?? this.#document.createTexture().setImage(new Uint8Array(image)).setMimeType(type);
    this.#textures.set(image, texture);
    return texture;
  }
}
