import { createHash } from 'node:crypto';
import { commitParts, saltOf } from '../../shared/commitment.ts';
import { encodeResult } from '../../shared/formats.ts';
import { type ElementRef, type JobId, type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import { seedOf } from '../../shared/rng.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { compareSample, type Judge, proveOpening, recomputeSample } from '../checks/evidence.ts';
import type { Answer, Kind, Question } from '../checks/messages.ts';
import { simSpec } from '../sim/spec.ts';

/** A workload without a kernel, whose values are a hash: everybody knows them, and a liar's are others. Tiles are small, of two parts. */
const ELEMENTS = 3;
const WORDS = 2;
export const PARTS = 2;
/** Micro-credits for a unit. */
export const RATE = 1_000_000n;

export const spec: WorkloadSpec = {
  ...simSpec(),
  parts: () => PARTS,
  elements: () => ELEMENTS,
  elementWords: () => WORDS,
  adaptivePasses: () => [],
};

/** Small enough that the sum of the parts is exact. */
const wordOf = ({ pass, tile, part, element }: ElementRef, word: number): number => seedOf(pass, tile, part, element, word) & 0xffff;
const LIE = 0x10000;

const wordsAt = (element: ElementRef, isLie: boolean): number[] => Array.from({ length: WORDS }, (_, word) => wordOf(element, word) + (isLie ? LIE : 0));

/** Values of these elements, one after the other. */
export const valuesOf = (elements: readonly ElementRef[], isLie: boolean): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Uint32Array.from(elements.flatMap((element) => wordsAt(element, isLie))).buffer);

/** What a contributor computes under a lease, always the same, and what it keeps of it. */
export function compute({ token, at, parts }: { readonly token: string; readonly at: TileRef; readonly parts: PartMask }, isLie: boolean) {
  const made = partsOf(parts).map((part) => ({
    part,
    bytes: valuesOf(
      Array.from({ length: ELEMENTS }, (_, element) => ({ ...at, part, element })),
      isLie,
    ),
  }));
  const committed = commitParts(saltOf(token), { parts, elements: ELEMENTS, words: WORDS }, made);
  return { root: committed.root, open: committed.open, result: encodeResult(made, ELEMENTS, WORDS) };
}

const judge: Judge = {
  words: WORDS,
  allowed: 0,
  recompute: (elements) => Uint32Array.from(elements.flatMap((element) => wordsAt(element, false))),
  distance: (_, a, b) => Math.max(...a.map((value, word) => Math.abs(value - b[word]!))),
  explains: () => false,
};

/** Answers checks as the threads of the coordinator do, by the same code. */
export async function check(kind: Kind, question: Question[Kind]): Promise<Answer[Kind]> {
  if (kind === 'opening') {
    const { shape, result, opening, sample, ...commitment } = question as Question['opening'];
    return proveOpening(shape, commitment, result, opening, sample);
  }
  if (kind === 'recompute') {
    const { at, sample, claims, enough } = question as Question['recompute'];
    return { ...(await recomputeSample(judge, at, sample, claims, enough)), cpuMs: 0 };
  }
  if (kind === 'compare') {
    const { at, sample, claims, values, enough } = question as Question['compare'];
    const { result, auditor, apart } = await compareSample(judge, at, sample, claims, values, enough);
    return { result: { ...result, cpuMs: 0 }, auditor: { ...auditor, cpuMs: 0 }, apart };
  }
  throw new Error(`no ${kind} is expected here`);
}

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const jobIdOf = (number: number): JobId => `j_${number.toString().padStart(16, '0')}` as JobId;
