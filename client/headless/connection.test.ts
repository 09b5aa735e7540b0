import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConnectionNews } from './connection.ts';

const said: string[] = [];
const lost = 'No connection to https://tessera.example. Trying again until there is one; finished work is kept.';

beforeEach(() => {
  said.length = 0;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

const open = (): ConnectionNews => new ConnectionNews('https://tessera.example', (line) => said.push(line));

test('a connection that is lost for a moment is no news', () => {
  const news = open();
  news.is(false);
  vi.advanceTimersByTime(4000);
  news.is(true);
  news.is(false);
  vi.advanceTimersByTime(4000);
  news.is(false);
  expect(said).toEqual([]);
});

test('one that stays away is told once, and so is its return', () => {
  const news = open();
  for (let second = 0; second < 20; second++) {
    news.is(false);
    vi.advanceTimersByTime(1000);
  }
  expect(said).toEqual([lost]);
  for (let second = 0; second < 3; second++) news.is(true);
  expect(said).toEqual([lost, 'Connected.']);
});

test('nothing is said when all has ended', () => {
  const news = open();
  news.is(false);
  news.end();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([]);
});
