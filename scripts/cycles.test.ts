import { describe, expect, test } from 'vitest';
import { ExrWriter } from '../shaders/render/exr.ts';
import { readExr } from './cycles.ts';
import { average, cellMeans, noiseOf, type Picture, relativeError, sideBySide, worstCell } from './cyclesMetrics.ts';

const picture = (width: number, height: number, value: (x: number, y: number, channel: number) => number): Picture => ({
  width,
  height,
  rgb: Float32Array.from({ length: width * height * 3 }, (_, at) => value(Math.floor(at / 3) % width, Math.floor(at / 3 / width), at % 3)),
});
const grey = (value: number): Picture => picture(16, 16, () => value);
/** A pattern without order, -1 to 1. */
const noise = (seed: number) => (x: number, y: number, channel: number) => Math.sin(1e4 * Math.sin(x * 12.9 + y * 78.2 + channel * 37.7 + seed));

describe('cells', () => {
  test('are means of 8 x 8 pixels, and of what is left at the edges', () => {
    const means = cellMeans(picture(12, 9, (x, y, channel) => (x < 8 ? 1 : 3) + (y < 8 ? 0 : 10) + 100 * channel));
    expect([...means].map((value) => Math.round(value * 1e6) / 1e6)).toEqual([1, 101, 201, 3, 103, 203, 11, 111, 211, 13, 113, 213]);
  });
});

describe('relative error', () => {
  test('is the share by which a picture is too bright or too dark', () => {
    expect(relativeError(grey(1.03), grey(1))).toBeCloseTo(0.03, 6);
    expect(relativeError(grey(0.97), grey(1))).toBeCloseTo(0.03, 6);
    expect(relativeError(grey(1), grey(1))).toBe(0);
  });
  test('sees one channel and one cell', () => {
    const red = picture(16, 16, (_x, _y, channel) => (channel === 0 ? 1.06 : 1));
    expect(relativeError(red, grey(1))).toBeCloseTo(0.02, 6);
    const corner = picture(16, 16, (x, y) => (x < 8 && y < 8 ? 1.2 : 1));
    expect(relativeError(corner, grey(1))).toBeCloseTo(0.05, 6);
    expect(worstCell(corner, grey(1))).toBeCloseTo(0.2, 6);
  });
  test('hardly sees noise', () => {
    expect(
      relativeError(
        picture(64, 64, (x, y, channel) => 1 + 0.2 * noise(1)(x, y, channel)),
        picture(64, 64, () => 1),
      ),
    ).toBeLessThan(0.02);
  });
  test('does not count cells that are dark in both, but those in one of them', () => {
    const half = picture(16, 16, (x) => (x < 8 ? 1 : 0));
    const brighter = picture(16, 16, (x) => (x < 8 ? 1.1 : 0));
    expect(relativeError(brighter, half)).toBeCloseTo(0.1, 6);
    const leak = picture(16, 16, (x) => (x < 8 ? 1 : 0.5));
    expect(relativeError(leak, half)).toBeGreaterThan(10);
  });
  test('refuses what cannot be compared', () => {
    expect(() =>
      relativeError(
        grey(1),
        picture(8, 16, () => 1),
      ),
    ).toThrow('16 x 16 and 8 x 16');
    expect(() => relativeError(grey(1), grey(0))).toThrow('black');
  });
  test('of halves foretells that of the mean', () => {
    const noisy = (seed: number): Picture => picture(256, 256, (x, y, channel) => 1 + 0.3 * noise(seed)(x, y, channel));
    const ours = [noisy(1), noisy(2)] as const;
    const theirs = [noisy(3), noisy(4)] as const;
    const foretold = noiseOf(ours, theirs);
    const measured = relativeError(average(...ours), average(...theirs));
    expect(measured / foretold).toBeGreaterThan(0.8);
    expect(measured / foretold).toBeLessThan(1.25);
  });
});

test('three panels, alike exposed: ours, the reference, ten times the difference', () => {
  const { width, height, bytes } = sideBySide(grey(0.95), grey(1));
  expect([width, height]).toEqual([48, 16]);
  const at = (x: number): number => bytes[(5 * width + x) * 3]!;
  expect([at(3), at(20), at(40)]).toEqual([249, 255, 188]);
});

test('EXR files are read from the top', () => {
  const writer = new ExrWriter(2, 2, ['R', 'G', 'B']);
  writer.rows(0, { R: Float32Array.of(1, 2, 3, 4), G: Float32Array.of(5, 6, 7, 8), B: Float32Array.of(0, 0.5, 1e6, 9) });
  expect(readExr(Buffer.concat(writer.finish()))).toEqual({ width: 2, height: 2, rgb: Float32Array.of(1, 5, 0, 2, 6, 0.5, 3, 7, 1e6, 4, 8, 9) });
});
