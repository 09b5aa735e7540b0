import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConnectionNews } from './connection.ts';

const said: string[] = [];
const lost = 'No connection to https://tessera.example. Trying again until there is one; finished work is kept.';

const connected = { mode: 'working', online: true } as const;
const lostNow = { mode: 'working', online: false } as const;

beforeEach(() => {
  said.length = 0;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

const open = (): ConnectionNews => new ConnectionNews('https://tessera.example', (line) => said.push(line));

test('a connection that is lost for a moment is no news', () => {
  const news = open();
  news.is(lostNow);
  vi.advanceTimersByTime(4000);
  news.is(connected);
  news.is(lostNow);
  vi.advanceTimersByTime(4000);
  news.is(lostNow);
  expect(said).toEqual([]);
});

test('one that stays away is told once, and so is its return', () => {
  const news = open();
  for (let second = 0; second < 20; second++) {
    news.is(lostNow);
    vi.advanceTimersByTime(1000);
  }
  expect(said).toEqual([lost]);
  for (let second = 0; second < 3; second++) news.is(connected);
  expect(said).toEqual([lost, 'Connected.']);
});

test('nothing is said when all has ended', () => {
  const news = open();
  news.is(lostNow);
  news.end();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([]);
});

test('a pause without a connection is no loss of it, and no return', () => {
  const news = open();
  news.is(lostNow);
  vi.advanceTimersByTime(6000);
  news.is({ mode: 'paused', online: false });
  vi.advanceTimersByTime(60_000);
  news.is({ mode: 'stopped', online: false });
  expect(said).toEqual([lost]);
});
