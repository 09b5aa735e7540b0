import { InputError } from '../../shared/workload.ts';
import { sceneLimits } from './limits.ts';

/**
 * Radiance pictures (.hdr), the usual form of environment maps: a text header, then scanlines of RGBE pixels, flat or run-length encoded in the
 * old or the new way. G. Ward, "Real Pixels", Graphics Gems II, and radsite.lbl.gov/radiance/refer/filefmts.pdf. Read as other renderers do:
 * EXPOSURE, GAMMA and the like in the header change nothing.
 */

export interface HdrImage {
  readonly width: number;
  readonly height: number;
  /** Linear RGB, 3 a pixel, rows from the top, 0 to `sceneLimits.radianceMax`. */
  readonly pixels: Float32Array;
}

const refuse = (message: string, limit?: string): InputError => new InputError('environment', message, limit);

const FORMAT = '32-bit_rle_rgbe';
const HEADER_BYTES_MAX = 64 * 1024;
const HEADER_LINES_MAX = 1000;
/** Scanlines outside these lengths cannot have the new encoding. */
const NEW_RLE_MIN = 8;
const NEW_RLE_MAX = 0x7fff;

/** How scanlines lie in the picture, as in "-Y 512 +X 1024": the axis from line to line, then the one along a line. */
interface Layout {
  readonly lines: number;
  readonly length: number;
  readonly width: number;
  readonly height: number;
  /** Pixel in the picture, rows from the top, of a place in a line. */
  pixelAt(line: number, place: number): number;
}

/** Throws `InputError('environment')` for anything that is no such picture, or too large a one. */
export function readHdr(bytes: Uint8Array): HdrImage {
  const most = sceneLimits.environmentFileBytesMax;
  if (bytes.byteLength > most) throw refuse(`The environment map has ${bytes.byteLength} bytes.`, `at most ${most} bytes`);
  const { layout, end } = readHeader(bytes);
  const { lines, length, width, height } = layout;
  // The shortest line is two pixels of the old encoding, or one.
  if (bytes.byteLength - end < lines * Math.min(8, length * 4)) throw refuse('The environment map is truncated.');
  const pixels = new Float32Array(width * height * 3);
  const line = new Uint8Array(length * 4);
  let at = end;
  for (let index = 0; index < lines; index++) {
    at = readLine(bytes, at, line, index);
    for (let place = 0; place < length; place++) {
      const exponent = line[place * 4 + 3]!;
      const out = layout.pixelAt(index, place) * 3;
      // Three mantissas of 8 bits below one exponent, which is 128 for values around 1; 0 is black.
      const factor = exponent === 0 ? 0 : 2 ** (exponent - 136);
      for (let channel = 0; channel < 3; channel++) pixels[out + channel] = Math.min(sceneLimits.radianceMax, line[place * 4 + channel]! * factor);
    }
  }
  return { width, height, pixels };
}

/** `end`: where the scanlines begin. */
function readHeader(bytes: Uint8Array): { layout: Layout; end: number } {
  let at = 0;
  const nextLine = (): string => {
    const stop = bytes.indexOf(0x0a, at);
    if (stop < 0 || stop > HEADER_BYTES_MAX) throw refuse('The header of the environment map does not end.', `at most ${HEADER_BYTES_MAX} bytes`);
    const text = new TextDecoder('latin1').decode(bytes.subarray(at, stop)).trim();
    at = stop + 1;
    return text;
  };
  const isRadiance = ['#?RADIANCE', '#?RGBE'].some((magic) => magic === new TextDecoder('latin1').decode(bytes.subarray(0, magic.length)));
  if (!isRadiance) throw refuse('The environment map is not a Radiance picture: it does not start with #?RADIANCE or #?RGBE.', 'one .hdr file');
  nextLine();
  let format: string | undefined;
  for (let count = 0; ; count++) {
    if (count > HEADER_LINES_MAX) throw refuse('The header of the environment map does not end.', `at most ${HEADER_LINES_MAX} lines`);
    const text = nextLine();
    if (text === '') break;
    if (text.startsWith('FORMAT=')) format = text.slice('FORMAT='.length).trim();
  }
  if (format !== FORMAT)
    throw refuse(`The environment map has ${format === undefined ? 'no format' : `the format ${JSON.stringify(format.slice(0, 40))}`}.`, FORMAT);
  return { layout: readLayout(nextLine()), end: at };
}

function readLayout(text: string): Layout {
  const [, sign1, axis1, size1, sign2, axis2, size2] = /^([+-])([XY]) (\d{1,9}) ([+-])([XY]) (\d{1,9})$/.exec(text.replaceAll(/\s+/g, ' ')) ?? [];
  if (axis1 === undefined || axis1 === axis2)
    throw refuse(`The environment map has the resolution line ${JSON.stringify(text.slice(0, 60))}.`, 'such as "-Y 1024 +X 2048"');
  const [lines, length] = [Number(size1), Number(size2)];
  const byRows = axis1 === 'Y';
  const [width, height] = byRows ? [length, lines] : [lines, length];
  const { environmentWidthPixelsMax: widest, environmentHeightPixelsMax: highest } = sceneLimits;
  if (width < 1 || height < 1 || width > widest || height > highest)
    throw refuse(`The environment map has ${width} x ${height} pixels.`, `1 x 1 to ${widest} x ${highest} pixels`);
  // +X runs to the right and +Y upwards.
  const [rightwards, upwards] = byRows ? [sign2 === '+', sign1 === '+'] : [sign1 === '+', sign2 === '+'];
  const pixelAt = (line: number, place: number): number => {
    const [x, y] = byRows ? [place, line] : [line, place];
    return (upwards ? height - 1 - y : y) * width + (rightwards ? x : width - 1 - x);
  };
  return { lines, length, width, height, pixelAt };
}

const truncated = (line: number): InputError => refuse(`The environment map ends inside its scanline ${line}.`);
const corrupt = (line: number): InputError => refuse(`Scanline ${line} of the environment map is corrupt: a run goes beyond its end.`);

/** Fills `out` with RGBE pixels and gives the place behind them. */
function readLine(bytes: Uint8Array, start: number, out: Uint8Array, line: number): number {
  const length = out.length / 4;
  const isNew = length >= NEW_RLE_MIN && length <= NEW_RLE_MAX && bytes[start] === 2 && bytes[start + 1] === 2 && (bytes[start + 2] ?? 128) < 128;
  if (!isNew) return readOldLine(bytes, start, out, line);
  const announced = bytes[start + 2]! * 256 + (bytes[start + 3] ?? 0);
  if (announced !== length) throw refuse(`Scanline ${line} of the environment map announces ${announced} pixels.`, `${length} pixels`);
  let at = start + 4;
  for (let channel = 0; channel < 4; channel++) {
    for (let place = 0; place < length; ) {
      const code = bytes[at++];
      if (code === undefined) throw truncated(line);
      const isRun = code > 128;
      const count = isRun ? code - 128 : code;
      if (count === 0 || place + count > length) throw corrupt(line);
      if (at + (isRun ? 1 : count) > bytes.length) throw truncated(line);
      for (let i = 0; i < count; i++) out[(place + i) * 4 + channel] = bytes[isRun ? at : at + i]!;
      at += isRun ? 1 : count;
      place += count;
    }
  }
  return at;
}

/** Flat pixels; (1, 1, 1, n) stands for n more of the one before, and such pixels in a row are the digits of n to the base 256, lowest first. */
function readOldLine(bytes: Uint8Array, start: number, out: Uint8Array, line: number): number {
  const length = out.length / 4;
  let [at, digit] = [start, 1];
  for (let place = 0; place < length; at += 4) {
    if (at + 4 > bytes.length) throw truncated(line);
    const isRun = bytes[at] === 1 && bytes[at + 1] === 1 && bytes[at + 2] === 1;
    if (!isRun) {
      out.set(bytes.subarray(at, at + 4), place++ * 4);
      digit = 1;
      continue;
    }
    const count = bytes[at + 3]! * digit;
    if (place === 0 || place + count > length) throw corrupt(line);
    for (let i = 0; i < count; i++) out.copyWithin((place + i) * 4, (place - 1) * 4, place * 4);
    place += count;
    // Beyond any line already, and still a number after many empty runs.
    digit = Math.min(digit * 256, 2 ** 24);
  }
  return at;
}
