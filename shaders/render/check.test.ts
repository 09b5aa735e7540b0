import { expect, test } from 'vitest';
import { encodeResult, FormatError } from '../../shared/formats.ts';
import { fullMask, type PartMask } from '../../shared/model.ts';
import { openResult } from '../common/result.ts';
import { audit, compare, draw, load, render } from './check.ts';
import { cornellBox } from './cornell.ts';
import { addSamples } from './reference.ts';
import { type RenderJob, sampleRange, spec, tileRect } from './spec.ts';
import { sceneJob } from './testing/scenes.ts';

// 4 x 4 tiles of 16 pixels in four parts of 16 samples; this one sees floor, wall and block.
const { job, packed } = sceneJob(cornellBox(), { width: 64, height: 64, samples: 64 });
const tile = { pass: 0, tile: 9 };
const parts = fullMask(2);
const loaded = load(job, { scene: packed });
const partBytes = spec.partBytes(job, tile);
const digest = Uint8Array.from({ length: 32 }, (_, index) => index * 5 + 1);
const sample = draw(job, tile, parts, digest, 64);
const honest = render(loaded, job, tile, parts);

/** A result made of changed parts. */
function forged(change: (words: Uint32Array, part: number) => Uint32Array, of: Uint8Array = honest): Uint8Array<ArrayBuffer> {
  const opened = openResult(of, partBytes);
  return encodeResult(
    [0, 1].map((part) => ({ part, bytes: new Uint8Array(change(opened.words(part).slice(), part).slice().buffer) })),
    partBytes,
  );
}

const auditOf = (result: Uint8Array) => audit(loaded, job, tile, result, sample);

test('a tile has the parts and elements that the sample names', () => {
  expect(spec.parts(job, tile)).toBe(4);
  expect(sample.parts).toHaveLength(64);
  expect(Math.max(...sample.elements)).toBeLessThan(spec.elements(job, tile));
});

test('an honest result passes', () => {
  expect(auditOf(honest)).toEqual({ kind: 'audit', drawn: 64, differing: 0, worst: 0 });
});

test('a step, or a thousandth of a bright sum, passes; twice that does not', () => {
  const shifted = (change: (word: number) => number) => auditOf(forged((words) => words.map((word, index) => (index % 4 === 1 ? word + change(word) : word))));
  expect(shifted(() => 1)).toMatchObject({ differing: 0 });
  expect(shifted((word) => Math.max(1, Math.floor(word / 1024)))).toMatchObject({ differing: 0 });
  expect(shifted((word) => -Math.min(word, Math.max(1, Math.floor(word / 1024)))).differing).toBe(0);
  expect(shifted((word) => Math.max(2, Math.ceil(word / 500)))).toMatchObject({ differing: 64 });
});

test('worst is the largest distance in steps where the sum is small', () => {
  const black = forged((words) => words.fill(0));
  const { drawn, worst } = compare(
    job,
    tile,
    black,
    forged((words) => words.map((_, index) => (index % 4 === 0 ? 7 : 0))),
    0,
  ).evidence;
  expect({ drawn, worst }).toEqual({ drawn: 512, worst: 7 });
});

test('squares may differ by what a step changes, and no more', () => {
  const raised = (factor: number) => auditOf(forged((words) => words.map((word, index) => (index % 4 === 3 ? word + factor * (3 + word) : word))));
  expect(raised(0)).toMatchObject({ differing: 0 });
  expect(raised(1).differing).toBe(64);
  // A step of one sample's luminance moves its square by less than one unit of 1/64 in this scene.
  expect(auditOf(forged((words) => words.map((word, index) => (index % 4 === 3 ? word + 1 : word))))).toMatchObject({ differing: 0 });
});

/** The job as a cheater computes it. */
const other = (changes: Partial<RenderJob>): Uint8Array => render(loaded, { ...job, ...changes }, tile, parts);

test('half the samples, doubled, are caught', () => {
  const half = { ...job, params: { ...job.params, samples: 8 } };
  const halves = encodeResult(
    [0, 1].map((part) => ({
      part,
      bytes: new Uint8Array(
        openResult(render(loaded, half, { ...tile, pass: 0 }, fullMask(1)), partBytes)
          .words(0)
          .map((word) => word * 2).buffer,
      ),
    })),
    partBytes,
  );
  expect(auditOf(halves).differing).toBeGreaterThan(60);
});

test('one sample left out of 16 is caught', () => {
  // The part's sums without the last sample of every pixel, scaled up to hide it.
  const lazy = forged((words, part) => {
    const rect = tileRect(job.params, tile.tile);
    const { first, end } = sampleRange(job.params, tile.pass, part);
    for (let pixel = 0; pixel < rect.width * rect.height; pixel++) {
      const sums = new Uint32Array(4);
      addSamples(loaded, job, rect.x + (pixel % rect.width), rect.y + Math.floor(pixel / rect.width), first, end - 1, sums, 0);
      words.set(
        sums.map((sum) => Math.round((sum * (end - first)) / (end - first - 1))),
        pixel * 4,
      );
    }
    return words;
  });
  expect(auditOf(lazy).differing).toBeGreaterThan(60);
});

test('a scaled result, another seed and copied or black parts are caught', () => {
  expect(auditOf(forged((words) => words.map((word) => Math.round(word * 1.003)))).differing).toBeGreaterThan(60);
  expect(auditOf(other({ params: { ...job.params, bounces: job.params.bounces - 1 } })).differing).toBeGreaterThan(40);
  expect(auditOf(other({ seed: job.seed + 1 })).differing).toBeGreaterThan(60);
  expect(auditOf(other({ prepared: { ...job.prepared, quantumLog2: 1 } })).differing).toBeGreaterThan(60);
  expect(auditOf(forged((words) => words.fill(0))).differing).toBeGreaterThan(60);
  const copied = forged((words, part) => (part === 1 ? openResult(honest, partBytes).words(0).slice() : words));
  const inSecond = sample.parts.filter((part) => part === 1).length;
  expect(auditOf(copied).differing).toBe(inSecond);
});

test('a few wrong elements show in the drawn share', () => {
  const every8th = forged((words) => words.map((word, index) => (index % 32 === 0 ? 2 * word + 100 : word)));
  const hits = sample.elements.filter((element) => element % 8 === 0).length;
  expect(hits).toBeGreaterThan(0);
  expect(auditOf(every8th)).toMatchObject({ differing: hits });
});

test('replicas are compared over the parts they share, and differing elements are named', () => {
  expect(compare(job, tile, honest, honest, 10).evidence).toEqual({ kind: 'replica', drawn: 2 * spec.elements(job, tile), differing: 0, worst: 0 });
  const changed = forged((words, part) => words.map((word, index) => (part === 1 && index >= 40 && index < 60 && index % 4 === 2 ? 2 * word + 9 : word)));
  const found = compare(job, tile, honest, changed, 3);
  expect(found.evidence).toMatchObject({ differing: 5 });
  expect(found.sample).toEqual({ parts: [1, 1, 1], elements: [10, 11, 12] });
  const second = render(loaded, job, tile, 0b110 as PartMask);
  expect(compare(job, tile, honest, second, 3).evidence).toMatchObject({ drawn: spec.elements(job, tile), differing: 0 });
});

test('damaged results are refused', () => {
  expect(() => auditOf(honest.subarray(0, honest.byteLength - 1))).toThrow(FormatError);
  expect(() => auditOf(new Uint8Array(8))).toThrow(FormatError);
  expect(() => compare(job, tile, honest, new Uint8Array(honest.byteLength), 1)).toThrow(FormatError);
  expect(() => audit(loaded, job, tile, render(loaded, job, tile, fullMask(1)), { parts: [1], elements: [0] })).toThrow(FormatError);
  expect(() => load(job, {})).toThrow(/scene/);
  expect(() => load(job, { scene: new Uint8Array(300) })).toThrow(FormatError);
});
