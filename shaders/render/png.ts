import sharp, { type Sharp } from 'sharp';
import type { RenderJob } from './params.ts';
import type { FrameWriter } from './rows.ts';
import { toneMapOf } from './toneMap.ts';

/** The tone-mapped pixels of a frame, four channels; transparent where nothing came. */
interface Canvas {
  readonly data: Uint8Array | Uint16Array;
  /** Nothing is transparent. */
  readonly covered: boolean;
}

/** Holds one frame: 4 bytes a pixel, or 8. `encode` makes the file of it. */
function canvasWriter(job: RenderJob, bits: 8 | 16, encode: (canvas: Canvas) => Promise<Uint8Array>): FrameWriter {
  const { width, height } = job.params;
  const data = new (bits === 8 ? Uint8Array : Uint16Array)(width * height * 4);
  const white = 2 ** bits - 1;
  const toneMap = toneMapOf(job.params);
  let painted = 0;
  return {
    row({ y, height: rows, picture }) {
      picture.eachPixel(0, y, width, rows, (index, rgb) => {
        const at = (y * width + index) * 4;
        toneMap(rgb);
        for (let channel = 0; channel < 3; channel++) data[at + channel] = Math.round(white * rgb[channel]!);
        data[at + 3] = white;
        painted++;
      });
    },
    finish: async () => [await encode({ data, covered: painted === width * height })],
  };
}

const rawOf = ({ params: { width, height } }: RenderJob, { data }: Canvas): Sharp => sharp(data, { raw: { width, height, channels: 4 } });

/** A whole picture needs no alpha. */
const withoutAlpha = (image: Sharp, { covered }: Canvas): Sharp => (covered ? image.removeAlpha() : image);

/** sRGB; with 8 bits exactly the pixels that the pages show. */
export const pngWriter =
  (bits: 8 | 16) =>
  (job: RenderJob): FrameWriter =>
    canvasWriter(job, bits, (canvas) => {
      const image = withoutAlpha(rawOf(job, canvas), canvas);
      return (bits === 8 ? image : image.toColourspace('rgb16')).png().toBuffer();
    });

const PREVIEW_WIDTH_MAX = 480;

/** At most 480 pixels wide, 8 bits, never transparent: the frames of one animation must be alike. */
export const previewWriter = (job: RenderJob): FrameWriter =>
  canvasWriter(job, 8, (canvas) =>
    rawOf(job, canvas)
      .removeAlpha()
      .resize({ width: Math.min(job.params.width, PREVIEW_WIDTH_MAX) })
      .png()
      .toBuffer(),
  );
