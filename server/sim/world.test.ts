import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccountId } from '../store/store.ts';
import type { Adversary } from './adversary.ts';
import { kinds } from './kinds/index.ts';
import { adversary as wolf } from './kinds/wolf.ts';
import { Ours, wantedOf } from './ours.ts';
import type { Surroundings } from './policy.ts';
import { MEDIAN_SPEED } from './population.ts';
import { UNITS_PER_PART } from './spec.ts';
import { devices, smallWorld } from './testing.ts';
import type { World } from './world.ts';

const ledgerOf = ({ policy }: World) => (policy as Ours).disk.ledger;
/** What tiles of the first job want of these passes, the last of which always runs. */
function passesOf({ firstSeed }: World, tiles: number, passes: number): number {
  const each = Array.from({ length: tiles }, (_, tile) => Math.min(passes - 1, Math.max(1, Math.ceil(wantedOf(firstSeed, tile, passes)))));
  return each.reduce((sum, count) => sum + count + 1, 0);
}

/** Micro-credits of a part. */
const PART = BigInt(UNITS_PER_PART);
const held = 'job/j_0000000000000001' as AccountId;
/** Names are counted in the order in which devices come. */
const earnedBy = (world: World, name: number): bigint => {
  const id = name.toString().padStart(16, '0');
  return ledgerOf(world).balance(`device:${id}/earned` as AccountId) + ledgerOf(world).balance(`vesting/c_${id}` as AccountId);
};

describe('the coordinator in a simulated world', () => {
  it('lets one honest contributor finish a job alone, checked by the CPU', () => {
    const world = smallWorld({ devices: devices({}) });
    const figures = world.tally.figures();
    expect(world.jobs.ended).toBe(1);
    expect(figures.tiles).toBe(40);
    expect(figures.wasted).toBe(1);
    expect(world.tally.checked.cpu).toBeGreaterThan(700);
    expect(earnedBy(world, 1)).toBe(160n * PART);
    expect(ledgerOf(world).sum()).toBe(0n);
    expect(ledgerOf(world).balance(held)).toBe(0n);
  });

  it('gives the same history for the same seed, and another for another', () => {
    const run = (seed: number) => smallWorld({ seed, devices: devices({}, { liar: true }, {}) }).tally.figures();
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  it('gives a liar nothing and accuses nobody else', () => {
    const world = smallWorld({ devices: devices({}, { liar: true, speed: 300 * MEDIAN_SPEED }, {}) });
    expect(world.jobs.ended).toBe(1);
    expect(earnedBy(world, 2)).toBe(0n);
    expect(world.tally.figures()).toMatchObject({ wrongShare: 0, falseAccusations: 0 });
    expect(world.detections).toEqual([{ ms: expect.any(Number), lies: 1 }]);
    expect(world.tally.lost.refuted).toBe(4096);
  });

  it('takes back what a liar was not yet paid for, and has it computed again', () => {
    const late: Adversary = {
      title: '',
      begin: () => ({ plan: (liar) => (liar.accepted < 12 ? null : { result: { wrong: () => true, value: 1, size: 16_384 } }) }),
    };
    const world = smallWorld({ devices: devices({}, { liar: true }), adversary: late });
    expect(world.jobs.ended).toBe(1);
    expect(world.tally.lost.revoked).toBeGreaterThan(4096);
    expect(world.tally.figures()).toMatchObject({ wrongShare: 0, tiles: 40 });
    expect(earnedBy(world, 2)).toBeLessThan(12n * 4n * PART);
    expect(ledgerOf(world).sum()).toBe(0n);
  });

  it('finds a wrong total behind an honest commitment, and pays for nothing that was not opened', () => {
    for (const kind of ['honest-where-audited', 'mismatch', 'no-bytes', 'never-opened']) {
      const world = smallWorld({ devices: devices({}, { liar: true }), adversary: kinds[kind]! });
      expect(world.jobs.ended, kind).toBe(1);
      expect(earnedBy(world, 2), kind).toBe(0n);
      expect(world.tally.figures(), kind).toMatchObject({ wrongShare: 0, falseAccusations: 0 });
    }
  });

  it('has contributors judge each other and sees through an auditor that accuses everybody', () => {
    const world = smallWorld({ tilesPerJob: 400, devices: devices({}, {}, {}, {}, { liar: true }), adversary: wolf });
    expect(world.jobs.ended).toBe(1);
    expect(world.tally.checked.contributor).toBeGreaterThan(1000);
    expect(world.tally.figures()).toMatchObject({ falseAccusations: 0, wrongShare: 0 });
    expect(earnedBy(world, 5)).toBeLessThan(earnedBy(world, 1));
  });

  it('leaves out the passes of tiles that are good enough, and pays for no other', () => {
    const policy = (surroundings: Surroundings) => new Ours(surroundings, 1e-4, { adaptive: { passes: 5, jitter: 0 } });
    const world = smallWorld({ devices: devices({}, {}, { liar: true }), policy });
    expect(world.jobs.ended).toBe(1);
    const wanted = passesOf(world, 40, 5);
    expect(wanted).toBeLessThan(40 * 5);
    expect(world.tally.figures()).toMatchObject({ tiles: wanted, wrongShare: 0 });
    expect(earnedBy(world, 1) + earnedBy(world, 2)).toBe(BigInt(wanted) * 4n * PART);
    expect(ledgerOf(world).sum()).toBe(0n);
    expect(ledgerOf(world).balance(held)).toBe(0n);
  });

  it('goes through 200 random histories of liars, quitters and crashes with sound books, every part accepted once and every job ended', () => {
    const session = fc.record({ fromMs: fc.integer({ min: 0, max: 200_000 }), forMs: fc.integer({ min: 1000, max: 100_000 }) });
    const device = fc.record({
      speed: fc.double({ min: 0.5, max: 30, noNaN: true }).map((times) => times * MEDIAN_SPEED),
      liar: fc.boolean(),
      sessions: fc.array(session, { minLength: 1, maxLength: 3 }).map((list) => list.map(({ fromMs, forMs }) => ({ fromMs, toMs: fromMs + forMs }))),
    });
    const kind = fc.constantFrom('always', 'sometimes', 'sleeper', 'hit-and-run', 'whitewash', 'wolf', 'mismatch', 'never-opened', 'honest-where-audited');
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.array(device, { maxLength: 6 }),
        kind,
        fc.constantFrom(0, 0.05, 0.2),
        fc.constantFrom(null, { passes: 4, jitter: 0 }, { passes: 4, jitter: 1 }),
        (seed, others, name, crashes, adaptive) => {
          const world = smallWorld({
            seed,
            tilesPerJob: adaptive ? 6 : 15,
            devices: devices({}, ...others),
            adversary: kinds[name]!,
            policy: (surroundings) => new Ours(surroundings, 1e-4, { repeats: true, adaptive }),
            afterHandIn: (policy, random) => random.unit() < crashes && (policy as Ours).crash(),
          });
          const figures = world.tally.figures();
          expect(world.jobs.ended).toBe(1);
          expect(figures.falseAccusations).toBe(0);
          if (name !== 'hit-and-run') expect(figures.wrongShare).toBe(0);
          if (!adaptive) expect(figures.tiles).toBe(15);
          else if (adaptive.jitter === 0) expect(figures.tiles).toBe(passesOf(world, 6, 4));
          else expect(figures.tiles >= 2 * 6 && figures.tiles <= 4 * 6).toBe(true);
          expect(ledgerOf(world).sum()).toBe(0n);
          expect(ledgerOf(world).balance(held)).toBe(0n);
        },
      ),
      { numRuns: 200, endOnFailure: true },
    );
  }, 120_000);
});
