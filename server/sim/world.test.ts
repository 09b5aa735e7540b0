import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultChecks } from '../../shared/schemas.ts';
import { type SimContributor, type SimOptions, type SimReport, simulate } from './world.ts';

const honest = (name: string, speed = 4): SimContributor => ({ name, speed, lies: 0, vanishes: 0 });
const base: Omit<SimOptions, 'contributors'> = { seed: 1, tiles: 20, passes: 2, checks: defaultChecks, crashes: 0, endMs: 3_600_000 };

/** What must hold after any history. */
function expectSoundBooks(report: SimReport): void {
  expect(report.ledger.sum()).toBe(0n);
  expect(report.ledger.balance(`job/${report.job.id}`)).toBe(0n);
  expect(report.acknowledgedTwice).toBe(0);
}

describe('the coordinator in a simulated world', () => {
  it('lets one honest contributor finish a job alone, with larger audits in place of replicas', () => {
    const report = simulate({ ...base, contributors: [honest('alone')] });
    expect(report.ended).toBe(true);
    expect(report.work).toBe(1);
    expect(report.earned['alone']).toBe(report.job.workHeld);
    expectSoundBooks(report);
  });

  it('pays a second contributor for replicas out of what was set aside, and refunds the rest', () => {
    const report = simulate({ ...base, tiles: 100, contributors: [honest('one'), honest('two')] });
    const earned = report.earned['one']! + report.earned['two']!;
    expect(report.ended).toBe(true);
    expect(earned).toBeGreaterThan(report.job.workHeld);
    expect(report.ledger.balance(`${report.job.owner}/grant`)).toBe(report.job.workHeld + report.job.checksHeld - earned);
    expect(report.work).toBeGreaterThan(1.02);
    expect(report.work).toBeLessThan(1.25);
    expectSoundBooks(report);
  });

  it('gives a liar nothing and accuses nobody else', () => {
    const report = simulate({ ...base, contributors: [honest('one'), { name: 'liar', speed: 40, lies: 1, vanishes: 0 }] });
    expect(report.ended).toBe(true);
    expect(report.earned['liar']).toBe(0n);
    expect(report.wrongPartsAccepted).toBe(0);
    expect(report.refuted.length).toBeGreaterThan(0);
    expect(report.refuted.filter(({ name, lied }) => name !== 'liar' || !lied)).toEqual([]);
    expectSoundBooks(report);
  });

  it('suspends a liar after two refuted results', () => {
    const report = simulate({ ...base, tiles: 200, contributors: [honest('one'), { name: 'liar', speed: 1, lies: 1, vanishes: 0 }] });
    expect(report.refuted.length).toBe(2);
  });

  it('keeps the finished parts of a contributor that vanishes and leases only the rest', () => {
    const report = simulate({
      ...base,
      checks: { auditElements: 64, replicaShare: 0 },
      contributors: [honest('one'), { name: 'quitter', speed: 4, lies: 0, vanishes: 0.8 }],
    });
    expect(report.ended).toBe(true);
    expect(report.work).toBe(1);
    expect(report.earned['quitter']).toBeGreaterThan(0n);
    expectSoundBooks(report);
  });

  it('goes through 200 random histories of liars, quitters and crashes with sound books and no wrong part accepted', () => {
    const contributor = fc.record({
      speed: fc.double({ min: 0.5, max: 50, noNaN: true }),
      lies: fc.constantFrom(0, 0, 1, 0.5),
      vanishes: fc.constantFrom(0, 0.1, 0.5),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.array(contributor, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(0, 0.05, 0.2),
        fc.constantFrom(0, 0.1, 1),
        (seed, others, crashes, replicaShare) => {
          const contributors = [honest('steady'), ...others.map((each, index) => ({ name: `c${index}`, ...each }))];
          const report = simulate({ ...base, seed, crashes, contributors, checks: { auditElements: 64, replicaShare } });
          expect(report.ended).toBe(true);
          expect(report.wrongPartsAccepted).toBe(0);
          expect(report.refuted.filter(({ lied }) => !lied)).toEqual([]);
          for (const { name, lies } of contributors) if (lies === 1) expect(report.earned[name]).toBe(0n);
          expectSoundBooks(report);
        },
      ),
      { numRuns: 200, endOnFailure: true },
    );
  }, 60_000);
});
