import { describe, expect, test } from 'vitest';
import { FormatError, radiancePart, wordsOf } from '../../shared/formats.ts';
import { type ElementRef, maskOf } from '../../shared/model.ts';
import { distance, explains, load, recompute, render } from './check.ts';
import { cornellBox } from './cornell.ts';
import { lightPasses, type Place, placeOf, sampleRange, tileRect } from './grid.ts';
import { boundsOf } from './nearTie.ts';
import type { RenderJob } from './params.ts';
import { addSample, addSamples, traceVariant } from './reference.ts';
import { ELEMENT_WORDS, spec } from './spec.ts';
import { sceneJob } from './testing/scenes.ts';

// 4 x 4 tiles of 16 pixels in four parts of 16 samples; this one sees floor, wall and block.
const { job, packed } = sceneJob(cornellBox(), { width: 64, height: 64, samples: 64 });
const tile = { pass: 0, tile: 9 };
const loaded = load(job, { scene: packed });
const words = ELEMENT_WORDS;

const elementAt = (element: number, part = 1): ElementRef => ({ ...tile, part, element });
const placeAt = (element: number): Place => placeOf(job, elementAt(element));
/** Of what cameras see first: its albedo and depth, or its normal and coverage. */
const featureAt = (element: number): ElementRef => ({ pass: lightPasses(job.params).length, tile: tile.tile, part: 0, element });
const truthOf = (element: ElementRef): Uint32Array => recompute(loaded, job, [element]);
const differs = (a: Uint32Array, b: Uint32Array, at = elementAt(0)): boolean => distance(job, at, a, b) > spec.tolerance.allowed;

/** Every 15th element of the tile, so that rows and columns alternate. None of them is near a tie. */
const drawn = Array.from({ length: 17 }, (_, index) => elementAt(index * 15));

/** Sums of samples [first, end) of an element's pixel, as this job has them. */
function sumsOf({ element }: ElementRef, first: number, end: number, changes: Partial<RenderJob> = {}): Uint32Array {
  const sums = new Uint32Array(words);
  addSamples(loaded, { ...job, ...changes }, { ...placeAt(element), first, end }, sums, 0);
  return sums;
}

/** Of some elements, how many a claim has too far off, and which of the first of those the referee explains. */
function judge(claim: (element: ElementRef) => Uint32Array, among = drawn): { differing: number; explained: ElementRef[] } {
  const differing = among.filter((element) => differs(claim(element), truthOf(element), element));
  return { differing: differing.length, explained: differing.slice(0, EXPLAINED_MAX).filter((element) => explains(loaded, job, element, claim(element))) };
}
/** Each takes thousands of paths. */
const EXPLAINED_MAX = 4;

describe('recompute and render', () => {
  test('give the sums of the element’s own samples, in order', () => {
    const elements = [elementAt(200, 3), elementAt(0, 0), elementAt(17, 2)];
    const expected = elements.flatMap((element) => [...sumsOf(element, element.part * 16, element.part * 16 + 16)]);
    expect([...recompute(loaded, job, elements)]).toEqual(expected);
    expect(recompute(loaded, job, [])).toHaveLength(0);
  });

  test('a rendered part is all of its elements', () => {
    const parts = render(loaded, job, tile, maskOf([1, 3]));
    expect(parts.map(({ part }) => part)).toEqual([1, 3]);
    const sums = wordsOf(parts[0]!.bytes, spec.elements(job, tile) * words);
    for (const element of drawn) expect(sums.subarray(element.element * words, (element.element + 1) * words)).toEqual(truthOf(element));
  });

  test('features are elements like others, two a pixel', () => {
    const pixel = 77;
    const { x, y } = placeAt(pixel);
    const [albedo, normal] = [recompute(loaded, job, [featureAt(pixel)]), recompute(loaded, job, [featureAt(256 + pixel)])];
    for (const [kind, sums] of [
      ['albedo', albedo],
      ['normal', normal],
    ] as const) {
      const expected = new Uint32Array(words);
      addSamples(loaded, job, { kind, frame: 0, x, y, first: 0, end: 16 }, expected, 0);
      expect(sums).toEqual(expected);
    }
    expect(albedo).not.toEqual(normal);
    const [part] = render(loaded, job, { pass: lightPasses(job.params).length, tile: tile.tile }, maskOf([0]));
    const all = wordsOf(part!.bytes, 512 * words);
    expect(all.subarray(pixel * words, (pixel + 1) * words)).toEqual(albedo);
    expect(all.subarray((256 + pixel) * words, (257 + pixel) * words)).toEqual(normal);
  });

  test('a last part may be shorter, a last tile narrower', () => {
    const odd: RenderJob = { ...job, params: { ...job.params, width: 70, samples: 20 } };
    const element = { pass: 0, tile: 9, part: 1, element: 5 };
    expect(sampleRange(odd.params, 0, 1)).toEqual({ first: 16, end: 20 });
    expect(tileRect(odd.params, 9)).toEqual({ x: 64, y: 16, width: 6, height: 16, frame: 0 });
    const expected = new Uint32Array(words);
    addSamples(loaded, odd, { kind: 'light', frame: 0, x: 69, y: 16, first: 16, end: 20 }, expected, 0);
    expect(recompute(loaded, odd, [element])).toEqual(expected);
  });
});

describe('distance', () => {
  const sums = Uint32Array.of(5_000, 20_000, 0, 3_000);
  const [light, features] = [elementAt(0), featureAt(0)];
  const moved = (at: number, by: number): Uint32Array => sums.map((word, index) => (index === at ? word + by : word));

  test('is none of equal values and the same both ways', () => {
    expect(distance(job, light, sums, sums)).toBe(0);
    for (const [at, by] of [
      [0, 9],
      [1, 40],
      [2, 3],
      [3, 400],
    ] as const)
      for (const pass of [light, features]) expect(distance(job, pass, moved(at, by), sums)).toBe(distance(job, pass, sums, moved(at, by)));
  });

  test('counts steps of a dim sum and thousandths of a bright one', () => {
    expect(distance(job, light, sums, moved(2, 7))).toBe(7);
    expect(distance(job, light, sums, moved(1, 19))).toBeLessThan(1);
    expect(distance(job, light, sums, moved(1, 40))).toBeGreaterThan(1);
    expect(distance(job, light, Uint32Array.of(0, 0, 0, 0), moved(2, 1))).toBeGreaterThan(1000);
  });

  test('squares may differ by what a step changes, and no more', () => {
    expect(distance(job, light, sums, moved(3, 1))).toBe(0);
    expect(distance(job, light, sums, moved(3, 20))).toBeGreaterThan(1);
  });

  test('the fourth sum of features is one like the others', () => {
    expect(distance(job, features, sums, moved(3, 2))).toBe(2 / Math.max(1, 3_002 / 1024));
    expect(distance(job, features, sums, moved(3, 20))).toBeGreaterThan(1);
    expect(distance(job, features, sums, moved(2, 7))).toBe(7);
  });
});

describe('what somebody made up is wrong, and no near-tie explains it', () => {
  const scaled = (sums: Uint32Array, factor: number): Uint32Array => sums.map((word) => Math.round(word * factor));

  test('the truth differs nowhere', () => {
    expect(judge(truthOf)).toEqual({ differing: 0, explained: [] });
  });

  // Dark pixels may look alike, and few paths bounce to the end.
  const least = (name: string): number => (name === 'one bounce less' ? 4 : 13);
  const lies: Readonly<Record<string, (element: ElementRef) => Uint32Array>> = {
    'half the samples, doubled': (element) => scaled(sumsOf(element, 16, 24), 2),
    'one sample of 16 left out': (element) => scaled(sumsOf(element, 16, 31), 16 / 15),
    'one bounce less': (element) => sumsOf(element, 16, 32, { params: { ...job.params, bounces: job.params.bounces - 1 } }),
    'two per cent brighter': (element) => scaled(truthOf(element), 1.02),
    'another seed': (element) => sumsOf(element, 16, 32, { seed: job.seed + 1 }),
    'another exposure': (element) => sumsOf(element, 16, 32, { prepared: { ...job.prepared, quantumLog2: 1 } }),
    'another part': (element) => sumsOf(element, 0, 16),
    'the neighbouring pixel': ({ element, ...rest }) => truthOf({ ...rest, element: element ^ 1 }),
    'nothing at all': () => new Uint32Array(words),
    'as bright as can be': () => new Uint32Array(words).fill(16 * radiancePart.sampleStepsMax),
    'one flat colour': () => Uint32Array.of(30_000, 20_000, 10_000, 600),
  };
  for (const [name, claim] of Object.entries(lies)) {
    test(name, () => {
      const { differing, explained } = judge(claim);
      expect(differing).toBeGreaterThanOrEqual(least(name));
      expect(explained).toEqual([]);
    });
  }

  const features = drawn.flatMap(({ element }) => [featureAt(element), featureAt(256 + element)]);
  const featureLies: Readonly<Record<string, (sums: Uint32Array) => Uint32Array>> = {
    'features that are not traced': () => new Uint32Array(words),
    'brighter albedos, longer normals': (sums) => sums.map((sum, word) => (word < 3 ? Math.round(sum * 1.02) : sum)),
    'other depths and coverages': (sums) => sums.map((sum, word) => (word < 3 ? sum : Math.round(sum * 1.02))),
    'grey ones': () => new Uint32Array(words).fill(16 * 4096 * 0.7),
  };
  for (const [name, lie] of Object.entries(featureLies)) {
    test(name, () => {
      const { differing, explained } = judge((element) => lie(truthOf(element)), features);
      expect(differing).toBe(features.length);
      expect(explained).toEqual([]);
    });
  }
});

describe('near-ties', () => {
  /** What a device claims that rounds every sample as this variant, none of those that the referee tries. */
  const claimOf = (element: ElementRef, variant: number): Uint32Array => {
    const [sums, values] = [new Uint32Array(words), new Float32Array(4)];
    const place = placeOf(job, element);
    for (let sample = place.first; sample < place.end; sample++) {
      traceVariant(loaded, job, place, sample, variant, values);
      addSample(job, place, sample, values, sums, 0);
    }
    return sums;
  };

  /** Paths of these pass edges and corners so closely that some variants take another way; found by trying all of four tiles. */
  const fragile: readonly ElementRef[] = [
    { pass: 0, tile: 10, part: 1, element: 149 },
    { pass: 0, tile: 6, part: 1, element: 109 },
    { pass: 0, tile: 9, part: 1, element: 28 },
  ];

  test('the plain variant is the truth', () => {
    for (const element of [...drawn, featureAt(5), featureAt(300)]) expect(claimOf(element, 0)).toEqual(truthOf(element));
  });

  test('what other roundings tip is explained', () => {
    let differing = 0;
    for (const element of fragile) {
      for (let variant = 1000; variant < 1064; variant++) {
        const claim = claimOf(element, variant);
        if (!differs(claim, truthOf(element), element)) continue;
        differing++;
        expect(explains(loaded, job, element, claim), `element ${element.element}: ${claim}`).toBe(true);
      }
    }
    expect(differing).toBeGreaterThan(20);
  });

  test('explain what lies between their ends, and nothing beside them', () => {
    const [element] = fragile as [ElementRef];
    const { low, high } = [...boundsOf(loaded, job, placeOf(job, element))].at(-1)!;
    expect(distance(job, element, low, high)).toBeGreaterThan(10);
    truthOf(element).forEach((word, at) => {
      expect(word).toBeGreaterThanOrEqual(low[at]!);
      expect(word).toBeLessThanOrEqual(high[at]!);
    });
    expect(explains(loaded, job, element, low)).toBe(true);
    expect(explains(loaded, job, element, high)).toBe(true);
    // 2 % more than the brightest or less than the darkest of them, in one channel alone.
    for (let channel = 0; channel < 3; channel++) {
      const tooHigh = high.map((word, at) => (at === channel ? Math.ceil(word * 1.02) + 2 : word));
      const tooLow = low.map((word, at) => (at === channel ? Math.max(0, Math.floor(word * 0.98) - 2) : word));
      expect(explains(loaded, job, element, tooHigh)).toBe(false);
      expect(explains(loaded, job, element, tooLow)).toBe(false);
    }
    expect(explains(loaded, job, element, new Uint32Array(words))).toBe(false);
  });

  test('leave the reference as it was', () => {
    const before = truthOf(elementAt(33));
    explains(loaded, job, elementAt(33), new Uint32Array(words));
    expect(truthOf(elementAt(33))).toEqual(before);
  });
});

describe('bad input', () => {
  test('elements that the job does not have', () => {
    const bad: readonly Partial<ElementRef>[] = [
      { pass: 2 },
      { pass: -1 },
      { tile: 16 },
      { part: 4 },
      { element: 256 },
      { pass: 1, part: 1 },
      { pass: 1, part: 0, element: 512 },
      { element: -1 },
      { element: 0.5 },
      { part: Number.NaN },
    ];
    for (const change of bad) {
      const element = { ...elementAt(0), ...change };
      expect(() => recompute(loaded, job, [element])).toThrow(RangeError);
      expect(() => explains(loaded, job, element, new Uint32Array(words))).toThrow(/the job has no element/);
    }
  });

  test('values of another size', () => {
    const [value, short] = [new Uint32Array(words), new Uint32Array(words - 1)];
    expect(() => distance(job, elementAt(0), value, short)).toThrow(RangeError);
    expect(() => distance(job, elementAt(0), new Uint32Array(words + 1), value)).toThrow(RangeError);
    expect(() => explains(loaded, job, elementAt(0), short)).toThrow(/4 words, not 3/);
  });

  test('inputs that are missing or damaged', () => {
    expect(() => load(job, {})).toThrow(/no input named scene/);
    expect(() => load(job, { scene: new Uint8Array(300) })).toThrow(FormatError);
  });
});
