import { describe, expect, test } from 'vitest';
import { decodeScene } from '../../shared/formats.ts';
import { Rng } from '../../shared/rng.ts';
import { cornellBox } from './cornell.ts';
import { type Material, type MeshScene, TriangleBuilder, whiteMaterial } from './mesh.ts';
import { encodeOctahedral, luminance, packScene, roundOutward } from './pack.ts';

const sectionsOf = (scene: MeshScene) => {
  const sections = decodeScene(packScene(scene).bytes);
  const floats = (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const words = (bytes: Uint8Array<ArrayBuffer>) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return { sections, floats, words };
};

const glowing = (red: number, green: number, blue: number): Material => ({ ...whiteMaterial, emission: [red, green, blue] });

/** Right triangles of different sizes side by side in the plane z = 0, one per material. */
function row(materials: readonly Material[], sizes: readonly number[], more: Partial<MeshScene> = {}): MeshScene {
  const builder = new TriangleBuilder(sizes.length);
  sizes.forEach((size, i) => {
    builder.add([i * 10, 0, 0, i * 10 + size, 0, 0, i * 10, size, 0], null, [0, 0, 1, 0, 0, 1], i);
  });
  return { triangles: builder.finish(), materials, textures: [], images: [], camera: null, report: [], ...more };
}

describe('roundOutward', () => {
  test('never rounds inward and never further than one f32', () => {
    const rng = new Rng(1);
    for (let i = 0; i < 2000; i++) {
      const value = (rng.unit() - 0.5) * 2 ** (rng.below(80) - 40) + rng.unit() * 2 ** -60;
      const [below, above] = [roundOutward(value, -1), roundOutward(value, 1)];
      expect(below).toBe(Math.fround(below));
      expect(above).toBe(Math.fround(above));
      expect(below).toBeLessThanOrEqual(value);
      expect(above).toBeGreaterThanOrEqual(value);
      expect(below === Math.fround(value) || above === Math.fround(value)).toBe(true);
      expect(above - below).toBeLessThanOrEqual(Math.abs(value) * 2 ** -22 + 2 ** -149);
    }
  });
  test('about zero', () => {
    expect(roundOutward(0, -1)).toBe(0);
    expect(roundOutward(1e-60, 1)).toBe(2 ** -149);
    expect(roundOutward(1e-60, -1)).toBe(0);
    expect(roundOutward(-1e-60, -1)).toBe(-(2 ** -149));
    expect(roundOutward(-(2 ** -149) * 1.2, -1)).toBe(-(2 ** -148));
  });
});

describe('encodeOctahedral', () => {
  const decode = (word: number): [number, number, number] => {
    let [x, y] = [((word << 16) >> 16) / 32767, (word >> 16) / 32767];
    const z = 1 - Math.abs(x) - Math.abs(y);
    if (z < 0) [x, y] = [(1 - Math.abs(y)) * (x < 0 ? -1 : 1), (1 - Math.abs(x)) * (y < 0 ? -1 : 1)];
    const length = Math.hypot(x, y, z);
    return [x / length, y / length, z / length];
  };
  test('comes back within a ten-thousandth of a radian', () => {
    const rng = new Rng(2);
    for (let i = 0; i < 1000; i++) {
      const z = 2 * rng.unit() - 1;
      const angle = rng.unit() * 2 * Math.PI;
      const vector = [Math.sqrt(1 - z * z) * Math.cos(angle), Math.sqrt(1 - z * z) * Math.sin(angle), z] as const;
      const back = decode(encodeOctahedral(...vector));
      expect(Math.hypot(...back.map((value, axis) => value - vector[axis]!))).toBeLessThan(1e-4);
    }
  });
  test('the axes are exact', () => {
    for (const sign of [-1, 1]) {
      expect(decode(encodeOctahedral(sign, 0, 0)).map((value) => value + 0)).toEqual([sign, 0, 0]);
      expect(decode(encodeOctahedral(0, sign, 0)).map((value) => value + 0)).toEqual([0, sign, 0]);
      expect(decode(encodeOctahedral(0, 0, sign)).map((value) => value + 0)).toEqual([0, 0, sign]);
    }
  });
});

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
    const { sections, floats, words } = sectionsOf({ ...row([whiteMaterial], []), triangles: builder.finish() });
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

  test('lights are chosen by area times luminance, and the last bound is 1', () => {
    const materials = [glowing(1, 1, 1), whiteMaterial, glowing(0, 3, 0), glowing(0.1, 0, 0)];
    const { sections, floats, words } = sectionsOf(row(materials, [1, 5, 2, 3]));
    const [lights, lightWords] = [floats(sections.lights), words(sections.lights)];
    expect(lights.length / 4).toBe(3);
    const powers = [0.5, 0, 2 * luminance([0, 3, 0]), 4.5 * luminance([0.1, 0, 0])];
    const sum = powers.reduce((total, power) => total + power, 0);
    let below = 0;
    for (let light = 0; light < 3; light++) {
      const place = lightWords[light * 4]!;
      const material = words(sections.triangles)[place * 12 + 3]!;
      expect(words(sections.triangles)[place * 12 + 11]).toBe(light);
      expect(lights[light * 4 + 2]).toBeCloseTo(powers[material]! / sum, 6);
      below += powers[material]! / sum;
      expect(lights[light * 4 + 1]).toBeCloseTo(below, 6);
      expect(lights[light * 4 + 3]).toBe([0.5, 12.5, 2, 4.5][material]);
    }
    expect(lights[9]).toBe(1);
  });

  test('a textured light counts with the mean of its texture, a black one not at all', () => {
    // sRGB 188 is linear 0.5029; the second image is black.
    const images = [
      { width: 2, height: 1, texels: Uint8Array.of(188, 188, 188, 255, 0, 0, 0, 255) },
      { width: 1, height: 1, texels: Uint8Array.of(0, 0, 0, 255) },
    ];
    const texture = { wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true } as const;
    const materials = [{ ...glowing(2, 2, 2), emissionTexture: 0 }, glowing(1, 1, 1), { ...glowing(9, 9, 9), emissionTexture: 1 }];
    const textures = [
      { ...texture, image: 0 },
      { ...texture, image: 1 },
    ];
    const { sections, floats, words } = sectionsOf(row(materials, [1, 1, 1], { textures, images }));
    const lights = floats(sections.lights);
    const share = Object.fromEntries([0, 1].map((light) => [words(sections.triangles)[words(sections.lights)[light * 4]! * 12 + 3]!, lights[light * 4 + 2]!]));
    expect(Object.keys(share)).toEqual(['0', '1']);
    expect(share[0]! / share[1]!).toBeCloseTo(0.5029, 3);
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
      metallic: 0.4,
      roughness: 0.5,
      emission: [6, 7, 8],
      baseTexture: 1,
      metallicRoughnessTexture: 0,
      emissionTexture: -1,
      doubleSided: true,
    };
    const { sections, floats, words } = sectionsOf(row([material], [1], { textures, images }));
    expect([...floats(sections.materials).subarray(0, 8)]).toEqual([0.1, 0.2, 0.3, 0.4, 6, 7, 8, 0.5].map(Math.fround));
    expect([...words(sections.materials).subarray(8)]).toEqual([1, 0, 0xffffffff, 1, 0, 0, 0, 0]);
    expect([...words(sections.textures)]).toEqual([1, 2, 1, 1 | (2 << 2) | 16, 1, 2, 1, 32]);
    expect([...sections.texels]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const srgb = floats(sections.srgb);
    expect([srgb.length, srgb[0], srgb[255]]).toEqual([256, 0, 1]);
    expect(srgb[128]).toBeCloseTo(0.21586, 5);
    expect(srgb[5]).toBeCloseTo(5 / 255 / 12.92, 7);
  });
});
