import { describe, expect, test } from 'vitest';
import { cameraRays, lookAt } from './camera.ts';
import {
  type Camera,
  type Image,
  type Material,
  type MeshScene,
  stillScene,
  type TextureSlot,
  TriangleBuilder,
  type Vec3,
  type Wrap,
  whiteMaterial,
} from './mesh.ts';
import type { RenderParams, RenderPrepared } from './params.ts';
import { addSamples, loadScene, tracePath } from './reference.ts';
import { quad, sceneJob } from './testing/scenes.ts';

/** What a card before the camera looks like: textures, colours, coverage, and the cameras themselves. */

const black: Material = { ...whiteMaterial, baseColor: [0, 0, 0], specular: 0 };
const glowing = (changes: Partial<Material> = {}): Material => ({ ...black, emission: [1, 1, 1], ...changes });
const slot = (changes: Partial<TextureSlot> = {}): TextureSlot => ({ texture: 0, uvSet: 0, transform: [1, 0, 0, 0, 1, 0], ...changes });
const ahead = lookAt([0, 0, 3], [0, 0, 0], 0.5)!;

/** Grey bytes, opaque unless said otherwise. */
const grey = (width: number, bytes: readonly number[], alpha: (byte: number) => number = () => 255): Image => ({
  width,
  height: bytes.length / width,
  texels: Uint8Array.from(bytes.flatMap((byte) => [byte, byte, byte, alpha(byte)])),
});

interface Card {
  readonly material: Material;
  readonly image?: Image;
  readonly uv?: readonly [number, number];
  readonly uv1?: readonly [number, number];
  readonly colors?: readonly number[];
  readonly wrap?: Wrap;
  readonly nearest?: boolean;
  readonly srgb?: boolean;
}

/** A large triangle across the view that shows one point of its textures all over. */
function card({ material, image, uv = [0, 0], uv1, colors, wrap = 'repeat', nearest = false, srgb = false }: Card): MeshScene {
  const builder = new TriangleBuilder(2);
  const all = (point: readonly [number, number]): number[] => [...point, ...point, ...point];
  builder.add([-50, -50, 0, 50, -50, 0, 0, 100, 0], null, all(uv), 0, { uvs1: uv1 ? all(uv1) : null, colors: colors ?? null });
  const textures = image ? [{ image: 0, wrapS: wrap, wrapT: wrap, nearest, srgb }] : [];
  return stillScene(builder.finish(), [material], { textures, images: image ? [image] : [], cameras: [ahead] });
}

function tracer(mesh: MeshScene, params: Partial<RenderParams> = {}, prepared: Partial<RenderPrepared> = {}): (x: number, y: number, sample?: number) => Vec3 {
  const { job, packed } = sceneJob(mesh, params, prepared);
  const scene = loadScene(packed);
  return (x, y, sample = 0) => {
    const { r, g, b } = tracePath(scene, job, x, y, sample);
    return [r, g, b];
  };
}

/** What is seen in the middle. */
const red = (mesh: MeshScene, params: Partial<RenderParams> = { bounces: 0 }): number => tracer(mesh, params)(32, 32)[0];

describe('textures', () => {
  const image = grey(4, [0, 255, 0, 255, 255, 255, 128, 0]);
  const seen = (u: number, v: number, wrap: Wrap, nearest: boolean, srgb: boolean): number =>
    red(card({ material: glowing({ textures: { emission: slot() } }), image, uv: [u, v], wrap, nearest, srgb }));

  test('wrap modes, filters and sRGB', () => {
    // Texel centres.
    expect(seen(0.375, 0.25, 'repeat', false, false)).toBeCloseTo(1, 5);
    expect(seen(0.625, 0.75, 'repeat', false, false)).toBeCloseTo(128 / 255, 5);
    expect(seen(0.625, 0.75, 'repeat', false, true)).toBeCloseTo(0.21586, 4);
    // Half way between a black and a white one.
    expect(seen(0.25, 0.25, 'repeat', false, false)).toBeCloseTo(0.5, 5);
    expect(seen(0.26, 0.25, 'repeat', true, false)).toBe(1);
    // Left of the left edge: the right edge, the edge itself, its mirror image.
    expect(seen(-0.125, 0.25, 'repeat', true, false)).toBe(1);
    expect(seen(-0.125, 0.25, 'clamp', true, false)).toBe(0);
    expect(seen(-0.375, 0.25, 'mirror', true, false)).toBe(1);
    expect(seen(0, 0.25, 'repeat', false, false)).toBeCloseTo(0.5, 5);
    expect(seen(0, 0.25, 'clamp', false, false)).toBeCloseTo(0, 5);
    expect(seen(1.375, 0.25, 'mirror', true, false)).toBe(0);
  });

  test('are moved by their transform, and read in the set of coordinates that the material names', () => {
    const steps = grey(4, [0, 51, 102, 153]);
    const at = (changes: Partial<TextureSlot>, uv1?: readonly [number, number]): number =>
      red(card({ material: glowing({ textures: { emission: slot(changes) } }), image: steps, uv: [0.1, 0.7], ...(uv1 ? { uv1 } : {}), nearest: true }));
    expect(at({})).toBe(0);
    // u moved by a half; doubled and moved; v instead of u; the other set; that moved.
    expect(at({ transform: [1, 0, 0.5, 0, 1, 0] })).toBeCloseTo(0.4, 6);
    expect(at({ transform: [2, 0, 0.1, 0, 2, 0] })).toBeCloseTo(0.2, 6);
    expect(at({ transform: [0, 1, 0, 1, 0, 0] })).toBeCloseTo(0.4, 6);
    expect(at({ uvSet: 1 }, [0.8, 0])).toBeCloseTo(0.6, 6);
    expect(at({ uvSet: 1, transform: [1, 0, -0.5, 0, 1, 0] }, [0.8, 0])).toBeCloseTo(0.2, 6);
  });

  test('two slots of one material may read one image in two ways', () => {
    const steps = grey(4, [0, 51, 102, 153]);
    const material: Material = {
      ...whiteMaterial,
      textures: { base: slot(), emission: slot({ transform: [1, 0, 0.5, 0, 1, 0] }) },
      emission: [1, 1, 1],
      specular: 0,
    };
    const mesh = card({ material, image: steps, uv: [0.3, 0.5], nearest: true });
    // Emission of the third texel, and the base of the second in a sky of 1.
    const trace = tracer(mesh, { bounces: 1 }, { sky: [1, 1, 1] });
    const mean = Array.from({ length: 64 }, (_, sample) => trace(30, 30, sample)[0]).reduce((sum, value) => sum + value, 0) / 64;
    expect(mean).toBeCloseTo(0.6 + 0.2, 2);
  });
});

test('vertex colours are factors on the base colour, interpolated between the corners', () => {
  const builder = new TriangleBuilder(1);
  builder.add([-1, -1, 0, 3, -1, 0, -1, 3, 0], null, null, 0, { colors: [1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1] });
  const camera: Camera = { ...ahead, projection: { kind: 'orthographic', height: 2 } };
  const mesh = stillScene(builder.finish(), [{ ...whiteMaterial, baseColor: [0.8, 0.6, 0.4] }], { cameras: [camera] });
  const { job, packed } = sceneJob(mesh);
  const sums = new Uint32Array(4);
  addSamples(loadScene(packed), job, { kind: 'albedo', frame: 0, x: 31, y: 15, first: 0, end: 16 }, sums, 0);
  // The pixel's middle is 63/128 of the way to the right and three quarters of the way up, half of what the triangle reaches.
  const [x, y] = [63 / 256, 97 / 256];
  const truth = [0.8 * (1 - x - y), 0.6 * x, 0.4 * y];
  truth.forEach((value, channel) => {
    expect(sums[channel]! / 16 / 4096).toBeCloseTo(value, 2);
  });
});

describe('what is there in part', () => {
  const behind = (front: Card): MeshScene => {
    const mesh = card(front);
    const builder = new TriangleBuilder(4);
    builder.add([-50, -50, 0, 50, -50, 0, 0, 100, 0], null, [...(front.uv ?? [0, 0]), ...(front.uv ?? [0, 0]), ...(front.uv ?? [0, 0])], 0, {
      colors: front.colors ?? null,
    });
    quad(builder, [-50, -50, -1], [100, 0, 0], [0, 100, 0], 1);
    return { ...mesh, meshes: [builder.finish()], materials: [front.material, glowing({ emission: [0, 1, 0] })] };
  };
  const share = (front: Card): number => {
    const trace = tracer(behind(front), { bounces: 0 });
    let seen = 0;
    for (let path = 0; path < 4096; path++) {
      const [r, g] = trace(path % 64, path >> 6, path);
      expect(r + g).toBe(1);
      seen += r;
    }
    return seen / 4096;
  };
  const fading = grey(2, [0, 255], (byte) => (byte > 0 ? 200 : 50));

  test('mask: all of it where coverage reaches the cutoff, nothing elsewhere', () => {
    const mask = (alpha: number, alphaCutoff: number): Material => glowing({ emission: [1, 0, 0], alphaMode: 'mask', alpha, alphaCutoff });
    expect(share({ material: mask(0.4, 0.5) })).toBe(0);
    expect(share({ material: mask(0.5, 0.5) })).toBe(1);
    expect(share({ material: mask(0.6, 0.5) })).toBe(1);
    const textured = (uv: readonly [number, number]): number =>
      share({ material: { ...mask(1, 0.5), textures: { base: slot() } }, image: fading, uv, nearest: true });
    expect([textured([0.25, 0.5]), textured([0.75, 0.5])]).toEqual([0, 1]);
    const colored = (alpha: number): number => share({ material: mask(0.8, 0.5), colors: [1, 1, 1, alpha, 1, 1, 1, alpha, 1, 1, 1, alpha] });
    expect([colored(0.6), colored(0.7)]).toEqual([0, 1]);
  });

  test('blend: with the probability of its coverage, factor, texture and colour together', () => {
    const blend = (alpha: number): Material => glowing({ emission: [1, 0, 0], alphaMode: 'blend', alpha });
    const expectShare = (front: Card, truth: number): void =>
      expect(Math.abs(share(front) - truth), String(truth)).toBeLessThan(3 * Math.sqrt((truth * (1 - truth)) / 4096) + 1e-9);
    expectShare({ material: blend(0) }, 0);
    expectShare({ material: blend(0.3) }, 0.3);
    expectShare({ material: blend(1) }, 1);
    const colors = [0, 0, 0, 0.75, 0, 0, 0, 0.75, 0, 0, 0, 0.75];
    expectShare({ material: { ...blend(0.8), textures: { base: slot() } }, image: fading, uv: [0.75, 0.5], nearest: true, colors }, 0.8 * (200 / 255) * 0.75);
  });

  test('opaque: its alpha says nothing', () => {
    expect(share({ material: glowing({ emission: [1, 0, 0], alpha: 0.1 }) })).toBe(1);
  });

  test('a veil lets as much light through as it is not there', () => {
    const builder = new TriangleBuilder(6);
    quad(builder, [-2, 0, 2], [4, 0, 0], [0, 0, -4], 0);
    quad(builder, [-9, 1, 9], [18, 0, 0], [0, 0, -18], 1);
    quad(builder, [-0.5, 2, -0.5], [1, 0, 0], [0, 0, 1], 2);
    const lit = (alpha: number): number => {
      const materials = [
        { ...whiteMaterial, specular: 0 },
        { ...black, alpha, alphaMode: 'blend' as const, doubleSided: true },
        glowing({ emission: [20, 20, 20] }),
      ];
      const trace = tracer(stillScene(builder.finish(), materials, { cameras: [lookAt([0, 0.5, 1], [0, 0, 0], 0.02)!] }), { bounces: 0 });
      return Array.from({ length: 4096 }, (_, path) => trace(path % 64, path >> 6)[0]).reduce((sum, value) => sum + value, 0) / 4096;
    };
    const [open, half] = [lit(0), lit(0.4)];
    expect(open).toBeGreaterThan(0.5);
    expect(Math.abs(half / open - 0.6)).toBeLessThan(0.03);
    expect(lit(1)).toBe(0);
  });
});

test('what is unlit is seen by cameras and by nothing else', () => {
  const builder = new TriangleBuilder(4);
  quad(builder, [-50, -50, 0], [100, 0, 0], [0, 100, 0], 0);
  // Before the eye, where the floor would mirror it.
  quad(builder, [-0.2, -50, 1], [100, 0, 0], [0, 100, 0], 1);
  const mirror: Material = { ...whiteMaterial, metallic: 1, roughness: 0 };
  const of = (unlit: boolean) =>
    tracer(
      stillScene(builder.finish(), [mirror, glowing({ emission: [5, 5, 5], doubleSided: true, unlit })], { cameras: [lookAt([-1, 0, 2], [0.2, 0, 0], 0.5)!] }),
      {
        bounces: 2,
      },
    );
  const [usual, unlit] = [of(false), of(true)];
  // The card itself on the right; in the mirror beside it its image, or the black sky.
  expect(usual(63, 32)[0]).toBeCloseTo(5, 5);
  expect(unlit(63, 32)[0]).toBeCloseTo(5, 5);
  const image = Array.from({ length: 40 }, (_, x) => x).filter((x) => usual(x, 32)[0] > 4);
  expect(image.length).toBeGreaterThan(5);
  for (const x of image) expect(unlit(x, 32)).toEqual([0, 0, 0]);
});

describe('cameras', () => {
  const half = (z: number, camera: Camera): MeshScene => {
    const builder = new TriangleBuilder(4);
    quad(builder, [-20, -20, z], [20, 0, 0], [0, 40, 0], 0);
    quad(builder, [0, -20, z], [20, 0, 0], [0, 40, 0], 1);
    return stillScene(builder.finish(), [black, glowing()], { cameras: [camera] });
  };

  test('orthographic: what is two wide covers half of four, however far it is', () => {
    const camera: Camera = { ...ahead, projection: { kind: 'orthographic', height: 4 } };
    for (const z of [-100, 0, 2]) {
      const builder = new TriangleBuilder(2);
      quad(builder, [-1, -1, z], [2, 0, 0], [0, 2, 0], 0);
      const trace = tracer(stillScene(builder.finish(), [glowing()], { cameras: [camera] }), { bounces: 0 });
      const row = Array.from({ length: 64 }, (_, x) => trace(x, 20)[0]);
      expect(row.map((value, x) => (value === 1 ? x : -1)).filter((x) => x >= 0)).toEqual(Array.from({ length: 32 }, (_, x) => 16 + x));
    }
  });

  test('lens: what is at the focus distance is as sharp as through a pinhole, what is not is blurred', () => {
    const seen = (z: number, radius: number, focus: number): number[] => {
      const cameras = [cameraRays(ahead, ahead.poses[0]!, 1, { radius, focus })];
      const trace = tracer(half(z, ahead), { bounces: 0 }, { cameras });
      return Array.from(
        { length: 64 },
        (_, x) => Array.from({ length: 32 }, (_, sample) => trace(x, 32, sample)[0]).reduce((sum, value) => sum + value, 0) / 32,
      );
    };
    const step = Array.from({ length: 64 }, (_, x) => (x < 32 ? 0 : 1));
    expect(seen(0, 0, 1)).toEqual(step);
    expect(seen(0, 0.2, 3)).toEqual(step);
    const blurred = seen(-3, 0.2, 3);
    // Twice as far as what is sharp, each pixel gathers from as wide a disc as the lens is: 4.2 pixels to either side.
    const grey = blurred.map((value, x) => (value > 0.01 && value < 0.99 ? x : -1)).filter((x) => x >= 0);
    expect(grey.length).toBeGreaterThanOrEqual(6);
    expect(grey.length).toBeLessThanOrEqual(10);
    expect(blurred[26]).toBe(0);
    expect(blurred[37]).toBe(1);
    // Of 32 samples each, two may be off.
    expect(Math.abs(blurred[31]! + blurred[32]! - 1)).toBeLessThan(0.1);
  });

  test('frames have a pose each, and the last one holds', () => {
    const poses = [0, 1, 2].map((x) => lookAt([x, 0, 3], [x, 0, 0], 0.1)!.poses[0]!);
    const { job, packed } = sceneJob(
      half(0, { ...ahead, projection: { kind: 'perspective', yfov: 0.1 }, poses: [{ ...poses[0]!, position: [-1, 0, 3] }, poses[1]!] }),
      { bounces: 0 },
    );
    const scene = loadScene(packed);
    expect([0, 1, 5].map((frame) => tracePath(scene, job, 32, 32, 0, frame).r)).toEqual([0, 1, 1]);
  });
});
