import { describe, expect, test } from 'vitest';
import { ALBEDO_EDGE, decodeScene, hasFeature, type SceneFeature, sceneFeatures, TEXEL_ROW } from '../../shared/formats.ts';
import { Rng } from '../../shared/rng.ts';
import { cornellBox } from './cornell.ts';
import { type Material, type MeshScene, stillScene, type TextureSlot, TriangleBuilder, type Triangles, whiteMaterial } from './mesh.ts';
import { nothingBeyond, packScene } from './pack.ts';
import type { Beyond } from './packLights.ts';
import { encodeOctahedral, encodeTangent, luminance } from './packMath.ts';

const sectionsOf = (scene: MeshScene, beyond: Beyond = nothingBeyond) => {
  const sections = decodeScene(packScene(scene, beyond).bytes);
  const floats = (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const words = (bytes: Uint8Array<ArrayBuffer>) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return { sections, floats, words };
};

const slot = (texture: number, more: Partial<TextureSlot> = {}): TextureSlot => ({ texture, uvSet: 0, transform: [1, 0, 0, 0, 1, 0], ...more });

const glowing = (red: number, green: number, blue: number): Material => ({ ...whiteMaterial, emission: [red, green, blue] });

/** Right triangles of different sizes side by side in the plane z = 0, one per material. */
function row(materials: readonly Material[], sizes: readonly number[], more: Partial<MeshScene> = {}): MeshScene {
  const builder = new TriangleBuilder(sizes.length);
  sizes.forEach((size, i) => {
    builder.add([i * 10, 0, 0, i * 10 + size, 0, 0, i * 10, size, 0], null, [0, 0, 1, 0, 0, 1], i);
  });
  return stillScene(builder.finish(), materials, more);
}

describe('packScene', () => {
  test('the same scene gives the same bytes', () => expect(packScene(cornellBox()).bytes).toEqual(packScene(cornellBox()).bytes));

  test('triangles: first corner, edges, material, id, light', () => {
    const { sections, floats, words } = sectionsOf(row([whiteMaterial, glowing(1, 1, 1)], [1, 2]));
    const triangles = floats(sections.triangles);
    const byId = [0, 1].map((id) => [0, 12].find((at) => words(sections.triangles)[at + 7] === id)!);
    const [first, second] = byId as [number, number];
    expect([...triangles.subarray(second, second + 3)]).toEqual([10, 0, 0]);
    expect([...triangles.subarray(second + 4, second + 7)]).toEqual([2, 0, 0]);
    expect([...triangles.subarray(second + 8, second + 11)]).toEqual([0, 2, 0]);
    expect([words(sections.triangles)[first + 3], words(sections.triangles)[second + 3]]).toEqual([0, 1]);
    expect([words(sections.triangles)[first + 11], words(sections.triangles)[second + 11]]).toEqual([0xffffffff, 0]);
  });

  test('the leaf boxes hold the triangles as v0 + f32 edges', () => {
    const rng = new Rng(9);
    const builder = new TriangleBuilder(400);
    for (let i = 0; i < 400; i++)
      builder.add(
        Array.from({ length: 9 }, () => (rng.unit() - 0.5) * 10 ** (i % 7)),
        null,
        null,
        0,
      );
    const { sections, floats, words } = sectionsOf(stillScene(builder.finish(), [whiteMaterial]));
    const [nodes, nodeWords, triangles] = [floats(sections.nodes), words(sections.nodes), floats(sections.triangles)];
    let tested = 0;
    for (let slot = 0; slot < nodes.length; slot += 8) {
      const [ref, count] = [nodeWords[slot + 3]!, nodeWords[slot + 7]!];
      for (let place = ref; place < ref + count; place++) {
        for (let axis = 0; axis < 3; axis++) {
          const first = triangles[place * 12 + axis]!;
          for (const corner of [first, first + triangles[place * 12 + 4 + axis]!, first + triangles[place * 12 + 8 + axis]!]) {
            expect(corner).toBeGreaterThanOrEqual(nodes[slot + axis]!);
            expect(corner).toBeLessThanOrEqual(nodes[slot + 4 + axis]!);
            tested++;
          }
        }
      }
    }
    expect(tested).toBe(400 * 9);
  });

  /** Lights of a scene of `row`: [material, probability, cumulative, area]. */
  function lightsOf(scene: MeshScene): { material: number; probability: number; cumulative: number; area: number }[] {
    const { sections, floats, words } = sectionsOf(scene);
    const [lights, lightWords] = [floats(sections.lights), words(sections.lights)];
    return Array.from({ length: lights.length / 16 }, (_, light) => {
      const at = light * 16;
      expect([lightWords[at], lightWords[at + 2]]).toEqual([0, 0]);
      const triangle = lightWords[at + 1]! * 12;
      expect(words(sections.triangles)[triangle + 11]).toBe(light);
      return { material: words(sections.triangles)[triangle + 3]!, probability: lights[at + 7]!, cumulative: lights[at + 3]!, area: lights[at + 11]! };
    });
  }

  test('lights are chosen by area times luminance, and the last bound is 1', () => {
    const materials = [glowing(1, 1, 1), whiteMaterial, glowing(0, 3, 0), glowing(0.1, 0, 0)];
    const lights = lightsOf(row(materials, [1, 5, 2, 3]));
    expect(lights).toHaveLength(3);
    const powers = [0.5, 0, 2 * luminance([0, 3, 0]), 4.5 * luminance([0.1, 0, 0])];
    const sum = powers.reduce((total, power) => total + power, 0);
    let below = 0;
    for (const { material, probability, cumulative, area } of lights) {
      expect(probability).toBeCloseTo(powers[material]! / sum, 6);
      below += powers[material]! / sum;
      expect(cumulative).toBeCloseTo(below, 6);
      expect(area).toBe([0.5, 12.5, 2, 4.5][material]);
    }
    expect(lights[2]!.cumulative).toBe(1);
    expect(packScene(row(materials, [1, 5, 2, 3])).lights).toBe(3);
  });

  test('a textured light counts with the mean of its texture, a black one not at all', () => {
    // sRGB 188 is linear 0.5029; the second image is black.
    const images = [
      { width: 2, height: 1, texels: Uint8Array.of(188, 188, 188, 255, 0, 0, 0, 255) },
      { width: 1, height: 1, texels: Uint8Array.of(0, 0, 0, 255) },
    ];
    const texture = { wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true } as const;
    const materials = [{ ...glowing(2, 2, 2), textures: { emission: slot(0) } }, glowing(1, 1, 1), { ...glowing(9, 9, 9), textures: { emission: slot(1) } }];
    const textures = [
      { ...texture, image: 0 },
      { ...texture, image: 1 },
    ];
    const lights = lightsOf(row(materials, [1, 1, 1], { textures, images }));
    const share = Object.fromEntries(lights.map(({ material, probability }) => [material, probability]));
    expect(Object.keys(share)).toEqual(['0', '1']);
    expect(share[0]! / share[1]!).toBeCloseTo(0.5029, 3);
  });

  test('a light with two sides counts twice, one that cameras alone see not at all', () => {
    const materials = [glowing(1, 1, 1), { ...glowing(1, 1, 1), doubleSided: true }, { ...glowing(5, 5, 5), unlit: true }];
    const share = Object.fromEntries(lightsOf(row(materials, [1, 1, 1])).map(({ material, probability }) => [material, probability]));
    expect(share).toEqual({ 0: expect.closeTo(1 / 3, 6), 1: expect.closeTo(2 / 3, 6) });
  });

  test('points, spots, directions, a sun and their order', () => {
    const pose = { position: [1, 2, 3], direction: [0, -1, 0] } as const;
    const lights = [
      { kind: 'point', color: [1, 1, 1], innerCone: 0, outerCone: 0, poses: [pose] },
      { kind: 'spot', color: [2, 2, 2], innerCone: 0.3, outerCone: 0.9, poses: [pose] },
      { kind: 'directional', color: [0.1, 0.1, 0.1], innerCone: 0, outerCone: 0, poses: [pose] },
    ] as const;
    const beyond: Beyond = { environment: null, strength: 1, sun: { direction: [0, -1, 0], radiance: [100, 100, 100], angularRadius: 0.01 } };
    const { sections, floats, words } = sectionsOf(row([whiteMaterial], [1], { lights }), beyond);
    const packed = floats(sections.lights);
    const kinds = [0, 1, 2, 3].map((light) => words(sections.lights)[light * 16]);
    expect(kinds).toEqual([1, 2, 3, 4]);
    expect([...packed.subarray(4, 7)]).toEqual([1, 2, 3]);
    expect([...packed.subarray(16 + 12, 16 + 15)]).toEqual([0, -1, 0]);
    // Candela over all directions, over the root of the cone's share of them; lux over the disc around the scene.
    const disc = Math.PI * (Math.SQRT2 / 2) ** 2;
    const sunSolidAngle = 2 * Math.PI * (1 - Math.cos(0.01));
    const powers = [4 * Math.PI, 2 * 4 * Math.PI * Math.sqrt((1 - Math.cos(0.9)) / 2), 0.1 * disc, 100 * sunSolidAngle * disc];
    const sum = powers.reduce((total, power) => total + power, 0);
    for (const [light, power] of powers.entries()) expect(packed[light * 16 + 7]).toBeCloseTo(power / sum, 5);
    // The ramp of the spot is 1 at the inner cone and 0 at the outer.
    const ramp = (angle: number): number => packed[16 + 15]! + Math.cos(angle) * packed[16 + 11]!;
    expect([ramp(0.3), ramp(0.9)]).toEqual([expect.closeTo(1, 5), expect.closeTo(0, 5)]);
    expect(packed[48 + 11]! / (1 - Math.cos(0.01))).toBeCloseTo(1, 4);
    expect(packed[48 + 15]! / Math.sin(0.01) ** 2).toBeCloseTo(1, 4);
    expect([...words(sections.frames)]).toEqual([0, 0, 1, 0, 4, 0xffffffff, 3, 0]);
  });

  test('materials, textures and texels', () => {
    const images = [
      { width: 1, height: 1, texels: Uint8Array.of(1, 2, 3, 4) },
      { width: 2, height: 1, texels: Uint8Array.of(5, 6, 7, 8, 9, 10, 11, 12) },
    ];
    const textures = [
      { image: 1, wrapS: 'clamp', wrapT: 'mirror', nearest: true, srgb: false },
      { image: 1, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true },
    ] as const;
    const material: Material = {
      baseColor: [0.1, 0.2, 0.3],
      alpha: 0.9,
      alphaMode: 'mask',
      alphaCutoff: 0.45,
      metallic: 0.4,
      roughness: 0.5,
      emission: [6, 7, 8],
      unlit: false,
      ior: 1.4,
      specular: 0.6,
      specularColor: [0.7, 0.8, 0.9],
      transmission: 0.25,
      solid: true,
      attenuationColor: [0.5, 1, 0.25],
      attenuationDistance: 2,
      clearcoat: 0.11,
      clearcoatRoughness: 0.12,
      normalScale: 1.5,
      clearcoatNormalScale: 2.5,
      doubleSided: true,
      textures: {
        base: slot(1),
        metallicRoughness: slot(0, { uvSet: 1, transform: [2, 3, 4, 5, 6, 7] }),
        // The same way of reading the same texture is packed once.
        clearcoatNormal: slot(1),
      },
    };
    const { sections, floats, words } = sectionsOf(row([material], [1], { textures, images }));
    const f32s = (...values: number[]): number[] => values.map(Math.fround);
    const packed = floats(sections.materials);
    expect(packed).toHaveLength(36);
    expect([...packed.subarray(0, 8)]).toEqual(f32s(0.1, 0.2, 0.3, 0.9, 6, 7, 8, 0.4));
    expect([...packed.subarray(8, 16)].map((value) => value + 0)).toEqual(f32s(0.7, 0.8, 0.9, 0.6, Math.LN2 / 2, 0, Math.LN2, 0.5));
    expect([...packed.subarray(16, 23)]).toEqual(f32s(1.4, 0.25, 0.11, 0.12, 0.45, 1.5, 2.5));
    const none = 0xffffffff;
    expect([...words(sections.materials).subarray(23)]).toEqual([1 | 2 | 16, 0, 1, none, none, none, none, none, none, none, 0, 1, 0]);
    expect([...words(sections.textures).subarray(0, 4)]).toEqual([1, 2, 1, 32]);
    expect([...words(sections.textures).subarray(12, 16)]).toEqual([1, 2, 1, 1 | (2 << 2) | 16 | 64]);
    expect([...floats(sections.textures).subarray(4, 12)]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
    expect([...floats(sections.textures).subarray(16)]).toEqual([2, 3, 4, 5, 6, 7, 0, 0]);
    expect(sections.texels).toHaveLength(TEXEL_ROW * 4);
    expect([...sections.texels.subarray(0, 16)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0]);
    // Reflection, and one kind of glass.
    expect(sections.tables).toHaveLength(2 * ALBEDO_EDGE ** 2 * 8);
    const srgb = floats(sections.srgb);
    expect([srgb.length, srgb[0], srgb[255]]).toEqual([256, 0, 1]);
    expect(srgb[128]).toBeCloseTo(0.21586, 5);
    expect(srgb[5]).toBeCloseTo(5 / 255 / 12.92, 7);
  });

  test('attributes: normals, tangents, both sets of coordinates and colours of three corners', () => {
    const builder = new TriangleBuilder(1);
    const colors = [1, 0, 0.5, 0.25, 0, 1, 0, 1, 0.2, 0.4, 0.6, 0.8];
    const tangents = [1, 0, 0, -1, 0, 1, 0, -1, 1, 0, 0, -1];
    builder.add([0, 0, 0, 1, 0, 0, 0, 1, 0], null, [0, 1, 2, 3, 4, 5], 0, { uvs1: [6, 7, 8, 9, 10, 11], colors, tangents });
    const { sections, floats, words } = sectionsOf(stillScene(builder.finish(), [whiteMaterial]));
    const [packed, bits] = [floats(sections.attributes), words(sections.attributes)];
    expect(packed).toHaveLength(24);
    for (let corner = 0; corner < 3; corner++) expect(bits[corner]).toBe(encodeOctahedral(0, 0, 1));
    expect([...bits.subarray(3, 6)]).toEqual([encodeTangent(1, 0, 0, -1), encodeTangent(0, 1, 0, -1), encodeTangent(1, 0, 0, -1)]);
    expect([...packed.subarray(6, 18)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const unorms = [...bits.subarray(18)].flatMap((word) => [word & 0xffff, word >>> 16]);
    expect(unorms).toEqual(colors.map((value) => Math.round(value * 65535)));
  });

  test('what a scene has not is not compiled: features', () => {
    const featuresOf = (scene: MeshScene, beyond = nothingBeyond): string[] => {
      const { bytes } = packScene(scene, beyond);
      return (Object.keys(sceneFeatures) as SceneFeature[]).filter((feature) => hasFeature(bytes, feature));
    };
    const with1 = (changes: Partial<Material>, more: Partial<MeshScene> = {}): MeshScene => row([{ ...whiteMaterial, ...changes }], [1], more);
    const image = { images: [{ width: 1, height: 1, texels: new Uint8Array(4) }] };
    const texture = { ...image, textures: [{ image: 0, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true }] } as const;
    const colored: Triangles = { ...row([whiteMaterial], [1]).meshes[0]!, colors: new Float32Array(12).fill(0.5) };
    expect(featuresOf(with1({}))).toEqual([]);
    expect(featuresOf(with1({ textures: { base: slot(0) } }, texture))).toEqual(['textures']);
    expect(featuresOf(with1({ textures: { normal: slot(0) } }, texture))).toEqual(['textures', 'normalMaps']);
    expect(featuresOf(with1({ alphaMode: 'blend', alpha: 0.5 }))).toEqual(['coverage']);
    // Nothing says where it would not be there.
    expect(featuresOf(with1({ alphaMode: 'blend' }))).toEqual([]);
    expect(featuresOf(with1({ unlit: true }))).toEqual(['coverage']);
    expect(featuresOf(with1({ transmission: 0.5 }))).toEqual(['glass']);
    expect(featuresOf(with1({ transmission: 0.5, metallic: 1 }))).toEqual([]);
    expect(featuresOf(with1({ clearcoat: 0.5 }))).toEqual(['clearcoat']);
    expect(featuresOf(stillScene(colored, [whiteMaterial]))).toEqual(['vertexColors']);
    expect(featuresOf(stillScene(colored, [{ ...whiteMaterial, alphaMode: 'mask' }]))).toEqual(['coverage', 'vertexColors']);
    expect(featuresOf(with1({}), { ...nothingBeyond, sun: { direction: [0, -1, 0], radiance: [1, 1, 1], angularRadius: 0.01 } })).toEqual(['bareLights']);
  });

  test('more kinds of glass than there are tables take those of the nearest', () => {
    const iors = Array.from({ length: 40 }, (_, index) => 1.1 + index * 0.02);
    const materials = iors.map((ior): Material => ({ ...whiteMaterial, transmission: 1, solid: true, ior }));
    const { sections, words } = sectionsOf(
      row(
        materials,
        iors.map(() => 1),
      ),
    );
    const tables = iors.map((_, index) => words(sections.materials)[index * 36 + 34]!);
    expect(sections.tables).toHaveLength((1 + 16) * ALBEDO_EDGE ** 2 * 8);
    expect(new Set(tables).size).toBe(16);
    expect([tables[0], tables[39]]).toEqual([1, 16]);
    expect(tables).toEqual([...tables].sort((a, b) => a - b));
  });
});
