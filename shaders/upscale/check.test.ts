import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { wordsOf } from '../../shared/formats.ts';
import { type ElementRef, fullMask } from '../../shared/model.ts';
import { distance, explains, load, recompute, render } from './check.ts';
import { PATCH, patchRect, wordAt } from './grid.ts';
import { readWeights } from './model.ts';
import { RGB, type Scale } from './network.ts';
import type { UpscaleJob } from './params.ts';
import type { Loaded } from './reference.ts';
import { spec } from './spec.ts';
import { testJob, testPixels } from './testing/jobs.ts';

// 2 x 2 patches, cut to the right and below.
const [scale, width, height] = [2, 20, 17] as const;
const [columns, patches] = [2, 4];
const job = testJob(scale, width, height);
const image = testPixels(width, height);
const tile = { pass: 0, tile: 0 };
const size = spec.elementWords(job, tile);
let loaded: Loaded;
let truth: Uint32Array;

const elementAt = (element: number): ElementRef => ({ ...tile, part: 0, element });
const patch = (words: Uint32Array, element: number): Uint32Array => words.subarray(element * size, (element + 1) * size);

async function loadWith(pixels: Uint8Array, of: UpscaleJob = job, weightsOf: Scale = scale): Promise<Loaded> {
  return load(of, { image: pixels, weights: await readWeights(weightsOf) });
}

const rendered = (from: Loaded, of = job): Uint32Array => {
  const [part] = render(from, of, tile, fullMask(1));
  return wordsOf(part!.bytes, spec.elements(of, tile) * spec.elementWords(of, tile));
};

beforeAll(async () => {
  loaded = await loadWith(image);
  truth = rendered(loaded);
});

describe('recompute and render', () => {
  test('agree to the last bit, cut patches too', () => {
    const elements = [1, 3, 0];
    const words = recompute(loaded, job, elements.map(elementAt));
    for (const [at, element] of elements.entries()) expect(patch(words, at)).toEqual(patch(truth, element));
    expect(recompute(loaded, job, [])).toHaveLength(0);
  });

  test('what lies outside the picture is zero, everything else opaque', () => {
    const { width: patchWidth } = patchRect(job, elementAt(1));
    expect(patchWidth).toBe(4);
    for (let y = 0; y < PATCH * scale; y++)
      for (let x = 0; x < PATCH * scale; x++) expect(truth[size + y * PATCH * scale + x]! >>> 24).toBe(x < 4 * scale ? 255 : 0);
  });
});

describe('distance', () => {
  const words = new Uint32Array(size).fill(0xff203040);

  test('is the largest step of a channel, the same both ways', () => {
    const other = words.slice();
    expect(distance(job, elementAt(0), words, other)).toBe(0);
    other[7]! += 2;
    other[9]! -= 3 << 16;
    expect(distance(job, elementAt(0), words, other)).toBe(3);
    expect(distance(job, elementAt(0), other, words)).toBe(3);
    other[9] = words[9]! & 0xffffff;
    expect(distance(job, elementAt(0), words, other)).toBe(255);
  });

  test('refuses values of another size', () => {
    expect(() => distance(job, elementAt(0), words, words.subarray(1))).toThrow(/1024 words, not 1023/);
    expect(() => explains(loaded, job, elementAt(0), words.subarray(1))).toThrow(RangeError);
  });
});

/** Words of the tile for any RGB picture of the output's size. */
function wordsOfPicture(rgb: Uint8Array): Uint32Array {
  const words = new Uint32Array(truth.length);
  const row = width * scale;
  for (let y = 0; y < height * scale; y++)
    for (let x = 0; x < row; x++) {
      const at = (y * row + x) * RGB;
      words[wordAt(scale, columns, x, y)] = (rgb[at]! | (rgb[at + 1]! << 8) | (rgb[at + 2]! << 16) | (255 << 24)) >>> 0;
    }
  return words;
}

async function resized(kernel: 'nearest' | 'cubic' | 'lanczos3'): Promise<Uint32Array> {
  const raw = { width, height, channels: RGB } as const;
  const data = await sharp(image, { raw })
    .resize(width * scale, height * scale, { kernel })
    .raw()
    .toBuffer();
  return wordsOfPicture(data);
}

describe('what somebody made up is wrong', () => {
  const lies: Readonly<Record<string, () => Uint32Array | Promise<Uint32Array>>> = {
    'repeated pixels': () => resized('nearest'),
    'a cubic filter': () => resized('cubic'),
    'a Lanczos filter': () => resized('lanczos3'),
    'nothing at all': () => new Uint32Array(truth.length),
    'one flat colour': () => truth.map((word) => (word === 0 ? 0 : 0xff808080)),
    'two steps brighter': () => truth.map((word) => (word === 0 ? 0 : (word - 0x020202) >>> 0)),
    'the picture upside down': async () => rendered(await loadWith(image.toReversed())),
    'the network without its dense layers': async () => {
      const of = await loadWith(image);
      for (const name of ['F_1_1', 'F_2_1']) for (const four of of.layers.get(name)!.fours) four.fill(0);
      return rendered(of);
    },
  };
  for (const [name, lie] of Object.entries(lies)) {
    test(name, async () => {
      const claimed = await lie();
      for (let element = 0; element < patches; element++) {
        expect(distance(job, elementAt(0), patch(claimed, element), patch(truth, element)), String(element)).toBeGreaterThan(spec.tolerance.allowed);
        expect(explains(loaded, job, elementAt(element), patch(claimed, element))).toBe(false);
      }
    });
  }

  test('one wrong channel of one pixel is enough', () => {
    const claimed = patch(truth, 3).slice();
    claimed[11] = (claimed[11]! ^ 0x4000) >>> 0;
    expect(distance(job, elementAt(0), claimed, patch(truth, 3))).toBe(64);
  });
});

test('elements that the job does not have', () => {
  const bad: readonly Partial<ElementRef>[] = [{ pass: 1 }, { tile: 1 }, { tile: -1 }, { part: 1 }, { element: patches }, { element: -1 }, { element: 0.5 }];
  for (const change of bad) {
    const element = { ...elementAt(0), ...change };
    expect(() => recompute(loaded, job, [element])).toThrow(RangeError);
    expect(() => explains(loaded, job, element, new Uint32Array(size))).toThrow(/the job has no element/);
  }
});
