import { describe, expect, it } from 'vitest';
import type { AcceptedView, JobView } from '../../shared/schemas.ts';
import {
  announcement,
  certaintyLine,
  checkedBy,
  checkedName,
  contributorsSee,
  costLine,
  groupLine,
  keptWords,
  paidShare,
  progressLine,
  refundWords,
  resultLine,
  rowsLine,
  visibilityName,
  visibilityWords,
  wrongLine,
} from './words.ts';

const job = (over: object): JobView =>
  ({
    title: 'Kitchen',
    status: 'open',
    unit: 'test',
    parts: { total: 100, accepted: 41, checking: 2, leased: 3 },
    contributors: 3,
    checks: { targetError: 1e-4 },
    checksDone: { cpu: 64, trusted: 0, contributor: 1280, refuted: 0, revoked: 0, errorBound: 2.3e-4 },
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

  it('tells both times where they are known', () => {
    expect(progressLine(job({ secondsLeftP95: 500 }))).toBe('41 % done. About 3 min 20 s left, with 95 % certainty less than 8 min 20 s.');
    expect(progressLine(job({ secondsLeftP95: null }))).toBe('41 % done. About 3 min 20 s left.');
  });

  it('tells of a pause, and of what still goes on', () => {
    expect(progressLine(job({ paused: true }))).toBe('41 % done. Paused: nothing new is given out. What is under way is finished and paid.');
    const still = { total: 100, accepted: 41, checking: 0, leased: 0 };
    expect(progressLine(job({ paused: true, parts: still }))).toBe('41 % done. Paused: nothing new is given out.');
  });

  it('does not guess when nobody works', () => {
    expect(progressLine(job({ secondsLeft: null }))).toBe('41 % done. Nobody works on it at present; it goes on when somebody does.');
  });

  it('tells how it ended', () => {
    expect(progressLine(job({ status: 'done', endedMs: 66_000 }))).toBe('Done by 3 contributors, 1 min 5 s after it was submitted.');
    expect(progressLine(job({ status: 'cancelled', endedMs: 66_000 }))).toBe('Cancelled at 41 %. 1.18 test credits came back.');
    expect(progressLine(job({ status: 'cancelled', endedMs: 66_000, heldMicroCredits: '820000' }))).toContain('Nothing was left');
  });
});

it('tells how many tiles and members of a group helped, and that nobody pays', () => {
  const grid = { passes: 2, tiles: 10 };
  const group = (members: number) => ({ grid, group: { id: 'g_1', name: 'Studio', mode: 'only', members } });
  expect(groupLine(job(group(0)))).toBe('Nobody has helped yet. Only the group sees it, and nobody pays.');
  expect(groupLine(job(group(1)))).toBe('1 member of Studio computed 8 tiles so far. Only the group sees it, and nobody pays.');
  const done = { status: 'done', parts: { total: 100, accepted: 100, checking: 0, leased: 0 } };
  expect(groupLine(job({ ...group(3), ...done }))).toBe('3 members of Studio computed 20 tiles. Only the group sees it, and nobody pays.');
  expect(costLine(job(group(3)))).toBe('It costs nothing');
  expect(groupLine(job({ grid }))).toBe('');
  expect(groupLine(job({ grid, group: { ...group(0).group, mode: 'first' } }))).toBe('');
});

it('compares what is paid with what is held until the job ends', () => {
  expect(costLine(job({}))).toBe('0.82 of 2.00 test credits paid');
  expect(costLine(job({ status: 'done' }))).toBe('0.82 test credits paid');
  expect(costLine(job({ unit: 'credit' }))).toBe('0.82 of 2.00 credits paid');
});

describe('certainty', () => {
  it('is told as people would say it, beside what was ordered', () => {
    expect(certaintyLine(job({}), 'audit')).toBe('Of the values accepted so far, at most 1 in 4,300 is expected to be wrong. Ordered: at most 1 in 10,000.');
    expect(certaintyLine(job({ parts: { total: 100, accepted: 0, checking: 0, leased: 0 } }), 'audit')).toBe(
      'Nothing is accepted yet. Ordered: at most 1 in 10,000.',
    );
    expect(certaintyLine(job({ status: 'done' }), 'audit')).toMatch(/^Of the values accepted, at most/);
    expect(certaintyLine(job({ checksDone: { errorBound: 0 } }), 'audit')).toContain('No wrong value is expected');
  });

  it('is not a matter of chance where results are checked as a whole', () => {
    expect(certaintyLine(job({}), 'verify')).toBe('Every result is checked as a whole before it counts.');
    expect([checkedName('verify'), checkedName('audit'), checkedName(undefined)]).toEqual(['Values checked', 'Values computed again', 'Values computed again']);
  });

  it('names only those who computed something again', () => {
    expect(checkedBy(job({}).checksDone)).toBe('64 by the coordinator, 1,280 by other contributors');
    expect(checkedBy({ ...job({}).checksDone, cpu: 0, contributor: 0 })).toBe('');
  });

  it('is told of one result', () => {
    const result = { pass: 2, contributor: 'a1b2c3', drawn: 1, errorBound: 1e-3 } as AcceptedView;
    expect(resultLine(result, 3, 'audit')).toBe('Pass 2, by a1b2c3: 1 value computed again, at most 1 in 1,000 expected to be wrong.');
    expect(resultLine(result, 3, 'verify')).toBe('Pass 2, by a1b2c3: checked as a whole.');
    expect(resultLine({ ...result, drawn: 640, errorBound: 0 }, 1, 'audit')).toBe('By a1b2c3: 640 values computed again, none expected to be wrong.');
  });
});

it('says what was proven wrong, and what comes of it', () => {
  expect(wrongLine(job({}))).toBe('');
  expect(wrongLine(job({ checksDone: { refuted: 1, revoked: 0 } }))).toBe('1 result was proven wrong and not paid. Their tiles are computed again.');
  expect(wrongLine(job({ status: 'done', checksDone: { refuted: 2, revoked: 3 } }))).toBe(
    '2 results were proven wrong and not paid. 3 earlier results of the same contributors were taken back. Their tiles were computed again.',
  );
});

it('announces only every ten percent', () => {
  const at = (accepted: number) => announcement(job({ parts: { total: 100, accepted, checking: 0, leased: 0 } }));
  expect(at(41)).toBe(at(49));
  expect(at(49)).not.toBe(at(50));
});

it('says what cancelling gives back', () => {
  expect(refundWords(job({}))).toContain('Up to 1.18 test credits come back');
  expect(refundWords(job({ group: { name: 'Studio', mode: 'only' } }))).toContain('Nothing is held');
  expect(paidShare(job({}))).toBe(0.41);
  expect(paidShare(job({ heldMicroCredits: '0', paidMicroCredits: '0' }))).toBe(0);
});

it('says who sees the page, and that contributors see the inputs either way', () => {
  expect(visibilityWords(job({ visibility: 'private' }))).toContain('Only you');
  expect(visibilityWords(job({ visibility: 'unlisted' }))).toContain('link');
  expect(visibilityWords(job({ visibility: 'public' }))).toContain('gallery');
  const group = { group: { id: 'g_1', name: 'Studio', mode: 'only' } };
  expect([visibilityWords(job(group)), visibilityName(job(group))]).toEqual([expect.stringContaining('members of Studio'), 'only Studio']);
  expect(contributorsSee(job({ visibility: 'private' }))).toMatch(/^While it is computed, contributors whose device takes a tile receive its inputs/);
  expect(contributorsSee(job(group))).toContain('members of Studio');
  expect(contributorsSee(job({ status: 'done' }))).toMatch(/^Contributors whose device took a tile have received its inputs/);
  expect(contributorsSee(job({ ...group, status: 'done' }))).toMatch(/^Members of Studio whose device/);
});

it('says until when bytes are kept, or since when they are gone', () => {
  const at = Date.UTC(2026, 10, 12, 12);
  expect(keptWords(job({ keptUntilMs: null, deletedMs: null }))).toBe('');
  expect(keptWords(job({ keptUntilMs: at, deletedMs: null }))).toContain('kept until Nov 12, 2026');
  expect(keptWords(job({ keptUntilMs: null, deletedMs: at, mine: true }))).toContain('deleted on Nov 12, 2026');
});

it('tells how many rows of a table there are', () => {
  expect(rowsLine(job({}), 1000)).toBe('About 410 of 1,000 rows so far.');
  expect(rowsLine(job({ parts: { total: 100, accepted: 0 } }), 1000)).toBe('None of 1,000 rows so far.');
  expect(rowsLine(job({ status: 'cancelled' }), 1000)).toBe('About 410 of 1,000 rows done.');
  expect(rowsLine(job({ status: 'done' }), 1)).toBe('1 row.');
});
