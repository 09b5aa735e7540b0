import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { zip } from '../../common/zip.ts';
import type { InferParams } from '../params.ts';
import { drawShape, shapeNames } from './shapes.ts';

/** Pictures of the sample, each named after what it shows, and their edge in pixels. */
export const PICTURES = 48;
const TILE = 64;

async function* drawn(): AsyncGenerator<{ readonly name: string; readonly pieces: readonly Uint8Array[] }> {
  for (let index = 0; index < PICTURES; index++) {
    const [shape, number] = [index % shapeNames.length, Math.floor(index / shapeNames.length)];
    const image = sharp(drawShape(shape, number, TILE), { raw: { width: TILE, height: TILE, channels: 3 } });
    yield { name: `${shapeNames[shape]}-${number + 1}.png`, pieces: [await image.png().toBuffer()] };
  }
}

export const params: InferParams = { kind: 'labels', source: 'images', k: 3, normalize: 'signed' };

/** A small network that knows eight shapes, and pictures to ask it about. */
export async function files(): Promise<{ readonly model: Uint8Array; readonly inputs: Uint8Array; readonly labels: Uint8Array }> {
  const pieces: Uint8Array[] = [];
  for await (const piece of zip(drawn())) pieces.push(piece);
  const model = new Uint8Array(await readFile(new URL('shapes.onnx', import.meta.url)));
  return { model, inputs: new Uint8Array(Buffer.concat(pieces)), labels: new TextEncoder().encode(`${shapeNames.join('\n')}\n`) };
}
