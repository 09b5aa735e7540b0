import { type Verdict, WRONG_ROWS_MAX } from './product.ts';

/** Failed rows that are looked at again before a block is excused: the worst, and others evenly spaced. */
const AGAIN_WORST = 4;
const AGAIN_OTHERS = 4;

/**
 * A row fails when its difference over its tolerance exceeds 1. Then `excuse`, which is slow, says by which factor the tolerance of a row was
 * too tight. One row beyond that and the block is wrong; when the worst are within it, all are, because data that fools the tolerance does so
 * in most rows. Factors never exceed `factorMax`.
 */
export function verdictOf(ratios: Float64Array, factorMax = 1, excuse: (row: number) => number = () => 1): Verdict {
  const rows = ratios.length;
  const failed = [...ratios.keys()].filter((row) => !(ratios[row]! <= 1)).sort((a, b) => ratios[b]! - ratios[a]!);
  const worst = ratios.reduce((most, ratio) => Math.max(most, ratio), 0);
  if (failed.length > 0 && worst <= factorMax && drawAgain(failed).every((row) => ratios[row]! <= excuse(row)))
    return { rows, failed: 0, excused: failed.length, wrong: [], worst: 1 };
  return { rows, failed: failed.length, excused: 0, wrong: failed.sort((a, b) => a - b).slice(0, WRONG_ROWS_MAX), worst };
}

function drawAgain(sorted: readonly number[]): number[] {
  const rest = sorted.slice(AGAIN_WORST);
  const step = Math.max(1, Math.ceil(rest.length / AGAIN_OTHERS));
  return [...sorted.slice(0, AGAIN_WORST), ...rest.filter((_, index) => index % step === 0)];
}
