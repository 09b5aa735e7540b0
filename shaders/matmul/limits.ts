import { MIB } from '../../shared/limits.ts';

/** Caps of a product; the unit is the last word of the name. */
export const productLimits = {
  /** Rows, columns, inner dimension. */
  sideMax: 2 ** 20,
  batchesMax: 1024,
  /** Of a matrix from a seed: its numbers are counted with 32 bits. */
  seedEntriesMax: 2 ** 32,
  resultEntriesMax: 2 ** 32,
  /** Of a matrix as contributors get it: what every WebGPU device binds as one buffer. */
  packedBytesMax: 128 * MIB,
  vectorsMax: 64,
  /** Multiplications that the coordinator does itself, to make a reduced output a small product. */
  reduceMacsMax: 2 ** 33,
  scaleMax: 1e6,
  tensorNameCharsMax: 200,
} as const;

/** What bounds a tile. */
export const tileLimits = {
  /** 4 MiB of results, which take 1.7 s at 20 Mbit/s. */
  entriesMax: 2 ** 20,
  columnsMax: 4096,
  /** Multiply-adds: 8.6 GFLOP take a laptop's GPU a few milliseconds, and a software renderer some seconds. */
  macsMax: 2 ** 32,
  /** What a tile needs of a matrix from a seed is made for it, in a buffer of its own. */
  panelBytesMax: 64 * MIB,
  /** Entries in the rows that the file is put together from. */
  bandEntriesMax: 2 ** 24,
  /** Small products are still shared by several. */
  wanted: 16,
} as const;

/** Pages draw a product of as many entries; viewers of larger ones would download gigabytes. */
export const PICTURE_ENTRIES_MAX = 2 ** 24;
export const PICTURE_SIDE_MAX = 1024;
