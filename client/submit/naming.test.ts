import { describe, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { cut, shownName, titleError, titleFrom } from './naming.ts';

/** "exe.glb" that reads as "blg.exe". */
const reversed = '\u202Eexe.glb';

describe('names of files', () => {
  it('are shown as they are', () => {
    expect(shownName('Kitchen at dusk.v2.glb')).toBe('Kitchen at dusk.v2.glb');
    expect(shownName('مطبخ.glb')).toBe('مطبخ.glb');
  });

  it('cannot turn text around, break lines or hide', () => {
    expect(shownName(reversed)).toBe('exe.glb');
    expect(shownName('a\u2066b\u2069c\n\t\u0000d\u200f\u061c.glb')).toBe('abcd.glb');
    expect(titleFrom(`${reversed}`)).toBe('exe');
  });

  it('are cut by code points, never through one', () => {
    const name = `${'😀'.repeat(2500)}.glb`;
    expect(Array.from(shownName(name))).toHaveLength(80);
    expect(shownName(name).endsWith('😀…')).toBe(true);
    const title = titleFrom(name);
    expect(title).toBe('😀'.repeat(limits.titleCharsMax));
    expect(titleError(title)).toBeUndefined();
    expect(cut('a😀b', 2)).toBe('a😀');
  });

  it('lose their last extension alone, and may leave nothing', () => {
    expect(titleFrom('studio.v2.glb')).toBe('studio.v2');
    expect(titleFrom(' .glb')).toBe('');
    expect(titleFrom('Example')).toBe('Example');
  });
});

it('a title is measured without the air around it', () => {
  expect(titleError(` ${'x'.repeat(80)} `)).toBeUndefined();
  expect(titleError('x'.repeat(81))).toBe('At most 80 characters.');
});
