import { median, spread } from '../../common/testing/benchFigures.ts';
import { createChecker } from './freivalds.ts';
import { plainKernels } from './kernels.testing.ts';
import { arrayOperand } from './operand.ts';
import type { Block, Checker } from './product.ts';
import { generator, keyOf } from './variants.testing.ts';

/** How fast blocks are checked: CPU time of this thread for everything but what is kept for a job. */

const ROUNDS = 5;
const CHECKS_A_ROUND = 12;
const PEER_CHECKS_A_ROUND = 3;
/** Blocks of a round, in turn, so that none is still in the second-level cache. */
const BLOCKS = 3;

export interface Shape {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

export const shapes: readonly Shape[] = [
  { rows: 256, inner: 64, columns: 8192 },
  { rows: 256, inner: 1024, columns: 8192 },
  { rows: 256, inner: 4096, columns: 8192 },
  { rows: 512, inner: 4096, columns: 4096 },
];

const nameOf = ({ rows, inner, columns }: Shape): string => `k${inner}_${rows}x${columns}`;
const cpuS = (work: () => void): number => {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1e6;
};

interface Bench {
  readonly ours: Checker;
  readonly blocks: readonly Block[];
  /** One block, without a verdict. */
  readonly peer: (block: Block, number: number) => void;
  readonly prepareS: number;
  readonly bytes: number;
}

function floatBench({ rows, inner, columns }: Shape): Bench {
  const random = generator(inner);
  const fill = (length: number) => Float32Array.from({ length }, () => random() - 0.5);
  const product = {
    a: arrayOperand(fill(rows * inner), { rows, columns: inner, lines: 'rows' }),
    b: arrayOperand(fill(inner * columns), { rows: inner, columns, lines: 'rows' }),
    output: 'f32',
  } as const;
  const [ours, plain] = [createChecker(product, keyOf(1)), createChecker(product, keyOf(1), plainKernels())];
  const span = { first: 0, count: columns };
  // So far off that no row is looked at again: nothing but reading and summing is timed.
  const blocks = Array.from({ length: BLOCKS }, () => ({ rows: { first: 0, count: rows }, columns: span, values: fill(rows * columns).map((x) => x * 1e9) }));
  const prepareS = cpuS(() => ours.prepare(span));
  plain.prepare(span);
  return { ours, blocks, peer: (block, number) => plain.check(block, keyOf(number)), prepareS, bytes: ours.bytes };
}

/** The peer: two vectors of 13 bits, whose sums f64 has exactly, with op(B) r at hand. */
function wholeBench({ rows, inner, columns }: Shape): Bench {
  const random = generator(inner);
  const a = Int8Array.from({ length: rows * inner }, () => random() * 256 - 128);
  const b = Int8Array.from({ length: inner * columns }, () => random() * 256 - 128);
  const product = {
    a: arrayOperand(a, { rows, columns: inner, lines: 'rows' }),
    b: arrayOperand(b, { rows: inner, columns, lines: 'rows' }),
    output: 'i32',
  } as const;
  const ours = createChecker(product, keyOf(1));
  const span = { first: 0, count: columns };
  const blocks = Array.from({ length: BLOCKS }, () => ({
    rows: { first: 0, count: rows },
    columns: span,
    values: Int32Array.from({ length: rows * columns }, () => random() * 1e6),
  }));
  const prepareS = cpuS(() => ours.prepare(span));
  const draw = (length: number, most: number) => Float64Array.from({ length }, () => Math.floor(random() * most));
  const [r, s, br, bs] = [draw(columns, 2 ** 13), draw(columns, 2 ** 13), draw(inner, 2 ** 30), draw(inner, 2 ** 30)];
  let differing = 0;
  const peer = ({ values }: Block): void => {
    for (let i = 0; i < rows; i++) {
      let [u, v] = [0, 0];
      for (let k = 0, at = i * inner; k < inner; k++, at++) {
        u += a[at]! * br[k]!;
        v += a[at]! * bs[k]!;
      }
      for (let j = 0, at = i * columns; j < columns; j++, at++) {
        u -= values[at]! * r[j]!;
        v -= values[at]! * s[j]!;
      }
      if (u !== 0 || v !== 0) differing++;
    }
    // Read, so that nothing of it can be left out.
    if (differing > Number.MAX_SAFE_INTEGER) throw new RangeError('too many rows');
  };
  return { ours, blocks, peer, prepareS, bytes: ours.bytes };
}

/** Bytes of C in a CPU second, ours and the peer's in turn. */
function timeShape(shape: Shape, { ours, blocks, peer }: Bench): { ours: number[]; peer: number[] } {
  const gigabytes = (shape.rows * shape.columns * 4) / 1e9;
  const rounds = { ours: [] as number[], peer: [] as number[] };
  for (let round = -1; round < ROUNDS; round++) {
    const oursS = cpuS(() => {
      for (let n = 0; n < CHECKS_A_ROUND; n++) ours.check(blocks[n % BLOCKS]!, keyOf(n));
    });
    const peerS = cpuS(() => {
      for (let n = 0; n < PEER_CHECKS_A_ROUND; n++) peer(blocks[n % BLOCKS]!, n);
    });
    // The first round compiles.
    if (round < 0) continue;
    rounds.ours.push((gigabytes * CHECKS_A_ROUND) / oursS);
    rounds.peer.push((gigabytes * PEER_CHECKS_A_ROUND) / peerS);
  }
  return rounds;
}

export function timeAll(progress: (line: string) => void): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [type, make] of [
    ['f32', floatBench],
    ['int8', wholeBench],
  ] as const) {
    const medians: number[] = [];
    for (const shape of shapes) {
      const bench = make(shape);
      const rounds = timeShape(shape, bench);
      const name = nameOf(shape);
      Object.assign(figures, spread(`check_gb_per_s_per_core_${type}_${name}`, rounds.ours), spread(`peer_gb_per_s_per_core_${type}_${name}`, rounds.peer));
      figures[`prepare_cpu_s_${type}_${name}`] = bench.prepareS;
      figures[`held_mb_${type}_${name}`] = bench.bytes / 1e6;
      medians.push(median(rounds.ours));
      progress(`${type} ${name}: ${median(rounds.ours).toFixed(2)} GB/s, peer ${median(rounds.peer).toFixed(2)}, prepared in ${bench.prepareS.toFixed(3)} s`);
    }
    figures[`check_gb_per_s_per_core_${type}`] = Math.min(...medians);
  }
  figures.check_gb_per_s_per_core = Math.min(figures.check_gb_per_s_per_core_f32!, figures.check_gb_per_s_per_core_int8!);
  return figures;
}
