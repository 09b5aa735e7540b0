import type { Texture as GltfImage } from '@gltf-transform/core';
import sharp from 'sharp';
import { refuse } from './glb.ts';
import { sceneLimits } from './limits.ts';
import type { Image } from './mesh.ts';

/** First bytes of the formats that reach the decoder: libvips would also open SVG and a dozen others, which a model has no business with. */
const SIGNATURES: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  [0xff, 0xd8, 0xff],
  [0x52, 0x49, 0x46, 0x46, -1, -1, -1, -1, 0x57, 0x45, 0x42, 0x50],
];

const isKnown = (bytes: Uint8Array): boolean => SIGNATURES.some((signature) => signature.every((byte, index) => byte < 0 || bytes[index] === byte));

const texelBytes = ({ width, height }: { width: number; height: number }): number => width * height * 4;

/** Decodes to RGBA8. Sizes are read and summed up before the first pixel is decoded. Throws `InputError('model')` naming the image. */
export async function decodeImages(sources: readonly GltfImage[]): Promise<Image[]> {
  const files = sources.map((source) => source.getImage() ?? new Uint8Array());
  const edge = sceneLimits.imageEdgePixelsMax;
  let total = 0;
  for (const [index, bytes] of files.entries()) {
    const size = await sizeOf(bytes, index);
    if (size.width > edge || size.height > edge) throw refuse(`Image ${index} has ${size.width} x ${size.height} pixels.`, `at most ${edge} x ${edge} pixels`);
    total += texelBytes(size);
    if (total > sceneLimits.texelBytesMax)
      throw refuse(`The images up to image ${index} take ${total} bytes once decoded.`, `at most ${sceneLimits.texelBytesMax} bytes`);
  }
  const images: Image[] = [];
  for (const [index, bytes] of files.entries()) images.push(await decode(bytes, index));
  return images;
}

// glTF 2.0, 3.8.4: colour profiles and orientation are to be ignored.
const open = (bytes: Uint8Array) => sharp(bytes, { limitInputPixels: sceneLimits.imageEdgePixelsMax ** 2, failOn: 'error', ignoreIcc: true });

async function sizeOf(bytes: Uint8Array, index: number): Promise<{ width: number; height: number }> {
  if (!isKnown(bytes)) throw refuse(`Image ${index} is in no format that is read here.`, 'PNG, JPEG or WebP');
  try {
    // The size must be readable beyond the limit, for the message that names it.
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { width, height };
  } catch (error) {
    throw corrupt(index, error);
  }
}

async function decode(bytes: Uint8Array, index: number): Promise<Image> {
  try {
    const { data, info } = await open(bytes).toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (data.byteLength !== texelBytes(info)) throw new Error(`${info.channels} channels`);
    return { width: info.width, height: info.height, texels: data };
  } catch (error) {
    throw corrupt(index, error);
  }
}

const corrupt = (index: number, error: unknown): Error =>
  refuse(`Image ${index} cannot be decoded: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown error'}.`);
