import { describe, expect, test } from 'vitest';
import { qrLines } from './announcement.ts';

/** A reader of its own, from ISO/IEC 18004: versions 1 to 3 at level M have one block, so data stand in reading order. It corrects nothing. */
function read(terminal: string): string {
  const modules = gridOf(terminal);
  const size = modules.length;
  const version = (size - 17) / 4;
  if (!Number.isInteger(version) || version < 1 || version > 3) throw new Error(`a code of ${size} modules`);
  const mask = maskOf(modules);
  const bits: number[] = [];
  // Two columns at a time from the right, up and down in turn; the column of the timing pattern is left out.
  for (let right = size - 1, upwards = true; right > 0; right -= 2, upwards = !upwards) {
    if (right === 6) right--;
    for (let step = 0; step < size; step++) {
      const row = upwards ? size - 1 - step : step;
      for (const column of [right, right - 1]) if (!isFixed(size, version, row, column)) bits.push(Number(modules[row]![column]!) ^ Number(mask(row, column)));
    }
  }
  const take = (count: number): number => bits.splice(0, count).reduce((value, bit) => value * 2 + bit, 0);
  expect(take(4), 'byte mode').toBe(4);
  return String.fromCharCode(...Array.from({ length: take(8) }, () => take(8)));
}

/** Terminal characters -> dark modules, without the quiet zone, which must be light. */
function gridOf(terminal: string): boolean[][] {
  const rows = terminal.split('\n').flatMap((line) => {
    const text = [...line];
    return [text.map((block) => !'▀█'.includes(block)), text.map((block) => !'▄█'.includes(block))];
  });
  const width = rows[0]!.length;
  const inside = rows.slice(2, width - 2).map((row) => row.slice(2, -2));
  const dark = (part: boolean[][]): number => part.flat().filter(Boolean).length;
  expect(dark(rows), 'dark modules in the quiet zone').toBe(dark(inside));
  return inside;
}

/** The five bits of the format: level and mask, behind a fixed mask and twice in the code. */
function maskOf(modules: boolean[][]): (row: number, column: number) => boolean {
  const first = [0, 1, 2, 3, 4, 5, 7, 8].map((column) => modules[8]![column]!);
  const format = first.slice(0, 5).reduce((value, bit) => value * 2 + Number(bit), 0) ^ 0b10101;
  expect(format >> 3, 'level M').toBe(0);
  const masks: ((row: number, column: number) => boolean)[] = [
    (i, j) => (i + j) % 2 === 0,
    (i) => i % 2 === 0,
    (_, j) => j % 3 === 0,
    (i, j) => (i + j) % 3 === 0,
    (i, j) => (Math.floor(i / 2) + Math.floor(j / 3)) % 2 === 0,
    (i, j) => ((i * j) % 2) + ((i * j) % 3) === 0,
    (i, j) => (((i * j) % 2) + ((i * j) % 3)) % 2 === 0,
    (i, j) => (((i + j) % 2) + ((i * j) % 3)) % 2 === 0,
  ];
  return masks[format & 7]!;
}

/** Finders with their borders and the format, timing, and the one alignment pattern of versions 2 and 3. */
function isFixed(size: number, version: number, row: number, column: number): boolean {
  if ((row < 9 && (column < 9 || column >= size - 8)) || (row >= size - 8 && column < 9)) return true;
  if (row === 6 || column === 6) return true;
  const centre = size - 7;
  return version > 1 && Math.abs(row - centre) <= 2 && Math.abs(column - centre) <= 2;
}

describe('the QR code in the terminal', () => {
  test.each(['https://10.0.0.7:1', 'https://192.168.1.5:8080', 'https://192.168.100.200:65535', 'https://studio-in-the-attic.example:8080'])(
    'is read as %s',
    (url) => {
      expect(read(qrLines(url, false))).toBe(url);
    },
  );

  test('is refused where no code is large enough', () => expect(() => qrLines('x'.repeat(3000), false)).toThrow());
});
