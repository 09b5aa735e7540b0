import { FormatError } from '../../shared/formats.ts';
import { Dots } from './dot.ts';
import { elementWords, PATCH, patchesOf, type Rect, tileRect, wordAt } from './grid.ts';
import { MARGIN, macsOf, OUTPUT_LAYER, RGB } from './network.ts';
import { scaleOf, type UpscaleJob } from './params.ts';
import { decodeWeights, type LayerWeights } from './weights.ts';

/**
 * The network on the CPU: the truth. Sums are f64, what a layer hands on is f32. Of any window of the image it gives what the whole image would: each
 * layer is computed for the window and the margin that the layers behind it read, and is zero beyond the image, as padding is.
 */

/** Values of a window of the image, channels side by side in a pixel. */
interface Plane {
  readonly rect: Rect;
  readonly channels: number;
  readonly values: Float32Array;
}

/** A kernel as the loops below run through it: of every four outputs, [edge][edge][from][4]. */
interface Kernel extends Omit<LayerWeights, 'kernel'> {
  readonly fours: readonly Float64Array[];
}

/** A job's inputs, parsed. */
export interface Loaded {
  /** RGB, rows from the top. */
  readonly image: Uint8Array;
  readonly layers: ReadonlyMap<string, Kernel>;
}

function kernelOf({ layer, kernel, bias }: LayerWeights): Kernel {
  const inputs = layer.edge ** 2 * layer.from;
  const fours = Array.from({ length: Math.ceil(layer.to / 4) }, (_, group) => {
    const four = new Float64Array(inputs * 4);
    for (let input = 0; input < inputs; input++)
      for (let lane = 0; lane < 4 && group * 4 + lane < layer.to; lane++) four[input * 4 + lane] = kernel[input * layer.to + group * 4 + lane]!;
    return four;
  });
  return { layer, bias, fours };
}

/** Throws `Error` for an input that is missing, `FormatError` for one that is damaged. */
export function load({ params, prepared }: UpscaleJob, { image, weights }: Readonly<Record<string, Uint8Array>>): Loaded {
  if (!image) throw new Error('the job has no input named image');
  if (!weights) throw new Error('the job has no input named weights');
  const expected = prepared.width * prepared.height * RGB;
  if (image.byteLength !== expected) throw new FormatError(`the image has ${image.byteLength} bytes, expected ${expected}`);
  return { image, layers: new Map(decodeWeights(scaleOf(params), weights).map((each) => [each.layer.name, kernelOf(each)])) };
}

/** A window grown to all sides. */
const grown = ({ x, y, width, height }: Rect, by: number): Rect => ({ x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by });

const relu = (plane: Plane): Plane => ({ ...plane, values: plane.values.map((value) => Math.max(0, value)) });

/** The part of a plane that a smaller window shows. */
function shown({ rect, channels, values }: Plane, window: Rect): Plane {
  const out = new Float32Array(window.width * window.height * channels);
  for (let row = 0; row < window.height; row++) {
    const from = ((row + window.y - rect.y) * rect.width + window.x - rect.x) * channels;
    out.set(values.subarray(from, from + window.width * channels), row * window.width * channels);
  }
  return { rect: window, channels, values: out };
}

/** Sum of two planes; the window is the first one's. */
function plus(a: Plane, wider: Plane): Plane {
  const { values } = shown(wider, a.rect);
  return { ...a, values: a.values.map((value, at) => value + values[at]!) };
}

/** Channels of two planes side by side; the window is the second one's. */
function beside(wider: Plane, b: Plane): Plane {
  const a = shown(wider, b.rect);
  const channels = a.channels + b.channels;
  const out = new Float32Array(b.rect.width * b.rect.height * channels);
  for (let pixel = 0; pixel < b.rect.width * b.rect.height; pixel++) {
    out.set(a.values.subarray(pixel * a.channels, (pixel + 1) * a.channels), pixel * channels);
    out.set(b.values.subarray(pixel * b.channels, (pixel + 1) * b.channels), pixel * channels + a.channels);
  }
  return { rect: b.rect, channels, values: out };
}

class Network {
  readonly #loaded: Loaded;
  readonly #job: UpscaleJob;
  readonly #window: Rect;

  /** For a window of input pixels. */
  constructor(loaded: Loaded, job: UpscaleJob, window: Rect) {
    this.#loaded = loaded;
    this.#job = job;
    this.#window = window;
  }

  #isInside(x: number, y: number): boolean {
    const { width, height } = this.#job.prepared;
    return x >= 0 && y >= 0 && x < width && y < height;
  }

  #image(): Plane {
    const rect = grown(this.#window, MARGIN);
    const values = new Float32Array(rect.width * rect.height * RGB);
    const { image } = this.#loaded;
    for (let y = 0; y < rect.height; y++)
      for (let x = 0; x < rect.width; x++) {
        if (!this.#isInside(rect.x + x, rect.y + y)) continue;
        const from = ((rect.y + y) * this.#job.prepared.width + rect.x + x) * RGB;
        for (let channel = 0; channel < RGB; channel++) values[(y * rect.width + x) * RGB + channel] = image[from + channel]!;
      }
    return { rect, channels: RGB, values };
  }

  #layer(name: string): Kernel {
    return this.#loaded.layers.get(name)!;
  }

  #conv(name: string, input: Plane): Plane {
    const { layer, bias, fours } = this.#layer(name);
    const { edge, from, to, margin } = layer;
    const rect = grown(this.#window, margin);
    const values = new Float32Array(rect.width * rect.height * to);
    const reach = (edge - 1) / 2;
    const dots = new Dots(input.values, input.rect.width * from, edge, from);
    for (const [group, weights] of fours.entries()) {
      dots.setWeights(weights);
      for (let y = 0; y < rect.height; y++)
        for (let x = 0; x < rect.width; x += 4) {
          const start = ((rect.y + y - reach - input.rect.y) * input.rect.width + rect.x + x - reach - input.rect.x) * from;
          const count = Math.min(4, rect.width - x);
          // At the end of a row the last pixel is computed again.
          dots.at(start, start + Math.min(1, count - 1) * from, start + Math.min(2, count - 1) * from, start + (count - 1) * from);
          for (let pixel = 0; pixel < count; pixel++) {
            if (!this.#isInside(rect.x + x + pixel, rect.y + y)) continue;
            const at = count < 4 && pixel === count - 1 ? 3 : pixel;
            for (let lane = 0; lane < 4 && group * 4 + lane < to; lane++)
              values[(y * rect.width + x + pixel) * to + group * 4 + lane] = dots.sums[at * 4 + lane]! + bias[group * 4 + lane]!;
          }
        }
    }
    return { rect, channels: to, values };
  }

  /** The last layer: every pixel of the input is repeated scale x scale times. RGB of the window's output pixels, row by row. */
  #enlarge(input: Plane): Float32Array {
    const { layer, bias, fours } = this.#layer(OUTPUT_LAYER);
    const scale = scaleOf(this.#job.params);
    const [width, height] = [this.#window.width * scale, this.#window.height * scale];
    const [weights] = fours;
    const values = new Float32Array(width * height * RGB);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        let [r, g, b] = [bias[0]!, bias[1]!, bias[2]!];
        for (let tap = 0; tap < 9; tap++) {
          const row = Math.floor((y + Math.floor(tap / 3) - 1) / scale) + layer.margin + 1;
          const column = Math.floor((x + (tap % 3) - 1) / scale) + layer.margin + 1;
          const at = (row * input.rect.width + column) * layer.from;
          for (let i = 0; i < layer.from; i++) {
            const value = input.values[at + i]!;
            const weight = (tap * layer.from + i) * 4;
            r += value * weights![weight]!;
            g += value * weights![weight + 1]!;
            b += value * weights![weight + 2]!;
          }
        }
        values.set([r, g, b], (y * width + x) * RGB);
      }
    return values;
  }

  run(): Float32Array {
    const shallow = this.#conv('F_m1', this.#image());
    const first = this.#conv('F_0', shallow);
    const grown1 = relu(this.#conv('F_1_1', first));
    const dense1 = plus(this.#conv('LFF_1', beside(first, grown1)), first);
    const grown2 = relu(this.#conv('F_2_1', dense1));
    const dense2 = plus(this.#conv('LFF_2', beside(dense1, grown2)), dense1);
    const fused = this.#conv('GFF_1', beside(dense1, dense2));
    const deep = plus(this.#conv('GFF_2', fused), shallow);
    const up1 = relu(this.#conv('UPN1', deep));
    const up2 = relu(this.#conv('UPN2', up1));
    return this.#enlarge(this.#conv('UPN3', up2));
  }
}

/** RGB from about 0 to 255 of a window's output pixels, row by row, before they are rounded. */
export const enlarged = (loaded: Loaded, job: UpscaleJob, window: Rect): Float32Array => new Network(loaded, job, window).run();

const byteOf = (value: number): number => Math.floor(Math.min(255, Math.max(0, value)) + 0.5);

const wordOf = (rgb: Float32Array, at: number): number => (byteOf(rgb[at]!) | (byteOf(rgb[at + 1]!) << 8) | (byteOf(rgb[at + 2]!) << 16) | (255 << 24)) >>> 0;

/** The words of one element. */
export function patchWords(loaded: Loaded, job: UpscaleJob, rect: Rect): Uint32Array {
  const scale = scaleOf(job.params);
  const rgb = enlarged(loaded, job, rect);
  const words = new Uint32Array(elementWords(job));
  const width = rect.width * scale;
  for (let y = 0; y < rect.height * scale; y++) for (let x = 0; x < width; x++) words[y * PATCH * scale + x] = wordOf(rgb, (y * width + x) * RGB);
  return words;
}

/** All words of a tile, which is computed at once: that is less work than patch by patch. */
export function tileWords(loaded: Loaded, job: UpscaleJob, tile: number): Uint32Array {
  const scale = scaleOf(job.params);
  const rect = tileRect(job, tile);
  const { columns, rows } = patchesOf(job, tile);
  const rgb = enlarged(loaded, job, rect);
  const words = new Uint32Array(columns * rows * elementWords(job));
  const width = rect.width * scale;
  for (let y = 0; y < rect.height * scale; y++) for (let x = 0; x < width; x++) words[wordAt(scale, columns, x, y)] = wordOf(rgb, (y * width + x) * RGB);
  return words;
}

/** Multiplications and additions in a millisecond here, of one patch in the image's middle. */
export function measureMacsPerMs(loaded: Loaded, job: UpscaleJob): number {
  const { width, height } = job.prepared;
  const rect = { x: Math.floor(width / 2), y: Math.floor(height / 2), width: 1, height: 1 };
  // The first run pays for compiling.
  enlarged(loaded, job, rect);
  const began = performance.now();
  enlarged(loaded, job, rect);
  return macsOf(scaleOf(job.params), 1, 1) / Math.max(0.1, performance.now() - began);
}
