import { describe, expect, it } from 'vitest';
import type { JobView } from '../../shared/schemas.ts';
import { announcement, costLine, progressLine } from './words.ts';

const job = (over: object): JobView =>
  ({
    title: 'Kitchen',
    status: 'open',
    parts: { total: 100, accepted: 41, checking: 2, leased: 3 },
    contributors: 3,
    heldMicroCredits: '2000000',
    paidMicroCredits: '820000',
    createdMs: 1000,
    endedMs: null,
    secondsLeft: 200,
    ...over,
  }) as JobView;

describe('progressLine', () => {
  it('tells share and time left', () => {
    expect(progressLine(job({}))).toBe('41 % done. About 3 min 20 s left.');
  });

  it('does not guess when nobody works', () => {
    expect(progressLine(job({ secondsLeft: null }))).toBe('41 % done. Nobody works on it at present; it goes on when somebody does.');
  });

  it('tells how it ended', () => {
    expect(progressLine(job({ status: 'done', endedMs: 66_000 }))).toBe('Done by 3 contributors, 1 min 5 s after it was submitted.');
    expect(progressLine(job({ status: 'cancelled', endedMs: 66_000 }))).toContain('Cancelled at 41 %');
  });
});

it('compares what is paid with what is held until the job ends', () => {
  expect(costLine(job({}))).toBe('0.82 of 2.00 test credits paid');
  expect(costLine(job({ status: 'done' }))).toBe('0.82 test credits paid');
});

it('announces only every ten percent', () => {
  const at = (accepted: number) => announcement(job({ parts: { total: 100, accepted, checking: 0, leased: 0 } }));
  expect(at(41)).toBe(at(49));
  expect(at(49)).not.toBe(at(50));
});
