import { describe, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { titleError, titleFrom } from './naming.ts';

describe('titles to begin with', () => {
  it('lose what turns text around, and the last extension alone; nothing may be left', () => {
    expect(titleFrom('\u202Eexe.glb')).toBe('exe');
    expect(titleFrom('studio.v2.glb')).toBe('studio.v2');
    expect(titleFrom(' .glb')).toBe('');
    expect(titleFrom('Example')).toBe('Example');
  });

  it('are cut by code points, never through one', () => {
    const title = titleFrom(`${'😀'.repeat(2500)}.glb`);
    expect(title).toBe('😀'.repeat(limits.titleCharsMax));
    expect(titleError(title)).toBeUndefined();
  });
});

it('a title is measured without the air around it', () => {
  expect(titleError(` ${'x'.repeat(80)} `)).toBeUndefined();
  expect(titleError('x'.repeat(81))).toBe('At most 80 characters.');
});
