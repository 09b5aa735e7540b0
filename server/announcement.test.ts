import { expect, test } from 'vitest';
import { announcement, qrLines } from './announcement.ts';

/** What is drawn, as rows of modules with the light ones true. */
function modulesOf(drawn: string): boolean[][] {
  return drawn.split('\n').flatMap((line) => [[...line].map((each) => '▀█'.includes(each)), [...line].map((each) => '▄█'.includes(each))]);
}

/** Finder patterns by ISO/IEC 18004: a ring of seven dark modules, one light, three dark, at three corners. */
const finder = ['1111111', '1000001', '1011101', '1011101', '1011101', '1000001', '1111111'];

test('a code has its finder patterns inside a quiet zone', () => {
  const rows = modulesOf(qrLines('https://192.168.7.20:8080', false));
  const side = rows[0]!.length;
  const at = (row: number, column: number): string[] => finder.map((_, y) => finder.map((_, x) => (rows[row + y]![column + x] ? '0' : '1')).join(''));
  expect(side).toBe(2 + 25 + 2);
  expect(at(2, 2)).toEqual(finder);
  expect(at(2, side - 9)).toEqual(finder);
  expect(at(side - 9, 2)).toEqual(finder);
  for (const index of [0, 1]) expect(rows[index]!.every(Boolean)).toBe(true);
  expect(qrLines('a', true)).not.toBe(qrLines('a', false));
});

test('says where it is reached', () => {
  expect(announcement('http://localhost:8080', [], false, false)).toBe('Tessera is ready: http://localhost:8080');
  const said = announcement('https://localhost:8080', ['https://192.168.7.20:8080', 'https://10.1.1.1:8080'], true, false);
  expect(said).toContain('In this network:\n  https://192.168.7.20:8080\n  https://10.1.1.1:8080\n');
  expect(said).toContain('docs/local-network.md');
  expect(said).toContain(qrLines('https://192.168.7.20:8080', false));
  expect(announcement('https://localhost:8080', ['https://192.168.7.20:8080'], false, false)).not.toContain('warn');
});
