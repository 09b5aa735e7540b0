import { createHash } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import { distance, explains } from '../shaders/render/check.ts';
import { lightPasses } from '../shaders/render/grid.ts';
import { loadScene, type Scene } from '../shaders/render/reference.ts';
import { ELEMENT_WORDS, spec } from '../shaders/render/spec.ts';
import { allLies, type Claim, type LieName, type Subject, subjectOf } from '../shaders/render/testing/comparator/lies.ts';
import { jobOf, type Picture } from '../shaders/render/testing/comparator/pictures.ts';
import type { RoundingName } from '../shaders/render/testing/comparator/pushedKernel.ts';
import { countParts, type ElementRef, fullMask, maskOf, partsOf } from '../shared/model.ts';
import { Rng, seedOf } from '../shared/rng.ts';
import { defaultChecks } from '../shared/schemas.ts';
import { drawElements } from './core/draw.ts';
import { newStanding, type Standing } from './core/reputation.ts';
import { drawCount, isProvenWrong, secondDrawCount, totalOf } from './core/verifier.ts';

/**
 * One case of the comparator's benchmark: a result that somebody hands in is drawn from, recomputed and decided as the coordinator
 * does it. `core/verdicts.ts` decides as events arrive; `decide` is its rule in one piece. Runs in a worker thread.
 */

/** Whose result it is. A newcomer's is one part, of which a few hundred elements are drawn; with 20 tiles on record it is a whole pass and a few dozen. */
export type Reputation = 'newcomer' | 'record';
const TILES_ON_RECORD = 20;
/** Elements of one question; evidence is judged question by question (`core/audits.ts`). */
const QUESTION_ELEMENTS = 64;

/** Elements looked at to see whether a lie shows in a tile at all, and how many it must change: two of 128 are 1.6 %. */
const PROBED = 128;
const SHOWING_MIN = 2;
/** Its multiples fill the tile evenly, and unlike a stride no few columns of it. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;
const TILES_TRIED_MAX = 24;

export interface Case {
  readonly index: number;
  /** Which of the pictures. */
  readonly picture: number;
  /** Paths per pixel of the whole job. */
  readonly samples: number;
  readonly reputation: Reputation;
  readonly author: { readonly honest: RoundingName } | { readonly lie: LieName };
}

export interface Outcome {
  /** `hidden`: no tile was found where the lie changes anything; such a case does not count. */
  readonly verdict: 'accepted' | 'discarded' | 'refuted' | 'hidden';
  /** Elements whose truth was compared with the claim. */
  readonly compared: number;
  readonly differing: number;
  /** Of those that differ, how many the referee could not explain: it was asked about every one. */
  readonly unexplained: number;
}

/** What a device claims for elements. Honest devices are asked for many at once; liars compute what is looked at, when it is. */
type Claims = (elements: readonly ElementRef[]) => Promise<Claim>;

const digestOf = (...words: readonly (string | number)[]): Uint8Array => createHash('sha256').update(words.join('/')).digest();

function standingFor(reputation: Reputation, size: number): Standing {
  const fresh = newStanding(0);
  if (reputation === 'newcomer') return fresh;
  const known = { ...fresh, accepted: TILES_ON_RECORD, verified: TILES_ON_RECORD * size };
  return { ...known, drawn: TILES_ON_RECORD * drawCount(defaultChecks.targetError, known, size, 'trusted') };
}

/** Draws, compares and decides. `trusted`: the elements are recomputed by somebody who is believed. */
export async function decide(subject: Subject, claims: Claims, reputation: Reputation, index: number): Promise<Outcome> {
  const { job, tile, parts } = subject;
  const elements = spec.elements(job, tile);
  const size = elements * countParts(parts);
  const record = standingFor(reputation, size);
  const found = { compared: 0, differing: 0, unexplained: 0 };
  const evidence: { drawn: number; unexplained: number }[] = [];
  let count = drawCount(defaultChecks.targetError, record, size, 'trusted');
  for (const round of ['first', 'second']) {
    const sample = drawElements(parts, elements, digestOf('comparator', index, round), count);
    const refs = sample.elements.map((element, at): ElementRef => ({ ...tile, part: sample.parts[at]!, element }));
    const claimOf = await claims(refs);
    for (let from = 0; from < refs.length; from += QUESTION_ELEMENTS) {
      const question = { drawn: Math.min(QUESTION_ELEMENTS, refs.length - from), unexplained: 0 };
      evidence.push(question);
      for (const ref of refs.slice(from, from + question.drawn)) {
        const claim = claimOf(ref);
        found.compared++;
        if (distance(job, ref, claim, subject.truth(ref)) <= spec.tolerance.allowed) continue;
        found.differing++;
        if (explains(subject.scene, job, ref, claim)) continue;
        found.unexplained++;
        question.unexplained++;
        // The rest of the question could only add to it.
        if (isRefuted(totalOf(evidence), record)) return { verdict: 'refuted', ...found };
      }
      // The first question is asked alone: where it finds something, the second draw decides.
      if (round === 'first' && from === 0 && question.unexplained > 0) break;
    }
    const total = totalOf(evidence);
    if (total.unexplained === 0 || (total.unexplained === 1 && (round === 'second' || total.drawn >= size))) return { verdict: 'accepted', ...found };
    if (total.drawn >= size) break;
    count = secondDrawCount(count, size);
  }
  return { verdict: 'discarded', ...found };
}

const isRefuted = (total: { drawn: number; unexplained: number }, record: Standing): boolean =>
  isProvenWrong(total, spec.tolerance) ||
  isProvenWrong({ drawn: record.drawn + total.drawn, unexplained: record.unexplained + total.unexplained }, spec.tolerance);

/** Whether the lie changes at least 1 % of the tile: where it changes nothing it is none. */
function shows(subject: Subject, claim: Claim): boolean {
  const { job, tile, parts } = subject;
  const elements = spec.elements(job, tile);
  const [part] = partsOf(parts);
  let wrong = 0;
  for (let at = 0; at < PROBED && wrong < SHOWING_MIN; at++) {
    const ref = { ...tile, part: part!, element: Math.floor(((at * GOLDEN) % 1) * elements) };
    if (distance(job, ref, claim(ref), subject.truth(ref)) > spec.tolerance.allowed) wrong++;
  }
  return wrong >= SHOWING_MIN;
}

export type Ask = (job: Subject['job'], rounding: RoundingName, elements: readonly ElementRef[]) => Promise<Uint32Array>;

/** Makes the result of a case and decides about it. `ask`: what an honest device claims. */
export async function runCase(one: Case, picture: Picture, scene: Scene, ask: Ask): Promise<Outcome> {
  const seed = seedOf(0xc0, one.index);
  const rng = new Rng(seed);
  const job = jobOf(picture, one.samples, seed);
  const grid = spec.split(job.params, job.prepared);
  // Lies are about light: features cost a hundredth of it, so that nobody gains by cheapening them.
  const passes = 'honest' in one.author ? grid.passes : lightPasses(job.params).length;
  for (let tried = 0; tried < TILES_TRIED_MAX; tried++) {
    const tile = { pass: rng.below(passes), tile: rng.below(grid.tiles) };
    const count = spec.parts(job, tile);
    const parts = one.reputation === 'record' ? fullMask(count) : maskOf([rng.below(count)]);
    const subject = subjectOf(job, picture.packed, scene, tile, parts);
    const { author } = one;
    if ('honest' in author) return decide(subject, (elements) => claimsOf(elements, ask(job, author.honest, elements)), one.reputation, one.index);
    const claim = allLies[author.lie](subject, rng.u32());
    // A patch always changes a hundred pixels, which is more than 2 % of the largest tile, but a probe may step over it.
    if (author.lie === 'patch' || shows(subject, claim)) return decide(subject, async () => claim, one.reputation, one.index);
  }
  return { verdict: 'hidden', compared: 0, differing: 0, unexplained: 0 };
}

async function claimsOf(elements: readonly ElementRef[], asked: Promise<Uint32Array>): Promise<Claim> {
  const values = await asked;
  const places = new Map(elements.map((element, index) => [`${element.part}/${element.element}`, index]));
  return ({ part, element }) => {
    const index = places.get(`${part}/${element}`);
    if (index === undefined) throw new Error(`element ${element} of part ${part} was not claimed`);
    return values.subarray(index * ELEMENT_WORDS, (index + 1) * ELEMENT_WORDS);
  };
}

/** What the thread says: it wants the claims of a device for its case, or it is done with it. */
export type FromThread =
  | { readonly kind: 'wanted'; readonly job: Subject['job']; readonly rounding: RoundingName; readonly elements: readonly ElementRef[] }
  | { readonly kind: 'done'; readonly outcome: Outcome };
export type ToThread = { readonly kind: 'case'; readonly one: Case } | { readonly kind: 'claims'; readonly values: Uint32Array };

/** Serves cases in a worker thread, one at a time, until it is terminated. */
export function serve(port: MessagePort, pictures: readonly Picture[]): void {
  const scenes = new Map<string, Scene>();
  let claimed: ((values: Uint32Array) => void) | undefined;
  const ask: Ask = (job, rounding, elements) => {
    const values = Promise.withResolvers<Uint32Array>();
    claimed = values.resolve;
    port.postMessage({ kind: 'wanted', job, rounding, elements } satisfies FromThread);
    return values.promise;
  };
  port.on('message', async (message: ToThread) => {
    if (message.kind === 'claims') return claimed?.(message.values);
    const picture = pictures[message.one.picture]!;
    const scene = scenes.get(picture.scene) ?? loadScene(picture.packed);
    scenes.set(picture.scene, scene);
    const outcome = await runCase(message.one, picture, scene, ask);
    port.postMessage({ kind: 'done', outcome } satisfies FromThread);
  });
}
