import { sizeOf } from './grid.ts';
import type { ElementType } from './onnx/model.ts';
import { type Feed, type InferParams, type InferPrepared, type InferSettings, settingsOf } from './params.ts';

/** What the model is fed, made of the packed batch: the same bits on every device, because f32 arithmetic of scripts is exact to the standard. */

export type Values = Float32Array | Uint8Array | Int32Array | BigInt64Array;

export interface Fed {
  readonly type: ElementType;
  readonly data: Values;
  readonly dims: readonly number[];
}

export const elementBytes: Readonly<Record<ElementType, number>> = { float32: 4, uint8: 1, int32: 4, int64: 8 };

export const rowBytes = ({ type, shape, rows }: Pick<Feed, 'type' | 'shape' | 'rows'>): number => sizeOf(shape) * (rows === 'pixels' ? 1 : elementBytes[type]);

/** Of values from 0 to 1, red first. */
function statistics(settings: InferSettings): { readonly mean: readonly number[]; readonly deviation: readonly number[] } {
  switch (settings.normalize) {
    case 'unit':
      return { mean: [0, 0, 0], deviation: [1, 1, 1] };
    case 'signed':
      return { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] };
    case 'bytes':
      return { mean: [0, 0, 0], deviation: [1 / 255, 1 / 255, 1 / 255] };
    case 'imagenet':
      return { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
    case 'own':
      return {
        mean: [settings.meanRed, settings.meanGreen, settings.meanBlue],
        deviation: [settings.deviationRed, settings.deviationGreen, settings.deviationBlue],
      };
    default:
      return settings.normalize satisfies never;
  }
}

/** For every channel, red first, what each of the 256 bytes becomes. */
function tablesOf(settings: InferSettings, type: ElementType): Float32Array[] {
  const { mean, deviation } = statistics(settings);
  const ofByte = (byte: number, channel: number): number => (type === 'float32' ? (byte / 255 - mean[channel]!) / deviation[channel]! : byte);
  return [0, 1, 2].map((channel) => Float32Array.from({ length: 256 }, (_, byte) => ofByte(byte, channel)));
}

const arrays: { readonly [T in ElementType]: (length: number) => Values } = {
  float32: (length) => new Float32Array(length),
  uint8: (length) => new Uint8Array(length),
  int32: (length) => new Int32Array(length),
  int64: (length) => new BigInt64Array(length),
};

type Packed = Pick<InferPrepared, 'count' | 'feeds' | 'pictures'>;

/** Makes tensors of chosen inputs. The blob is only looked at. */
export class Feeder {
  readonly #prepared: Packed;
  readonly #settings: InferSettings;
  readonly #batch: Uint8Array;

  /** Throws when the blob is too short for what the job says of it. */
  constructor(params: InferParams, prepared: Packed, batch: Uint8Array | undefined) {
    const end = Math.max(...prepared.feeds.map((feed) => feed.first + rowBytes(feed) * prepared.count));
    if (!batch || batch.byteLength < end) throw new Error(`the input batch has ${batch?.byteLength ?? 0} bytes, expected ${end}`);
    this.#prepared = prepared;
    this.#settings = settingsOf(params);
    this.#batch = batch;
  }

  /** Of inputs of the batch, in this order, by the name of what they are fed to. */
  feed(inputs: readonly number[]): Record<string, Fed> {
    return Object.fromEntries(
      this.#prepared.feeds.map((feed) => {
        const dims = [inputs.length, ...feed.shape];
        const data = arrays[feed.type](sizeOf(dims));
        if (feed.rows === 'pixels') this.#pixels(feed, inputs, data);
        else this.#values(feed, inputs, data);
        return [feed.name, { type: feed.type, data, dims }];
      }),
    );
  }

  #row(feed: Feed, input: number): Uint8Array {
    const bytes = rowBytes(feed);
    return this.#batch.subarray(feed.first + input * bytes, feed.first + (input + 1) * bytes);
  }

  #values(feed: Feed, inputs: readonly number[], data: Values): void {
    const bytes = new Uint8Array(data.buffer);
    for (const [place, input] of inputs.entries()) bytes.set(this.#row(feed, input), place * rowBytes(feed));
  }

  #pixels(feed: Feed, inputs: readonly number[], data: Values): void {
    const { pictures } = this.#prepared;
    if (!pictures || data instanceof BigInt64Array) throw new Error(`the input ${feed.name} takes no pictures`);
    const { channels, planar, width, height } = pictures;
    const pixels = width * height;
    const tables = tablesOf(this.#settings, feed.type);
    for (const [place, input] of inputs.entries()) {
      const row = this.#row(feed, input);
      for (let channel = 0; channel < channels; channel++) {
        // Rows hold red first; of one channel the first table is its.
        const source = channels === 3 && this.#settings.colors === 'bgr' ? 2 - channel : channel;
        const table = tables[source]!;
        const [from, step] = planar ? [channel * pixels, 1] : [channel, channels];
        for (let pixel = 0; pixel < pixels; pixel++) data[place * pixels * channels + from + pixel * step] = table[row[pixel * channels + source]!]!;
      }
    }
  }
}
