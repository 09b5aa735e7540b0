import { expect, it } from 'vitest';
import type { JobId, PartMask, Verdict } from '../../shared/model.ts';
import type { VerdictMessage } from '../../shared/protocol.ts';
import { Meter, Tally } from './tally.ts';

const job = 'j_0000000000000000' as JobId;
const at = { pass: 0, tile: 3 };
const mask = (bits: number): PartMask => bits as PartMask;
const verdict = (parts: number, kind: Verdict): VerdictMessage => ({
  job,
  at,
  parts: mask(parts),
  verdict: kind,
  microCredits: '0',
  earnedMicroCredits: '0',
  vestingMicroCredits: '0',
  voidedMicroCredits: '0',
  reason: '',
});
const counts = ({ handedIn, accepted, refuted, discarded }: Tally): number[] => [handedIn, accepted, refuted, discarded];

it('counts a tile once, when all of its pieces are judged', () => {
  const tally = new Tally();
  tally.stored(job, at, mask(3), false);
  tally.verdict(verdict(3, 'accepted'));
  expect(counts(tally)).toEqual([0, 0, 0, 0]);
  tally.stored(job, at, mask(12), true);
  expect(counts(tally)).toEqual([1, 0, 0, 0]);
  tally.verdict(verdict(12, 'accepted'));
  expect(counts(tally)).toEqual([1, 1, 0, 0]);
});

it('counts a tile as refuted when one of its pieces is', () => {
  const tally = new Tally();
  tally.stored(job, at, mask(1), false);
  tally.stored(job, at, mask(2), true);
  tally.verdict(verdict(2, 'refuted'));
  tally.verdict(verdict(1, 'accepted'));
  expect(counts(tally)).toEqual([1, 0, 1, 0]);
});

it('counts a tile as discarded when a piece is, and none is refuted', () => {
  const tally = new Tally();
  tally.stored(job, at, mask(1), false);
  tally.stored(job, at, mask(2), false);
  tally.stored(job, at, mask(4), true);
  tally.verdict(verdict(1, 'accepted'));
  tally.verdict(verdict(2, 'discarded'));
  tally.verdict(verdict(4, 'accepted'));
  expect(counts(tally)).toEqual([1, 0, 0, 1]);
  tally.stored(job, at, mask(3), true);
  tally.verdict(verdict(1, 'refuted'));
  tally.verdict(verdict(2, 'discarded'));
  expect(counts(tally)).toEqual([2, 0, 1, 1]);
});

it('takes a verdict that overtakes the acknowledgement', () => {
  const tally = new Tally();
  tally.verdict(verdict(15, 'accepted'));
  expect(counts(tally)).toEqual([0, 0, 0, 0]);
  tally.stored(job, at, mask(15), true);
  expect(counts(tally)).toEqual([1, 1, 0, 0]);
});

it('measures the last minute, or the time since the start', () => {
  const meter = new Meter(1000);
  for (let ms = 0; ms < 10_000; ms += 100) meter.add(1000 + ms);
  expect(meter.perMinute(11_000)).toBe(600);
  // Nothing for a minute: the first ten seconds have left the window.
  expect(meter.perMinute(72_000)).toBe(0);
  meter.add(72_000);
  expect(meter.perMinute(72_500)).toBe(1);
  // A tab that was frozen for an hour starts anew.
  expect(meter.perMinute(3_672_500)).toBe(0);
});
