import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { Look } from './gallery/look.ts';
import { Model, turn } from './gallery/model.ts';
import { quad, type Shape } from './gallery/shapes.ts';
import { triangleModel } from './glb.testing.ts';
import { readGltf } from './gltf.ts';
import { type Material, type MeshScene, type TextureSlot, whiteMaterial } from './mesh.ts';

/** A square in the plane z = 0 that faces +z, u to the right and v down. */
const card = quad([0, 0, 0], [1, 0, 0], [0, 1, 0]);
const pixel = async (type: 'png' | 'webp' = 'png', red = 10): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(Uint8Array.of(red, 20, 30), { raw: { width: 1, height: 1, channels: 3 } })
      [type]({ lossless: true } as object)
      .toBuffer(),
  );
const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Math.round(value * 1e4) / 1e4 + 0);

async function read(build: (model: Model) => void): Promise<MeshScene> {
  const model = new Model();
  build(model);
  return readGltf(await model.write());
}
const lookOf = async (look: Look): Promise<{ material: Material; scene: MeshScene }> => {
  const scene = await read((model) => model.add(card, model.material(look)));
  return { material: scene.materials[0]!, scene };
};
const identity: TextureSlot['transform'] = [1, 0, 0, 0, 1, 0];

describe('materials', () => {
  test('what is not said is as the specification has it', async () => {
    const { material, scene } = await lookOf({});
    expect(material).toEqual(whiteMaterial);
    expect(scene.materials[1]).toEqual({ ...whiteMaterial, metallic: 1 });
  });

  test.each<[string, Look, Partial<Material>]>([
    ['transmission and ior', { transmission: 0.75, ior: 1.25 }, { transmission: 0.75, ior: 1.25 }],
    ['a thin wall', { transmission: 1, volume: { thickness: 0 } }, { transmission: 1, solid: false }],
    [
      'a volume',
      { volume: { thickness: 0.5, attenuationDistance: 0.25, attenuationColor: [0.5, 0.25, 0] } },
      { solid: true, attenuationDistance: 0.25, attenuationColor: [0.5, 0.25, 0] },
    ],
    ['a volume that absorbs nothing', { volume: {} }, { solid: true, attenuationDistance: Infinity }],
    ['specular', { specular: { factor: 0.5, color: [0.25, 1, 2] } }, { specular: 0.5, specularColor: [0.25, 1, 2] }],
    ['clear coat', { clearcoat: { factor: 0.5, roughness: 0.25 } }, { clearcoat: 0.5, clearcoatRoughness: 0.25 }],
    ['a mask', { alphaMode: 'MASK', alphaCutoff: 0.25, alpha: 0.75 }, { alphaMode: 'mask', alphaCutoff: 0.25, alpha: 0.75 }],
    ['blending', { alphaMode: 'BLEND', alpha: 0.5, doubleSided: true }, { alphaMode: 'blend', alpha: 0.5, doubleSided: true }],
    ['emission', { emission: [8, 4, 0] }, { emission: [8, 4, 0] }],
    [
      'unlit',
      { unlit: true, color: [0.5, 0.25, 1], alpha: 0.5, alphaMode: 'BLEND' },
      { unlit: true, baseColor: [0, 0, 0], emission: [0.5, 0.25, 1], alpha: 0.5 },
    ],
  ])('%s', async (_, look, expected) => expect((await lookOf(look)).material).toMatchObject(expected));

  test('every map in its slot, colours as sRGB and the others linear', async () => {
    const png = await pixel();
    const { material, scene } = await lookOf({
      texture: png,
      metallicRoughnessTexture: png,
      normalTexture: png,
      normalScale: 0.5,
      emissiveTexture: png,
      transmission: 1,
      transmissionTexture: png,
      specular: { texture: png, colorTexture: png },
      clearcoat: { factor: 1, texture: png, roughnessTexture: png, normalTexture: png },
    });
    const srgb = Object.fromEntries(Object.entries(material.textures).map(([slot, { texture }]) => [slot, scene.textures[texture]!.srgb]));
    const linear = {
      metallicRoughness: false,
      normal: false,
      transmission: false,
      specular: false,
      clearcoat: false,
      clearcoatRoughness: false,
      clearcoatNormal: false,
    };
    expect(srgb).toEqual({ base: true, emission: true, specularColor: true, ...linear });
    expect(material).toMatchObject({ normalScale: 0.5, clearcoatNormalScale: 1 });
    expect(scene.images).toEqual([{ width: 1, height: 1, texels: Buffer.of(10, 20, 30, 255) }]);
    expect(scene.textures).toHaveLength(2);
  });

  test('an unlit texture is seen, and its coverage stays', async () => {
    const { material } = await lookOf({ unlit: true, texture: await pixel(), emission: [9, 9, 9], metallic: 1 });
    const slot = { texture: 0, uvSet: 0, transform: identity };
    expect(material).toMatchObject({ textures: { base: slot, emission: slot }, emission: [1, 1, 1], metallic: 0 });
  });

  test('WebP, alone or before the image that is there for others', async () => {
    const alone = await lookOf({ texture: await pixel('webp') });
    expect([...alone.scene.images[0]!.texels]).toEqual([10, 20, 30, 255]);
    const model = triangleModel();
    model.json.images = [{ bufferView: model.view(await pixel('png', 99)) }, { bufferView: model.view(await pixel('webp', 11)) }];
    model.json.textures = [{ source: 0, extensions: { EXT_texture_webp: { source: 1 } } }];
    model.json.materials = [{ pbrMetallicRoughness: { baseColorTexture: { index: 0 } } }];
    model.json.extensionsRequired = ['EXT_texture_webp'];
    const { images } = await readGltf(model.bytes());
    expect(images.map(({ texels }) => texels[0])).toEqual([11]);
  });
});

describe('texture transforms', () => {
  const slotOf = async (transform: NonNullable<Exclude<Look['texture'], Uint8Array | undefined>['transform']>): Promise<TextureSlot> =>
    (await lookOf({ texture: { image: await pixel(), transform } })).material.textures.base!;
  const at = ({ transform: [a, b, c, d, e, f] }: TextureSlot, u: number, v: number): number[] => rounded([a * u + b * v + c, d * u + e * v + f]);

  test('an offset moves, a scale repeats', async () => {
    expect(at(await slotOf({ offset: [0.25, 0.5], scale: [2, 4] }), 0.5, 0.25)).toEqual([1.25, 1.5]);
  });
  test('the example of the specification: the lower left quadrant, turned clockwise', async () => {
    const slot = await slotOf({ offset: [0, 1], rotation: Math.PI / 2, scale: [0.5, 0.5] });
    // (0, 0), the upper left of the surface, shows the lower left of the image; its upper right the left end of the middle.
    expect(at(slot, 0, 0)).toEqual([0, 1]);
    expect(at(slot, 1, 0)).toEqual([0, 0.5]);
    expect(at(slot, 0, 1)).toEqual([0.5, 1]);
  });
  test('scaled before it is turned', async () => {
    expect(at(await slotOf({ rotation: Math.PI / 2, scale: [3, 1] }), 1, 0)).toEqual([0, -3]);
  });

  test('the second set, by the slot or by the transform', async () => {
    const image = await pixel();
    const shifted: Shape = { ...card, uvs: card.uvs.map((value) => value + 5) };
    const scene = await read((model) => model.place(model.mesh(card, model.material({ texture: { image, uvSet: 1 } }), { uvs1: shifted.uvs })));
    expect(scene.materials[0]!.textures.base!.uvSet).toBe(1);
    expect([...scene.meshes[0]!.uvs1!]).toEqual([...scene.meshes[0]!.uvs].map((value) => value + 5));
    const model = triangleModel();
    model.json.images = [{ bufferView: model.view(image) }];
    model.json.textures = [{ source: 0 }];
    const baseColorTexture = { index: 0, texCoord: 0, extensions: { KHR_texture_transform: { texCoord: 1 } } };
    model.json.materials = [{ pbrMetallicRoughness: { baseColorTexture } }];
    expect((await readGltf(model.bytes())).materials[0]!.textures.base!.uvSet).toBe(1);
  });
  test('a second set that nobody reads is not kept', async () => {
    const scene = await read((model) => model.place(model.mesh(card, model.material({}), { uvs1: card.uvs })));
    expect(scene.meshes[0]!.uvs1).toBeNull();
  });
});

describe('vertex colours', () => {
  const colored = (colors: Float32Array | Uint8Array | Uint16Array, type: 'VEC3' | 'VEC4', normalized = false) => {
    const model = triangleModel();
    model.json.meshes![0]!.primitives[0]!.attributes.COLOR_0 = model.accessor(colors, type, normalized);
    return readGltf(model.bytes());
  };
  test('three or four numbers, floats and normalised integers, clamped', async () => {
    const floats = await colored(Float32Array.of(0.5, 2, -1, 0, 0, 0, 1, 1, 1), 'VEC3');
    expect([...floats.meshes[0]!.colors!]).toEqual([0.5, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1]);
    const bytes = await colored(Uint8Array.of(255, 0, 51, 102, 0, 0, 0, 0, 0, 0, 0, 255), 'VEC4', true);
    expect(rounded(bytes.meshes[0]!.colors!)).toEqual([1, 0, 0.2, 0.4, 0, 0, 0, 0, 0, 0, 0, 1]);
    const words = await colored(Uint16Array.of(65535, 0, 13107, 0, 0, 0, 0, 0, 0), 'VEC3', true);
    expect(rounded(words.meshes[0]!.colors!.subarray(0, 4))).toEqual([1, 0, 0.2, 1]);
  });
  test('white ones are none', async () => expect((await colored(new Float32Array(12).fill(1), 'VEC4')).meshes[0]!.colors).toBeNull());
  test('what is no number is white, and told', async () => {
    const { meshes, report } = await colored(Float32Array.of(0, 0, Number.NaN, 0, 0, 0, 0, 0, 0), 'VEC3');
    expect([...meshes[0]!.colors!.subarray(0, 4)]).toEqual([0, 0, 1, 1]);
    expect(report).toContain('Vertex colours that are not numbers were set to 1 (1 triangles).');
  });
});

describe('tangents', () => {
  const bumpy = async (shape: Shape, more: Look = {}, place: Parameters<Model['add']>[2] = {}): Promise<MeshScene> => {
    const normalTexture = await pixel();
    return read((model) => model.add(shape, model.material({ normalTexture, ...more }), place));
  };
  const first = (scene: MeshScene): number[] => rounded(scene.meshes[0]!.tangents!.subarray(0, 4));

  test('along u, with the bitangent up the image', async () => {
    const scene = await bumpy(card);
    expect(scene.meshes[0]!.tangents).toHaveLength(24);
    // cross(+z, +x) = +y is where v shrinks.
    expect(first(scene)).toEqual([1, 0, 0, 1]);
    const flipped = { ...card, uvs: card.uvs.map((value, i) => (i % 2 === 0 ? 1 - value : value)) };
    expect(first(await bumpy(flipped))).toEqual([-1, 0, 0, -1]);
  });
  test('turned and mirrored with the node', async () => {
    expect(first(await bumpy(card, {}, { rotation: turn([0, 1, 0], 90) }))).toEqual([0, 0, -1, 1]);
    expect(first(await bumpy(card, {}, { scale: [-1, 1, 1] }))).toEqual([-1, 0, 0, -1]);
  });
  test('none without a normal map, also for a map of the coat', async () => {
    expect((await lookOf({ texture: await pixel() })).scene.meshes[0]!.tangents).toBeNull();
    expect((await lookOf({ clearcoat: { factor: 1, normalTexture: await pixel() } })).scene.meshes[0]!.tangents).not.toBeNull();
  });
  test('of the set that the map reads', async () => {
    const normalTexture = { image: await pixel(), uvSet: 1 } as const;
    // The second set runs down instead of right.
    const uvs1 = Array.from({ length: 4 }, (_, i) => [card.uvs[i * 2 + 1]!, card.uvs[i * 2]!]).flat();
    const scene = await read((model) => model.place(model.mesh(card, model.material({ normalTexture }), { uvs1 })));
    expect(first(scene)).toEqual([0, -1, 0, -1]);
  });
  test('the file’s own, if it has normals too', async () => {
    const own = async (withNormals: boolean) => {
      const model = triangleModel();
      const { attributes } = model.json.meshes![0]!.primitives[0]!;
      attributes.TEXCOORD_0 = model.accessor(Float32Array.of(0, 0, 1, 0, 0, 1), 'VEC2');
      if (withNormals) attributes.NORMAL = model.accessor(Float32Array.of(0, 0, 1, 0, 0, 1, 0, 0, 1), 'VEC3');
      attributes.TANGENT = model.accessor(Float32Array.of(0, 3, 0, -1, 0, 1, 0, 1, 0, 0, 0, 1), 'VEC4');
      model.json.images = [{ bufferView: model.view(await pixel()) }];
      model.json.textures = [{ source: 0 }];
      model.json.materials = [{ normalTexture: { index: 0 } }];
      model.json.meshes![0]!.primitives[0]!.material = 0;
      return readGltf(model.bytes());
    };
    const scene = await own(true);
    expect(rounded(scene.meshes[0]!.tangents!)).toEqual([0, 1, 0, -1, 0, 1, 0, 1, 1, 0, 0, 1]);
    expect(scene.report).toContain('Unusable tangents were replaced by any at right angles to the normal (1 triangles).');
    expect(rounded((await own(false)).meshes[0]!.tangents!.subarray(0, 4))).toEqual([1, 0, 0, -1]);
  });
  test('triangles beside them without a normal map have some too', async () => {
    const normalTexture = await pixel();
    const scene = await read((model) => {
      model.add(card, model.material({}));
      model.add(card, model.material({ normalTexture }));
    });
    const { tangents, normals } = scene.meshes[0]!;
    for (let corner = 0; corner < 12; corner++) {
      const [x, y, z, sign] = tangents!.subarray(corner * 4, corner * 4 + 4);
      expect(Math.hypot(x!, y!, z!)).toBeCloseTo(1, 5);
      expect(x! * normals[corner * 3]! + y! * normals[corner * 3 + 1]! + z! * normals[corner * 3 + 2]!).toBeCloseTo(0, 5);
      expect(Math.abs(sign!)).toBe(1);
    }
  });
  test('a fan of very many triangles has flat ones instead of hanging', async () => {
    const count = 40_000;
    const rim = Array.from({ length: count + 1 }, (_, i) => [Math.cos((i / count) * 6), Math.sin((i / count) * 6)] as const);
    const shape: Shape = {
      positions: [0, 0, 0, ...rim.flatMap(([x, y]) => [x * 100, y * 100, 0])],
      normals: Array.from({ length: count + 2 }, () => [0, 0, 1]).flat(),
      uvs: [0, 0, ...rim.flatMap(([x, y]) => [x, -y])],
      indices: Array.from({ length: count }, (_, i) => [0, i + 1, i + 2]).flat(),
    };
    const started = performance.now();
    const scene = await bumpy(shape);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(scene.report[0]).toBe('meshes[0].primitives[0] has too many triangles around one point for smooth tangents: it has flat ones.');
    for (const at of [0, 20_000, 39_999]) expect(rounded(scene.meshes[0]!.tangents!.subarray(at * 12, at * 12 + 4)).map(Math.round)).toEqual([1, 0, 0, 1]);
  });
});

describe('lights', () => {
  test('point, spot and directional, in physical units', async () => {
    const { lights } = await read((model) => {
      model.add(card, model.material({}));
      model.light({ kind: 'point', at: [1, 2, 3], color: [1, 0.5, 0], intensity: 100 });
      model.light({ kind: 'spot', at: [0, 5, 0], intensity: 10, innerCone: 15, outerCone: 30 });
      model.light({ kind: 'directional', target: [0, 0, -2], intensity: 2 });
      model.light({ kind: 'point', intensity: 0 });
    });
    expect(lights.map(({ kind, color }) => [kind, color])).toEqual([
      ['point', [100, 50, 0]],
      ['spot', [10, 10, 10]],
      ['directional', [2, 2, 2]],
    ]);
    expect(lights[0]!.poses[0]!.position).toEqual([1, 2, 3]);
    expect(rounded(lights[1]!.poses[0]!.direction)).toEqual([0, -1, 0]);
    expect([lights[1]!.innerCone, lights[1]!.outerCone].map((angle) => (angle * 180) / Math.PI)).toEqual([expect.closeTo(15), expect.closeTo(30)]);
    expect(rounded(lights[2]!.poses[0]!.direction)).toEqual([0, 0, -1]);
  });
  test('a hard edge, a quarter of a turn in f32, and a range', async () => {
    const model = triangleModel();
    const quarter = Math.fround(Math.PI / 2);
    expect(quarter).toBeGreaterThan(Math.PI / 2);
    model.json.extensions = { KHR_lights_punctual: { lights: [{ type: 'spot', range: 5, spot: { innerConeAngle: quarter, outerConeAngle: quarter } }] } };
    model.node({ extensions: { KHR_lights_punctual: { light: 0 } } });
    const { lights, report } = await readGltf(model.bytes());
    expect(lights[0]!.outerCone).toBe(Math.PI / 2);
    expect(lights[0]!.innerCone).toBeLessThan(Math.PI / 2);
    expect(lights[0]!.innerCone).toBeGreaterThan(1.57);
    expect(report[0]).toBe('Ranges of lights were not applied: light falls off with the square of the distance (1).');
  });
});
