import { Model, turn } from './model.ts';
import { tiles, wood } from './paint.ts';
import { bevelledBox, lathe, merge, panel, quad, type Shape, sphere } from './shapes.ts';

const SEGMENTS = 48;
/** Height of the table top. */
const TABLE = 0.75;

/** Profiles, see `lathe`. */
const bowl = lathe(
  [0, 0, 0.055, 0, 0.06, 0.004, 0.062, 0.012, 0.1, 0.03, 0.135, 0.06, 0.155, 0.1, 0.157, 0.104, 0.153, 0.104, 0.13, 0.064, 0.095, 0.036, 0.05, 0.02, 0, 0.016],
  SEGMENTS,
);
const cup = lathe([0, 0, 0.03, 0, 0.034, 0.003, 0.04, 0.03, 0.043, 0.085, 0.0415, 0.087, 0.0395, 0.085, 0.036, 0.03, 0.028, 0.008, 0, 0.007], SEGMENTS);
const plate = lathe([0, 0, 0.07, 0, 0.075, 0.003, 0.12, 0.014, 0.122, 0.017, 0.119, 0.018, 0.075, 0.008, 0, 0.007], SEGMENTS);
const bottle = lathe(
  [
    0, 0, 0.036, 0, 0.04, 0.005, 0.041, 0.02, 0.041, 0.17, 0.036, 0.2, 0.02, 0.235, 0.0155, 0.26, 0.015, 0.31, 0.018, 0.312, 0.018, 0.325, 0.014, 0.327, 0,
    0.327,
  ],
  SEGMENTS,
);
const jug = lathe(
  [0, 0, 0.05, 0, 0.054, 0.004, 0.07, 0.04, 0.076, 0.08, 0.068, 0.125, 0.05, 0.165, 0.047, 0.19, 0.056, 0.215, 0.054, 0.217, 0.044, 0.19, 0.04, 0.16, 0, 0.15],
  SEGMENTS,
);
const shade = lathe([0.15, 0, 0.148, 0.03, 0.11, 0.11, 0.04, 0.15, 0.03, 0.16, 0, 0.162], SEGMENTS);

/** A table with fruit and cups, the last blue of the day through the window, and one warm lamp. */
export async function kitchen(): Promise<Uint8Array> {
  const model = new Model();
  await addRoom(model);
  await addTable(model);
  addStillLife(model);
  addShelf(model);
  model.camera([0.32, 1.18, 1.5], [-0.05, 0.98, -0.1], 39);
  return model.write();
}

async function addRoom(model: Model): Promise<void> {
  const plaster = model.material({ color: [0.62, 0.58, 0.52] });
  model.add(quad([-1.7, 0, -0.8], [3.6, 0, 0], [0, 1.5, 0], [6, 2.5]), model.material({ texture: await tiles(), roughness: 0.25 }));
  model.add(quad([-1.7, 1.5, -0.8], [3.6, 0, 0], [0, 1.1, 0]), plaster);
  model.add(quad([1.9, 0, -0.8], [0, 0, 3.2], [0, 2.6, 0]), plaster);
  model.add(quad([-1.7, 2.6, -0.8], [3.6, 0, 0], [0, 0, 3.2]), plaster);
  model.add(quad([-1.7, 0, 2.4], [3.6, 0, 0], [0, 0, -3.2]), model.material({ color: [0.16, 0.12, 0.09], roughness: 0.5 }));
  // The left wall around the window, the window's bars, and the evening behind it.
  const around = [
    quad([-1.7, 0, 2.4], [0, 0, -3.2], [0, 0.95, 0]),
    quad([-1.7, 2.05, 2.4], [0, 0, -3.2], [0, 0.55, 0]),
    quad([-1.7, 0.95, 2.4], [0, 0, -1.6], [0, 1.1, 0]),
    quad([-1.7, 0.95, -0.35], [0, 0, -0.45], [0, 1.1, 0]),
  ];
  model.add(merge(around), plaster);
  const paint = model.material({ color: [0.75, 0.73, 0.68], roughness: 0.4 });
  for (const z of [-0.35, 0.225, 0.8]) model.add(bevelledBox(0.06, 1.14, 0.05, 0.006), paint, { at: [-1.7, 1.5, z] });
  for (const y of [0.95, 1.5, 2.05]) model.add(bevelledBox(0.06, 0.05, 1.2, 0.006), paint, { at: [-1.7, y, 0.225] });
  model.add(panel([-1.78, 1.5, 0.225], [0, 1.5, 0.225], 1.2, 1.2), model.material({ color: [0, 0, 0], emission: [3, 4.6, 8.6] }));
}

async function addTable(model: Model): Promise<void> {
  const boards = model.material({ texture: await wood(), roughness: 0.3 });
  const dark = model.material({ color: [0.14, 0.085, 0.05], roughness: 0.45 });
  model.add(quad([-0.85, TABLE, 0.45], [1.7, 0, 0], [0, 0, -0.9]), boards);
  model.add(bevelledBox(1.7, 0.04, 0.9, 0.004), dark, { at: [0, TABLE - 0.021, 0] });
  for (const x of [-0.78, 0.78]) for (const z of [-0.38, 0.38]) model.add(bevelledBox(0.06, 0.71, 0.06, 0.006), dark, { at: [x, 0.355, z] });
  // The lamp over the table: a shade, and a bright disc in its opening.
  const at = [0.34, 1.37, -0.12] as const;
  model.add(shade, model.material({ color: [0.02, 0.16, 0.11], roughness: 0.3 }), { at });
  model.add(lathe([0, 0.012, 0.138, 0.012], SEGMENTS), model.material({ color: [0, 0, 0], emission: [46, 25, 10.5] }), { at });
  model.add(bevelledBox(0.008, 1.08, 0.008, 0.001), dark, { at: [at[0], at[1] + 0.7, at[2]] });
}

function addStillLife(model: Model): void {
  const glaze = model.material({ color: [0.02, 0.2, 0.14], roughness: 0.15 });
  const white = model.material({ color: [0.8, 0.78, 0.73], roughness: 0.2 });
  const set = (shape: Shape, material: ReturnType<Model['material']>, x: number, z: number, y = 0) => model.add(shape, material, { at: [x, TABLE + y, z] });
  set(bowl, glaze, -0.06, -0.08);
  const orange = model.material({ color: [0.85, 0.26, 0.03], roughness: 0.4 });
  const lemon = model.material({ color: [0.86, 0.62, 0.06], roughness: 0.35 });
  const fruit = sphere(0.044, 24);
  for (const [x, y, z] of [
    [-0.12, 0.072, -0.08],
    [-0.03, 0.072, -0.13],
    [-0.02, 0.074, -0.03],
    [-0.06, 0.135, -0.085],
  ] as const)
    set(fruit, orange, x, z, y);
  model.add(sphere(0.034, 24), lemon, { at: [0.13, TABLE + 0.034, 0.16], scale: [1.3, 1, 1], rotation: turn([0, 1, 0], 35) });
  set(plate, white, 0.34, 0.06);
  set(cup, white, 0.34, 0.06, 0.008);
  set(cup, glaze, -0.36, 0.12);
  set(bottle, model.material({ color: [0.03, 0.07, 0.03], roughness: 0.08 }), -0.42, -0.22);
  set(jug, model.material({ color: [0.93, 0.52, 0.34], metallic: 1, roughness: 0.22 }), 0.2, -0.26);
  const board = model.material({ color: [0.42, 0.24, 0.12], roughness: 0.5 });
  model.add(bevelledBox(0.34, 0.018, 0.2, 0.004), board, { at: [-0.1, TABLE + 0.009, 0.26], rotation: turn([0, 1, 0], -14) });
  model.add(sphere(0.034, 24), lemon, { at: [-0.16, TABLE + 0.052, 0.27], scale: [1.3, 1, 1], rotation: turn([0, 1, 0], -50) });
}

function addShelf(model: Model): void {
  const dark = model.material({ color: [0.2, 0.12, 0.07], roughness: 0.45 });
  const shelf = 1.28;
  model.add(bevelledBox(1.3, 0.03, 0.18, 0.004), dark, { at: [-0.55, shelf - 0.015, -0.7] });
  const clay = model.material({ color: [0.5, 0.2, 0.11], roughness: 0.6 });
  const white = model.material({ color: [0.8, 0.78, 0.73], roughness: 0.25 });
  model.add(jug, clay, { at: [-1, shelf, -0.7] });
  for (const level of [0, 1, 2]) model.add(bowl, white, { at: [-0.7, shelf + level * 0.022, -0.7], scale: [0.5, 0.5, 0.5] });
  for (const x of [-0.48, -0.36, -0.24]) model.add(cup, x === -0.36 ? clay : white, { at: [x, shelf, -0.7] });
}
