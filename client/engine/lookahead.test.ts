import { describe, expect, it } from 'vitest';
import { Lookahead } from './lookahead.ts';

function ahead({ tripMs = 0, tileMs, openMs = 0 }: { tripMs?: number; tileMs: number; openMs?: number }): number {
  const lookahead = new Lookahead();
  for (let round = 0; round < 300; round++) {
    lookahead.answered(tripMs);
    lookahead.ran(tileMs);
  }
  lookahead.opened(openMs);
  return lookahead.tiles;
}

describe('the lookahead', () => {
  it('is all that may be held as long as no tile has run', () => {
    const lookahead = new Lookahead();
    lookahead.answered(300);
    expect(lookahead.tiles).toBe(64);
  });

  it('covers a second, the round trip and the tile until the next hand-in', () => {
    expect(ahead({ tileMs: 1000 })).toBe(2);
    expect(ahead({ tripMs: 300, tileMs: 1000 })).toBe(3);
    expect(ahead({ tripMs: 3000, tileMs: 1000 })).toBe(5);
    expect(ahead({ tripMs: 300, tileMs: 50 })).toBe(27);
  });

  it('is never less than two tiles, and never more than may be held', () => {
    expect(ahead({ tileMs: 60_000 })).toBe(2);
    expect(ahead({ tripMs: 300, tileMs: 1 })).toBe(64);
  });

  it('grows with the jitter of the line', () => {
    const [steady, shaky] = [new Lookahead(), new Lookahead()];
    for (let round = 0; round < 50; round++) {
      steady.answered(500);
      shaky.answered(round % 2 === 0 ? 100 : 900);
    }
    for (const lookahead of [steady, shaky]) lookahead.ran(100);
    expect(shaky.tiles).toBeGreaterThan(steady.tiles + 10);
  });

  it('covers the opening of the next job where that takes longer, and forgets it slowly', () => {
    expect(ahead({ tileMs: 500, openMs: 10_000 })).toBe(21);
    const lookahead = new Lookahead();
    lookahead.ran(500);
    for (const ms of [10_000, 0]) lookahead.opened(ms);
    expect(lookahead.tiles).toBe(11);
    for (let job = 0; job < 10; job++) lookahead.opened(0);
    expect(lookahead.tiles).toBe(3);
  });
});
