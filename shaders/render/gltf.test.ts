import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { TestModel, triangleModel, trianglePositions } from './glb.testing.ts';
import { readGltf } from './gltf.ts';
import type { MeshScene, Triangles } from './mesh.ts';

const read = (model: TestModel): Promise<MeshScene> => readGltf(model.bytes());
const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Math.round(value * 1e5) / 1e5 + 0);
/** The mesh in world space. */
const worldOf = ({ meshes }: MeshScene): Triangles => meshes[0]!;
const positionsOf = (scene: MeshScene): number[] => rounded(worldOf(scene).positions);
/** Twice the signed area along z of the first triangle, positive when it faces +z. */
const facingZ = ({ meshes: [world] }: MeshScene): number => {
  const p = world!.positions;
  return (p[3]! - p[0]!) * (p[7]! - p[1]!) - (p[4]! - p[1]!) * (p[6]! - p[0]!);
};
const png = async (width: number, height: number): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(new Uint8Array(width * height * 3).fill(100), { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );

describe('geometry', () => {
  test('one triangle, flat normals, the default material', async () => {
    const scene = await read(triangleModel());
    expect(positionsOf(scene)).toEqual([...trianglePositions]);
    expect(rounded(worldOf(scene).normals)).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 1]);
    expect([...worldOf(scene).uvs]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(scene.materials).toHaveLength(1);
    expect(scene.materials[0]).toMatchObject({ baseColor: [1, 1, 1], metallic: 1, roughness: 1, emission: [0, 0, 0], doubleSided: false });
    expect(scene.report).toEqual(['The scene has no camera: one that sees everything was added.']);
  });

  test('indices of every width, normals and texture coordinates', async () => {
    for (const indices of [Uint8Array.of(2, 0, 1), Uint16Array.of(2, 0, 1), Uint32Array.of(2, 0, 1)]) {
      const model = new TestModel();
      const attributes = {
        POSITION: model.accessor(trianglePositions, 'VEC3'),
        NORMAL: model.accessor(Float32Array.of(0, 0, 1, 1, 0, 0, 0, 1, 0), 'VEC3'),
        TEXCOORD_0: model.accessor(Float32Array.of(0.25, 0.5, 1, 0, 0, 2), 'VEC2'),
      };
      model.node({ mesh: model.mesh({ attributes, indices: model.accessor(indices, 'SCALAR') }) });
      const triangles = worldOf(await read(model));
      expect([...triangles.positions]).toEqual([0, 1, 0, 0, 0, 0, 1, 0, 0]);
      expect(rounded(triangles.normals)).toEqual([0, 1, 0, 0, 0, 1, 1, 0, 0]);
      expect([...triangles.uvs]).toEqual([0, 2, 0.25, 0.5, 1, 0]);
    }
  });

  test('strips and fans become triangles that all face the same way', async () => {
    const square = Float32Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0);
    const fan = Float32Array.of(0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0);
    for (const [mode, positions] of [
      [5, square],
      [6, fan],
    ] as const) {
      const model = new TestModel();
      model.node({ mesh: model.mesh({ attributes: { POSITION: model.accessor(positions, 'VEC3') }, mode }) });
      const triangles = worldOf(await read(model));
      expect(triangles.count).toBe(2);
      expect(rounded(triangles.normals)).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    }
  });

  test('quantised positions and texture coordinates', async () => {
    const model = new TestModel();
    model.json.extensionsUsed = ['KHR_mesh_quantization'];
    model.json.extensionsRequired = ['KHR_mesh_quantization'];
    const attributes = {
      POSITION: model.accessor(Int16Array.of(0, 0, 0, 32767, 0, 0, 0, 32767, 0), 'VEC3', true),
      TEXCOORD_0: model.accessor(Uint8Array.of(0, 0, 255, 0, 0, 51), 'VEC2', true),
    };
    model.node({ mesh: model.mesh({ attributes }), scale: [4, 4, 4] });
    const scene = await read(model);
    expect(positionsOf(scene)).toEqual([0, 0, 0, 4, 0, 0, 0, 4, 0]);
    expect(rounded(worldOf(scene).uvs)).toEqual([0, 0, 1, 0, 0, 0.2]);
  });

  test('interleaved and sparse accessors', async () => {
    const model = new TestModel();
    const bufferView = model.view(new Uint8Array(Float32Array.of(0, 0, 0, 9, 1, 0, 0, 9, 0, 1, 0, 9).buffer));
    model.json.bufferViews![bufferView]!.byteStride = 16;
    const indices = { bufferView: model.view(Uint8Array.of(7, 1)), byteOffset: 1, componentType: 5121 as const };
    const values = { bufferView: model.view(new Uint8Array(Float32Array.of(3, 0, 0).buffer)) };
    model.json.accessors!.push({ bufferView, componentType: 5126, count: 3, type: 'VEC3', sparse: { count: 1, indices, values } });
    model.node({ mesh: model.mesh({ attributes: { POSITION: 0 } }) });
    expect(positionsOf(await read(model))).toEqual([0, 0, 0, 3, 0, 0, 0, 1, 0]);
  });

  test('a buffer inside a data URI', async () => {
    const model = triangleModel();
    model.bytes();
    const uri = `data:application/octet-stream;base64,${Buffer.from(trianglePositions.buffer).toString('base64')}`;
    model.json.buffers = [{ byteLength: 36, uri }];
    expect(positionsOf(await read(model))).toEqual([...trianglePositions]);
  });

  test('what has no area is dropped, what is no number repaired, both told', async () => {
    const model = new TestModel();
    const attributes = {
      POSITION: model.accessor(Float32Array.of(...trianglePositions, 5, 5, 5, 5, 5, 5, 6, 6, 6), 'VEC3'),
      NORMAL: model.accessor(new Float32Array(18), 'VEC3'),
      TEXCOORD_0: model.accessor(new Float32Array(12).fill(Number.NaN), 'VEC2'),
    };
    model.node({ mesh: model.mesh({ attributes }) });
    const scene = await read(model);
    expect(worldOf(scene).count).toBe(1);
    expect(rounded(worldOf(scene).normals)).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 1]);
    expect([...worldOf(scene).uvs]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(scene.report).toEqual(
      expect.arrayContaining([
        'Triangles without area were dropped (1).',
        'Unusable normals were replaced by flat ones (1 triangles).',
        'Texture coordinates that are not numbers or too far out were set to 0 (1 triangles).',
      ]),
    );
  });
});

describe('nodes', () => {
  test('translation, rotation and scale of nested nodes', async () => {
    const model = triangleModel();
    const half = Math.SQRT1_2;
    // About z by 90 degrees, then twice as large, then moved by the parent.
    model.json.nodes![0] = { mesh: 0, rotation: [0, 0, half, half], scale: [2, 2, 2] };
    model.json.nodes!.push({ children: [0], translation: [10, 20, 30] });
    model.json.scenes = [{ nodes: [1] }];
    expect(positionsOf(await read(model))).toEqual([10, 20, 30, 10, 22, 30, 8, 20, 30]);
  });

  test('one mesh at several nodes', async () => {
    const model = triangleModel();
    model.node({ mesh: 0, translation: [5, 0, 0] });
    expect(positionsOf(await read(model))).toEqual([...trianglePositions, 5, 0, 0, 6, 0, 0, 5, 1, 0]);
  });

  test('a mirroring scale keeps the front in front', async () => {
    const model = new TestModel();
    const attributes = { POSITION: model.accessor(trianglePositions, 'VEC3'), NORMAL: model.accessor(Float32Array.of(0, 0, 1, 0, 0, 1, 0, 0, 1), 'VEC3') };
    model.node({ mesh: model.mesh({ attributes }), scale: [-1, 1, 1] });
    const scene = await read(model);
    expect(facingZ(scene)).toBeGreaterThan(0);
    expect(rounded(worldOf(scene).normals.subarray(0, 3))).toEqual([0, 0, 1]);
    expect(Math.min(...worldOf(scene).positions)).toBe(-1);
  });

  test('mirroring twice is no mirroring, and normals of an uneven scale stay at right angles', async () => {
    const model = new TestModel();
    // A slope of 45 degrees along x; squeezing x to a quarter makes it steeper.
    const attributes = {
      POSITION: model.accessor(Float32Array.of(0, 0, 0, 1, 0, 1, 0, 1, 0), 'VEC3'),
      NORMAL: model.accessor(Float32Array.of(-1, 0, 1, -1, 0, 1, -1, 0, 1), 'VEC3'),
    };
    model.node({ mesh: model.mesh({ attributes }), scale: [0.25, 1, 1] });
    model.json.nodes!.push({ children: [0], scale: [-1, -1, 1] });
    model.json.scenes = [{ nodes: [1] }];
    const scene = await read(model);
    const [x, y, z] = worldOf(scene).normals as unknown as [number, number, number];
    expect([x, y, z].map((value) => Math.round(value * 1e4))).toEqual(
      [4, 0, 1].map((value) => Math.round((value * 1e4) / Math.sqrt(17))).map((value) => value + 0),
    );
    expect(facingZ(scene)).toBeGreaterThan(0);
  });

  test('skewing and flattening matrices, which have no translation, rotation and scale', async () => {
    const skewed = triangleModel();
    skewed.json.nodes![0] = { mesh: 0, matrix: [1, 0, 0, 0, 0.5, 1, 0, 0, 0, 0, 1, 0, 7, 8, 9, 1] };
    expect(positionsOf(await read(skewed))).toEqual([7, 8, 9, 8, 8, 9, 7.5, 9, 9]);
    const flat = triangleModel();
    flat.json.nodes![0] = { mesh: 0, matrix: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] };
    expect(positionsOf(await read(flat))).toEqual([...trianglePositions]);
  });

  test('only the scene that the file names, or else the first', async () => {
    const model = triangleModel();
    model.json.nodes!.push({ mesh: 0, translation: [1, 1, 1] });
    model.json.scenes!.push({ nodes: [1] });
    expect(positionsOf(await read(model))).toEqual([...trianglePositions]);
    model.json.scene = 1;
    const scene = await read(model);
    expect(positionsOf(scene)[0]).toBe(1);
    expect(scene.report).toContain('Further scenes were ignored (1).');
  });

  test('no scenes at all: every top node', async () => {
    const model = triangleModel();
    delete model.json.scenes;
    expect(worldOf(await read(model)).count).toBe(1);
  });
});

describe('materials', () => {
  test('factors, emissive strength, double-sided', async () => {
    const model = triangleModel();
    model.json.extensionsUsed = ['KHR_materials_emissive_strength'];
    model.json.materials = [
      {},
      {
        pbrMetallicRoughness: { baseColorFactor: [0.1, 0.2, 1.5, 1], metallicFactor: 0.25, roughnessFactor: 0.75 },
        emissiveFactor: [1, 0.5, 0],
        doubleSided: true,
        extensions: { KHR_materials_emissive_strength: { emissiveStrength: 8 } },
      },
    ];
    model.json.meshes![0]!.primitives[0]!.material = 1;
    const scene = await read(model);
    const { materials } = scene;
    expect([...worldOf(scene).materials]).toEqual([1]);
    expect(materials).toHaveLength(3);
    expect(materials[1]).toMatchObject({ baseColor: [0.1, 0.2, 1], metallic: 0.25, roughness: 0.75, emission: [8, 4, 0], doubleSided: true });
  });

  test('textures: encodings, samplers, and every image once', async () => {
    const model = triangleModel();
    model.json.images = [{ bufferView: model.view(await png(3, 2)) }, { bufferView: model.view(await png(1, 1)) }];
    model.json.samplers = [{ magFilter: 9728, wrapS: 33071, wrapT: 33648 }];
    model.json.textures = [{ source: 0 }, { source: 0, sampler: 0 }, { source: 1 }];
    model.json.materials = [
      { pbrMetallicRoughness: { baseColorTexture: { index: 1 }, metallicRoughnessTexture: { index: 0 } }, emissiveTexture: { index: 0 } },
      { pbrMetallicRoughness: { baseColorTexture: { index: 0 } } },
    ];
    const { materials, textures, images } = await read(model);
    expect(images.map(({ width, height, texels }) => [width, height, texels.length])).toEqual([[3, 2, 24]]);
    const indices = materials.map((m) => Object.fromEntries(Object.entries(m.textures).map(([slot, { texture }]) => [slot, texture])));
    expect(indices).toEqual([{ base: 0, metallicRoughness: 1, emission: 2 }, { base: 2 }, {}]);
    expect(textures).toEqual([
      { image: 0, wrapS: 'clamp', wrapT: 'mirror', nearest: true, srgb: true },
      { image: 0, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: false },
      { image: 0, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true },
    ]);
  });
});

test('the report names everything that is ignored', async () => {
  const model = triangleModel();
  const { json } = model;
  json.extensionsUsed = ['KHR_materials_sheen', 'KHR_texture_basisu', 'ACME_magic', 'KHR_mesh_quantization'];
  json.animations = [{ channels: [{ sampler: 0, target: { node: 0, path: 'weights' } }], samplers: [{ input: 0, output: 0 }] }];
  json.animations[0]!.samplers[0]!.input = model.accessor(Float32Array.of(0), 'SCALAR');
  json.skins = [{}];
  json.images = [{ bufferView: model.view(await png(1, 1)) }];
  json.textures = [{ source: 0 }];
  json.materials = [
    { occlusionTexture: { index: 0 }, extensions: { KHR_materials_ior: { ior: 0 }, KHR_materials_volume: { thicknessTexture: { index: 0 } } } },
    { pbrMetallicRoughness: { baseColorTexture: { index: 0, texCoord: 2 } }, extensions: { KHR_materials_ior: { ior: 0.5 } } },
  ];
  const { primitives } = json.meshes![0]!;
  primitives[0]!.targets = [{}];
  primitives.push({ attributes: { POSITION: 0 }, mode: 1 }, { attributes: {} });
  const { report, textures, images, materials } = await read(model);
  expect(report).toEqual([
    'The extension ACME_magic was ignored.',
    'The extension KHR_materials_sheen was ignored (sheen).',
    'The extension KHR_texture_basisu was ignored (KTX2 variants of textures).',
    'Skins were ignored: the meshes are rendered in their rest pose (1).',
    'Points and lines were ignored (1).',
    'Primitives without positions were ignored (1).',
    'Morph targets were ignored (1).',
    'Animations were ignored: the file’s rest pose is rendered (1).',
    'Animations of morph targets (weights) were ignored (1).',
    'Occlusion maps were not applied: light is traced instead (1 of 2 materials).',
    'Thickness maps were not applied: light is traced through the real thickness (1 of 2 materials).',
    'An index of refraction of 0 (mirror at every angle) is not supported: 1.5 is used (1 of 2 materials).',
    'Indices of refraction below 1 were raised to 1 (1 of 2 materials).',
    'Textures placed by a third or later UV set were left out (1).',
    'The scene has no camera: one that sees everything was added.',
  ]);
  expect([textures, images]).toEqual([[], []]);
  expect(materials.map(({ ior }) => ior)).toEqual([1.5, 1, 1.5]);
});
