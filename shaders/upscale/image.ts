import sharp from 'sharp';
import { InputError } from '../../shared/workload.ts';
import { imageLimits } from './limits.ts';
import { RGB, type Scale } from './network.ts';

/** First bytes of the formats that reach the decoder: libvips would also open SVG and a dozen others. */
const SIGNATURES: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  [0xff, 0xd8, 0xff],
  [0x52, 0x49, 0x46, 0x46, -1, -1, -1, -1, 0x57, 0x45, 0x42, 0x50],
];

const refuse = (message: string, limit?: string): InputError => new InputError('image', message, limit);
const corrupt = (error: unknown): InputError =>
  refuse(`The picture cannot be decoded: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown error'}.`);

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGB, a byte each, rows from the top, sRGB. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** What was left out, in plain sentences. */
  readonly report: readonly string[];
}

/**
 * Decodes a PNG, JPEG or WebP, upright and in sRGB. Its size is read and held against `imageLimits` before a pixel is decoded. Throws
 * `InputError('image')`.
 */
export async function decodePicture(bytes: Uint8Array, scale: Scale): Promise<Picture> {
  if (!SIGNATURES.some((signature) => signature.every((byte, at) => byte < 0 || bytes[at] === byte)))
    throw refuse('The file is in no format that is read here.', 'PNG, JPEG or WebP');
  const edge = Math.floor(imageLimits.outputEdgePixelsMax / scale);
  // The size must be readable beyond the limit, for the message that names it.
  const {
    autoOrient,
    hasAlpha,
    pages = 1,
  } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => Promise.reject(corrupt(error)));
  const { width, height } = autoOrient;
  if (width > edge || height > edge)
    throw refuse(`The picture has ${width} × ${height} pixels, ${scale} times as many along an edge are too many.`, `at most ${edge} × ${edge} pixels`);
  const decoded = await sharp(bytes, { limitInputPixels: edge ** 2, failOn: 'error' })
    .autoOrient()
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => Promise.reject(corrupt(error)));
  const { data, info } = decoded;
  if (info.channels !== RGB || info.width !== width || info.height !== height)
    throw corrupt(new Error(`${info.width} × ${info.height} pixels of ${info.channels} channels`));
  return {
    width,
    height,
    pixels: new Uint8Array(data),
    report: [...(hasAlpha ? ['Transparent parts are laid on white.'] : []), ...(pages > 1 ? ['Of an animation only the first picture is enlarged.'] : [])],
  };
}
