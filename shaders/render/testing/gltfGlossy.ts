import { Model, turn } from '../gallery/model.ts';
import { bevelledBox, panel, quad, sphere } from '../gallery/shapes.ts';
import { bumps, hdr, type Rgb, sky } from './gltfPaint.ts';
import type { GltfScene } from './gltfScenes.ts';

const params = { width: 96, height: 72, bounces: 4, lighting: 'scene' } as const;
const matte = { roughness: 1, specular: { factor: 0 } } as const;

/** A room without walls: two soft boxes of light before a pale, slightly coloured dome. */
const studio = (): Uint8Array =>
  hdr(
    128,
    64,
    sky(
      [0.16, 0.2, 0.28],
      [0.34, 0.32, 0.3],
      [0.1, 0.085, 0.07],
      [
        { color: [8, 6.8, 5.2], towards: [-0.8, 0.9, 0.6], width: 0.4 },
        { color: [2.4, 3.6, 5.4], towards: [0.9, 0.5, 0.35], width: 0.45 },
      ],
    ),
  );

const floor = (model: Model, color: Rgb): void => {
  model.add(quad([-5, 0, 4], [10, 0, 0], [0, 0, -8]), model.material({ ...matte, color }));
};

/** Three rows of metalness by four columns of roughness. */
async function metals(): Promise<Uint8Array> {
  const model = new Model();
  const ball = sphere(0.42, 24);
  for (const [row, metallic] of [1, 0.5, 0].entries())
    for (const [column, roughness] of [0.1, 0.35, 0.65, 1].entries())
      model.add(ball, model.material({ color: [0.9, 0.62, 0.32], metallic, roughness }), { at: [(column - 1.5) * 0.95, (1 - row) * 0.95, 0] });
  model.camera([0, 0, 7.2], [0, 0, 0], 24);
  return model.write();
}

/** Enamel: coloured balls from a hard gloss to none between panels, on a polished floor. */
async function enamel(): Promise<Uint8Array> {
  const model = new Model();
  model.add(quad([-5, 0, 4], [10, 0, 0], [0, 0, -7]), model.material({ color: [0.35, 0.32, 0.3], roughness: 0.25 }));
  model.add(quad([-5, 0, -2.5], [10, 0, 0], [0, 4, 0]), model.material({ ...matte, color: [0.5, 0.5, 0.55] }));
  const ball = sphere(0.45, 24);
  const colors: readonly Rgb[] = [
    [0.65, 0.06, 0.05],
    [0.05, 0.35, 0.1],
    [0.05, 0.12, 0.6],
    [0.7, 0.68, 0.62],
  ];
  for (const [i, color] of colors.entries())
    model.add(ball, model.material({ color, roughness: 0.12 + i * 0.16 }), { at: [(i - 1.5) * 1.05, 0.45, 0.2 * (i % 2)] });
  model.add(panel([-2.6, 3, 2.6], [0, 0.4, 0], 2.2, 2.2), model.material({ color: [0, 0, 0], emission: [7, 6, 4.6] }));
  model.add(panel([3, 2.2, 1.6], [0, 0.4, 0], 1.4, 1.4), model.material({ color: [0, 0, 0], emission: [4, 6, 9] }));
  model.camera([0, 1.4, 5.4], [0, 0.5, 0], 36);
  return model.write();
}

/** Polished solids: clear, absorbing green, and tinted at their surface, before a lit wall. */
async function glass(): Promise<Uint8Array> {
  const model = new Model();
  floor(model, [0.55, 0.5, 0.45]);
  for (const [i, color] of (
    [
      [0.7, 0.2, 0.15],
      [0.75, 0.7, 0.6],
      [0.2, 0.3, 0.65],
    ] as const
  ).entries())
    model.add(bevelledBox(0.9, 1.5, 0.2, 0.02), model.material({ ...matte, color }), { at: [(i - 1) * 1.05, 0.75, -1.3] });
  const ball = sphere(0.45, 32);
  const clear = { roughness: 0, transmission: 1, ior: 1.5 } as const;
  model.add(ball, model.material({ ...clear, volume: {} }), { at: [-1.1, 0.46, 0] });
  const green = { attenuationDistance: 0.4, attenuationColor: [0.25, 0.8, 0.45] } as const;
  model.add(ball, model.material({ ...clear, volume: green }), { at: [0, 0.46, 0.1] });
  model.add(bevelledBox(0.7, 0.9, 0.5, 0.04), model.material({ ...clear, ior: 1.33, color: [0.95, 0.75, 0.6], volume: {} }), {
    at: [1.15, 0.46, 0],
    rotation: turn([0, 1, 0], 30),
  });
  model.camera([0, 1.15, 4.6], [0, 0.5, 0], 32);
  return model.write();
}

/** The same, frosted: balls of three roughnesses and an absorbing one. */
async function frosted(): Promise<Uint8Array> {
  const model = new Model();
  floor(model, [0.5, 0.5, 0.5]);
  model.add(bevelledBox(4.4, 0.35, 0.2, 0.02), model.material({ ...matte, color: [0.7, 0.25, 0.15] }), { at: [0, 0.5, -1] });
  const ball = sphere(0.45, 32);
  for (const [i, roughness] of [0.15, 0.35, 0.6].entries())
    model.add(ball, model.material({ roughness, transmission: 1, volume: {} }), { at: [(i - 1.5) * 1.05, 0.46, 0] });
  const amber = { attenuationDistance: 0.5, attenuationColor: [0.95, 0.6, 0.2] } as const;
  model.add(ball, model.material({ roughness: 0.25, transmission: 1, volume: amber }), { at: [1.5 * 1.05, 0.46, 0] });
  model.camera([0, 1.3, 5], [0, 0.4, 0], 37);
  return model.write();
}

/** Thin-walled panes, which do not bend light: clear, stained and half transmitting. Rough ones scatter what passes, which no closure of Cycles does. */
async function panes(): Promise<Uint8Array> {
  const model = new Model();
  floor(model, [0.6, 0.58, 0.55]);
  model.add(sphere(0.4, 16), model.material({ ...matte, color: [0.75, 0.35, 0.2] }), { at: [-0.6, 0.4, -0.6] });
  model.add(sphere(0.4, 16), model.material({ ...matte, color: [0.25, 0.5, 0.3] }), { at: [0.7, 0.4, -0.6] });
  const pane = quad([-0.33, 0, 0], [0.66, 0, 0], [0, 1, 0]);
  const looks = [
    { roughness: 0.05, transmission: 1 },
    { roughness: 0.05, transmission: 1, color: [0.9, 0.35, 0.3] },
    { roughness: 0.05, transmission: 0.5, color: [0.4, 0.55, 0.9] },
    { roughness: 0.05, transmission: 1, color: [0.5, 0.9, 0.5], ior: 1.5 },
  ] as const;
  for (const [i, look] of looks.entries())
    model.add(pane, model.material({ ...look, doubleSided: true }), { at: [(i - 1.5) * 0.76, 0.03, 0.3 * (i % 2)], rotation: turn([0, 1, 0], 18 - 12 * i) });
  model.camera([0, 1.1, 4.4], [0, 0.45, 0], 34);
  return model.write();
}

/** Waves and studs in normal maps on matte, glossy and metal plates. */
async function relief(): Promise<Uint8Array> {
  const model = new Model();
  const waves = await bumps(64, (u, v) => 0.03 * Math.sin(2 * Math.PI * (2 * u + v)) + 0.02 * Math.cos(2 * Math.PI * 3 * v));
  const studs = await bumps(64, (u, v) => 0.05 * Math.exp(-20 * ((u - Math.floor(u) - 0.5) ** 2 + (v - Math.floor(v) - 0.5) ** 2)));
  floor(model, [0.45, 0.45, 0.45]);
  const plate = quad([-0.6, -0.6, 0], [1.2, 0, 0], [0, 1.2, 0], [2, 2]);
  model.add(plate, model.material({ color: [0.7, 0.45, 0.3], normalTexture: waves }), { at: [-1.35, 0.7, 0], rotation: turn([0, 1, 0], 25) });
  model.add(plate, model.material({ color: [0.15, 0.3, 0.5], roughness: 0.3, normalTexture: studs }), { at: [0, 0.7, -0.2] });
  model.add(plate, model.material({ color: [0.9, 0.75, 0.5], metallic: 1, roughness: 0.35, normalTexture: waves, normalScale: 0.6 }), {
    at: [1.35, 0.7, 0],
    rotation: turn([0, 1, 0], -25),
  });
  model.camera([0, 1.1, 5], [0, 0.62, 0], 37);
  return model.write();
}

/** Lacquer over paint, over metal and over a rough ground, and half a coat. */
async function clearcoat(): Promise<Uint8Array> {
  const model = new Model();
  floor(model, [0.5, 0.48, 0.46]);
  const ball = sphere(0.45, 24);
  const looks = [
    { color: [0.6, 0.05, 0.05], roughness: 0.6, clearcoat: { factor: 1, roughness: 0.05 } },
    { color: [0.85, 0.6, 0.3], metallic: 1, roughness: 0.45, clearcoat: { factor: 1, roughness: 0.1 } },
    { color: [0.1, 0.3, 0.6], roughness: 1, clearcoat: { factor: 1, roughness: 0.4 } },
    { color: [0.2, 0.5, 0.25], roughness: 0.7, clearcoat: { factor: 0.5, roughness: 0.05 } },
  ] as const;
  for (const [i, look] of looks.entries()) model.add(ball, model.material(look), { at: [(i - 1.5) * 1.05, 0.45, 0] });
  model.camera([0, 1.3, 5], [0, 0.4, 0], 37);
  return model.write();
}

/** KHR_materials_specular and KHR_materials_ior: none, half, tinted, and a heavy crystal's. */
async function specular(): Promise<Uint8Array> {
  const model = new Model();
  floor(model, [0.5, 0.5, 0.5]);
  const ball = sphere(0.45, 24);
  const color: Rgb = [0.35, 0.12, 0.1];
  const looks = [
    { color, roughness: 0.2, specular: { factor: 0 } },
    { color, roughness: 0.2, specular: { factor: 0.5 } },
    { color, roughness: 0.2, specular: { factor: 1, color: [0.3, 0.8, 1] }, ior: 1.8 },
    { color, roughness: 0.2, ior: 2.2 },
  ] as const;
  for (const [i, look] of looks.entries()) model.add(ball, model.material(look), { at: [(i - 1.5) * 1.05, 0.45, 0] });
  model.camera([0, 1.3, 5], [0, 0.4, 0], 37);
  return model.write();
}

const inStudio = { ...params, lighting: 'sky' } as const;

export const glossyScenes: Readonly<Record<string, GltfScene>> = {
  metals: { kind: 'glossy', params: inStudio, build: async () => ({ model: await metals(), environment: studio() }) },
  enamel: { kind: 'glossy', params, build: async () => ({ model: await enamel() }) },
  glass: { kind: 'glossy', params: { ...inStudio, bounces: 10 }, build: async () => ({ model: await glass(), environment: studio() }) },
  frosted: { kind: 'glossy', params: { ...inStudio, bounces: 10 }, build: async () => ({ model: await frosted(), environment: studio() }) },
  panes: { kind: 'glossy', params: { ...inStudio, bounces: 8 }, build: async () => ({ model: await panes(), environment: studio() }) },
  relief: { kind: 'glossy', params: inStudio, build: async () => ({ model: await relief(), environment: studio() }) },
  clearcoat: { kind: 'glossy', params: inStudio, build: async () => ({ model: await clearcoat(), environment: studio() }) },
  specular: { kind: 'glossy', params: inStudio, build: async () => ({ model: await specular(), environment: studio() }) },
};
