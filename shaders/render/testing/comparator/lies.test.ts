import { expect, test } from 'vitest';
import { type ElementRef, fullMask } from '../../../../shared/model.ts';
import { distance, load } from '../../check.ts';
import { cornellBox } from '../../cornell.ts';
import { spec } from '../../spec.ts';
import { sceneJob } from '../scenes.ts';
import { allLies, type LieName, subjectOf } from './lies.ts';

// 4 x 4 tiles of 16 pixels in four parts of 16 samples; this one sees floor, wall and block.
const { job, packed } = sceneJob(cornellBox(), { width: 64, height: 64, samples: 64 });
const tile = { pass: 0, tile: 9 };
const subject = subjectOf(job, packed, load(job, { scene: packed }), tile, fullMask(4));
const everyElement: ElementRef[] = Array.from({ length: spec.elements(job, tile) }, (_, element) => ({ ...tile, part: 1, element }));

/** Elements that a lie changes beyond the tolerance. */
const changed = (lie: LieName, seed: number): ElementRef[] => {
  const claim = allLies[lie](subject, seed);
  return everyElement.filter((element) => distance(job, element, claim(element), subject.truth(element)) > spec.tolerance.allowed);
};

test('a patch is 10 x 10 pixels somewhere, and the rest is honest', () => {
  const [one, other] = [changed('patch', 1), changed('patch', 2)];
  expect(one).toHaveLength(100);
  expect(other).toHaveLength(100);
  expect(one).not.toEqual(other);
  const columns = one.map(({ element }) => element % 16);
  expect(Math.max(...columns) - Math.min(...columns)).toBe(9);
});

test('half the samples, blur and brightness change nearly every pixel', () => {
  for (const lie of ['halfSamples', 'blur', 'brighter'] as const) expect(changed(lie, 1).length, lie).toBeGreaterThan(250);
});

test('brightness is 2 % in the colours, and so in the squares 4 %', () => {
  const claim = allLies.brighter(subject, 1);
  for (const element of everyElement) {
    const [truth, made] = [subject.truth(element), claim(element)];
    for (const [word, factor] of [1.02, 1.02, 1.02, 1.0404].entries()) expect(Math.abs(made[word]! - factor * truth[word]!)).toBeLessThanOrEqual(0.5);
  }
});

test('blur keeps what a tile sums up to, but for its edges', () => {
  const claim = allLies.blur(subject, 1);
  const sums = (of: (element: ElementRef) => Uint32Array): number => everyElement.reduce((sum, element) => sum + of(element)[0]!, 0);
  expect(Math.abs(sums(claim) / sums(subject.truth) - 1)).toBeLessThan(0.02);
});

test('half the samples are the truth in the mean, and are not', () => {
  const claim = allLies.halfSamples(subject, 1);
  const mean = (of: (element: ElementRef) => Uint32Array): number => everyElement.reduce((sum, element) => sum + of(element)[1]!, 0);
  expect(Math.abs(mean(claim) / mean(subject.truth) - 1)).toBeLessThan(0.05);
});

test('which object is missing is decided by the seed, and the scene itself keeps it', () => {
  const views = [1, 2, 3, 4, 5, 6].map((seed) => changed('missingObject', seed).length);
  expect(new Set(views).size).toBeGreaterThan(1);
  // A wall that the tile only reflects, and everything white.
  expect(Math.min(...views)).toBeGreaterThan(20);
  expect(Math.max(...views)).toBe(256);
  expect(subject.truth(everyElement[0]!)).toEqual(subjectOf(job, packed, load(job, { scene: packed }), tile, fullMask(4)).truth(everyElement[0]!));
});

test('fewer bounces are darker and never brighter', () => {
  const claim = allLies.fewerBounces(subject, 1);
  const darker = everyElement.filter((element) => claim(element)[0]! < subject.truth(element)[0]!);
  // Few paths get to the last bounce: most have ended by chance before.
  expect(darker.length).toBeGreaterThan(50);
  expect(everyElement.every((element) => claim(element)[0]! <= subject.truth(element)[0]!)).toBe(true);
});
