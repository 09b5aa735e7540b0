import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { encodeResult } from '../../../shared/formats.ts';
import { fullMask, type JobId } from '../../../shared/model.ts';
import type { AcceptedResult } from '../../../shared/workload.ts';
import { assemble } from '../assemble.ts';
import * as check from '../check.ts';
import type { RenderJob } from '../params.ts';
import { prepare } from '../prepare.ts';
import { ELEMENT_WORDS, spec } from '../spec.ts';
import { scenes } from './scenes.ts';

/**
 * `node shaders/render/gallery/draw.ts [ID]...` makes the pictures of the gallery's scenes that lie beside this file, with the CPU reference:
 * the path tracer itself, a minute or two for each.
 */
const WIDTH = 320;
const HEIGHT = 200;
const SAMPLES = 128;
const WEBP_QUALITY = 80;

const wanted = process.argv.slice(2);
for (const { id, params: ordered, files } of (await scenes()).filter(({ id }) => wanted.length === 0 || wanted.includes(id))) {
  const params = { ...ordered, width: WIDTH, height: HEIGHT, samples: SAMPLES, layers: 'none' as const };
  const { prepared, inputs } = await prepare(params, files);
  const job: RenderJob = { id: 'draw' as JobId, seed: 1, params, prepared };
  const loaded = check.load(job, inputs);
  const { tiles, passes } = spec.split(params, prepared);
  async function* results(): AsyncGenerator<AcceptedResult> {
    for (let tile = 0; tile < tiles; tile++)
      for (let pass = 0; pass < passes; pass++) {
        const at = { pass, tile };
        const parts = fullMask(spec.parts(job, at));
        yield { tile: at, parts, bytes: encodeResult(check.render(loaded, job, at, parts), spec.elements(job, at), ELEMENT_WORDS) };
      }
  }
  const png: Uint8Array[] = [];
  for await (const piece of assemble(job, 'png', results())) png.push(piece);
  await writeFile(join(import.meta.dirname, `${id}.webp`), await sharp(Buffer.concat(png)).webp({ quality: WEBP_QUALITY }).toBuffer());
  console.log(`${id}.webp`);
}
