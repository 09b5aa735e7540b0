import { limits, MIB } from '../../shared/limits.ts';

/** Caps on models and inputs, checked before anything of that size is held; the unit is the last word of the name. */
export const modelLimits = {
  bytesMax: limits.uploadBytesMax,
  nodesMax: 5000,
  initializersMax: 10_000,
  /** Inputs, outputs and attributes of one node. */
  nodeFieldsMax: 1024,
  nameCharsMax: 256,
  dimensionsMax: 8,
  opsetMin: 7,
  opsetMax: 21,
  irVersionMin: 3,
  irVersionMax: 10,
  feedsMax: 8,
  /** Multiplications for one input. One core of a server does some 5e9 in a second, and has to check. */
  multiplicationsMax: 20e9,
  /** One tensor, weights or what a layer makes of a batch: what WebGPU guarantees for a binding. */
  tensorBytesMax: 128 * MIB,
  /** Weights and the tensors that are alive at a time, for one input. */
  memoryBytesMax: 768 * MIB,
} as const;

export const batchLimits = {
  inputsMax: 100_000,
  /** Packed inputs: together with the largest model what contributors download when they say nothing about it. */
  bytesMax: limits.downloadBytesDefault - limits.uploadBytesMax,
  imageEdgePixelsMax: 4096,
  /** Values that one input may become. A result of one input must fit `limits.resultBytesMax`. */
  outputWordsMax: 2_000_000,
  /** Of one file; a model for a thousand classes fits. */
  labelsFileBytesMax: 64 * 1024,
  /** Names are told with every job: beyond this they are left out. */
  namesCharsMax: 24_000,
  nameCharsMax: 80,
} as const;

/**
 * Smaller values are compared as if they were as large: to 2^-24, which is what functions that come near 0 from numbers around 1 are off by. A sigmoid of
 * the CPU gave 0 or 3e-8 where a GPU had all values between.
 */
export const VALUE_MIN = 2 ** -11;
