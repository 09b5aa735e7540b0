import { describe, expect, it } from 'vitest';
import type { ElementRef } from '../../shared/model.ts';
import * as check from './check.ts';
import { piecesOf } from './grid.ts';
import { wordsOfOutput } from './outcome.ts';
import type { InferJob } from './params.ts';
import { spec } from './spec.ts';
import { arraysJob, imagesJob, labelsJob, type TestJob, testJob } from './testing/jobs.ts';
import { floats, mingler, modelOf, node, port } from './testing/models.ts';

const elementAt = (element: number): ElementRef => ({ pass: 0, tile: 0, part: 0, element });
const allowed = spec.tolerance.allowed;

const truthOf = async ({ job, inputs }: TestJob, element = 0): Promise<Uint32Array> => check.recompute(check.load(job, inputs), job, [elementAt(element)]);
const wordsOf = (job: InferJob, output: readonly number[]): Uint32Array => wordsOfOutput(job, Float32Array.from(output));

describe('labels', () => {
  const { job } = testJob({
    params: { kind: 'labels', source: 'arrays', k: 1, scores: 'given' },
    model: new Uint8Array(),
    shape: [4],
    output: [4],
    count: 1,
    prepared: { softmax: false },
  });
  const far = (a: readonly number[], b: readonly number[]): number => {
    const [one, other] = [wordsOf(job, a), wordsOf(job, b)];
    expect(check.distance(job, elementAt(0), one, other)).toBe(check.distance(job, elementAt(0), other, one));
    return check.distance(job, elementAt(0), one, other);
  };

  it('have one more than is shown, the best first, of equals the lower number', () => {
    const words = wordsOf(job, [0.1, 0.5, 0.5, 0.2]);
    expect([words.length, words[0], words[2]]).toEqual([4, 1, 2]);
  });

  it('are alike where scores are, and change places only where these are closer than the margin', () => {
    expect(far([0.1, 0.6, 0.2, 0.1], [0.1, 0.6, 0.2, 0.1])).toBe(0);
    expect(far([0.1, 0.6, 0.2, 0.1], [0.1, 0.6001, 0.2, 0.1])).toBeLessThan(allowed);
    expect(far([0.1, 0.6, 0.2, 0.1], [0.1, 0.61, 0.19, 0.1])).toBeGreaterThan(allowed);
    expect(far([0.1, 0.40001, 0.4, 0.1], [0.1, 0.4, 0.40001, 0.1])).toBeLessThan(allowed);
    // Second and third are as good.
    expect(far([0.1, 0.6, 0.20001, 0.2], [0.1, 0.6, 0.2, 0.20001])).toBeLessThan(allowed);
  });

  it('are wrong where another class has the best score, whoever names it', () => {
    const truth = wordsOf(job, [0.1, 0.6, 0.2, 0.1]);
    for (const other of [0, 2, 3]) {
      const lie = truth.slice();
      lie[0] = other;
      expect(check.distance(job, elementAt(0), lie, truth)).toBeGreaterThan(100);
    }
  });

  it('that no model gives are as far away as can be', () => {
    const truth = wordsOf(job, [0.1, 0.6, 0.2, 0.1]);
    const spoilt = (change: (words: Uint32Array) => void): number => {
      const words = truth.slice();
      change(words);
      return check.distance(job, elementAt(0), words, truth);
    };
    expect(spoilt((words) => words.set([4]))).toBe(Infinity);
    expect(spoilt((words) => words.set([2]))).toBe(Infinity);
    expect(spoilt((words) => words.set([0x7fc00000], 1))).toBe(Infinity);
    expect(spoilt((words) => words.set([words[3]!, 1, words[1]!], 1))).toBe(Infinity);
  });
});

describe('arrays', () => {
  const test = arraysJob();
  const { job } = test;

  it('differ by what values differ, measured by their size and by how large others are', async () => {
    const truth = await truthOf(test);
    const moved = (by: (value: number) => number): number => {
      const words = truth.slice();
      const values = new Float32Array(words.buffer);
      values[3] = by(values[3]!);
      return check.distance(job, elementAt(0), words, truth);
    };
    expect(moved((value) => value + 1e-5)).toBeLessThan(allowed);
    expect(moved((value) => value + 1e-3)).toBeGreaterThan(allowed);
    expect(moved(() => Number.NaN)).toBe(Infinity);
    expect(moved(() => Infinity)).toBe(Infinity);
    expect(moved(() => 1e30)).toBeGreaterThan(1000);
  });

  it('rounded to half floats on the way are found out', async () => {
    const { inputs } = test;
    const halves = new Uint8Array(inputs.batch);
    const values = new Float32Array(halves.buffer);
    values.set(Float32Array.from(Float16Array.from(values)));
    const [truth, lazy] = [await truthOf(test), await truthOf({ job, inputs: { ...inputs, batch: halves } })];
    expect(check.distance(job, elementAt(0), lazy, truth)).toBeGreaterThan(allowed);
    expect(await check.explains(check.load(job, inputs), job, elementAt(0), lazy)).toBe(false);
  });

  it('of zeros, of another input or of another length are no answer', async () => {
    const truth = await truthOf(test);
    expect(check.distance(job, elementAt(0), new Uint32Array(truth.length), truth)).toBeGreaterThan(100);
    expect(check.distance(job, elementAt(0), await truthOf(test, 1), truth)).toBeGreaterThan(100);
    expect(() => check.distance(job, elementAt(0), truth.subarray(1), truth)).toThrow(RangeError);
    await expect(check.explains(check.load(job, test.inputs), job, elementAt(0), truth.subarray(1))).rejects.toThrow(RangeError);
    await expect(check.recompute(check.load(job, test.inputs), job, [elementAt(7)])).rejects.toThrow(RangeError);
  });
});

describe('pictures', () => {
  it('may differ by one step of a channel', async () => {
    const test = imagesJob(1);
    const truth = await truthOf(test, 1);
    const moved = (by: number): number =>
      check.distance(
        test.job,
        elementAt(1),
        Uint32Array.from(truth, (word, at) => (at === 9 ? word + by : word)),
        truth,
      );
    expect(moved(1)).toBeLessThanOrEqual(allowed);
    expect(moved(2 << 8)).toBeGreaterThan(allowed);
    const lie = Uint32Array.from(truth, (word, at) => (at === 9 ? word ^ 0x40 : word));
    expect(await check.explains(check.load(test.job, test.inputs), test.job, elementAt(1), lie)).toBe(false);
  });

  it('end with padding, which is zero', async () => {
    const test = imagesJob(1);
    const { words, pieces } = piecesOf(test.job);
    const truth = await truthOf(test, pieces - 1);
    const padding = pieces * words - 128 * 128;
    expect([...truth.subarray(-padding)]).toEqual(Array(padding).fill(0));
    expect(truth[words - padding - 1]! >>> 24).toBe(255);
    const loaded = check.load(test.job, test.inputs);
    expect(await check.explains(loaded, test.job, elementAt(pieces - 1), truth)).toBe(true);
    const smuggled = truth.slice();
    smuggled[words - 1] = 1;
    expect(await check.explains(loaded, test.job, elementAt(pieces - 1), smuggled)).toBe(false);
  });
});

describe('the referee', () => {
  /** A step at 0: which side a value falls on is a matter of its last bits. */
  const step = testJob({
    params: { kind: 'arrays', source: 'arrays' },
    model: modelOf({
      node: [node('Mul', ['x', 'w'], ['m']), node('Sub', ['m', 'c'], ['d']), node('Sign', ['d'], ['y'])],
      initializer: [floats('w', [2], [3, 3]), floats('c', [2], [1, 1])],
      input: [port('x', ['N', 2])],
      output: [port('y', ['N', 2])],
    }),
    shape: [2],
    output: [2],
    count: 1,
  });
  new Float32Array(step.inputs.batch.buffer).set([1 / 3, 0.9]);

  it('explains a decision that rounding tips, and none that it does not', async () => {
    const { job, inputs } = step;
    const loaded = check.load(job, inputs);
    const claim = (...values: number[]): Uint32Array => new Uint32Array(Float32Array.from(values).buffer);
    const truth = await check.recompute(loaded, job, [elementAt(0)]);
    expect(new Float32Array(truth.buffer)[1]).toBe(1);
    for (const side of [-1, 1]) expect(await check.explains(loaded, job, elementAt(0), claim(side, 1))).toBe(true);
  });

  it('knows the company in which an input may have gone through a model that mixes them', async () => {
    const test = testJob({ params: { kind: 'arrays', source: 'arrays' }, model: mingler(), shape: [4], output: [4], count: 4 });
    const { job, inputs } = test;
    const loaded = check.load(job, inputs);
    const values = new Float32Array(inputs.batch.buffer);
    const mixed = (input: number, group: readonly number[]): Uint32Array =>
      new Uint32Array(
        Float32Array.from(
          { length: 4 },
          (_, at) => values[input * 4 + at]! - (0.5 * group.reduce((sum, other) => sum + values[other * 4 + at]!, 0)) / group.length,
        ).buffer,
      );
    for (const group of [[2], [2, 3], [0, 1, 2, 3]]) expect(await check.explains(loaded, job, elementAt(2), mixed(2, group))).toBe(true);
    for (const group of [
      [1, 2],
      [0, 2],
    ])
      expect(await check.explains(loaded, job, elementAt(2), mixed(2, group))).toBe(false);
  });

  it('never blames what it computed itself', async () => {
    for (const test of [labelsJob(), arraysJob(), imagesJob(1)]) {
      const { job, inputs } = test;
      expect(await check.explains(check.load(job, inputs), job, elementAt(0), await truthOf(test))).toBe(true);
    }
  });

  it('computes whole tiles as it computes elements', async () => {
    const { job, inputs } = labelsJob(3);
    const loaded = check.load(job, inputs);
    const [part] = await check.render(loaded, job, { pass: 0, tile: 0 }, 1 as never);
    const words = piecesOf(job).words;
    expect(new Uint32Array(part!.bytes.buffer).subarray(2 * words)).toEqual(await check.recompute(loaded, job, [elementAt(2)]));
  });
});
