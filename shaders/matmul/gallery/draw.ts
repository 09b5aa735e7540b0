import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { encodeResult } from '../../../shared/formats.ts';
import { fullMask, type JobId } from '../../../shared/model.ts';
import { load, render } from '../check.ts';
import type { MatmulJob } from '../params.ts';
import { prepare } from '../prepare.ts';
import { products } from '../samples.ts';
import { spec } from '../spec.ts';
import { createPainter } from '../view.ts';

/** `node shaders/matmul/gallery/draw.ts` makes the pictures of the gallery's products that lie beside this file: their middle, by the reference. */
const WIDTH = 320;
const HEIGHT = 200;
/** Every other entry. */
const STEP = 2;
const WEBP_QUALITY = 50;

for (const { id, params, files } of products()) {
  const { prepared, inputs } = await prepare(params, files);
  const job: MatmulJob = { id: 'draw' as JobId, seed: 1, params, prepared };
  const loaded = load(job, inputs);
  const { width, height } = spec.picture(job)!;
  const painter = createPainter(job, 0);
  const [left, top] = [Math.floor((width - WIDTH * STEP) / 2), Math.floor((height - HEIGHT * STEP) / 2)];
  for (let number = 0; number < spec.split(params, prepared).tiles; number++) {
    const tile = { pass: 0, tile: number };
    const region = spec.region(job, tile)!;
    if (region.y + region.height <= top || region.y >= top + HEIGHT * STEP) continue;
    painter.add(tile, fullMask(1), encodeResult(await render(loaded, job, tile, fullMask(1)), spec.elements(job, tile), spec.elementWords(job, tile)));
  }
  const pixels = painter.pixels(left, top, WIDTH * STEP, HEIGHT * STEP);
  const image = sharp(pixels, { raw: { width: WIDTH * STEP, height: HEIGHT * STEP, channels: 4 } }).resize(WIDTH, HEIGHT, { kernel: 'nearest' });
  await writeFile(join(import.meta.dirname, `${id}.webp`), await image.webp({ quality: WEBP_QUALITY }).toBuffer());
  console.log(`${id}.webp`);
}
