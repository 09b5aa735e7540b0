import { describe, expect, it } from 'vitest';
import { pressed } from './gestures.ts';
import { Viewport } from './viewport.svelte.ts';

const made = () => new Viewport({ width: 320, height: 160 });

describe('Viewport', () => {
  it('shows the whole picture until somebody goes closer', () => {
    const viewport = made();
    expect([viewport.isFit, viewport.shown]).toEqual([true, { x: 0, y: 0, width: 1, height: 1 }]);
    viewport.panBy(0.5, 0.5);
    viewport.farther();
    expect(viewport.shown).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  });

  it('keeps what lies under the pointer where it is', () => {
    const viewport = made();
    viewport.zoomBy(4, 0.25, 0.75);
    expect(viewport.at(0.25, 0.75)).toEqual({ x: 0.25, y: 0.75 });
    viewport.zoomBy(2, 0.9, 0.1);
    const before = viewport.at(0.9, 0.1);
    viewport.zoomBy(0.5, 0.9, 0.1);
    expect(viewport.at(0.9, 0.1).x).toBeCloseTo(before.x);
  });

  it('never leaves the picture, nor goes closer than sixteen pixels across', () => {
    const viewport = made();
    expect(viewport.zoomMax).toBe(20);
    viewport.zoomBy(1e6);
    expect([viewport.zoom, viewport.isClosest]).toEqual([20, true]);
    for (const [x, y] of [
      [1e6, 1e6],
      [-1e6, -1e6],
    ] as const) {
      viewport.panBy(x, y);
      const { x: left, y: top, width, height } = viewport.shown;
      expect([left >= 0, top >= 0, left + width <= 1 + 1e-12, top + height <= 1 + 1e-12]).toEqual([true, true, true, true]);
    }
    viewport.fit();
    expect(viewport.shown).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  });

  it('follows keys, and leaves other keys alone', () => {
    const viewport = made();
    expect(['+', '=', 'ArrowRight', 'ArrowDown'].map((key) => pressed(viewport, key))).toEqual([true, true, true, true]);
    expect([viewport.zoom, viewport.shown.x > 0.2, viewport.shown.y > 0.2]).toEqual([2.25, true, true]);
    expect(['a', 'Tab', ' '].map((key) => pressed(viewport, key))).toEqual([false, false, false]);
    pressed(viewport, '0');
    expect(viewport.isFit).toBe(true);
    pressed(viewport, '-');
    expect(viewport.isFit).toBe(true);
  });
});
