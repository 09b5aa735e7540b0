import { expect, test } from 'vitest';
import { load } from '../shaders/render/check.ts';
import { cornellBox } from '../shaders/render/cornell.ts';
import { allLies, type Claim, subjectOf } from '../shaders/render/testing/comparator/lies.ts';
import { sceneJob } from '../shaders/render/testing/scenes.ts';
import { fullMask } from '../shared/model.ts';
import { decide } from './comparator.testing.ts';

// A picture of 4 x 4 tiles of 32 pixels, of one sample: 1024 elements that cost nothing.
const { job, packed } = sceneJob(cornellBox(), { width: 128, height: 128, samples: 1, bounces: 1 });
const tile = { pass: 0, tile: 9 };
const subject = subjectOf(job, packed, load(job, { scene: packed }), tile, fullMask(1));
const far = (element: Parameters<Claim>[0]): Uint32Array => subject.truth(element).map((word) => word + 1_000_000);

/** Claims that are wrong at these of the elements that are looked at, in the order of the draws. */
function wrongAt(places: readonly number[]): Claim {
  let looked = 0;
  return (element) => (places.includes(looked++) ? far(element) : subject.truth(element));
}

const decided = (claim: Claim, reputation: 'newcomer' | 'record' = 'newcomer') => decide(subject, async () => claim, reputation, 1);

test('the truth is accepted after one draw', async () => {
  // 736 is 0.2 / (e 1e-4).
  expect(await decided(subject.truth)).toEqual({ verdict: 'accepted', compared: 736, differing: 0, unexplained: 0 });
  const known = await decided(subject.truth, 'record');
  expect(known).toMatchObject({ verdict: 'accepted', differing: 0 });
  expect(known.compared).toBeLessThan(736 / 4);
});

test('one wrong value is drawn after, and forgiven; two are not paid; many refute within their question', async () => {
  expect(await decided(wrongAt([100]))).toEqual({ verdict: 'accepted', compared: 736 + 1024, differing: 1, unexplained: 1 });
  expect(await decided(wrongAt([100, 900]))).toEqual({ verdict: 'discarded', compared: 736 + 1024, differing: 2, unexplained: 2 });
  // In the first question, which is asked alone, it saves the rest of the first draw.
  expect(await decided(wrongAt([5]))).toEqual({ verdict: 'accepted', compared: 64 + 1024, differing: 1, unexplained: 1 });
  const refuted = await decided(wrongAt([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  expect(refuted.verdict).toBe('refuted');
  expect(refuted.compared).toBeLessThan(10);
});

test('liars are found out, and a record does not help them', async () => {
  for (const reputation of ['newcomer', 'record'] as const)
    for (const lie of ['brighter', 'blur'] as const) expect(await decided(allLies[lie](subject, 3), reputation), lie).toMatchObject({ verdict: 'refuted' });
});
