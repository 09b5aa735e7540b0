/**
 * AgX, the tone mapping that Blender 4 shows pictures through: bright light loses colour before it clips. Troy Sobotka's curve (sobotka/AgX)
 * without its lookup table, as a polynomial by Benjamin Wrensch ("Minimal AgX Implementation", iolite-engine.com/blog_posts,
 * mean squared error 3.7e-6), in Rec. 2020 as Blender has it. Matrices as in Filament (pull request 7236) and in three.js r187
 * (ShaderChunk/tonemapping_pars_fragment), which agx.test.ts compares with.
 */

/** Rows of a 3x3 matrix. */
type Rows = readonly [number, number, number, number, number, number, number, number, number];

/** Rec. 709 <-> Rec. 2020, linear; ITU-R BT.2407. */
const toRec2020: Rows = [0.6274, 0.3293, 0.0433, 0.0691, 0.9195, 0.0113, 0.0164, 0.088, 0.8956];
const fromRec2020: Rows = [1.6605, -0.5876, -0.0728, -0.1246, 1.1329, -0.0083, -0.0182, -0.1006, 1.1187];

const inset: Rows = [
  0.856627153315983, 0.0951212405381588, 0.0482516061458583, 0.137318972929847, 0.761241990602591, 0.101439036467562, 0.11189821299995, 0.0767994186031903,
  0.811302368396859,
];
const outset: Rows = [
  1.1271005818144368, -0.11060664309660323, -0.016493938717834573, -0.1413297634984383, 1.157823702216272, -0.016493938717834257, -0.14132976349843826,
  -0.11060664309660294, 1.2519364065950405,
];

/** Stops: log2(0.18 * 2^-10) and log2(0.18 * 2^6.5), what becomes black and what becomes white. */
const EV_MIN = -12.47393;
const EV_MAX = 4.026069;
const LINEAR_MIN = 1e-10;
/** Of the display that the curve was made for. */
const DISPLAY_GAMMA = 2.2;

const product = (a: Rows, b: Rows): Rows =>
  a.map((_, at) => {
    const [row, column] = [Math.floor(at / 3) * 3, at % 3];
    return a[row]! * b[column]! + a[row + 1]! * b[column + 3]! + a[row + 2]! * b[column + 6]!;
  }) as unknown as Rows;

const before = product(inset, toRec2020);

function multiply(m: Rows, rgb: Float64Array): void {
  const [r, g, b] = [rgb[0]!, rgb[1]!, rgb[2]!];
  rgb[0] = m[0] * r + m[1] * g + m[2] * b;
  rgb[1] = m[3] * r + m[4] * g + m[5] * b;
  rgb[2] = m[6] * r + m[7] * g + m[8] * b;
}

const contrast = (x: number): number => {
  const square = x * x;
  return 15.5 * square ** 3 - 40.14 * square * square * x + 31.96 * square * square - 6.868 * square * x + 0.4298 * square + 0.1191 * x - 0.00232;
};

/** Replaces linear Rec. 709 radiance by linear Rec. 709 of the display; 0 to 1, but for what lies outside its gamut. */
export function agx(rgb: Float64Array): void {
  multiply(before, rgb);
  for (let at = 0; at < 3; at++) {
    const stops = (Math.log2(Math.max(rgb[at]!, LINEAR_MIN)) - EV_MIN) / (EV_MAX - EV_MIN);
    rgb[at] = contrast(Math.min(Math.max(stops, 0), 1));
  }
  multiply(outset, rgb);
  for (let at = 0; at < 3; at++) rgb[at] = Math.max(rgb[at]!, 0) ** DISPLAY_GAMMA;
  multiply(fromRec2020, rgb);
}
