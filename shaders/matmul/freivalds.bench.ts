import { BLOCK, detectAll, INNERS, WIDE } from './freivalds/detection.testing.ts';
import { shapes, timeAll } from './freivalds/speed.testing.ts';

/** How fast products are checked, and how surely. */
export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const progress = (line: string): void => console.error(line);
  const figures = { ...timeAll(progress), ...detectAll(progress) };
  return {
    suite: 'freivalds',
    figures,
    notes: [
      `Bytes of C checked in a CPU second of one thread, op(A)'s rows read from memory row by row too; blocks ${shapes.map(({ rows, columns, inner }) => `${rows} x ${columns} at K ${inner}`).join(', ')}. Plain names: the least of their medians of five rounds.`,
      'The peer of f32 is the same check with kernels in plain TypeScript; the peer of int8 is plain TypeScript in exact f64 with two vectors of 13 bits and op(B) r at hand. Ours and the peer in turn.',
      'prepare_cpu_s: once a job, thread and panel of columns, all of op(B) in these columns; held_mb: all that the checker holds.',
      `missed: of 10,000 blocks of ${BLOCK.rows} x ${BLOCK.columns} of each kind at each K of ${INNERS.join(', ')}, normal operands, and of 300 of ${WIDE.rows} x ${WIDE.columns}. How wide a block is matters little: r has no small entries.`,
      'false_rejects: of 10,000 blocks of f32 in eleven orders of summation with five kinds of operands and 10,000 of integers, at each K. honest_worst: the largest difference over its tolerance.',
      'missed_of_1000_positive_f16_operands_k4096: operands in [0, 1) rounded to f16, which changes sums by less than a few tolerances; not in missed.',
    ],
  };
}
