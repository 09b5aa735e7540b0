import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { encodeResult } from '../../../shared/formats.ts';
import { fullMask, type JobId } from '../../../shared/model.ts';
import type { AcceptedResult } from '../../../shared/workload.ts';
import { assemble } from '../assemble.ts';
import * as check from '../check.ts';
import type { UpscaleJob } from '../params.ts';
import { prepare } from '../prepare.ts';
import { spec } from '../spec.ts';
import { pictures } from './pictures.ts';

/** `node shaders/upscale/gallery/draw.ts` makes the pictures of the gallery that lie beside this file: what comes out of each, made small again. */
const WIDTH = 320;
const WEBP_QUALITY = 80;

for (const { id, params, files } of await pictures()) {
  const { prepared, inputs } = await prepare(params, files);
  const job: UpscaleJob = { id: 'draw' as JobId, seed: 1, params, prepared };
  const loaded = check.load(job, inputs);
  async function* results(): AsyncGenerator<AcceptedResult> {
    for (let tile = 0; tile < spec.split(params, prepared).tiles; tile++) {
      const at = { pass: 0, tile };
      const parts = fullMask(1);
      yield { tile: at, parts, bytes: encodeResult(check.render(loaded, job, at, parts), spec.elements(job, at), spec.elementWords(job, at)) };
    }
  }
  const png: Uint8Array[] = [];
  for await (const piece of assemble(job, 'png', results())) png.push(piece);
  const small = sharp(Buffer.concat(png)).resize({ width: WIDTH }).webp({ quality: WEBP_QUALITY });
  await writeFile(join(import.meta.dirname, `${id}.webp`), await small.toBuffer());
  console.log(`${id}.webp`);
}
