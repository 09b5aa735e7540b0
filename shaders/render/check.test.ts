import { describe, expect, test } from 'vitest';
import { FormatError, radiancePart, wordsOf } from '../../shared/formats.ts';
import { type ElementRef, maskOf } from '../../shared/model.ts';
import { distance, explains, load, recompute, render } from './check.ts';
import { cornellBox } from './cornell.ts';
import { boundsOf } from './nearTie.ts';
import { addRadiance, addSamples, pathKey, traceVariant } from './reference.ts';
import { type RenderJob, sampleRange, spec, tileRect } from './spec.ts';
import { sceneJob } from './testing/scenes.ts';

// 4 x 4 tiles of 16 pixels in four parts of 16 samples; this one sees floor, wall and block.
const { job, packed } = sceneJob(cornellBox(), { width: 64, height: 64, samples: 64 });
const tile = { pass: 0, tile: 9 };
const loaded = load(job, { scene: packed });
const rect = tileRect(job.params, tile.tile);
const words = spec.elementWords;

const elementAt = (element: number, part = 1): ElementRef => ({ ...tile, part, element });
const pixelOf = (element: number): [number, number] => [rect.x + (element % rect.width), rect.y + Math.floor(element / rect.width)];
const truthOf = (element: ElementRef): Uint32Array => recompute(loaded, job, [element]);
const differs = (a: Uint32Array, b: Uint32Array): boolean => distance(job, a, b) > spec.tolerance.allowed;

/** Every 15th element of the tile, so that rows and columns alternate. None of them is near a tie. */
const drawn = Array.from({ length: 17 }, (_, index) => elementAt(index * 15));

/** Sums of samples [first, end) of an element's pixel, as this job has them. */
function sumsOf({ element }: ElementRef, first: number, end: number, changes: Partial<RenderJob> = {}): Uint32Array {
  const sums = new Uint32Array(words);
  addSamples(loaded, { ...job, ...changes }, ...pixelOf(element), first, end, sums, 0);
  return sums;
}

/** Of the drawn elements, those that a claim has too far off, and those of them that the referee does not explain. */
function judge(claim: (element: ElementRef) => Uint32Array): { differing: number; unexplained: number } {
  const differing = drawn.filter((element) => differs(claim(element), truthOf(element)));
  return { differing: differing.length, unexplained: differing.filter((element) => !explains(loaded, job, element, claim(element))).length };
}

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

  test('a last part may be shorter, a last tile narrower', () => {
    const odd: RenderJob = { ...job, params: { ...job.params, width: 70, samples: 20 } };
    const element = { pass: 0, tile: 9, part: 1, element: 5 };
    expect(sampleRange(odd.params, 0, 1)).toEqual({ first: 16, end: 20 });
    expect(tileRect(odd.params, 9)).toEqual({ x: 64, y: 16, width: 6, height: 16 });
    const expected = new Uint32Array(words);
    addSamples(loaded, odd, 69, 16, 16, 20, expected, 0);
    expect(recompute(loaded, odd, [element])).toEqual(expected);
  });
});

describe('distance', () => {
  const sums = Uint32Array.of(5_000, 20_000, 0, 3_000);
  const moved = (at: number, by: number): Uint32Array => sums.map((word, index) => (index === at ? word + by : word));

  test('is none of equal values and the same both ways', () => {
    expect(distance(job, sums, sums)).toBe(0);
    for (const [at, by] of [
      [0, 9],
      [1, 40],
      [2, 3],
      [3, 400],
    ] as const)
      expect(distance(job, moved(at, by), sums)).toBe(distance(job, sums, moved(at, by)));
  });

  test('counts steps of a dim sum and thousandths of a bright one', () => {
    expect(distance(job, sums, moved(2, 7))).toBe(7);
    expect(distance(job, sums, moved(1, 19))).toBeLessThan(1);
    expect(distance(job, sums, moved(1, 40))).toBeGreaterThan(1);
    expect(distance(job, Uint32Array.of(0, 0, 0, 0), moved(2, 1))).toBeGreaterThan(1000);
  });

  test('squares may differ by what a step changes, and no more', () => {
    expect(distance(job, sums, moved(3, 1))).toBe(0);
    expect(distance(job, sums, moved(3, 20))).toBeGreaterThan(1);
  });
});

describe('what somebody made up is wrong, and no near-tie explains it', () => {
  const scaled = (sums: Uint32Array, factor: number): Uint32Array => sums.map((word) => Math.round(word * factor));

  test('the truth differs nowhere', () => {
    expect(judge(truthOf)).toEqual({ differing: 0, unexplained: 0 });
  });

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
      const { differing, unexplained } = judge(claim);
      // Dark pixels may look alike, and few paths bounce to the end.
      expect(differing).toBeGreaterThanOrEqual(13);
      expect(unexplained).toBe(differing);
    });
  }
});

describe('near-ties', () => {
  /** What a device claims that rounds every sample as this variant, none of those that the referee tries. */
  const claimOf = (element: number, variant: number): Uint32Array => {
    const [sums, color] = [new Uint32Array(words), new Float32Array(3)];
    const [x, y] = pixelOf(element);
    for (let sample = 16; sample < 32; sample++) {
      traceVariant(loaded, job, x, y, sample, variant, color);
      addRadiance(job, pathKey(job, x, y, sample), color, sums, 0);
    }
    return sums;
  };

  test('the plain variant is the truth', () => {
    for (const { element } of drawn) expect(claimOf(element, 0)).toEqual(truthOf(elementAt(element)));
  });

  test('what other roundings tip is explained', () => {
    let differing = 0;
    // The last row sees the edge of the block.
    for (let element = 240; element < 256; element++) {
      for (let variant = 1000; variant < 1064; variant++) {
        const claim = claimOf(element, variant);
        if (!differs(claim, truthOf(elementAt(element)))) continue;
        differing++;
        expect(explains(loaded, job, elementAt(element), claim), `element ${element}: ${claim}`).toBe(true);
      }
    }
    expect(differing).toBeGreaterThan(0);
  });

  test('explain what lies between their ends, and nothing beside them', () => {
    const widest = (element: number) => [...boundsOf(loaded, job, ...pixelOf(element), 16, 32)].at(-1)!;
    const fragile = Array.from({ length: 256 }, (_, index) => 255 - index).find((element) => {
      const { low, high } = widest(element);
      return distance(job, low, high) > 10;
    })!;
    const { low, high } = widest(fragile);
    const [element, truth] = [elementAt(fragile), truthOf(elementAt(fragile))];
    truth.forEach((word, at) => {
      expect(word).toBeGreaterThanOrEqual(low[at]!);
      expect(word).toBeLessThanOrEqual(high[at]!);
    });
    expect(explains(loaded, job, element, low)).toBe(true);
    expect(explains(loaded, job, element, high)).toBe(true);
    // 2 % more than the brightest or less than the darkest of them, in one channel alone.
    for (let channel = 0; channel < 3; channel++) {
      expect(
        explains(
          loaded,
          job,
          element,
          high.map((word, at) => (at === channel ? Math.ceil(word * 1.02) + 2 : word)),
        ),
      ).toBe(false);
      expect(
        explains(
          loaded,
          job,
          element,
          low.map((word, at) => (at === channel ? Math.max(0, Math.floor(word * 0.98) - 2) : word)),
        ),
      ).toBe(false);
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
      { pass: 1 },
      { tile: 16 },
      { part: 4 },
      { element: 256 },
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
    expect(() => distance(job, value, short)).toThrow(RangeError);
    expect(() => distance(job, new Uint32Array(words + 1), value)).toThrow(RangeError);
    expect(() => explains(loaded, job, elementAt(0), short)).toThrow(/4 words, not 3/);
  });

  test('inputs that are missing or damaged', () => {
    expect(() => load(job, {})).toThrow(/no input named scene/);
    expect(() => load(job, { scene: new Uint8Array(300) })).toThrow(FormatError);
  });
});
