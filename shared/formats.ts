import { type ContributorId, countParts, type ElementRef, type JobId, type PartMask, type TileRef } from './model.ts';

/** Every binary layout of the project. All integers and floats are little-endian; every layout names its version. */

export class FormatError extends Error {
  override readonly name = 'FormatError';
}

const encoder = new TextEncoder();
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function concatBytes(...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.byteLength;
  }
  return out;
}

/** Prefixes of everything that is hashed or signed, so that a digest made for one purpose is void for another. */
export const hashDomains = {
  commitment: 'tessera/commitment/v2',
  draw: 'tessera/draw/v2',
  lease: 'tessera/lease/v1',
  consent: 'tessera/consent/v1',
  salt: 'tessera/salt/v1',
  receipt: 'tessera/receipt/v1',
} as const;

const domainPrefixes = new Map<string, Uint8Array>();

function domainPrefix(domain: string): Uint8Array {
  const known = domainPrefixes.get(domain) ?? encoder.encode(`${domain}\0`);
  domainPrefixes.set(domain, known);
  return known;
}

/** Domain, a zero byte, then every piece behind its u32 length: no two lists of pieces give the same bytes. */
export function domainBytes(domain: string, ...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const prefix = domainPrefix(domain);
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + 4 + piece.byteLength, prefix.byteLength));
  const view = viewOf(out);
  out.set(prefix);
  let at = prefix.byteLength;
  for (const piece of pieces) {
    view.setUint32(at, piece.byteLength, true);
    out.set(piece, at + 4);
    at += 4 + piece.byteLength;
  }
  return out;
}

// Every tile has some of these in both directions. By table, not by a call for every byte: 80 bytes to base64url take 0.7 instead of 3.5 µs, back 1.4 instead of 5.2.
const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexOf[byte];
  return text;
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new FormatError('not lower-case hex');
  const out = new Uint8Array(text.length / 2);
  const digit = (at: number): number => {
    const code = text.charCodeAt(at);
    return code < 58 ? code - 48 : code - 87;
  };
  for (let at = 0; at < out.length; at++) out[at] = (digit(2 * at) << 4) | digit(2 * at + 1);
  return out;
}

const BASE64_URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const sextetOf = new Uint8Array(128);
for (let sextet = 0; sextet < 64; sextet++) sextetOf[BASE64_URL.charCodeAt(sextet)] = sextet;

export function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  let at = 0;
  for (; at + 2 < bytes.length; at += 3) {
    const word = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    text += BASE64_URL[word >> 18]! + BASE64_URL[(word >> 12) & 63]! + BASE64_URL[(word >> 6) & 63]! + BASE64_URL[word & 63]!;
  }
  const rest = bytes.length - at;
  if (rest === 0) return text;
  const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8);
  return text + BASE64_URL[word >> 18]! + BASE64_URL[(word >> 12) & 63]! + (rest === 2 ? BASE64_URL[(word >> 6) & 63]! : '');
}

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new FormatError('not base64url');
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  const sextet = (at: number): number => (at < text.length ? sextetOf[text.charCodeAt(at)]! : 0);
  for (let at = 0, from = 0; at < out.length; at += 3, from += 4) {
    const word = (sextet(from) << 18) | (sextet(from + 1) << 12) | (sextet(from + 2) << 6) | sextet(from + 3);
    // What lies behind the end of an array is not written.
    out[at] = word >> 16;
    out[at + 1] = word >> 8;
    out[at + 2] = word;
  }
  return out;
}

/*
 * Result v2: the total of some parts of one tile. A part is `elements` x `words` sums, u32 each; their total needs 40 bits.
 *   u32 magic 'TSR2' · u32 part mask · u32 elements · u32 words · elements x words u32: low words · elements x words u8: high bytes
 * Result v3: the same of one part alone, magic 'TSR3', without the high bytes. Results of one part were v2 before, and still are read.
 */
const RESULT_MAGIC = 0x32525354;
const PART_MAGIC = 0x33525354;
export const RESULT_HEADER_BYTES = 16;

/** At most: of one part alone it is a byte a word less. */
export const resultBytes = (elements: number, words: number): number => RESULT_HEADER_BYTES + elements * words * 5;

/** The words of a part, aligned. Throws `FormatError` unless it has exactly `count` words. */
export function wordsOf(bytes: Uint8Array, count: number): Uint32Array {
  if (bytes.byteLength !== count * 4) throw new FormatError(`a part has ${bytes.byteLength} bytes, expected ${count * 4}`);
  // Not `slice`: a Buffer's copies nothing.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, count);
}

/** Sums parts up to a result. Throws `FormatError` when a part is named twice or has another size. */
export function encodeResult(parts: readonly { part: number; bytes: Uint8Array }[], elements: number, words: number): Uint8Array<ArrayBuffer> {
  const mask = parts.reduce((sum, { part }) => sum | (1 << part), 0) as PartMask;
  if (countParts(mask) !== parts.length) throw new FormatError('a part is named twice');
  const count = elements * words;
  const [first] = parts;
  if (first && parts.length === 1) {
    const out = new Uint8Array(RESULT_HEADER_BYTES + count * 4);
    new Uint32Array(out.buffer).set([PART_MAGIC, mask, elements, words]);
    new Uint32Array(out.buffer).set(wordsOf(first.bytes, count), RESULT_HEADER_BYTES / 4);
    return out;
  }
  const out = new Uint8Array(resultBytes(elements, words));
  new Uint32Array(out.buffer, 0, 4).set([RESULT_MAGIC, mask, elements, words]);
  const low = new Uint32Array(out.buffer, RESULT_HEADER_BYTES, count);
  const high = out.subarray(RESULT_HEADER_BYTES + count * 4);
  for (const { bytes } of parts) {
    const sums = wordsOf(bytes, count);
    for (let at = 0; at < count; at++) {
      const sum = low[at]! + sums[at]!;
      low[at] = sum;
      if (sum >= 2 ** 32) high[at]!++;
    }
  }
  return out;
}

/** The sums of a result by their place, element x words + word: exact integers below 2^40. */
export type Total = (at: number) => number;

/** Checks magic, mask and size against what was expected. Throws `FormatError`. */
export function decodeResult(bytes: Uint8Array, parts: PartMask, elements: number, words: number): Total {
  const isPart = isPartResult(bytes);
  const expected = isPart ? RESULT_HEADER_BYTES + elements * words * 4 : resultBytes(elements, words);
  if (bytes.byteLength !== expected) throw new FormatError(`result has ${bytes.byteLength} bytes, expected ${expected}`);
  const view = viewOf(bytes);
  if (!isPart && view.getUint32(0, true) !== RESULT_MAGIC) throw new FormatError('result does not start with TSR2 or TSR3');
  if (isPart && countParts(parts) !== 1) throw new FormatError('a result of several parts starts with TSR2');
  if (view.getUint32(4, true) !== parts) throw new FormatError('result names other parts than the hand-in');
  if (view.getUint32(8, true) !== elements || view.getUint32(12, true) !== words)
    throw new FormatError(`result header is wrong, it has ${elements} elements of ${words} words`);
  if (isPart) return (at) => view.getUint32(RESULT_HEADER_BYTES + at * 4, true);
  const high = RESULT_HEADER_BYTES + elements * words * 4;
  return (at) => view.getUint32(RESULT_HEADER_BYTES + at * 4, true) + view.getUint8(high + at) * 2 ** 32;
}

const isPartResult = (bytes: Uint8Array): boolean => bytes.byteLength >= RESULT_HEADER_BYTES && viewOf(bytes).getUint32(0, true) === PART_MAGIC;

/** The words of a result of one part, aligned, as they were computed. Throws `FormatError` like `decodeResult`, and where sums were added up. */
export function wordsOfPart(bytes: Uint8Array, parts: PartMask, elements: number, words: number): Uint32Array {
  decodeResult(bytes, parts, elements, words);
  if (countParts(parts) !== 1) throw new FormatError('a result of several parts is a sum');
  return wordsOf(bytes.subarray(RESULT_HEADER_BYTES, RESULT_HEADER_BYTES + elements * words * 4), elements * words);
}

/*
 * Audit elements v1: what an auditor recomputes, 16 bytes each: u32 pass · u32 tile · u32 part · u32 element.
 * It answers with `words` u32 for each, in the same order.
 */
const AUDIT_ELEMENT_BYTES = 16;

export function encodeAuditElements(elements: readonly ElementRef[]): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(elements.length * 4);
  for (const [index, { pass, tile, part, element }] of elements.entries()) words.set([pass, tile, part, element], index * 4);
  return new Uint8Array(words.buffer);
}

/** Throws `FormatError` unless it is a whole number of elements. */
export function decodeAuditElements(bytes: Uint8Array): ElementRef[] {
  if (bytes.byteLength % AUDIT_ELEMENT_BYTES !== 0) throw new FormatError(`audit elements have ${bytes.byteLength} bytes, not a multiple of 16`);
  const view = viewOf(bytes);
  const word = (at: number): number => view.getUint32(at, true);
  return Array.from({ length: bytes.byteLength / AUDIT_ELEMENT_BYTES }, (_, index) => {
    const at = index * AUDIT_ELEMENT_BYTES;
    return { pass: word(at), tile: word(at + 4), part: word(at + 8), element: word(at + 12) };
  });
}

/*
 * Lease token v1: body, then 16 bytes of HMAC-SHA-256(key, domain "lease", body). Base64url on the wire.
 *   u8 version · u8 job id length · job id (ASCII) · u8 contributor id length · contributor id (ASCII)
 *   u32 pass · u32 tile · u32 part mask · u32 attempt · u32 epoch · f64 expiry (ms since 1970)
 */
const LEASE_VERSION = 1;
export const LEASE_MAC_BYTES = 16;

export interface LeaseBody {
  readonly job: JobId;
  readonly contributor: ContributorId;
  readonly at: TileRef;
  readonly parts: PartMask;
  /** Counts the leases of this block since it was made; distinguishes two grants of one tile. */
  readonly attempt: number;
  /** Raised at every start of the coordinator. */
  readonly epoch: number;
  readonly expiresMs: number;
}

export function encodeLeaseBody({ job, contributor, at, parts, attempt, epoch, expiresMs }: LeaseBody): Uint8Array<ArrayBuffer> {
  const tail = 3 + job.length + contributor.length;
  const out = new Uint8Array(tail + 28);
  const put = (text: string, from: number): void => {
    out[from] = text.length;
    for (let index = 0; index < text.length; index++) out[from + 1 + index] = text.charCodeAt(index);
  };
  out[0] = LEASE_VERSION;
  put(job, 1);
  put(contributor, 2 + job.length);
  const view = viewOf(out);
  view.setUint32(tail, at.pass, true);
  view.setUint32(tail + 4, at.tile, true);
  view.setUint32(tail + 8, parts, true);
  view.setUint32(tail + 12, attempt, true);
  view.setUint32(tail + 16, epoch, true);
  view.setFloat64(tail + 20, expiresMs, true);
  return out;
}

/** Throws `FormatError` on anything but a complete body. The caller has verified the MAC. */
export function decodeLeaseBody(bytes: Uint8Array): LeaseBody {
  const ascii = (from: number, length: number): string => String.fromCharCode(...bytes.subarray(from, from + length));
  const jobLength = bytes[1] ?? 0;
  const contributorLength = bytes[2 + jobLength] ?? 0;
  const tail = 3 + jobLength + contributorLength;
  if (bytes[0] !== LEASE_VERSION || bytes.byteLength !== tail + 28) throw new FormatError('not a lease token of this version');
  const view = viewOf(bytes);
  return {
    job: ascii(2, jobLength) as JobId,
    contributor: ascii(3 + jobLength, contributorLength) as ContributorId,
    at: { pass: view.getUint32(tail, true), tile: view.getUint32(tail + 4, true) },
    parts: view.getUint32(tail + 8, true) as PartMask,
    attempt: view.getUint32(tail + 12, true),
    epoch: view.getUint32(tail + 16, true),
    expiresMs: view.getFloat64(tail + 20, true),
  };
}

/*
 * Radiance part v1: what one part of a rendered tile holds, per pixel in row order of the tile's rectangle:
 *   u32 red · u32 green · u32 blue · u32 squares
 * Colours are sums over the part's samples of linear radiance in steps of 2^(quantumLog2 - 12), each sample rounded
 * stochastically. `squares` is the sum over the samples of q*q in steps of 1/64, where q = min(luminance / 2^quantumLog2, 1023).
 */
export const radiancePart = { pixelBytes: 16, stepLog2: -12, sampleStepsMax: 2 ** 26 - 1, squareStep: 1 / 64, squareLuminanceMax: 1023 } as const;

/*
 * Feature part v1: twice as many elements, of what camera rays see first. Per pixel u32 albedo red · green · blue · depth, then per pixel
 *   u32 normal x · y · z · coverage
 * Sums over the samples in steps of 2^-12 of: albedo 0 to 1; depth along the ray in 2^depthLog2 metres; (normal + 1) / 2 in world space;
 * 1 where something was seen. All are 0 where nothing was.
 */

/*
 * Packed scene v2: triangles with their trees, placed by instances, independent of picture size and camera.
 *   header: 64 u32 (256 bytes), then sections, each starting at a multiple of 256 bytes, zero-padded.
 *   header[0] magic 'TSS2' · [1] version 2 · [2..] one (byte offset, byte length) pair per section, in `sceneSections` order
 *   · [63] set of `sceneFeatures`. Remaining header words are 0.
 */
export const SCENE_MAGIC = 0x32535354;
export const SCENE_VERSION = 2;
export const SCENE_HEADER_BYTES = 256;
export const SCENE_ALIGN_BYTES = 256;
const SCENE_FEATURES_BYTE = 63 * 4;

/** What a scene has: kernels are compiled without what it has not. Bits of header[63]. */
export const sceneFeatures = {
  textures: 1,
  /** More than one mesh in world space: rays pass through a tree of instances. */
  instances: 2,
  /** Surfaces that are there in part only, or seen by cameras only. */
  coverage: 4,
  glass: 8,
  clearcoat: 16,
  normalMaps: 32,
  vertexColors: 64,
  environment: 128,
  /** Lights without a surface: points, spots, directions, a sun. */
  bareLights: 256,
} as const;

export type SceneFeature = keyof typeof sceneFeatures;

/** Sections in header order. Strides in bytes; `f` is f32, `u` is u32, `i` is i32. */
export const sceneSections = {
  /**
   * BVH2, both children's boxes in the parent. Trees of triangles in the space of their mesh, and one tree of instances for every frame:
   *   f left min xyz, u left ref · f left max xyz, u left count · f right min xyz, u right ref · f right max xyz, u right count
   * count 0: ref is a node. count > 0: ref is the first of count triangles (1 to 8), in a tree of instances one instance.
   * A missing child (tree of one leaf) has count 1 with an inverted box (min = +3e38, max = -3e38): no ray hits it.
   */
  nodes: { stride: 64 },
  /**
   * In leaf order: f v0 xyz, u material (bit 31: there in part only) · f (v1 - v0) xyz, u id · f (v2 - v0) xyz, u light
   * id: index in file order, which breaks ties between equal hit distances (smaller wins).
   * light: index among the lights of the instance, or 0xffffffff.
   */
  triangles: { stride: 48 },
  /**
   * Same order, of three corners each: u normals (octahedral, two snorm16: x low, y high) · u tangents (octahedral, snorm16 x low,
   * snorm15 y in the upper 15 bits, bit 16: bitangent negative) · f uv set 0 · f uv set 1 · u colours (two words each: unorm16 red low,
   * green high · blue low, alpha high)
   */
  attributes: { stride: 96 },
  /**
   * f base colour rgb, f alpha · f emission rgb, f metallic · f specular colour rgb, f specular · f absorption rgb (per metre), f roughness
   * f ior, f transmission, f clearcoat, f clearcoat roughness · f alpha cutoff, f normal scale, f clearcoat normal scale, u flags
   * i textures in the order of `textureSlots` (10 indices in `textures`, -1: none) · u glass table (column of `tables`), u reserved
   * flags: 1 double-sided, 2 mask, 4 blend, 8 unlit, 16 solid
   */
  materials: { stride: 144 },
  /**
   * What light is drawn from, those of a frame side by side:
   *   u kind, u triangle (leaf order), u instance, f upper bound of the cumulative selection probability
   *   f position xyz, f selection probability · f colour rgb, f area · f direction xyz, f extent
   * kind 0 triangle (area) · 1 point and 2 spot (colour: candela; area, extent: scale and offset of its cone) · 3 direction (colour: lux)
   * 4 sun (colour: radiance; area: 1 - cos, extent: sin^2 of its angular radius) · 5 environment
   */
  lights: { stride: 64 },
  /**
   * A material's way of reading an image: u first texel, u width, u height, u flags (bits 0-1 wrap s, 2-3 wrap t: 0 repeat, 1 clamp,
   * 2 mirror; bit 4: nearest; bit 5: sRGB; bit 6: uv set 1) · f a, b, c, d, e, f of (a u + b v + c, d u + e v + f) · 2 u reserved
   */
  textures: { stride: 48 },
  /** RGBA8, red in the low byte, rows from the top; padded to whole rows of `TEXEL_ROW`. */
  texels: { stride: 4 },
  /** f world from object, three rows of four · f object from world, three rows of four · u root node, u first light, u mirrored, u reserved */
  instances: { stride: 112 },
  /** u root of the tree of instances, u first instance, u instances, u first light, u lights, u environment light, u sun light, u reserved */
  frames: { stride: 32 },
  /** 256 f: sRGB byte -> linear, so that no device computes a power. */
  srgb: { stride: 4 },
  /** Directional albedos, `ggxTables` in shaders/render/albedo.ts: pairs of f, ALBEDO_EDGE in a row. */
  tables: { stride: 8 },
  /** Octahedral map of N x N: RGB9E5, red in the low bits. N^2 u, or none. */
  environment: { stride: 4 },
  /** Cumulative selection probabilities: N rows of N columns each, then of the N rows. */
  environmentCdf: { stride: 4 },
} as const;

/** Entries of an edge of a table of directional albedos. */
export const ALBEDO_EDGE = 32;

/** Texels in a row of the texture that holds them on a GPU. */
export const TEXEL_ROW = 2048;

export type SceneSection = keyof typeof sceneSections;

/** Lays the sections out and writes the header; `features` is a set of `sceneFeatures`. Throws on a section that is not a whole number of strides. */
export function encodeScene(sections: Readonly<Record<SceneSection, Uint8Array>>, features: number): Uint8Array<ArrayBuffer> {
  const names = Object.keys(sceneSections) as SceneSection[];
  let end = SCENE_HEADER_BYTES;
  const offsets = names.map((name) => {
    const length = sections[name].byteLength;
    if (length % sceneSections[name].stride !== 0)
      throw new FormatError(`section ${name} has ${length} bytes, not a multiple of ${sceneSections[name].stride}`);
    const offset = end;
    end = Math.ceil((offset + length) / SCENE_ALIGN_BYTES) * SCENE_ALIGN_BYTES;
    return offset;
  });
  const out = new Uint8Array(end);
  const view = viewOf(out);
  view.setUint32(0, SCENE_MAGIC, true);
  view.setUint32(4, SCENE_VERSION, true);
  view.setUint32(SCENE_FEATURES_BYTE, features, true);
  names.forEach((name, index) => {
    view.setUint32(8 + index * 8, offsets[index] ?? 0, true);
    view.setUint32(12 + index * 8, sections[name].byteLength, true);
    out.set(sections[name], offsets[index] ?? 0);
  });
  return out;
}

/** Whether a packed scene has a feature. */
export const hasFeature = (scene: Uint8Array, feature: SceneFeature): boolean =>
  (viewOf(scene).getUint32(SCENE_FEATURES_BYTE, true) & sceneFeatures[feature]) !== 0;

/** The sections of a packed scene, as views into `bytes`. Throws `FormatError` unless every section lies inside. */
export function decodeScene(bytes: Uint8Array<ArrayBuffer>): Record<SceneSection, Uint8Array<ArrayBuffer>> {
  if (bytes.byteLength < SCENE_HEADER_BYTES) throw new FormatError('packed scene is shorter than its header');
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== SCENE_MAGIC || view.getUint32(4, true) !== SCENE_VERSION) throw new FormatError('not a packed scene of this version');
  const names = Object.keys(sceneSections) as SceneSection[];
  return Object.fromEntries(
    names.map((name, index) => {
      const offset = view.getUint32(8 + index * 8, true);
      const length = view.getUint32(12 + index * 8, true);
      if (offset % SCENE_ALIGN_BYTES !== 0 || offset + length > bytes.byteLength || length % sceneSections[name].stride !== 0)
        throw new FormatError(`section ${name} does not lie inside the packed scene`);
      return [name, bytes.subarray(offset, offset + length)];
    }),
  ) as Record<SceneSection, Uint8Array<ArrayBuffer>>;
}
