import { describe, expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { encodeOctahedral, encodeTangent, roundOutward } from './packMath.ts';

describe('roundOutward', () => {
  test('never rounds inward and never further than one f32', () => {
    const rng = new Rng(1);
    for (let i = 0; i < 2000; i++) {
      const value = (rng.unit() - 0.5) * 2 ** (rng.below(80) - 40) + rng.unit() * 2 ** -60;
      const [below, above] = [roundOutward(value, -1), roundOutward(value, 1)];
      expect(below).toBe(Math.fround(below));
      expect(above).toBe(Math.fround(above));
      expect(below).toBeLessThanOrEqual(value);
      expect(above).toBeGreaterThanOrEqual(value);
      expect(below === Math.fround(value) || above === Math.fround(value)).toBe(true);
      expect(above - below).toBeLessThanOrEqual(Math.abs(value) * 2 ** -22 + 2 ** -149);
    }
  });
  test('about zero', () => {
    expect(roundOutward(0, -1)).toBe(0);
    expect(roundOutward(1e-60, 1)).toBe(2 ** -149);
    expect(roundOutward(1e-60, -1)).toBe(0);
    expect(roundOutward(-1e-60, -1)).toBe(-(2 ** -149));
    expect(roundOutward(-(2 ** -149) * 1.2, -1)).toBe(-(2 ** -148));
  });
});

describe('encodeOctahedral', () => {
  const decode = (word: number): [number, number, number] => {
    let [x, y] = [((word << 16) >> 16) / 32767, (word >> 16) / 32767];
    const z = 1 - Math.abs(x) - Math.abs(y);
    if (z < 0) [x, y] = [(1 - Math.abs(y)) * (x < 0 ? -1 : 1), (1 - Math.abs(x)) * (y < 0 ? -1 : 1)];
    const length = Math.hypot(x, y, z);
    return [x / length, y / length, z / length];
  };
  test('comes back within a ten-thousandth of a radian', () => {
    const rng = new Rng(2);
    for (let i = 0; i < 1000; i++) {
      const z = 2 * rng.unit() - 1;
      const angle = rng.unit() * 2 * Math.PI;
      const vector = [Math.sqrt(1 - z * z) * Math.cos(angle), Math.sqrt(1 - z * z) * Math.sin(angle), z] as const;
      const back = decode(encodeOctahedral(...vector));
      expect(Math.hypot(...back.map((value, axis) => value - vector[axis]!))).toBeLessThan(1e-4);
    }
  });
  test('the axes are exact', () => {
    for (const sign of [-1, 1]) {
      expect(decode(encodeOctahedral(sign, 0, 0)).map((value) => value + 0)).toEqual([sign, 0, 0]);
      expect(decode(encodeOctahedral(0, sign, 0)).map((value) => value + 0)).toEqual([0, sign, 0]);
      expect(decode(encodeOctahedral(0, 0, sign)).map((value) => value + 0)).toEqual([0, 0, sign]);
    }
  });
});

describe('encodeTangent', () => {
  const decode = (word: number): number[] => {
    let [x, y] = [((word << 16) >> 16) / 32767, (word >> 17) / 16383];
    const z = 1 - Math.abs(x) - Math.abs(y);
    if (z < 0) [x, y] = [(1 - Math.abs(y)) * (x < 0 ? -1 : 1), (1 - Math.abs(x)) * (y < 0 ? -1 : 1)];
    const length = Math.hypot(x, y, z);
    return [x / length, y / length, z / length, (word >>> 16) & 1 ? -1 : 1];
  };
  test('comes back within a five-thousandth of a radian, with its sign', () => {
    const rng = new Rng(3);
    for (let i = 0; i < 1000; i++) {
      const z = 2 * rng.unit() - 1;
      const angle = rng.unit() * 2 * Math.PI;
      const vector = [Math.sqrt(1 - z * z) * Math.cos(angle), Math.sqrt(1 - z * z) * Math.sin(angle), z, i % 2 ? 1 : -1] as const;
      expect(Math.hypot(...decode(encodeTangent(...vector)).map((value, axis) => value - vector[axis]!))).toBeLessThan(2e-4);
    }
  });
});
