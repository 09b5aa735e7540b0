import { describe, expect, it } from 'vitest';
import { kinds } from './kinds/index.ts';
import { simDefaults, simulate } from './simulate.ts';

const world = { ...simDefaults, contributors: 60, hours: 0.15, liars: 0.3 };

/** Of a world of sixty, where one small lie that passes shows more than among thousands. */
const WRONG_MAX = 1e-4;
/** They never hand in a wrong value: they accuse others, or name bytes that never come. */
const WITHOUT_LIES = ['wolf', 'no-bytes'];

describe('every kind of liar is caught or worthless', () => {
  for (const [kind, adversary] of Object.entries(kinds))
    it(`${kind}: ${adversary.title}`, () => {
      const report = simulate({ ...world, adversary });
      expect(report.tiles).toBeGreaterThan(300);
      if (!WITHOUT_LIES.includes(kind)) expect(report.liars.lied).toBeGreaterThan(0);
      expect(report.wrongShare).toBeLessThan(WRONG_MAX);
      expect(report.patch).toBeLessThan(100);
      expect(report.falseAccusations).toBe(0);
      expect(report.wasted).toBeLessThan(1.3);
    });

  it('and who makes up everything is suspended after its first result', () => {
    const report = simulate({ ...world, adversary: kinds.always! });
    expect(report.detectionLies).toBe(1);
    expect(report.liars.lied).toBeGreaterThan(3);
    expect(report.liars.unseen).toBeLessThan(report.liars.lied / 2);
  });
});
