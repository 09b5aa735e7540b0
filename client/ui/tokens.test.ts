import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

type Theme = 'light' | 'dark';
type Oklch = readonly [lightness: number, chroma: number, hue: number];

const colour = String.raw`oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)`;
const tokens = new Map<string, Record<Theme, Oklch>>(
  [...css.matchAll(new RegExp(`--([a-z-]+): light-dark\\(${colour}, ${colour}\\)`, 'g'))].map(([, name = '', ...numbers]) => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = numbers.map(Number);
    return [name, { light: [a, b, c], dark: [d, e, f] }];
  }),
);

/** OKLCH -> linear sRGB, Björn Ottosson, "A perceptual color space for image processing", 2020. */
function linearRgb([lightness, chroma, hue]: Oklch): [number, number, number] {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** Relative luminance, WCAG 2.2. */
function luminance(token: string, theme: Theme): number {
  const value = tokens.get(token);
  if (!value) throw new Error(`tokens.css has no colour --${token}`);
  const [r, g, b] = linearRgb(value[theme]).map((channel) => Math.min(1, Math.max(0, channel))) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string, theme: Theme): number {
  const [dark = 0, light = 0] = [luminance(one, theme), luminance(other, theme)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const backgrounds = ['surface', 'raised', 'sunken'];
const onEvery = (names: readonly string[]) => names.flatMap((name) => backgrounds.map((background) => [name, background] as const));

const text = [...onEvery(['text', 'muted', 'accent', 'danger']), ['on-accent', 'accent'], ['surface', 'text']] as const;
const shapes = [...onEvery(['border', 'accent', 'warm', 'danger']), ['accent', 'empty'], ['warm', 'empty']] as const;

describe.each(['light', 'dark'] as const)('%s theme', (theme) => {
  it.each(text)('text %s on %s has a contrast of 4.5', (one, other) => {
    expect(contrast(one, other, theme)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(shapes)('icon or border %s on %s has a contrast of 3', (one, other) => {
    expect(contrast(one, other, theme)).toBeGreaterThanOrEqual(3);
  });

  it('lies inside sRGB, where the contrast was computed', () => {
    for (const [name, value] of tokens)
      for (const channel of linearRgb(value[theme])) {
        expect(channel, name).toBeGreaterThan(-0.01);
        expect(channel, name).toBeLessThan(1.01);
      }
  });
});

it('finds every colour, and computes contrast as WCAG does', () => {
  expect([...tokens.keys()]).toEqual(expect.arrayContaining(['surface', 'text', 'accent', 'warm', 'danger']));
  expect(css.match(/light-dark\(/g)?.length).toBe(tokens.size + 1); // one in the comment
  tokens.set('white', { light: [1, 0, 0], dark: [1, 0, 0] });
  tokens.set('black', { light: [0, 0, 0], dark: [0, 0, 0] });
  expect(contrast('white', 'black', 'light')).toBeCloseTo(21, 5);
});
