import sharp from 'sharp';
import { expect, it } from 'vitest';
import { encodeResult } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { readNpy } from '../common/tensors/npy.ts';
import { assemble } from './assemble.ts';
import { load, render } from './check.ts';
import { type MatmulParams, settingsOf } from './params.ts';
import { spec } from './spec.ts';
import { testProducts } from './testing/jobs.ts';
import { createPainter } from './view.ts';

const products = await testProducts();
const one = (name: string) => products.find((product) => product.name === name)!;

async function* resultsOf({ job, inputs }: (typeof products)[number]) {
  const loaded = load(job, inputs);
  for (let number = 0; number < spec.split(job.params, job.prepared).tiles; number++) {
    const tile = { pass: 0, tile: number };
    const parts = (await render(loaded, job, tile, fullMask(1))) as { part: number; bytes: Uint8Array }[];
    yield { tile, parts: fullMask(1), bytes: encodeResult(parts, spec.elements(job, tile), spec.elementWords(job, tile)) };
  }
}

async function fileOf(product: (typeof products)[number], output: string, params: Partial<MatmulParams> = {}): Promise<Uint8Array> {
  const job = { ...product.job, params: { ...settingsOf(product.job.params), ...params } };
  const pieces: Uint8Array[] = [];
  for await (const piece of assemble(job, output, resultsOf(product))) pieces.push(piece);
  return Buffer.concat(pieces);
}

const readArray = async (product: (typeof products)[number], params: Partial<MatmulParams> = {}) => readNpy('file', await fileOf(product, 'npy', params));

it('the file is an array of the product’s own shape, type and order', async () => {
  for (const product of products) {
    const { prepared } = product.job;
    const array = await readArray(product);
    expect(array.type).toBe(prepared.exact ? 'i32' : 'f32');
    expect(array.shape).toEqual(prepared.batches > 1 ? [prepared.batches, ...prepared.shape] : prepared.shape);
    expect(array.data).toHaveLength(prepared.m * prepared.n * prepared.batches);
  }
});

it('activations are applied to finished entries', async () => {
  const plain = (await readArray(one('floats'))).data as Float32Array;
  const relu = (await readArray(one('floats'), { activation: 'relu' })).data as Float32Array;
  const sigmoid = (await readArray(one('floats'), { activation: 'sigmoid' })).data as Float32Array;
  expect([...relu]).toEqual([...plain].map((x) => Math.max(0, x)));
  expect([...sigmoid]).toEqual([...plain].map((x) => Math.fround(1 / (1 + Math.exp(-x)))));
});

it('the map is a picture of what pages draw', async () => {
  for (const name of ['floats', 'whole numbers of 32 bits, in batches']) {
    const product = one(name);
    const { width, height } = spec.picture(product.job)!;
    const { data, info } = await sharp(await fileOf(product, 'png'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width, height, channels: 3 });
    const painter = createPainter(product.job, 0);
    for await (const { tile, parts, bytes } of resultsOf(product)) if (painter.shows(tile)) painter.add(tile, parts, bytes);
    const [red, green, blue] = painter.pixels(width - 1, height - 1, 1, 1);
    expect([...data.subarray(-3)]).toEqual([red, green, blue]);
  }
  expect(() => assemble(one('one number').job, 'png', resultsOf(one('one number')))).toThrow(RangeError);
});

it('results in another order, or too few, make no file', async () => {
  const product = one('whole numbers of 32 bits, in batches');
  const results: AcceptedResult[] = [];
  for await (const result of resultsOf(product)) results.push(result);
  const make = async (some: typeof results) => {
    async function* given() {
      yield* some;
    }
    for await (const _ of assemble(product.job, 'npy', given()));
  };
  await expect(make(results.toReversed())).rejects.toThrow(RangeError);
  await expect(make(results.slice(1))).rejects.toThrow(RangeError);
  await expect(make(results.slice(0, -1))).rejects.toThrow(RangeError);
  expect(() => assemble(product.job, 'exr', resultsOf(product))).toThrow(RangeError);
});

it('entries are drawn as they arrive, blue below nought and orange above, and stronger by the look', async () => {
  const product = one('floats');
  const painter = createPainter(product.job, 0);
  const { width, height } = spec.picture(product.job)!;
  expect([width, height]).toEqual([51, 37]);
  expect(painter.pixels(0, 0, 1, 1)[3]).toBe(0);
  let painted = 0;
  const values = (await fileOf(product, 'npy')).subarray(-51 * 37 * 4);
  for await (const { tile, parts, bytes } of resultsOf(product)) {
    expect(painter.shows(tile)).toBe(true);
    const region = painter.add(tile, parts, bytes);
    expect(spec.region(product.job, tile)).toEqual({ ...region, frame: 0 });
    painted += region.width * region.height;
  }
  expect(painted).toBe(width * height);
  const entries = new Float32Array(new Uint8Array(values).buffer);
  const pixels = painter.pixels(0, 0, width, height);
  for (const at of [0, 700, 1886]) {
    const [red, , blue, alpha] = pixels.subarray(at * 4, at * 4 + 4);
    expect(alpha).toBe(255);
    expect(Math.sign(red! - blue!)).toBe(Math.sign(Math.round(60 * entries[at]!)));
  }
  painter.setLook({ contrast: 4 });
  expect(painter.pixels(0, 0, width, height)).not.toEqual(pixels);
});
