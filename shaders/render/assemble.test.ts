import { unzipSync } from 'fflate';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { concatBytes } from '../../shared/formats.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { assemble } from './assemble.ts';
import { readExr } from './exr.testing.ts';
import { outputsOf } from './outputs.ts';
import type { RenderJob } from './params.ts';
import { albedoAt, depthAt, madeUpJob, radianceAt, resultsOf, streamed } from './picture.testing.ts';
import { encodeSrgb } from './toneMap.ts';
import { createPainter } from './view.ts';

const job = madeUpJob();
const results = resultsOf(job);

async function fileOf(of: RenderJob, output: string, list: readonly AcceptedResult[] = resultsOf(of)): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of assemble(of, output, streamed(list))) pieces.push(piece);
  return concatBytes(...pieces);
}

function paintedFrame(of: RenderJob, frame: number, list: readonly AcceptedResult[]): Uint8ClampedArray {
  const painter = createPainter(of, frame);
  for (const { tile, parts, bytes } of list) if (painter.shows(tile)) painter.add(tile, parts, bytes);
  return painter.pixels(0, 0, of.params.width, of.params.height);
}

const pngPixels = (png: Uint8Array): Uint8ClampedArray => Uint8ClampedArray.from(PNG.sync.read(Buffer.from(png)).data);
const hasAlpha = (png: Uint8Array): boolean => png[25] === 6;

describe('of one frame', () => {
  test('the PNG has exactly the pixels of the painter, tone-mapped as ordered', async () => {
    const looks = [{}, { toneMap: 'agx', exposure: 1.5 }, { layers: 'all' }] as const;
    const made = await Promise.all(looks.map((look) => fileOf(madeUpJob(look), 'png')));
    for (const [index, look] of looks.entries()) {
      const ordered = madeUpJob(look);
      expect(pngPixels(made[index]!)).toEqual(paintedFrame(ordered, 0, resultsOf(ordered)));
      expect(hasAlpha(made[index]!)).toBe(false);
    }
    expect(pngPixels(made[1]!)).not.toEqual(pngPixels(made[0]!));
    expect(pngPixels(made[2]!)).toEqual(pngPixels(made[0]!));
  });

  test('where tiles are missing it is transparent, as the painter is', async () => {
    const some = results.filter(({ tile }) => tile.tile !== 1 && tile.tile < 4);
    const png = await fileOf(job, 'png', some);
    expect(hasAlpha(png)).toBe(true);
    expect(pngPixels(png)).toEqual(paintedFrame(job, 0, some));
  });

  test('the 16-bit PNG tells apart what 8 bits cannot', async () => {
    const png = await fileOf(job, 'png16');
    expect([png[24], png[25]]).toEqual([16, 2]);
    // pngjs is asked not to halve the bits.
    const { data } = PNG.sync.read(Buffer.from(png), { skipRescale: true });
    for (const [x, y] of [
      [0, 0],
      [7, 30],
      [35, 31],
    ] as const)
      for (const channel of [0, 1, 2])
        expect(Math.abs(Number(data[(y * 36 + x) * 4 + channel]) - 65535 * encodeSrgb(radianceAt(0, x, y, channel)))).toBeLessThan(4);
  });

  test('the EXR is linear radiance alone where no layers were ordered', async () => {
    const { width, height, channels } = readExr(await fileOf(madeUpJob({ toneMap: 'agx', exposure: 3 }), 'exr'));
    expect([width, height, ...channels.keys()]).toEqual([36, 32, 'B', 'G', 'R']);
    for (const [channel, name] of ['R', 'G', 'B'].entries())
      for (const [x, y] of [
        [0, 0],
        [20, 9],
        [35, 31],
      ] as const)
        expect(channels.get(name)?.[y * 36 + x]).toBeCloseTo(radianceAt(0, x, y, channel), 4);
  });

  test('with layers it has albedo, normal, depth and how many samples were taken', async () => {
    const layered = madeUpJob({ layers: 'all' });
    // Of tile 5, at the lower right, the second pass was not needed.
    const file = await fileOf(
      layered,
      'exr',
      resultsOf(layered).filter(({ tile }) => tile.tile !== 5 || tile.pass !== 1),
    );
    const { channels } = readExr(file);
    expect([...channels.keys()]).toEqual(['B', 'G', 'R', 'Z', 'albedo.B', 'albedo.G', 'albedo.R', 'normal.X', 'normal.Y', 'normal.Z', 'samples.Y']);
    const at = (name: string, x: number, y: number): number | undefined => channels.get(name)?.[y * 36 + x];
    expect([at('samples.Y', 0, 0), at('samples.Y', 35, 31)]).toEqual([200, 128]);
    expect(at('R', 35, 31)).toBeCloseTo(radianceAt(0, 35, 31, 0), 4);
    expect(at('albedo.G', 20, 9)).toBeCloseTo(albedoAt(20, 9)[1]!, 3);
    expect([at('normal.X', 20, 9), at('normal.Y', 20, 9), at('normal.Z', 20, 9)].map((value) => Math.round(value! * 64))).toEqual([20, -9, 16]);
    // Half of the rays of column 1 hit, none of column 0.
    expect([at('Z', 1, 20), at('Z', 20, 9)]).toEqual([depthAt(1, 20), depthAt(20, 9)]);
    expect([at('Z', 0, 9), at('normal.X', 0, 9)]).toEqual([1e10, 0].map(Math.fround));
  });

  test('it offers no archive, and refuses what it does not offer', async () => {
    expect(outputsOf(job.params).map(({ id }) => id)).toEqual(['png', 'png16', 'exr']);
    for (const output of ['frames', 'frames-exr', 'apng', 'bmp']) await expect(fileOf(job, output)).rejects.toThrow(new RegExp(output));
  });

  test('nothing can be made of nothing, or of results in another order', async () => {
    await expect(fileOf(job, 'png', [])).rejects.toThrow(/no result/);
    await expect(fileOf(job, 'exr', results.toReversed())).rejects.toThrow(RangeError);
  });
});

describe('of frames', () => {
  const film = madeUpJob({ frames: 3, firstFrame: 9, framesPerSecond: 12, layers: 'all' });
  const takes = resultsOf(film);

  test('every output that is offered can be made, and no other', async () => {
    expect(outputsOf(film.params).map(({ id }) => id)).toEqual(['png', 'apng', 'frames', 'frames-exr']);
    for (const { id } of outputsOf(film.params)) expect((await fileOf(film, id, takes)).byteLength).toBeGreaterThan(100);
    await expect(fileOf(film, 'png16', takes)).rejects.toThrow(/png16/);
  });

  test('the PNG is the first frame, for which no other is read', async () => {
    let read = 0;
    async function* counted(): AsyncGenerator<AcceptedResult> {
      for (const take of takes) {
        read++;
        yield take;
      }
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of assemble(film, 'png', counted())) pieces.push(piece);
    expect(pngPixels(concatBytes(...pieces))).toEqual(paintedFrame(film, 0, takes));
    // The first row of the next frame shows that this one is complete: three tiles of three passes, and one behind them.
    expect(read).toBe(takes.length / 3 + 10);
  });

  test('the archive has every frame under its number', async () => {
    const files = unzipSync(await fileOf(film, 'frames', takes));
    expect(Object.keys(files)).toEqual(['0009.png', '0010.png', '0011.png']);
    for (const [frame, png] of Object.values(files).entries()) expect(pngPixels(png)).toEqual(paintedFrame(film, frame, takes));
    expect(paintedFrame(film, 1, takes)).not.toEqual(paintedFrame(film, 2, takes));
  });

  test('numbers are as long as the last one', async () => {
    const late = madeUpJob({ frames: 2, firstFrame: 99_999 });
    expect(Object.keys(unzipSync(await fileOf(late, 'frames')))).toEqual(['099999.png', '100000.png']);
  });

  test('the archive of EXRs has every frame with its layers', async () => {
    const files = unzipSync(await fileOf(film, 'frames-exr', takes));
    expect(Object.keys(files)).toEqual(['0009.exr', '0010.exr', '0011.exr']);
    for (const [frame, exr] of Object.values(files).entries()) {
      const { channels } = readExr(exr);
      expect(channels.size).toBe(11);
      expect(channels.get('G')?.[20 * 36 + 5]).toBeCloseTo(radianceAt(frame, 5, 20, 1), 4);
    }
  });

  test('the preview is all frames at their speed, at most 480 pixels wide', async () => {
    const wide = madeUpJob({ frames: 2, width: 600, height: 20, samples: 1, framesPerSecond: 12 });
    const preview = await fileOf(wide, 'apng');
    const view = new DataView(preview.buffer);
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([480, 16]);
    const small = await fileOf(film, 'apng', takes);
    const control = Buffer.from(small).indexOf('acTL');
    expect(new DataView(small.buffer).getUint32(control + 4)).toBe(3);
    // Readers without animation see the first frame: as large as ordered, so its pixels are those of the PNG.
    const { data } = await sharp(small).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    expect(Uint8ClampedArray.from(data)).toEqual(paintedFrame(film, 0, takes));
  });

  test('no more than a frame is held: the first is out before the last comes', async () => {
    let given = 0;
    async function* watched(): AsyncGenerator<AcceptedResult> {
      for (const take of takes) {
        given++;
        yield take;
      }
    }
    const seen: number[] = [];
    for await (const _ of assemble(film, 'frames', watched())) seen.push(given);
    expect(seen[0]).toBe(takes.length / 3 + 10);
  });
});
