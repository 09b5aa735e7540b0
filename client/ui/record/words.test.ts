import { describe, expect, it } from 'vitest';
import type { ContributorRecord, RecentResult } from '../../../shared/schemas.ts';
import { reasonOf, recordLine } from './words.ts';

const record = (over: Partial<ContributorRecord> = {}): ContributorRecord => ({
  accepted: 3,
  refuted: 0,
  discarded: 0,
  verified: 12_288.75,
  drawn: 192,
  differing: 0,
  unexplained: 0,
  suspendedUntilMs: 0,
  ...over,
});
const result = (over: Partial<RecentResult> = {}): RecentResult => ({
  at: { pass: 0, tile: 3 },
  jobTitle: 'Kitchen',
  state: 'accepted',
  drawn: 640,
  differing: 0,
  unexplained: 0,
  microCredits: '5',
  decidedMs: 1000,
  ...over,
});

describe('recordLine', () => {
  it('tells what a record is good for', () => {
    expect(recordLine(record(), 1)).toContain('12,288 values verified');
    expect(recordLine(record({ verified: 0 }), 1)).toContain('New here');
  });

  it('says until when and why one is suspended, and nothing of it afterwards', () => {
    expect(recordLine(record({ suspendedUntilMs: 90_000 }), 1)).toMatch(/^Suspended until .*proven wrong\.$/);
    expect(recordLine(record({ suspendedUntilMs: 90_000 }), 90_000)).not.toContain('Suspended');
  });
});

describe('reasonOf', () => {
  it('gives the figures that decided', () => {
    expect(reasonOf(result())).toEqual({ verdict: 'Accepted', reason: '640 values computed again, all matched.' });
    expect(reasonOf(result({ differing: 3, unexplained: 1 })).reason).toBe(
      '640 values computed again, 3 differed: 2 are near-ties that GPUs may round apart, 1 nothing explains.',
    );
    expect(reasonOf(result({ state: 'refuted', differing: 90, unexplained: 90 }))).toEqual({
      verdict: 'Refuted',
      reason: '640 values computed again, 90 differed: 90 nothing explains.',
    });
  });

  it('says it without figures where nothing was computed again', () => {
    expect(reasonOf(result({ state: 'refuted', drawn: 0 })).reason).toBe('What was opened was not what had been handed in.');
    expect(reasonOf(result({ state: 'discarded', drawn: 0 })).reason).toMatch(/^It was not opened in time/);
    expect(reasonOf(result({ state: 'committed', drawn: 0 }))).toEqual({ verdict: 'Being checked', reason: '' });
  });

  it('says when the pay of an accepted result was taken back', () => {
    expect(reasonOf(result({ microCredits: '0' })).reason).toContain('taken back before it had vested');
  });
});
