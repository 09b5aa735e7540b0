import { type Opened, readOpening, type Shape } from '../../shared/commitment.ts';
import { decodeResult, FormatError, wordsOf } from '../../shared/formats.ts';
import { type ElementRef, type Evidence, partsOf, type TileRef } from '../../shared/model.ts';
import type { Sample } from '../core/draw.ts';

/** Turns bytes into evidence: numbers about them, never a verdict. Pure but for the time it takes, which the caller measures. */

/** What the checks of a workload are asked, for one job whose inputs are loaded. */
export interface Judge {
  /** u32 words of an element. */
  readonly words: number;
  /** An element is differing when its distance exceeds this. */
  readonly allowed: number;
  recompute(elements: readonly ElementRef[]): Uint32Array | Promise<Uint32Array>;
  distance(element: ElementRef, a: Uint32Array, b: Uint32Array): number;
  explains(element: ElementRef, claimed: Uint32Array): boolean | Promise<boolean>;
}

/** `Evidence` without who recomputed and what it took. */
export type Findings = Omit<Evidence, 'by' | 'cpuMs'>;

export type Proof = { readonly ok: true; readonly claims: Uint8Array } | { readonly ok: false; readonly message: string };

/**
 * Whether an opening leads to the root that was committed and its columns add up to the total that was handed in. The claims are
 * the opened values, `shape.words` u32 for each entry of the sample. Throws `FormatError` on a result that was never valid.
 */
export function proveOpening(
  shape: Shape,
  { salt, root }: { readonly salt: Uint8Array; readonly root: Uint8Array },
  result: Uint8Array,
  opening: Uint8Array,
  sample: Sample,
): Proof {
  const total = decodeResult(result, shape.parts, shape.elements, shape.words);
  try {
    const opened = readOpening(opening, salt, root, shape, sample.elements);
    for (const element of new Set(sample.elements)) assertSum(opened, shape, element, total);
    const claims = new Uint32Array(sample.elements.length * shape.words);
    for (const [index, element] of sample.elements.entries()) claims.set(opened(sample.parts[index]!, element), index * shape.words);
    return { ok: true, claims: new Uint8Array(claims.buffer) };
  } catch (error) {
    if (error instanceof FormatError) return { ok: false, message: error.message };
    throw error;
  }
}

/** Throws `FormatError` unless the parts of an element add up to its total. */
function assertSum(opened: Opened, { parts, words }: Shape, element: number, total: (at: number) => number): void {
  const sums = new Float64Array(words);
  for (const part of partsOf(parts)) for (const [word, value] of opened(part, element).entries()) sums[word]! += value;
  sums.forEach((sum, word) => {
    if (sum !== total(element * words + word)) throw new FormatError(`the parts of element ${element} do not add up to the total`);
  });
}

const elementsOf = (at: TileRef, { parts, elements }: Sample): ElementRef[] => elements.map((element, index) => ({ ...at, part: parts[index]!, element }));

/** The `index`-th of a list of values. */
const valueAt = (values: Uint32Array, index: number, words: number): Uint32Array => values.subarray(index * words, (index + 1) * words);

/** Recomputes every element of a sample on this CPU and judges what is claimed for it, until `enough` of them are wrong. */
export async function recomputeSample(judge: Judge, at: TileRef, sample: Sample, claims: Uint8Array, enough: number): Promise<Findings> {
  const elements = elementsOf(at, sample);
  const claimed = wordsOf(claims, elements.length * judge.words);
  return judgeAll(judge, elements, await judge.recompute(elements), claimed, enough);
}

/** The referee is dear: it stops at the `enough`-th wrong element, and `drawn` counts those it has judged. */
async function judgeAll(judge: Judge, elements: readonly ElementRef[], truth: Uint32Array, claimed: Uint32Array, enough: number): Promise<Findings> {
  const found = { drawn: 0, differing: 0, unexplained: 0, worst: 0 };
  for (const [index, element] of elements.entries()) {
    if (found.unexplained >= enough) break;
    found.drawn++;
    const claim = valueAt(claimed, index, judge.words);
    const distance = judge.distance(element, claim, valueAt(truth, index, judge.words));
    found.worst = Math.max(found.worst, distance);
    if (distance <= judge.allowed) continue;
    found.differing++;
    if (!(await judge.explains(element, claim))) found.unexplained++;
  }
  return found;
}

/**
 * Compares what a contributor claims with what an auditor found. Only where they are further apart than the tolerance is this
 * CPU asked, and then it judges both: an auditor that cries wolf is found out as surely as a liar. `apart`: elements where this was so.
 */
export async function compareSample(
  judge: Judge,
  at: TileRef,
  sample: Sample,
  claims: Uint8Array,
  values: Uint8Array,
  enough: number,
): Promise<{ readonly result: Findings; readonly auditor: Findings; readonly apart: number }> {
  const { words } = judge;
  const elements = elementsOf(at, sample);
  const claimed = wordsOf(claims, elements.length * words);
  const found = wordsOf(values, elements.length * words);
  const distances = elements.map((element, index) => judge.distance(element, valueAt(claimed, index, words), valueAt(found, index, words)));
  const disputed = elements.map((_, index) => index).filter((index) => distances[index]! > judge.allowed);
  const agreed = Math.max(0, ...distances.filter((distance) => distance <= judge.allowed));
  const disputedElements = disputed.map((index) => elements[index]!);
  const truth = disputed.length === 0 ? new Uint32Array() : await judge.recompute(disputedElements);
  const judged = async (all: Uint32Array): Promise<Findings> => {
    const picked = new Uint32Array(disputed.length * words);
    for (const [to, from] of disputed.entries()) picked.set(valueAt(all, from, words), to * words);
    const findings = await judgeAll(judge, disputedElements, truth, picked, enough);
    const unjudged = disputed.length - findings.drawn;
    return { ...findings, drawn: elements.length - unjudged, worst: Math.max(agreed, findings.worst) };
  };
  return { result: await judged(claimed), auditor: await judged(found), apart: disputed.length };
}
