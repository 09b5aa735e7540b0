import { Rng } from '../../../shared/rng.ts';
import { Model, turn } from './model.ts';
import { bevelledBox, panel, quad } from './shapes.ts';

const COLUMNS = 40;
const ROWS = 15;
const PITCH = 0.2;
const SEED = 2024;

/** A wall of small square tiles at dusk: every one a little differently turned, a few of them lit from inside. */
export async function mosaic(): Promise<Uint8Array> {
  const model = new Model();
  const rng = new Rng(SEED);
  const tile = bevelledBox(0.188, 0.188, 0.07, 0.012);
  const enamel = (color: readonly [number, number, number], roughness: number) => model.mesh(tile, model.material({ color, roughness }));
  const lamp = (emission: readonly [number, number, number]) => model.mesh(tile, model.material({ color: [0.1, 0.1, 0.1], roughness: 0.4, emission }));
  // Meshes with how many of each are in the bag.
  const palette = [
    { mesh: enamel([0.012, 0.2, 0.125], 0.22), weight: 22 },
    { mesh: enamel([0.03, 0.32, 0.2], 0.3), weight: 16 },
    { mesh: enamel([0.12, 0.45, 0.32], 0.4), weight: 7 },
    { mesh: enamel([0.62, 0.28, 0.075], 0.3), weight: 7 },
    { mesh: enamel([0.68, 0.6, 0.5], 0.45), weight: 14 },
    { mesh: enamel([0.24, 0.235, 0.24], 0.4), weight: 18 },
    { mesh: enamel([0.07, 0.075, 0.085], 0.25), weight: 12 },
    { mesh: model.mesh(tile, model.material({ color: [0.9, 0.62, 0.3], metallic: 1, roughness: 0.25 })), weight: 4 },
    { mesh: lamp([2, 1, 0.34]), weight: 4 },
    { mesh: lamp([0.25, 1.3, 0.85]), weight: 2 },
  ];
  const bag = palette.flatMap(({ mesh, weight }) => new Array<typeof mesh>(weight).fill(mesh));
  const draw = () => bag[rng.below(bag.length)]!;
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      const angle = rng.unit() * 2 * Math.PI;
      const rotation = turn([Math.cos(angle), Math.sin(angle), 0], rng.unit() * 5);
      model.place(draw(), { at: [(column - (COLUMNS - 1) / 2) * PITCH, (row + 0.5) * PITCH + 0.01, 0.03 * rng.unit()], rotation });
    }
  }
  // The wall behind the joints, a polished floor, and the last blue of the sky.
  model.add(quad([-9, -0.1, -0.05], [18, 0, 0], [0, 3.6, 0]), model.material({ color: [0.1, 0.1, 0.1] }));
  model.add(quad([-9, 0, 7], [18, 0, 0], [0, 0, -8]), model.material({ color: [0.05, 0.052, 0.058], roughness: 0.18 }));
  model.add(panel([1, 5.5, 6], [0, 1, 0], 12, 4), model.material({ color: [0, 0, 0], emission: [0.8, 1.1, 1.95] }));
  model.add(panel([-7.5, 1.4, 4.5], [0, 1.2, 0], 3, 2), model.material({ color: [0, 0, 0], emission: [11, 5, 1.8] }));
  model.camera([-1.7, 1.2, 4.2], [0.15, 1.3, 0], 36);
  return model.write();
}
