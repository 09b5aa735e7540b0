import { describe, expect, it } from 'vitest';
import { FramePacer, visibleSliceMs } from './frames.ts';

/** A page whose frames take as long as the display's interval, or another one more for every `roomMs` that a slice exceeds. */
function play(pacer: FramePacer, seconds: number, intervalMs: number, roomMs: number): number {
  let late = 0;
  const frames = (seconds * 1000) / intervalMs;
  for (let frame = 0; frame < frames; frame++) {
    const isLate = pacer.sliceMs > roomMs && frame % 3 === 0;
    if (isLate) late++;
    pacer.frame(isLate ? 2 * intervalMs : intervalMs);
  }
  return late / frames;
}

describe('slices', () => {
  it('grow to the most while no frame is late', () => {
    const pacer = new FramePacer();
    play(pacer, 10, 1000 / 60, 100);
    expect(pacer.sliceMs).toBe(visibleSliceMs.most);
  });

  it.each([60, 120])('shrink until frames are on time, at %i Hz, and stay there', (rate) => {
    const pacer = new FramePacer();
    play(pacer, 5, 1000 / rate, 3);
    expect(play(pacer, 60, 1000 / rate, 3)).toBeLessThan(0.08);
    expect(pacer.sliceMs).toBeGreaterThan(1.4);
  });

  it('never fall below the least, however late frames are', () => {
    const pacer = new FramePacer();
    play(pacer, 60, 1000 / 60, 0);
    expect(pacer.sliceMs).toBe(visibleSliceMs.least);
  });

  it('take no notice of the gap after a page was hidden', () => {
    const pacer = new FramePacer();
    for (const gap of [0, -1, Number.NaN, 5000]) expect(pacer.frame(gap)).toBe(false);
    play(pacer, 10, 1000 / 60, 100);
    expect(pacer.sliceMs).toBe(visibleSliceMs.most);
  });
});
