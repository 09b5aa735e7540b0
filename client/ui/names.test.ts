import { describe, expect, it } from 'vitest';
import { cut, shownName } from './names.ts';

describe('names of files', () => {
  it('are shown as they are', () => {
    expect(shownName('Kitchen at dusk.v2.glb')).toBe('Kitchen at dusk.v2.glb');
    expect(shownName('مطبخ.glb')).toBe('مطبخ.glb');
  });

  it('cannot turn text around, break lines or hide', () => {
    // "exe.glb" that reads as "blg.exe".
    expect(shownName('\u202Eexe.glb')).toBe('exe.glb');
    expect(shownName('a\u2066b\u2069c\n\t\u0000d\u200f\u061c.glb')).toBe('abcd.glb');
  });

  it('are cut by code points, never through one', () => {
    const name = `${'😀'.repeat(2500)}.glb`;
    expect(Array.from(shownName(name))).toHaveLength(80);
    expect(shownName(name).endsWith('😀…')).toBe(true);
    expect(cut('a😀b', 2)).toBe('a😀');
  });
});
