import type { Evidence } from '../../shared/model.ts';
import { partsOf } from '../../shared/model.ts';
import type { CheckOutcome, CheckRequest } from '../core/state.ts';
import type { Lie } from './adversary.ts';
import type { Submission } from './policy.ts';
import { COMPARE_MS, CPU_MS_PER_ELEMENT, honestValue, isExplained, openingMs, REFEREE_MS_PER_ELEMENT } from './values.ts';

/** What the coordinator's threads would find: the evidence of server/checks, from values that are known instead of computed. */

/** What a contributor hands in for an element. */
export const claimOf = ({ tileKey, identity }: Pick<Submission, 'tileKey' | 'identity'>, lie: Lie | null, part: number, element: number): number =>
  lie?.wrong(part, element) ? lie.value : honestValue(tileKey, identity.floatClass, part, element);

const wordsAt = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

const notSimulated = (): Error => new Error('the simulated workload is audited');

/** Elements at which a check asks the referee. */
function disputed(request: CheckRequest & { kind: 'recompute' | 'compare' }): number {
  const claims = wordsAt(request.claims);
  if (request.kind === 'recompute') return judge(claims, () => true, request.enough).differing;
  const values = wordsAt(request.values);
  const differ = (index: number): boolean => claims[index] !== values[index];
  return judge(claims, differ, request.enough).differing + judge(values, differ, request.enough).differing;
}

/** Milliseconds of one core. */
export function checkCpuMs(request: CheckRequest): number {
  switch (request.kind) {
    case 'opening':
      return openingMs(new Set(request.sample.elements).size);
    case 'recompute':
      return request.sample.elements.length * CPU_MS_PER_ELEMENT + disputed(request) * REFEREE_MS_PER_ELEMENT;
    case 'compare':
      return COMPARE_MS + disputed(request) * (CPU_MS_PER_ELEMENT + REFEREE_MS_PER_ELEMENT);
    case 'verify':
      throw notSimulated();
    default:
      throw new Error(`unknown request ${JSON.stringify(request satisfies never)}`);
  }
}

export function outcomeOf(request: CheckRequest, submission: Submission, forged: boolean, cpuMs: number): CheckOutcome {
  switch (request.kind) {
    case 'opening':
      return opened(request, submission, forged);
    case 'recompute':
      return { kind: 'recomputed', evidence: { ...judge(wordsAt(request.claims), () => true, request.enough), cpuMs } };
    case 'compare': {
      const [claims, values] = [wordsAt(request.claims), wordsAt(request.values)];
      const differ = (index: number): boolean => claims[index] !== values[index];
      const [result, auditor] = [judge(claims, differ, request.enough), judge(values, differ, request.enough)];
      const apart = claims.filter((_, index) => differ(index)).length;
      return { kind: 'compared', result: { ...result, cpuMs }, auditor: { ...auditor, cpuMs }, apart };
    }
    case 'verify':
      throw notSimulated();
    default:
      throw new Error(`unknown request ${JSON.stringify(request satisfies never)}`);
  }
}

/** Whether the opened columns lead to the commitment and add up to the total, and what they claim. */
function opened({ sample }: CheckRequest & { kind: 'opening' }, submission: Submission, forged: boolean): CheckOutcome {
  if (forged) return { kind: 'mismatch', message: 'the opening does not match what was committed' };
  const { result, committed, grant } = submission;
  if (result !== committed) {
    // Honest shares are the same on both sides: a column adds up when as much is wrong of it here and there.
    const parts = partsOf(grant.parts);
    const wrong = (lie: Lie | null, element: number): number => (lie ? lie.value * parts.filter((part) => lie.wrong(part, element)).length : 0);
    const found = sample.elements.find((element) => wrong(result, element) !== wrong(committed, element));
    if (found !== undefined) return { kind: 'mismatch', message: `element ${found} does not add up to the total` };
  }
  const claims = Uint32Array.from(sample.elements, (element, index) => claimOf(submission, committed, sample.parts[index]!, element));
  return { kind: 'opened', claims: new Uint8Array(claims.buffer) };
}

/** The referee's word on the values where the two sides differ, until `enough` are wrong; elsewhere they are taken as right. */
function judge(values: Uint32Array, differ: (index: number) => boolean, enough: number): Omit<Evidence, 'by' | 'cpuMs'> {
  let [drawn, differing, unexplained] = [0, 0, 0];
  for (const [index, value] of values.entries()) {
    if (unexplained >= enough && differ(index)) continue;
    drawn++;
    if (value === 0 || !differ(index)) continue;
    differing++;
    if (!isExplained(value)) unexplained++;
  }
  return { drawn, differing, unexplained, worst: differing > 0 ? 1000 : 0 };
}
