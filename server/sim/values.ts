import { pcgHash, seedOf } from '../../shared/rng.ts';

/**
 * What an element comes out as. A value is one u32: 0 is what the referee computes, everything else is further from it than the
 * tolerance. Which values are honest is coded in the highest bits, and only the referee may look at them.
 */
const EXPLAINED = 0x4000_0000;
const UNEXPLAINED = 0x8000_0000;
/** Values of liars lie below it. */
export const LIE_VALUE_MAX = EXPLAINED - 1;

/** Upper bounds of the classes below, as the path tracer's spec declares them. */
export const HONEST_MISS_RATE = 0.006;
export const UNEXPLAINED_RATE = 1e-4;

/** A group of devices that compute bit-equally; two groups differ where either leaves the truth. */
export interface FloatClass {
  readonly index: number;
  /** Share of elements that come out beyond the tolerance, and of these the ones that no near-tie explains. */
  readonly differing: number;
  readonly unexplained: number;
}

/** Around what was measured for the path tracer (shaders/render/README.md): 1e-3 differing, none of 96,000 unexplained; here up to 1e-5 are, to be on the hard side. */
export const floatClasses: readonly FloatClass[] = [
  { index: 0, differing: 0, unexplained: 0 },
  { index: 1, differing: 2e-4, unexplained: 0 },
  { index: 2, differing: 5e-4, unexplained: 1e-6 },
  { index: 3, differing: 1e-3, unexplained: 3e-6 },
  { index: 4, differing: 1e-3, unexplained: 1e-5 },
  { index: 5, differing: 3e-3, unexplained: 1e-5 },
];

/** Fixes every honest value of a tile. */
export const tileKeyOf = (jobSeed: number, pass: number, tile: number): number => seedOf(jobSeed, pass, tile);

/** What an honest device of this class computes: always the same. */
export function honestValue(tileKey: number, { index, differing, unexplained }: FloatClass, part: number, element: number): number {
  if (differing === 0) return 0;
  const chance = pcgHash((pcgHash((tileKey ^ (index * 0x9e3779b9)) >>> 0) ^ ((part << 20) | element)) >>> 0) / 2 ** 32;
  if (chance >= differing) return 0;
  return (chance < unexplained ? UNEXPLAINED : EXPLAINED) + index;
}

/** The referee's word: a near-tie explains this value. */
export const isExplained = (value: number): boolean => value >= EXPLAINED && value < UNEXPLAINED;

/*
 * The coordinator's CPU. Recomputing: one core traces 71,000 paths a second of the path tracer (shaders/render/README.md) and an
 * element is 32 samples. The opening: `readOpening` of 32, 256 and 736 of 4096 columns (four parts of four words) took 0.85, 2.6 and
 * 3.4 ms on the same machine. The referee on an element that differs: declared, it perturbs the whole path many times.
 */
export const CPU_MS_PER_ELEMENT = 0.45;
export const openingMs = (columns: number): number => 0.8 + 0.005 * columns;
export const REFEREE_MS_PER_ELEMENT = 10;
export const COMPARE_MS = 0.02;

/**
 * Declared: an H100 traces 200 million paths a second of such a kernel, one core 71,000. So a second of a core counts as
 * 1/2800 of a second of the reference GPU when work is counted, and is printed as what it is beside it.
 */
export const GPU_TO_CPU = 2800;
export const GPU_MS_PER_ELEMENT = CPU_MS_PER_ELEMENT / GPU_TO_CPU;
