import { ExrWriter } from './exr.ts';
import { type RenderJob, settingsOf } from './params.ts';
import type { FrameWriter } from './rows.ts';

/**
 * The EXR of a frame: linear radiance as R, G, B, and where layers were ordered `albedo.R` to `.B`, `normal.X` to `.Z` (world space, -1 to 1),
 * `Z` (OpenEXR's name for depth; metres along the ray) and `samples.Y`: how many were taken, which differs from tile to tile where noise was ordered.
 */
const light = ['R', 'G', 'B'] as const;
const features = ['albedo.R', 'albedo.G', 'albedo.B', 'normal.X', 'normal.Y', 'normal.Z', 'Z'] as const;
const SAMPLES = 'samples.Y';

/** Depth where nothing was hit, as Cycles writes it. */
const DEPTH_OF_NOTHING = 1e10;

/** Holds one row of tiles as f32, 44 bytes a pixel, and the compressed file. */
export function exrWriter({ params }: RenderJob): FrameWriter {
  const { width, height } = params;
  const layered = settingsOf(params).layers === 'all';
  const names = layered ? [...light, ...features, SAMPLES] : light;
  const file = new ExrWriter(width, height, names);
  return {
    row({ y, height: rows, picture }) {
      const planes = Object.fromEntries(names.map((name) => [name, new Float32Array(width * rows)]));
      const planesOf = (wanted: readonly string[]): Float32Array[] => wanted.flatMap((name) => planes[name] ?? []);
      const [colors, counts, featurePlanes] = [planesOf(light), planes[SAMPLES], planesOf(features)];
      picture.eachPixel(0, y, width, rows, (index, rgb, samples) => {
        for (const [channel, plane] of colors.entries()) plane[index] = rgb[channel]!;
        if (counts) counts[index] = samples;
      });
      if (layered) {
        picture.eachFeature(0, y, width, rows, (index, { albedo, normal, depth }) => {
          const values = [...albedo, ...normal, Math.min(depth, DEPTH_OF_NOTHING)];
          for (const [at, plane] of featurePlanes.entries()) plane[index] = values[at]!;
        });
      }
      file.rows(y, planes);
    },
    finish: async () => file.finish(),
  };
}
