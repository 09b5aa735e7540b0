import { type Verdict, WRONG_ROWS_MAX } from './product.ts';

/** A row is wrong when its difference over its tolerance, which `ratioOf` gives, exceeds 1. */
export function verdictOf(rows: number, ratioOf: (row: number) => number): Verdict {
  const wrong: number[] = [];
  let [failed, worst] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const ratio = ratioOf(row);
    worst = Math.max(worst, ratio);
    if (ratio <= 1) continue;
    failed++;
    if (wrong.length < WRONG_ROWS_MAX) wrong.push(row);
  }
  return { rows, failed, wrong, worst };
}
