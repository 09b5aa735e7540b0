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

/** Size and way of a picture that is resampled (Lanczos 3). */
export interface Resized extends ImageSize {
  readonly fitting: Fitting;
  /**
   * Of `crop`: pixels that the shorter side gets before the middle is cut out, as classifiers are often evaluated (256, then 224 x 224).
   * At least `width` and `height`; left out, as few as cover them.
   */
  readonly shorterPixels?: number;
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

const fits = { crop: 'cover', stretch: 'fill', bars: 'contain' } as const;

function resized(upright: Sharp, size: ImageSize, { width, height, fitting, shorterPixels }: Resized): Sharp {
  if (fitting !== 'crop' || shorterPixels === undefined) return upright.resize(width, height, { fit: fits[fitting], background: '#000', kernel: 'lanczos3' });
  if (shorterPixels < Math.max(width, height)) throw new RangeError(`${width} x ${height} cannot be cut out of ${shorterPixels} pixels`);
  // As torchvision does it: the longer side is cut off to whole pixels, the margins are rounded to even ones.
  const [shorter, longer] = [Math.min(size.width, size.height), Math.max(size.width, size.height)];
  const long = Math.floor((shorterPixels * longer) / shorter);
  const [wide, high] = size.width < size.height ? [shorterPixels, long] : [long, shorterPixels];
  return upright
    .resize(wide, high, { fit: 'fill', kernel: 'lanczos3' })
    .extract({ left: roundHalf(wide - width), top: roundHalf(high - height), width, height });
}

/** Half of a whole number, rounded as Python rounds: to the even one of two that are equally near. */
const roundHalf = (twice: number): number => (twice % 4 === 3 ? (twice + 1) / 2 : Math.floor(twice / 2));

/** Decodes a picture, upright, on white where it is transparent; of another size where one is asked for. Throws like `imageSize`. */
export async function decodeImage(
  field: string,
  bytes: Uint8Array,
  name: string,
  to: Resized | null = null,
  pixelsMax: number = imageLimits.pixelsMax,
): Promise<Picture> {
  const { image, size } = await open(field, bytes, name, pixelsMax);
  const upright = image.autoOrient().flatten({ background: '#fff' }).toColourspace('srgb').removeAlpha();
  const { data, info } = await (to ? resized(upright, size, to) : upright)
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(() => {
      throw new InputError(field, `${name} is damaged.`, 'a whole picture');
    });
  const rgb = new Uint8Array(info.width * info.height * 3);
  // Grey pictures stay of one channel.
  if (data.length !== (info.channels === 1 ? rgb.length / 3 : rgb.length)) throw new Error(`${name} was decoded to ${info.channels} channels`);
  for (let at = 0; at < rgb.length; at++) rgb[at] = data[info.channels === 1 ? Math.floor(at / 3) : at]!;
  return { width: info.width, height: info.height, rgb };
}
