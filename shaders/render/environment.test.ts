import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { type Equirect, encodeShared, type PackedEnvironment, packEnvironment } from './environment.ts';
import { stillScene, TriangleBuilder, type Vec3, whiteMaterial } from './mesh.ts';
import { packScene } from './pack.ts';
import { luminance } from './packMath.ts';
import { beyond, LightSample, sampleLight } from './reference/lights.ts';
import { loadScene, type Scene } from './reference.ts';
import { gradientSky } from './testing/scenes.ts';

const decodeShared = (bits: number): Vec3 => {
  const size = 2 ** ((bits >>> 27) - 24);
  return [(bits & 511) * size, ((bits >>> 9) & 511) * size, ((bits >>> 18) & 511) * size];
};

/** A map whose pixels have a colour each; `color` takes column and row. */
function mapOf(width: number, height: number, color: (x: number, y: number) => Vec3): Equirect {
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) pixels.set(color(x, y), (y * width + x) * 3);
  return { width, height, pixels };
}

function noisyMap(width: number): Equirect {
  const rng = new Rng(width);
  return mapOf(width, width / 2, () => [rng.unit() * 2, rng.unit() ** 8 * 300, rng.unit()]);
}

/** Light of all directions of the map read bilinearly, summed over 32 lines a row. */
function energyOf({ width, height, pixels }: Equirect): Vec3 {
  const sums: [number, number, number] = [0, 0, 0];
  const lines = height * 32;
  for (let line = 0; line < lines; line++) {
    const v = (line + 0.5) / lines;
    const y = Math.min(Math.max(v * height - 0.5, 0), height - 1);
    const [top, bottom] = [Math.floor(y), Math.min(Math.floor(y) + 1, height - 1)];
    const patch = Math.sin(Math.PI * v) * (Math.PI / lines) * ((2 * Math.PI) / width);
    for (let at = 0; at < width * 3; at++)
      sums[at % 3]! += patch * (pixels[top * width * 3 + at]! * (1 - y + top) + pixels[bottom * width * 3 + at]! * (y - top));
  }
  return sums;
}

/** Light of all directions as the packed map has it: a texel is seen under 4 / edge^2 / |direction in the octahedron's own units|^3. */
function packedEnergy({ edge, texels, scale }: PackedEnvironment): Vec3 {
  const sums: [number, number, number] = [0, 0, 0];
  for (const [at, bits] of texels.entries()) {
    const [px, pz] = [(2 * ((at % edge) + 0.5)) / edge - 1, (2 * (Math.floor(at / edge) + 0.5)) / edge - 1];
    const y = 1 - Math.abs(px) - Math.abs(pz);
    const [x, z] = y < 0 ? [1 - Math.abs(pz), 1 - Math.abs(px)] : [px, pz];
    const solidAngle = 4 / edge ** 2 / Math.hypot(x, y, z) ** 3;
    decodeShared(bits).forEach((value, channel) => {
      sums[channel]! += value * scale * solidAngle;
    });
  }
  return sums;
}

/** A scene that has nothing else which shines. */
function sceneUnder(environment: PackedEnvironment): Scene {
  const builder = new TriangleBuilder(1);
  builder.add([0, 0, 0, 1, 0, 0, 0, 1, 0], null, null, 0);
  return loadScene(packScene(stillScene(builder.finish(), [whiteMaterial]), { environment, strength: 1, sun: null }).bytes);
}

const white = [1, 1, 1];
const here = new Float32Array(3);

/** Radiance from a direction, y up. */
function seen(scene: Scene, direction: Vec3): Vec3 {
  const out = new Float32Array(3);
  const length = Math.hypot(...direction);
  beyond(
    scene,
    white,
    Float32Array.from(direction, (value) => value / length),
    0,
    true,
    out,
  );
  return [out[0]!, out[1]!, out[2]!];
}

describe('what a map brings is kept', () => {
  // What is as small as a texel falls between the readings.
  const maps: Readonly<Record<string, readonly [map: Equirect, allowed: number]>> = {
    'of a few pixels': [noisyMap(8), 0.006],
    'of noise': [noisyMap(256), 0.005],
    'a sky': [gradientSky(512), 0.005],
    'one bright pixel, too bright for RGB9E5': [mapOf(64, 32, (x, y) => (x === 40 && y === 9 ? [3e6, 1e6, 2e5] : [1, 1, 1])), 0.01],
    'of another aspect': [mapOf(96, 96, (x, y) => [1 + Math.sin(x / 5), y / 96, 1]), 0.005],
  };
  for (const [name, [map, allowed]] of Object.entries(maps)) {
    test(name, () => {
      const packed = packEnvironment(map, 17);
      const truth = energyOf(map);
      packedEnergy(packed).forEach((energy, channel) => {
        expect(Math.abs(energy / truth[channel]! - 1), `channel ${channel}`).toBeLessThan(allowed);
      });
      expect(Math.abs(packed.flux / luminance(truth) - 1)).toBeLessThan(allowed);
      expect(packed.edge * packed.edge).toBe(packed.texels.length);
    });
  }

  test('a sky of one colour is one everywhere', () => {
    const packed = packEnvironment(
      mapOf(40, 20, () => [0.25, 0.5, 2]),
      0,
    );
    expect(new Set([...packed.texels].map(String))).toHaveLength(1);
    expect(seen(sceneUnder(packed), [0.3, -0.7, 0.2])).toEqual([0.25, 0.5, 2]);
    expect(packed.flux / (4 * Math.PI * luminance([0.25, 0.5, 2]))).toBeCloseTo(1, 3);
    expect(packed.scale).toBe(1);
  });
});

describe('orientation', () => {
  const width = 256;
  /** A spot around u, v. */
  const spot = (u: number, v: number): Equirect =>
    mapOf(width, width / 2, (x, y) => {
      const across = Math.abs(((x + 0.5) / width - u + 1.5) % 1) - 0.5;
      return Math.hypot(across * 2, (y + 0.5) / (width / 2) - v) < 0.03 ? [1, 1, 1] : [0, 0, 0];
    });
  const directions: readonly Vec3[] = [
    [0, 0, -1],
    [1, 0, 0],
    [-1, 0, 0],
    [0, 0, 1],
    [0.5, 0.7, -0.4],
    [-0.5, -0.7, 0.4],
  ];
  const placeOf = ([x, y, z]: Vec3): [number, number] => [0.5 + Math.atan2(x, -z) / (2 * Math.PI), Math.acos(y / Math.hypot(x, y, z)) / Math.PI];

  test('u is 1/2 + atan2(x, -z) / 2 pi, v is acos(y) / pi', () => {
    for (const direction of directions) {
      const scene = sceneUnder(packEnvironment(spot(...placeOf(direction)), 0));
      for (const other of directions) expect(seen(scene, other)[0], `${direction} seen from ${other}`).toBeCloseTo(other === direction ? 1 : 0, 5);
    }
  });

  test('up and down are the first and the last row', () => {
    const scene = sceneUnder(
      packEnvironment(
        mapOf(64, 32, (_, y) => [y < 4 ? 1 : 0, y > 27 ? 1 : 0, 0]),
        123,
      ),
    );
    expect(seen(scene, [0, 1, 0])).toEqual([1, 0, 0]);
    expect(seen(scene, [0, -1, 0])).toEqual([0, 1, 0]);
  });

  test('a quarter turn moves north to west, counter-clockwise from above', () => {
    const scene = sceneUnder(packEnvironment(spot(...placeOf([0, 0, -1])), 90));
    expect(seen(scene, [-1, 0, 0])[0]).toBeCloseTo(1, 5);
    expect(seen(scene, [1, 0, 0])[0]).toBeCloseTo(0, 5);
    expect(seen(scene, [0, 0, -1])[0]).toBeCloseTo(0, 5);
    expect(packEnvironment(spot(0.3, 0.4), 360).texels).toEqual(packEnvironment(spot(0.3, 0.4), 0).texels);
  });
});

describe('drawing directions', () => {
  const maps: readonly Equirect[] = [gradientSky(64), noisyMap(32), mapOf(32, 16, (x, y) => (x === 3 && y === 2 ? [900, 900, 900] : [0, 0, 0]))];

  test('cumulative probabilities grow and end with exactly 1', () => {
    for (const map of [...maps, mapOf(16, 8, () => [0, 0, 0])]) {
      const { cdf, edge } = packEnvironment(map, 50);
      expect(cdf).toHaveLength(edge * edge + edge);
      for (let row = 0; row <= edge; row++) {
        const line = cdf.subarray(row * edge, (row + 1) * edge);
        expect(line[edge - 1]).toBe(1);
        for (let at = 0; at < edge; at++) {
          expect(line[at]).toBeLessThanOrEqual(1);
          expect(line[at]).toBeGreaterThanOrEqual(at > 0 ? line[at - 1]! : 0);
        }
      }
    }
  });

  /** Stratified draws. */
  function draw(scene: Scene, visit: (sample: LightSample) => void): void {
    const steps = 96;
    const sample = new LightSample();
    for (let i = 0; i < steps; i++)
      for (let j = 0; j < steps; j++) {
        sampleLight(scene, white, here, 0.5, (i + 0.5) / steps, (j + 0.5) / steps, sample);
        visit(sample);
      }
  }

  test('the density integrates to 1, and brings the light of the whole sky', () => {
    for (const map of maps) {
      const packed = packEnvironment(map, 0);
      const scene = sceneUnder(packed);
      let [solidAngle, light, count] = [0, 0, 0];
      draw(scene, ({ pdf, radiance, direction }) => {
        expect(Math.hypot(...direction)).toBeCloseTo(1, 5);
        expect(pdf).toBeGreaterThan(0);
        solidAngle += 1 / pdf;
        light += luminance([radiance[0]!, radiance[1]!, radiance[2]!]) / pdf;
        count++;
      });
      expect(light / count / packed.flux).toBeCloseTo(1, 1);
      // Where it is dark far around nothing is drawn: that sky is smaller.
      if (map === maps[2]) expect(solidAngle / count).toBeLessThan(1.5);
      else expect(solidAngle / count / (4 * Math.PI)).toBeCloseTo(1, 1);
    }
  });

  test('a ray that finds the sky knows the density with which it would have been drawn', () => {
    for (const map of maps) {
      const scene = sceneUnder(packEnvironment(map, 0));
      const found = new Float32Array(3);
      let compared = 0;
      draw(scene, ({ pdf, radiance, direction }) => {
        if (!(radiance[0]! > 1e-3)) return;
        beyond(scene, white, direction, 1, false, found);
        // The balance heuristic: 1 / (1 + density) of the light. At a texel's edge the direction may round to its neighbour.
        const density = radiance[0]! / found[0]! - 1;
        if (Math.abs(density / pdf - 1) < 2e-3) compared++;
      });
      expect(compared).toBeGreaterThan(0.98 * 96 * 96 * (map === maps[2] ? 0.5 : 1));
    }
  });

  test('what is never drawn is dark', () => {
    const scene = sceneUnder(packEnvironment(maps[2]!, 0));
    const found = new Float32Array(3);
    const rng = new Rng(8);
    let dark = 0;
    for (let i = 0; i < 20_000; i++) {
      const y = 2 * rng.unit() - 1;
      const angle = rng.unit() * 2 * Math.PI;
      const direction: Vec3 = [Math.sqrt(1 - y * y) * Math.cos(angle), y, Math.sqrt(1 - y * y) * Math.sin(angle)];
      const radiance = seen(scene, direction)[0];
      if (radiance === 0) {
        dark++;
        continue;
      }
      beyond(scene, white, Float32Array.from(direction), 1, false, found);
      // Weighted by 1 / (1 + density).
      expect(found[0]! / radiance).toBeLessThan(0.999);
    }
    expect(dark).toBeGreaterThan(15_000);
    expect(dark).toBeLessThan(20_000);
  });
});

describe('RGB9E5', () => {
  const channel = fc.oneof(fc.double({ min: 0, max: 65408, noNaN: true }), fc.double({ min: 0, max: 1e-3, noNaN: true }), fc.constant(0));

  test('is at most half a step of the brightest channel off', () => {
    fc.assert(
      fc.property(channel, channel, channel, (r, g, b) => {
        const most = Math.max(r, g, b);
        decodeShared(encodeShared(r, g, b)).forEach((value, index) => {
          expect(Math.abs(value - [r, g, b][index]!)).toBeLessThanOrEqual(Math.max(most * 2 ** -9, 2 ** -25));
        });
      }),
      { numRuns: 2000 },
    );
  });

  test('powers of two are exact, and so is the largest', () => {
    for (let power = -16; power < 16; power++) expect(decodeShared(encodeShared(2 ** power, 0, 2 ** power / 2))).toEqual([2 ** power, 0, 2 ** power / 2]);
    expect(decodeShared(encodeShared(65408, 65408, 0))).toEqual([65408, 65408, 0]);
    expect(encodeShared(0, 0, 0)).toBe(0);
    // The mantissa that rounds up to 512 takes the next exponent.
    expect(decodeShared(encodeShared(1.9995, 0, 0))[0]).toBe(2);
  });
});
