import { FormatError } from '../../shared/formats.ts';
import { type Layer, layersOf, type Scale, weightCount } from './network.ts';

/**
 * Weights v1, the input blob `weights`: u32 magic 'TSW1' · u32 scale, then of every layer of `layersOf`, f32 each: its kernel as
 * [edge][edge][from][to], its bias as [to].
 */
const MAGIC = 0x31575354;
const HEADER_BYTES = 8;

export interface LayerWeights {
  readonly layer: Layer;
  readonly kernel: Float32Array<ArrayBuffer>;
  readonly bias: Float32Array<ArrayBuffer>;
}

/** `tensors`: kernel and bias of every layer, in their order. */
export function encodeWeights(scale: Scale, tensors: readonly Float32Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(HEADER_BYTES + weightCount(scale) * 4);
  new Uint32Array(out.buffer, 0, 2).set([MAGIC, scale]);
  let at = HEADER_BYTES / 4;
  const floats = new Float32Array(out.buffer);
  for (const tensor of tensors) {
    floats.set(tensor, at);
    at += tensor.length;
  }
  if (at !== floats.length) throw new RangeError(`the layers have ${at - HEADER_BYTES / 4} weights, not ${weightCount(scale)}`);
  return out;
}

/** Throws `FormatError` unless it holds the layers of this scale. */
export function decodeWeights(scale: Scale, bytes: Uint8Array): LayerWeights[] {
  const expected = HEADER_BYTES + weightCount(scale) * 4;
  if (bytes.byteLength !== expected) throw new FormatError(`weights have ${bytes.byteLength} bytes, expected ${expected}`);
  const aligned = new Uint8Array(bytes);
  const [magic, found] = new Uint32Array(aligned.buffer, 0, 2);
  if (magic !== MAGIC || found !== scale) throw new FormatError(`weights do not start with TSW1 and scale ${scale}`);
  let at = HEADER_BYTES;
  const take = (count: number): Float32Array<ArrayBuffer> => {
    const floats = new Float32Array(aligned.buffer, at, count);
    at += count * 4;
    return floats;
  };
  return layersOf(scale).map((layer) => ({ layer, kernel: take(layer.edge ** 2 * layer.from * layer.to), bias: take(layer.to) }));
}
