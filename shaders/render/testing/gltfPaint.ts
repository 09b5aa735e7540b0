import sharp from 'sharp';

/** Textures and environment maps of the glTF test scenes, made by code: equal calls give equal bytes. */

export type Rgb = readonly [number, number, number];
type Rgba = readonly [number, number, number, number];

/** A PNG file. `color` gives bytes of the pixel at (x, y), from the top left; of three, alpha is opaque. */
export async function png(width: number, height: number, color: (x: number, y: number) => Rgb | Rgba): Promise<Uint8Array> {
  const pixels = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) pixels.set(color(x, y).map(Math.round), (y * width + x) * 4);
  return new Uint8Array(
    await sharp(pixels, { raw: { width, height, channels: 4 } })
      .png({ compressionLevel: 9 })
      .toBuffer(),
  );
}

/** A tangent-space normal map of a height field that repeats. `height` takes (u, v) in [0, 1), v down, and is in widths of the map. */
export function bumps(size: number, height: (u: number, v: number) => number): Promise<Uint8Array> {
  return png(size, size, (x, y) => {
    const [u, v, step] = [(x + 0.5) / size, (y + 0.5) / size, 0.5 / size];
    // The map's y points up, its v down.
    const [dx, dy] = [(height(u + step, v) - height(u - step, v)) / (2 * step), (height(u, v - step) - height(u, v + step)) / (2 * step)];
    const length = Math.hypot(dx, dy, 1);
    return [(1 - dx / length) * 127.5, (1 - dy / length) * 127.5, (1 + 1 / length) * 127.5];
  });
}

const exponentOf = (largest: number): number => Math.floor(Math.log2(largest)) + 1;

function rgbe(color: Rgb): readonly [number, number, number, number] {
  const largest = Math.max(...color);
  if (largest < 1e-32) return [0, 0, 0, 0];
  const exponent = exponentOf(largest);
  const byte = (value: number): number => Math.min(255, Math.floor((value / 2 ** exponent) * 256));
  return [byte(color[0]), byte(color[1]), byte(color[2]), exponent + 128];
}

/**
 * A Radiance .hdr file, run-length encoded scan lines of literal runs. `radiance` takes a direction, y up: the middle column looks
 * towards -z, columns to the right of it towards +x, the first row up.
 */
export function hdr(width: number, height: number, radiance: (x: number, y: number, z: number) => Rgb): Uint8Array {
  const bytes: number[] = [...new TextEncoder().encode(`#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y ${height} +X ${width}\n`)];
  for (let row = 0; row < height; row++) {
    const polar = ((row + 0.5) / height) * Math.PI;
    const pixels = Array.from({ length: width }, (_, column) => {
      const azimuth = ((column + 0.5) / width - 0.5) * 2 * Math.PI;
      return rgbe(radiance(Math.sin(polar) * Math.sin(azimuth), Math.cos(polar), -Math.sin(polar) * Math.cos(azimuth)));
    });
    bytes.push(2, 2, width >> 8, width & 255);
    for (let channel = 0; channel < 4; channel++)
      for (let first = 0; first < width; first += 128) {
        const run = pixels.slice(first, first + 128).map((pixel) => pixel[channel]!);
        bytes.push(run.length, ...run);
      }
  }
  return Uint8Array.from(bytes);
}

/** A lamp in the sky: radiance at its middle, direction (any length), and the angle in radians at which it has fallen to 1/e. */
interface Glow {
  readonly color: Rgb;
  readonly towards: Rgb;
  readonly width: number;
}

/** Sky from zenith over horizon to ground, with soft lamps. */
export function sky(zenith: Rgb, horizon: Rgb, ground: Rgb, glows: readonly Glow[]): (x: number, y: number, z: number) => Rgb {
  const shares = glows.map(({ towards, width }) => {
    const length = Math.hypot(...towards);
    return (x: number, y: number, z: number): number => Math.exp(((x * towards[0] + y * towards[1] + z * towards[2]) / length - 1) / (0.5 * width * width));
  });
  return (x, y, z) => {
    const share = Math.min(1, Math.abs(y) * 1.6);
    const far = y > 0 ? zenith : ground;
    const sum = (channel: 0 | 1 | 2): number =>
      horizon[channel] + (far[channel] - horizon[channel]) * share + glows.reduce((light, { color }, at) => light + color[channel] * shares[at]!(x, y, z), 0);
    return [sum(0), sum(1), sum(2)];
  };
}
