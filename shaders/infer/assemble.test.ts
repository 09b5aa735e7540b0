import { unzipSync } from 'fflate';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeResult } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { readNpy } from '../common/tensors/npy.ts';
import { assemble } from './assemble.ts';
import { inputsOf, piecesOf } from './grid.ts';
import { wordsOfOutput } from './outcome.ts';
import type { InferJob } from './params.ts';
import { regionOf, sheetOf } from './sheet.ts';
import { spec } from './spec.ts';
import { arraysJob, imagesJob, labelsJob, type TestJob } from './testing/jobs.ts';
import { createPainter, table } from './view.ts';

/** A result of a tile, of what the model is said to have given for each input. */
function resultOf(job: InferJob, tile: number, output: (input: number) => Float32Array): AcceptedResult {
  const at = { pass: 0, tile };
  const { first, end } = inputsOf(job.prepared, at);
  const bytes = concatBytes(...Array.from({ length: end - first }, (_, index) => new Uint8Array(wordsOfOutput(job, output(first + index)).buffer)));
  return { tile: at, parts: fullMask(1), bytes: encodeResult([{ part: 0, bytes }], spec.elements(job, at), piecesOf(job).words) };
}

async function* inOrder(...results: readonly AcceptedResult[]): AsyncGenerator<AcceptedResult> {
  yield* results;
}

async function file(job: InferJob, output: string, ...results: readonly AcceptedResult[]): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of assemble(job, output, inOrder(...results))) pieces.push(new Uint8Array(piece));
  return concatBytes(...pieces);
}

const cut = ({ job }: TestJob, more: object): InferJob => ({ ...job, prepared: { ...job.prepared, ...more } });

describe('labels', () => {
  const job = cut(labelsJob(3), { perTile: 2, names: ['a, b.png', 'c.png', 'd.png'], classes: 'cat dog "owl" d e f g h i j'.split(' ') });
  const scores = (best: number) => () => Float32Array.from({ length: 10 }, (_, at) => (at === best ? 9 : at === 0 ? 5 : 0));
  const results = [resultOf(job, 0, scores(2)), resultOf(job, 1, scores(1))];

  it('are rows of a table, by the number of their input', () => {
    const { columns, total, rows } = table(job)!;
    expect([columns, total]).toEqual([['Input', 'Best', '2.', '3.'], 3]);
    expect(rows(results[1]!.tile, results[1]!.parts, results[1]!.bytes)).toEqual([{ index: 2, cells: ['d.png', 'dog 98.1 %', 'cat 1.8 %', '"owl" 0.0 %'] }]);
    expect(table(arraysJob().job)).toBeNull();
  });

  it('are a CSV', async () => {
    const lines = new TextDecoder().decode(await file(job, 'csv', ...results)).split('\r\n');
    expect(lines[0]).toBe('input,rank,class,label,score');
    expect(lines).toHaveLength(1 + 9 + 1);
    expect(lines[1]).toMatch(/^"a, b.png",1,2,"""owl""",0\.98\d+$/);
    expect(lines[7]).toMatch(/^d.png,1,1,dog,0\.98\d+$/);
  });

  it('are JSON', async () => {
    const read = JSON.parse(new TextDecoder().decode(await file(job, 'json', ...results)));
    expect(read).toHaveLength(3);
    expect(read[2]).toMatchObject({ input: 'd.png', labels: [{ class: 1, label: 'dog' }, { class: 0 }, { class: 2 }] });
    expect(JSON.parse(new TextDecoder().decode(await file(job, 'json')))).toEqual([]);
  });
});

describe('arrays', () => {
  it('are an .npy, with holes where there are no results', async () => {
    const job = cut(arraysJob(5), { perTile: 2 });
    const output = (input: number) => new Float32Array(32).fill(input);
    const { shape, data } = readNpy('x', await file(job, 'npy', resultOf(job, 0, output), resultOf(job, 2, output)));
    expect(shape).toEqual([5, 32]);
    expect([0, 1, 2, 3, 4].map((input) => data[input * 32])).toEqual([0, 1, Number.NaN, Number.NaN, 4]);
  });
});

describe('pictures', () => {
  const job = cut(imagesJob(5), { perTile: 2, names: ['x/ü 1.jpg', 'b.png', 'c.png', 'd.png', 'e.png'] });
  /** Red from left to right, and as much green as the number of the input. */
  const output = (input: number) => Float32Array.from({ length: 3 * 128 * 128 }, (_, at) => [(at % 128) / 127, input / 5, 0][Math.floor(at / (128 * 128))]!);
  const results = [0, 1, 2].map((tile) => resultOf(job, tile, output));

  it('are PNGs in a ZIP, named after their inputs', async () => {
    const files = unzipSync(await file(job, 'zip', ...results));
    expect(Object.keys(files)).toEqual(['0000-_1.png', '0001-b.png', '0002-c.png', '0003-d.png', '0004-e.png']);
    const { data, info } = await sharp(files['0003-d.png']).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 128, height: 128, channels: 3 });
    expect([...data.subarray(127 * 3, 127 * 3 + 3)]).toEqual([255, 153, 0]);
  });

  it('are cells of a contact sheet, tile by tile', () => {
    const { width, height } = sheetOf(job)!;
    const regions = [0, 1, 2].map((tile) => regionOf(job, { pass: 0, tile })!);
    for (const [index, { x, y, width: w, height: h }] of regions.entries()) {
      expect(x + w <= width && y + h <= height).toBe(true);
      for (const other of regions.slice(index + 1))
        expect(x + w <= other.x || other.x + other.width <= x || y + h <= other.y || other.y + other.height <= y).toBe(true);
    }
    const painter = createPainter(job, 0);
    const { tile, parts, bytes } = results[1]!;
    expect(painter.add(tile, parts, bytes)).toEqual(regions[1]);
    const { x, y } = regions[1]!;
    expect([...painter.pixels(x + 127, y, 2, 1)]).toEqual([255, 102, 0, 255, 0, 153, 0, 255]);
    expect([...painter.pixels(regions[0]!.x, regions[0]!.y, 1, 1)]).toEqual([0, 0, 0, 0]);
  });

  it('of many inputs are shown small', () => {
    const many = cut(imagesJob(3), { count: 40_000, perTile: 16 });
    const { width, height } = sheetOf(many)!;
    expect(Math.max(width, height)).toBeLessThanOrEqual(4096);
    expect(width * height).toBeGreaterThan(1e6);
  });
});

it('unknown files and another order are refused', async () => {
  const { job } = arraysJob(4);
  const two = { ...job, prepared: { ...job.prepared, perTile: 2 } };
  const output = () => new Float32Array(32);
  expect(() => assemble(two, 'csv', inOrder())).toThrow(RangeError);
  await expect(file(two, 'npy', resultOf(two, 1, output), resultOf(two, 0, output))).rejects.toThrow(RangeError);
});
