import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { agx } from './agx.ts';
import { type RenderParams, settingsOf } from './params.ts';
import { madeUpJob } from './picture.testing.ts';
import { encodeSrgb, toneMapOf } from './toneMap.ts';

/** three.js' shader, from its source: the numbers of a matrix, in the order of the text (columns). */
const three = createRequire(import.meta.url).resolve('three/src/renderers/shaders/ShaderChunk/tonemapping_pars_fragment.glsl.js');
const shader = readFileSync(three, 'utf8');

const numbers = (text: string): number[] => [...text.matchAll(/(-?)\s*(\d+\.\d+)/g)].map(([, sign, digits]) => Number(`${sign}${digits}`));

function matrixOf(name: string): number[] {
  const body = new RegExp(`const mat3 ${name} = mat3\\(([\\s\\S]*?)\\n\\s*\\);`).exec(shader)?.[1] ?? '';
  const found = numbers(body);
  if (found.length !== 9) throw new Error(`three.js has no matrix ${name} any more`);
  return found;
}

const times = (columns: readonly number[], v: readonly number[]): number[] =>
  [0, 1, 2].map((row) => columns[row]! * v[0]! + columns[row + 3]! * v[1]! + columns[row + 6]! * v[2]!);

/** AgXToneMapping of three.js, statement by statement. */
function threeAgx(color: readonly number[]): number[] {
  const [min = 0] = numbers(/const float AgxMinEv = ([^;]*);/.exec(shader)?.[1] ?? '');
  const [max = 0] = numbers(/const float AgxMaxEv = ([^;]*);/.exec(shader)?.[1] ?? '');
  const curve = numbers(/vec3 agxDefaultContrastApprox\([\s\S]*?return([\s\S]*?);/.exec(shader)?.[1]?.replace(/\+\s*/g, '') ?? '');
  let value = times(matrixOf('AgXInsetMatrix'), times(matrixOf('LINEAR_SRGB_TO_LINEAR_REC2020'), color));
  value = value.map((x) => Math.min(Math.max((Math.log2(Math.max(x, 1e-10)) - min) / (max - min), 0), 1));
  value = value.map((x) => curve.reduce((sum, factor, index) => sum + factor * x ** (6 - index), 0));
  value = times(matrixOf('AgXOutsetMatrix'), value).map((x) => Math.max(0, x) ** 2.2);
  return times(matrixOf('LINEAR_REC2020_TO_LINEAR_SRGB'), value).map((x) => Math.min(Math.max(x, 0), 1));
}

const mapped = (...rgb: number[]): number[] => {
  const value = Float64Array.from(rgb);
  agx(value);
  return [...value].map((x) => Math.min(Math.max(x, 0), 1));
};

test('it is that of three.js and Filament', () => {
  const rng = new Rng(3);
  const colors = Array.from({ length: 500 }, () => [0, 1, 2].map(() => 2 ** (rng.below(2400) / 100 - 14)));
  for (const color of [...colors, [0, 0, 0], [1, 0, 0], [0, 50, 0], [1e6, 1e6, 1e6]]) {
    const expected = threeAgx(color);
    for (const [channel, value] of mapped(...color).entries()) expect(value).toBeCloseTo(expected[channel]!, 9);
  }
});

test('grey stays grey, brighter is never darker, and bright colours fade to white', () => {
  let last = -1;
  for (let stop = -12; stop <= 6; stop += 0.25) {
    const [r = 0, g = 0, b = 0] = mapped(...Array<number>(3).fill(0.18 * 2 ** stop));
    expect(Math.max(r, g, b) - Math.min(r, g, b)).toBeLessThan(0.004);
    // The polynomial undershoots by 5e-5 beside black.
    expect(g).toBeGreaterThan(last - 1e-4);
    last = g;
  }
  expect(last).toBeGreaterThan(0.9);
  // Clipped sRGB would show (1, 0, 0) for either.
  const [dim, bright] = [mapped(0.5, 0, 0), mapped(50, 0, 0)];
  expect(dim[1]! / dim[0]!).toBeLessThan(0.1);
  expect(bright[1]! / bright[0]!).toBeGreaterThan(0.3);
});

const shown = (params: Partial<RenderParams>, ...rgb: number[]): number[] => {
  const value = Float64Array.from(rgb);
  toneMapOf(settingsOf({ ...madeUpJob().params, ...params }))(value);
  return [...value];
};

test('sRGB is that of IEC 61966-2-1', () => {
  expect([-1, 0, 0.0031308, 0.18, 0.5, 1, 50].map((linear) => Math.round(255 * encodeSrgb(linear)))).toEqual([0, 0, 10, 118, 188, 255, 255]);
});

test('without tone mapping it is sRGB, clipped', () => {
  expect(shown({}, 0.18, 1, 7)).toEqual([encodeSrgb(0.18), 1, 1]);
});

test('a stop of exposure is twice the light, under either', () => {
  for (const toneMap of ['none', 'agx'] as const) {
    expect(shown({ toneMap, exposure: 1 }, 0.1, 0.2, 0.05)).toEqual(shown({ toneMap }, 0.2, 0.4, 0.1));
    expect(shown({ toneMap, exposure: -2 }, 0.1, 0.2, 0.05)).toEqual(shown({ toneMap }, 0.025, 0.05, 0.0125));
  }
  expect(shown({ toneMap: 'agx' }, 0.1, 0.2, 0.05)).not.toEqual(shown({ toneMap: 'none' }, 0.1, 0.2, 0.05));
});

test('what is shown lies between 0 and 1 whatever comes', () => {
  for (const toneMap of ['none', 'agx'] as const)
    for (const rgb of [
      [0, 0, 0],
      [-1, 0, 3],
      [1e30, 0, 1e-30],
    ])
      for (const value of shown({ toneMap, exposure: 20 }, ...rgb)) expect(value >= 0 && value <= 1).toBe(true);
});
