import { KIB, MIB } from '../../../shared/limits.ts';

/** Caps of files with tensors or many files; the unit is the last word of the name. */
export const tensorLimits = {
  headerBytesMax: 64 * KIB,
  rankMax: 8,
  /** Of a .safetensors file: its header names every tensor. */
  namesBytesMax: MIB,
  tensorsMax: 10_000,
  /** Names that an error lists. */
  namesToldMax: 8,
  nameToldCharsMax: 60,
} as const;

export const archiveLimits = {
  entriesMax: 20_000,
  entryBytesMax: 256 * MIB,
  /** Of all entries together, unpacked. */
  totalBytesMax: 512 * MIB,
  /** How much smaller an entry may have been packed: DEFLATE reaches 1030, which of larger files nothing but a bomb comes near. */
  ratioMax: 200,
  /** Unpacked, up to which any ratio is fine: small arrays of zeros reach 1000. */
  ratioFreeBytes: 4 * MIB,
  nameCharsMax: 255,
} as const;

export const imageLimits = {
  pixelsMax: 64 * 1024 * 1024,
  sideMax: 16_384,
} as const;
