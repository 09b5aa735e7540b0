import sharp, { type Sharp } from 'sharp';
import { InputError } from '../../../shared/workload.ts';
import { imageLimits } from './limits.ts';

/** Pictures from strangers: only what its first bytes say is PNG, JPEG or WebP, and never more pixels than a cap, which is asked before any is decoded. */

const signatures: readonly { readonly format: string; readonly matches: (bytes: Uint8Array) => boolean }[] = [
  { format: 'png', matches: (bytes) => startsWith(bytes, 0x89, 0x50, 0x4e, 0x47) },
  { format: 'jpeg', matches: (bytes) => startsWith(bytes, 0xff, 0xd8, 0xff) },
  { format: 'webp', matches: (bytes) => startsWith(bytes, 0x52, 0x49, 0x46, 0x46) && startsWith(bytes.subarray(8), 0x57, 0x45, 0x42, 0x50) },
];

const startsWith = (bytes: Uint8Array, ...head: number[]): boolean => head.every((byte, at) => bytes[at] === byte);

/** How a picture becomes one of another size: as it is, its middle after its shorter side fits, without regard to its shape, or whole between bars. */
export type Fitting = 'crop' | 'stretch' | 'bars';

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Red, green and blue of every pixel, 0 to 255, row by row. */
export interface Picture extends ImageSize {
  readonly rgb: Uint8Array<ArrayBuffer>;
}

/** Upright size of a picture, from its head alone. Throws `InputError` naming the field and, of several, the picture. */
export async function imageSize(field: string, bytes: Uint8Array, name: string, pixelsMax: number = imageLimits.pixelsMax): Promise<ImageSize> {
  const { size } = await open(field, bytes, name, pixelsMax);
  return size;
}

async function open(field: string, bytes: Uint8Array, name: string, pixelsMax: number): Promise<{ readonly image: Sharp; readonly size: ImageSize }> {
  if (!signatures.some(({ matches }) => matches(bytes))) throw new InputError(field, `${name} is no picture that can be read.`, 'PNG, JPEG or WebP');
  const broken = (): InputError => new InputError(field, `${name} is damaged.`, 'a whole picture');
  const image = sharp(bytes, { limitInputPixels: pixelsMax, failOn: 'error', pages: 1 });
  // Also where it is larger than the cap: then this says so before anything is decoded.
  const { width, height, autoOrient } = await sharp(bytes, { limitInputPixels: false, pages: 1 })
    .metadata()
    .catch(() => {
      throw broken();
    });
  if (width * height > pixelsMax || Math.max(width, height) > imageLimits.sideMax)
    throw new InputError(field, `${name} has ${width} x ${height} pixels.`, `at most ${pixelsMax} pixels, ${imageLimits.sideMax} on a side`);
  return { image, size: { width: autoOrient.width, height: autoOrient.height } };
}

/** Decodes a picture, upright, on white where it is transparent; resampled (Lanczos 3) where another size is asked for. Throws like `imageSize`. */
export async function decodeImage(
  field: string,
  bytes: Uint8Array,
  name: string,
  to: (ImageSize & { readonly fitting: Fitting }) | null = null,
  pixelsMax: number = imageLimits.pixelsMax,
): Promise<Picture> {
  const { image } = await open(field, bytes, name, pixelsMax);
  const fit = { crop: 'cover', stretch: 'fill', bars: 'contain' } as const;
  const upright = image.autoOrient().flatten({ background: '#fff' }).toColourspace('srgb').removeAlpha();
  const sized = to ? upright.resize(to.width, to.height, { fit: fit[to.fitting], background: '#000', kernel: 'lanczos3' }) : upright;
  const { data, info } = await sized
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(() => {
      throw new InputError(field, `${name} is damaged.`, 'a whole picture');
    });
  const rgb = new Uint8Array(info.width * info.height * 3);
  // Grey pictures stay of one channel.
  for (let at = 0; at < rgb.length; at++) rgb[at] = data[info.channels === 1 ? Math.floor(at / 3) : at]!;
  return { width: info.width, height: info.height, rgb };
}
