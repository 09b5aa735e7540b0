import { describe, expect, it } from 'vitest';
import { bytes, credits, duration, oneIn, percent, plural, roughly, signedCredits, words } from './format.ts';

describe('credits', () => {
  it('shows two decimals from one credit, four from a hundredth, six below', () => {
    expect(credits('12345678')).toBe('12.35');
    expect(credits('421337')).toBe('0.4213');
    expect(credits('905')).toBe('0.000905');
    expect(credits('0')).toBe('0.00');
  });

  it('rounds half away from zero on both sides', () => {
    expect(credits('1005000')).toBe('1.01');
    expect(credits('-1005000')).toBe('-1.01');
  });

  it('keeps amounts beyond the safe integers exact', () => {
    expect(credits(9_007_199_254_740_993_000_000n)).toBe('9007199254740993.00');
  });

  it('gives statements a sign and all decimals', () => {
    expect(signedCredits('20')).toBe('+0.000020');
    expect(signedCredits('-1421337')).toBe('−1.421337');
  });
});

describe('percent', () => {
  it('never claims completeness early', () => {
    expect(percent(0.9999)).toBe('99 %');
    expect(percent(1)).toBe('100 %');
    expect(percent(41 / 100)).toBe('41 %');
  });

  it('stays within bounds', () => {
    expect(percent(-1)).toBe('0 %');
    expect(percent(1.2)).toBe('100 %');
  });
});

it('tells a bound as one in how many, never smaller than it is', () => {
  expect(oneIn(1e-4)).toBe('1 in 10,000');
  expect(oneIn(1 / 4399)).toBe('1 in 4,300');
  expect(oneIn(0.3)).toBe('1 in 3');
  expect(oneIn(1)).toBe('1 in 1');
  expect(oneIn(0)).toBe('none');
});

describe('roughly', () => {
  it.each([
    [0, '0 s'],
    [59.7, '1 min'],
    [184, '3 min'],
    [597, '10 min'],
    [2921, '49 min'],
    [7530, '2 h 5 min'],
    [40_000, '11 h'],
    [237_900, '2 d 18 h'],
    [2_502_000, '29 d'],
  ])('%d s is %s', (seconds, text) => {
    expect(roughly(seconds)).toBe(text);
  });
});

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [59.6, '1 min'],
    [200, '3 min 20 s'],
    [3600, '1 h'],
    [7500, '2 h 5 min'],
    [273_600, '3 d 4 h'],
  ])('%d s is %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

it('names sizes, counts and facts', () => {
  expect(bytes(512)).toBe('512 B');
  expect(bytes(70 * 1024)).toBe('70 KiB');
  expect(bytes(1.5 * 1024 * 1024)).toBe('1.5 MiB');
  expect(plural(1, 'tile')).toBe('1 tile');
  expect(plural(1204, 'pass', 'passes')).toBe('1,204 passes');
  expect(words('peakTexelBytes')).toBe('Peak texel bytes');
});
