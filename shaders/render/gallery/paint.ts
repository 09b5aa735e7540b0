import sharp from 'sharp';
import { Rng } from '../../../shared/rng.ts';

/** Textures made by code, as PNG files. */

type Rgb = readonly [number, number, number];

/** `color` gives sRGB bytes at (u, v), both in [0, 1) from the top left. */
async function paint(width: number, height: number, color: (u: number, v: number) => Rgb): Promise<Uint8Array> {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) pixels.set(color((x + 0.5) / width, (y + 0.5) / height).map(Math.round), (y * width + x) * 3);
  return new Uint8Array(
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 9 })
      .toBuffer(),
  );
}

const mix = (a: Rgb, b: Rgb, share: number): Rgb => [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
const smooth = (x: number): number => x * x * (3 - 2 * x);

/** Noise in [0, 1) that repeats after `across` and `down` cells and is smooth in between. */
function valueNoise(seed: number, across: number, down: number): (u: number, v: number) => number {
  const rng = new Rng(seed);
  const values = Array.from({ length: across * down }, () => rng.unit());
  const at = (x: number, y: number): number => values[(y % down) * across + (x % across)]!;
  return (u, v) => {
    const [x, y] = [u * across, v * down];
    const [x0, y0] = [Math.floor(x), Math.floor(y)];
    const [sx, sy] = [smooth(x - x0), smooth(y - y0)];
    const top = at(x0, y0) + (at(x0 + 1, y0) - at(x0, y0)) * sx;
    const bottom = at(x0, y0 + 1) + (at(x0 + 1, y0 + 1) - at(x0, y0 + 1)) * sx;
    return top + (bottom - top) * sy;
  };
}

/** Two by two squares. */
export const checker = (dark: Rgb, light: Rgb): Promise<Uint8Array> => {
  const speck = valueNoise(11, 64, 64);
  return paint(256, 256, (u, v) => mix(u < 0.5 === v < 0.5 ? dark : light, [128, 128, 128], 0.08 * speck(u, v)));
};

/** Boards along u with grain and dark joints. */
export const wood = (): Promise<Uint8Array> => {
  const boards = 6;
  const [wave, grain, fibre] = [valueNoise(21, 4, 12), valueNoise(22, 10, 160), valueNoise(23, 6, 500)];
  const tones = new Rng(24);
  const tone = Array.from({ length: boards }, () => tones.unit());
  const shift = Array.from({ length: boards }, () => tones.unit());
  return paint(1024, 512, (u, v) => {
    const board = Math.floor(v * boards);
    const along = (u + shift[board]!) % 1;
    const ring = 0.5 + 0.5 * Math.sin((v * boards + 1.3 * wave(along, v)) * 22);
    const dark = 0.35 * ring + 0.35 * grain(along, v) + 0.3 * fibre(along, v);
    const joint = Math.min(1, Math.min((v * boards) % 1, 1 - ((v * boards) % 1)) / 0.02);
    const color = mix(mix([190, 138, 88], [122, 78, 44], dark), [150, 100, 60], 0.5 * tone[board]!);
    return mix([50, 32, 20], color, smooth(joint));
  });
};

/** Glazed wall tiles, four by four, each of its own tone, with pale joints. */
export const tiles = (): Promise<Uint8Array> => {
  const count = 4;
  const rng = new Rng(31);
  const tone = Array.from({ length: count * count }, () => rng.unit());
  const cloud = valueNoise(32, 16, 16);
  return paint(512, 512, (u, v) => {
    const [x, y] = [(u * count) % 1, (v * count) % 1];
    const edge = Math.min(x, 1 - x, y, 1 - y);
    const glaze = mix([168, 190, 178], [112, 148, 134], tone[Math.floor(v * count) * count + Math.floor(u * count)]! * 0.8 + 0.2 * cloud(u, v));
    return edge < 0.03 ? [226, 220, 208] : glaze;
  });
};
