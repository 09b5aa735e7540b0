import { Model, turn } from '../gallery/model.ts';
import { bevelledBox, panel, quad, sphere } from '../gallery/shapes.ts';
import { hdr, png, type Rgb, sky } from './gltfPaint.ts';
import type { GltfScene } from './gltfScenes.ts';

const params = { width: 96, height: 72, bounces: 4, lighting: 'scene' } as const;

const GREY: Rgb = [0.6, 0.6, 0.6];
/** glTF's own way to say Lambert and nothing else. */
const matte = { roughness: 1, specular: { factor: 0 } } as const;

/** Two boxes between a red and a green wall, below a panel: colour bleeds from the walls to them. */
async function boxes(): Promise<Uint8Array> {
  const model = new Model();
  const wall = model.material({ ...matte, color: [0.73, 0.71, 0.68] });
  model.add(quad([-1, 0, 1], [2, 0, 0], [0, 0, -2]), wall);
  model.add(quad([-1, 2, -1], [2, 0, 0], [0, 0, 2]), wall);
  model.add(quad([-1, 0, -1], [2, 0, 0], [0, 2, 0]), wall);
  model.add(quad([-1, 0, 1], [0, 0, -2], [0, 2, 0]), model.material({ ...matte, color: [0.63, 0.06, 0.05] }));
  model.add(quad([1, 0, -1], [0, 0, 2], [0, 2, 0]), model.material({ ...matte, color: [0.12, 0.45, 0.09] }));
  const box = bevelledBox(0.56, 1, 0.56, 0.02);
  model.add(box, wall, { at: [-0.36, 0.6, -0.3], scale: [1, 1.2, 1], rotation: turn([0, 1, 0], 18) });
  model.add(box, model.material({ ...matte, color: [0.2, 0.35, 0.75] }), { at: [0.38, 0.3, 0.28], scale: [1, 0.6, 1], rotation: turn([0, 1, 0], -17) });
  model.add(quad([-0.5, 1.98, -0.4], [1, 0, 0], [0, 0, 0.8]), model.material({ color: [0, 0, 0], emission: [10, 8.4, 6.4] }));
  model.camera([0, 1, 3.9], [0, 0.97, 0], 40);
  return model.write();
}

/** Lamps of many strengths: textured, tinted and textured, seen from behind, and two-sided. Everything else is matte. */
async function emissive(): Promise<Uint8Array> {
  const model = new Model();
  const stripes = await png(16, 16, (x, y) => (y % 8 < 4 ? [255, 190, 60] : x < 8 ? [40, 90, 255] : [0, 0, 0]));
  const rings = await png(16, 16, (x, y) => (Math.floor(Math.hypot(x - 7.5, y - 7.5)) % 4 < 2 ? [255, 255, 255] : [30, 30, 30]));
  model.add(quad([-2.2, 0, 1.6], [4.4, 0, 0], [0, 0, -3]), model.material({ ...matte, color: GREY }));
  model.add(quad([-2.2, 0, -1.4], [4.4, 0, 0], [0, 2.4, 0]), model.material({ ...matte, color: [0.75, 0.72, 0.66] }));
  const dark: Rgb = [0, 0, 0];
  model.add(
    panel([-1.5, 1.1, -0.7], [-0.2, 0.4, 1.2], 0.9, 0.9),
    model.material({ color: dark, emission: [6, 6, 6], emissiveTexture: { image: stripes, nearest: true } }),
  );
  model.add(
    panel([1.45, 1, -0.6], [0.2, 0.4, 1.2], 0.9, 0.9),
    model.material({ color: dark, emission: [1.6, 4, 2.4], emissiveTexture: { image: rings, nearest: true } }),
  );
  // Its lit side looks away from the camera, towards the wall behind it.
  model.add(panel([0, 1.3, -0.9], [0, 1.3, -3], 0.7, 0.5), model.material({ ...matte, color: [0.5, 0.2, 0.2], emission: [9, 5, 3] }));
  model.add(
    panel([0.1, 0.45, 0.5], [0.9, 0.45, 1.4], 0.4, 0.7),
    model.material({ ...matte, color: [0.3, 0.3, 0.3], emission: [1, 1.4, 2.2], doubleSided: true }),
  );
  model.add(sphere(0.16, 12), model.material({ color: dark, emission: [5, 2, 0.8] }), { at: [-0.75, 0.16, 0.7] });
  model.camera([0, 1.35, 4.6], [0, 0.8, -0.2], 38);
  return model.write();
}

/** A fence with holes (mask) and stained, half-covering leaves (blend), each in front of the other somewhere. */
async function cutouts(): Promise<Uint8Array> {
  const model = new Model();
  const lattice = await png(32, 32, (x, y) => {
    const hole = Math.hypot((x % 16) - 7.5, (y % 16) - 7.5) < 5.5;
    return hole ? [90, 160, 90, 0] : [200, 190, 150, 255];
  });
  const veil = await png(16, 16, (x, y) => [230, 60 + y * 8, 50, 40 + x * 12]);
  model.add(quad([-2.4, 0, 2], [4.8, 0, 0], [0, 0, -4]), model.material({ ...matte, color: GREY }));
  model.add(quad([-2.4, 0, -1.6], [4.8, 0, 0], [0, 2.4, 0]), model.material({ ...matte, color: [0.3, 0.42, 0.62] }));
  const fence = model.material({ ...matte, texture: { image: lattice, nearest: true }, alphaMode: 'MASK', alphaCutoff: 0.5, doubleSided: true });
  model.add(quad([-1.7, 0.02, 0], [1.6, 0, 0.3], [0, 1.3, 0], [2, 2]), fence);
  const leaf = model.material({ ...matte, texture: { image: veil, nearest: true }, alphaMode: 'BLEND', doubleSided: true });
  for (const [at, angle] of [
    [0.35, 20],
    [0.75, -10],
    [1.15, -35],
  ] as const)
    model.add(quad([-0.5, 0, 0], [1, 0, 0], [0, 1.1, 0]), leaf, { at: [at, 0.02, at - 0.7], rotation: turn([0, 1, 0], angle) });
  model.add(sphere(0.3, 12), model.material({ ...matte, color: [0.8, 0.7, 0.2], alpha: 0.5, alphaMode: 'BLEND' }), { at: [-0.9, 0.32, 0.9] });
  model.add(panel([1.6, 2.9, 2.6], [0, 0.4, 0], 1.4, 1.4), model.material({ color: [0, 0, 0], emission: [9, 8.5, 8] }));
  model.camera([0.2, 1.2, 4.8], [0, 0.6, -0.2], 32);
  return model.write();
}

const WRAP = { clamp: 33071, mirror: 33648 } as const;
type Wrapping = (typeof WRAP)[keyof typeof WRAP];

/** Textures turned, scaled, moved, clamped, mirrored and read from the second set of coordinates, and colours at corners. */
async function textures(): Promise<Uint8Array> {
  const model = new Model();
  // No two quarters alike, so that a flip shows.
  const quarters = await png(8, 8, (x, y) => {
    if (x === y) return [240, 240, 240];
    return x < 4 ? (y < 4 ? [220, 50, 40] : [40, 90, 200]) : y < 4 ? [60, 170, 70] : [230, 190, 50];
  });
  const plain = { image: quarters, nearest: true } as const;
  model.add(quad([-3, 0, 3], [6, 0, 0], [0, 0, -6], [3, 3]), model.material({ ...matte, texture: plain, color: [0.7, 0.7, 0.7] }));
  const card = quad([-0.5, 0, 0], [1, 0, 0], [0, 1, 0], [2, 2]);
  const turned = model.material({ ...matte, texture: { ...plain, transform: { offset: [0.25, 0.1], rotation: 0.6, scale: [0.8, 1.3] } } });
  model.add(card, turned, { at: [-1.5, 0.05, -0.6], rotation: turn([0, 1, 0], 15) });
  const wrapped = (wrapS: Wrapping, wrapT: Wrapping) => {
    const material = model.material({ ...matte, texture: { ...plain, transform: { offset: [-0.5, -0.5] } } });
    material.getBaseColorTextureInfo()!.setWrapS(wrapS).setWrapT(wrapT);
    return material;
  };
  model.add(card, wrapped(WRAP.clamp, WRAP.clamp), { at: [-0.35, 0.05, -0.9] });
  model.add(card, wrapped(WRAP.mirror, WRAP.mirror), { at: [0.85, 0.05, -0.7], rotation: turn([0, 1, 0], -12) });
  const colors = [1, 0.1, 0.1, 1, 0.1, 1, 0.1, 1, 0.1, 0.2, 1, 1, 1, 1, 1, 1];
  const second = model.mesh(card, model.material({ ...matte, texture: { ...plain, uvSet: 1 } }), { colors, uvs1: [0, 0, 0, 1, 1, 1, 1, 0] });
  model.place(second, { at: [0.15, 0.05, 0.6], scale: [0.9, 0.7, 1], rotation: turn([0, 1, 0], 25) });
  model.place(model.mesh(card, model.material({ ...matte }), { colors }), { at: [-1, 0.05, 0.9], scale: [0.6, 0.6, 1], rotation: turn([0, 1, 0], -20) });
  model.camera([0, 2.2, 4.2], [-0.05, 0.35, -0.1], 32);
  return model.write();
}

/** A statue of boxes and balls under a hard, low sun in a .hdr, with the shadows it casts. */
async function outdoors(): Promise<Uint8Array> {
  const model = new Model();
  model.add(quad([-6, 0, 5], [12, 0, 0], [0, 0, -10]), model.material({ ...matte, color: [0.5, 0.45, 0.36] }));
  const stone = model.material({ ...matte, color: [0.66, 0.64, 0.6] });
  const box = bevelledBox(0.8, 0.5, 0.8, 0.03);
  model.add(box, stone, { at: [0, 0.25, 0] });
  model.add(box, stone, { at: [0, 0.9, 0], scale: [0.5, 1.6, 0.5], rotation: turn([0, 1, 0], 30) });
  model.add(sphere(0.3, 16), model.material({ ...matte, color: [0.7, 0.25, 0.16] }), { at: [0, 1.6, 0] });
  model.add(sphere(0.35, 16), model.material({ ...matte, color: [0.2, 0.42, 0.2] }), { at: [-1.1, 0.35, -0.3] });
  model.add(sphere(0.28, 16), model.material({ ...matte, color: [0.75, 0.72, 0.3] }), { at: [0.95, 0.28, 0.5] });
  model.camera([1.5, 1.5, 4.4], [0, 0.72, 0], 36);
  return model.write();
}

const sunny = (): Uint8Array =>
  hdr(128, 64, sky([0.22, 0.4, 0.85], [0.7, 0.72, 0.7], [0.2, 0.17, 0.13], [{ color: [230, 190, 130], towards: [0.75, 0.6, 0.3], width: 0.11 }]));

/** A point, a spot and a directional light in candela and lux over a white floor. */
async function lamps(): Promise<Uint8Array> {
  const model = new Model();
  model.add(quad([-4, 0, 3], [8, 0, 0], [0, 0, -5]), model.material({ ...matte, color: [0.7, 0.7, 0.7] }));
  model.add(quad([-4, 0, -2], [8, 0, 0], [0, 3, 0]), model.material({ ...matte, color: [0.55, 0.6, 0.65] }));
  const box = bevelledBox(0.5, 0.7, 0.5, 0.03);
  model.add(box, model.material({ ...matte, color: [0.7, 0.4, 0.25] }), { at: [-1.2, 0.35, -0.5], rotation: turn([0, 1, 0], 25) });
  model.add(sphere(0.38, 16), model.material({ ...matte, color: [0.4, 0.6, 0.35] }), { at: [0.1, 0.38, -0.2] });
  model.add(box, model.material({ ...matte, color: [0.4, 0.42, 0.7] }), { at: [1.3, 0.35, -0.6], rotation: turn([0, 1, 0], -35) });
  model.light({ kind: 'point', at: [-1.3, 1.4, 0.7], color: [1, 0.55, 0.25], intensity: 3 });
  model.light({ kind: 'spot', at: [1.6, 2.2, 1.4], target: [0.9, 0.2, -0.4], color: [0.4, 0.7, 1], intensity: 14, innerCone: 10, outerCone: 24 });
  model.light({ kind: 'directional', at: [-2, 3, 3], target: [0, 0, 0], color: [0.9, 1, 0.8], intensity: 0.6 });
  model.camera([0, 1.5, 5], [0, 0.65, -0.4], 36);
  return model.write();
}

/** One mesh many times: squashed, stretched, turned and mirrored. Normals must go by the inverse transpose. */
async function instances(): Promise<Uint8Array> {
  const model = new Model();
  model.add(quad([-6, 0, 5], [12, 0, 0], [0, 0, -10]), model.material({ ...matte, color: [0.42, 0.44, 0.46] }));
  const ball = model.mesh(sphere(0.4, 16), model.material({ ...matte, color: [0.75, 0.5, 0.3] }));
  const block = model.mesh(bevelledBox(0.5, 0.5, 0.5, 0.08), model.material({ ...matte, color: [0.3, 0.55, 0.65] }));
  for (let i = 0; i < 24; i++) {
    const [column, row] = [i % 6, Math.floor(i / 6)];
    const [wide, high] = [0.55 + 0.15 * ((i * 5) % 4), 0.4 + 0.3 * ((i * 7) % 5)];
    const rotation = turn([0, 0.6, 0.8], i * 37);
    const scale = [wide, high, i % 5 === 0 ? -0.6 : 0.7] as const;
    model.place(i % 2 ? ball : block, { at: [(column - 2.5) * 0.8, 0.45, (row - 1.5) * 0.85], rotation, scale });
  }
  model.add(panel([-3, 4, 3], [0, 0, 0], 2, 2), model.material({ color: [0, 0, 0], emission: [16, 14, 11] }));
  model.camera([0.8, 3.1, 5.6], [0, 0.2, 0], 34);
  return model.write();
}

/** Steps and balls seen by an orthographic camera, in a plain white sky. */
async function orthographic(): Promise<Uint8Array> {
  const model = new Model();
  const step = bevelledBox(0.6, 0.3, 1.6, 0.02);
  for (let i = 0; i < 5; i++) {
    const color: Rgb = [0.75 - 0.12 * i, 0.5, 0.25 + 0.1 * i];
    model.add(step, model.material({ ...matte, color }), { at: [(i - 2) * 0.6, 0.15 + i * 0.15, 0], scale: [1, 1 + i, 1] });
    model.add(sphere(0.2, 12), model.material({ ...matte, color: [0.8, 0.8, 0.8] }), { at: [(i - 2) * 0.6, 0.5 + i * 0.3, 0.3] });
  }
  model.add(quad([-3, 0, 3], [6, 0, 0], [0, 0, -6]), model.material({ ...matte, color: [0.4, 0.5, 0.4] }));
  model.orthographicCamera([3, 3.2, 4], [0, 0.6, 0], 2.7);
  return model.write();
}

export const diffuseScenes: Readonly<Record<string, GltfScene>> = {
  boxes: { kind: 'diffuse', params, build: async () => ({ model: await boxes() }) },
  emissive: { kind: 'diffuse', params, build: async () => ({ model: await emissive() }) },
  cutouts: { kind: 'diffuse', params: { ...params, bounces: 6 }, build: async () => ({ model: await cutouts() }) },
  textures: { kind: 'diffuse', params: { ...params, lighting: 'sky', bounces: 3 }, build: async () => ({ model: await textures() }) },
  outdoors: { kind: 'diffuse', params: { ...params, lighting: 'sky', bounces: 3 }, build: async () => ({ model: await outdoors(), environment: sunny() }) },
  lamps: { kind: 'diffuse', params, build: async () => ({ model: await lamps() }) },
  instances: { kind: 'diffuse', params, build: async () => ({ model: await instances() }) },
  orthographic: { kind: 'diffuse', params: { ...params, lighting: 'sky', bounces: 3 }, build: async () => ({ model: await orthographic() }) },
};
