import { describe, expect, it } from 'vitest';
import { fullMask, type JobId } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import type { Adversary } from './adversary.ts';
import { agree } from './agreement.ts';
import { adversary as always } from './kinds/always.ts';
import { adversary as cartel } from './kinds/cartel.ts';
import { everything, scattered } from './kinds/lies.ts';
import { adversary as sleeper } from './kinds/sleeper.ts';
import type { Submission } from './policy.ts';
import { devices, smallWorld } from './testing.ts';
import { floatClasses } from './values.ts';

const lease = { job: 'j_1' as JobId, pass: 0, tile: 0, parts: fullMask(4), elements: 4096, own: false };
const result = (floatClass: number, lie: Submission['result'] = null): Submission =>
  ({ identity: { floatClass: floatClasses[floatClass] }, grant: { parts: fullMask(4) }, size: 16_384, result: lie }) as Submission;

describe('the fuzzy comparison of whole tiles', () => {
  const random = new Rng(1);

  it('takes honest results of every two classes for the same', () => {
    for (const a of floatClasses.keys()) for (const b of floatClasses.keys()) expect(agree(result(a), result(b))).toBe(true);
  });

  it('tells an honest result from a lie, and one lie from another', () => {
    const lie = everything(lease, random);
    expect(agree(result(0), result(0, lie))).toBe(false);
    expect(agree(result(0, lie), result(0, everything(lease, random)))).toBe(false);
  });

  it('takes colluding lies for the same where they are wrong in the same elements', () => {
    expect(agree(result(0, everything(lease, random, 7)), result(5, everything(lease, random, 7)))).toBe(true);
    expect(agree(result(0, everything(lease, random, 7)), result(0, scattered(lease, random, 0.5, 7)))).toBe(false);
  });

  it('does not see lies smaller than what honest devices differ by', () => {
    expect(agree(result(0), result(0, scattered(lease, random, 0.001)))).toBe(true);
    expect(agree(result(0), result(0, scattered(lease, random, 0.01)))).toBe(false);
  });
});

/** Lies from the beginning, all the same. */
const colluders: Adversary = { title: '', begin: ({ random }) => ({ plan: (_, each) => ({ result: everything(each, random, 7) }) }) };

describe('quorum of two', () => {
  it('computes everything twice', () => {
    const figures = smallWorld({ policy: 'quorum2', devices: devices({}, {}) }).tally.figures();
    expect(figures).toMatchObject({ overhead: 2, wasted: 1, tiles: 40, wrongShare: 0 });
  });

  it('never ends with one contributor', () => {
    expect(smallWorld({ policy: 'quorum2', devices: devices({}) }).jobs.ended).toBe(0);
  });

  it('outvotes single liars at the cost of a third result', () => {
    const world = smallWorld({ policy: 'quorum2', devices: devices({}, {}, { liar: true }), adversary: always });
    const figures = world.tally.figures();
    expect(figures).toMatchObject({ wrongShare: 0, tiles: 40, falseAccusations: 0, overhead: 2 });
    expect(figures.wasted).toBeGreaterThan(1.3);
  });

  it('believes two who agree on a lie', () => {
    const world = smallWorld({ policy: 'quorum2', devices: devices({ liar: true }, { liar: true }, {}), adversary: colluders });
    const figures = world.tally.figures();
    expect(figures.wrongShare).toBeGreaterThan(0.3);
    expect(figures.patch).toBe(4096);
    expect(figures.falseAccusations).toBeGreaterThan(0);
  });
});

describe('adaptive replication', () => {
  it('compares the first ten results of each contributor and then few', () => {
    const figures = smallWorld({ policy: 'boinc', tilesPerJob: 400, devices: devices({}, {}) }).tally.figures();
    expect(figures).toMatchObject({ tiles: 400, wrongShare: 0, wasted: 1 });
    expect(figures.overhead).toBeGreaterThan(1 + 10 / 400);
    expect(figures.overhead).toBeLessThan(1.2);
  });

  it('takes lies of those who were honest for long enough', () => {
    const figures = smallWorld({ policy: 'boinc', tilesPerJob: 400, devices: devices({}, {}, { liar: true }), adversary: sleeper }).tally.figures();
    expect(figures.wrongShare).toBeGreaterThan(0.01);
  });
});

describe('credibility', () => {
  it('spends one tile in ten on spot-checks, and needs two or three results for each until it knows somebody', () => {
    const figures = smallWorld({ policy: 'credibility', tilesPerJob: 300, devices: devices({}, {}, {}, {}, {}, {}, {}, {}) }).tally.figures();
    expect(figures).toMatchObject({ tiles: 300, wrongShare: 0, falseAccusations: 0 });
    expect(figures.checkedShare.spotCheck).toBeGreaterThan(0.1);
    expect(figures.overhead).toBeGreaterThan(2);
    expect(figures.overhead).toBeLessThan(6);
  });

  it('blacklists who fails a spot-check and takes its results out', () => {
    const world = smallWorld({ policy: 'credibility', tilesPerJob: 300, devices: devices({}, {}, {}, {}, {}, {}, { liar: true }), adversary: always });
    expect(world.detections.length).toBe(1);
    expect(world.tally.figures()).toMatchObject({ wrongShare: 0, falseAccusations: 0, tiles: 300 });
  });

  it('is fooled by a cartel that is larger than it assumes', () => {
    const world = smallWorld({
      policy: 'credibility',
      tilesPerJob: 600,
      devices: devices({}, {}, {}, ...Array.from({ length: 7 }, () => ({ liar: true }))),
      adversary: cartel,
    });
    expect(world.tally.figures().wrongShare + world.tally.figures().falseAccusations).toBeGreaterThan(0);
  });
});
