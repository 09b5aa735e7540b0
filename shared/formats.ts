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

/** Domain, a zero byte, then every piece behind its u32 length: no two lists of pieces give the same bytes. */
export function domainBytes(domain: string, ...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const framed: Uint8Array[] = [encoder.encode(`${domain}\0`)];
  for (const piece of pieces) {
    const length = new Uint8Array(4);
    viewOf(length).setUint32(0, piece.byteLength, true);
    framed.push(length, piece);
  }
  return concatBytes(...framed);
}

export const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new FormatError('not lower-case hex');
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => Number.parseInt(text.slice(index * 2, index * 2 + 2), 16));
}

export const toBase64Url = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new FormatError('not base64url');
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
}

/*
 * Result v2: the total of some parts of one tile. A part is `elements` x `words` sums, u32 each; their total needs 40 bits.
 *   u32 magic 'TSR2' · u32 part mask · u32 elements · u32 words · elements x words u32: low words · elements x words u8: high bytes
 */
const RESULT_MAGIC = 0x32525354;
const RESULT_HEADER_BYTES = 16;

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
  const out = new Uint8Array(resultBytes(elements, words));
  const count = elements * words;
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
  const expected = resultBytes(elements, words);
  if (bytes.byteLength !== expected) throw new FormatError(`result has ${bytes.byteLength} bytes, expected ${expected}`);
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== RESULT_MAGIC) throw new FormatError('result does not start with TSR2');
  if (view.getUint32(4, true) !== parts) throw new FormatError('result names other parts than the hand-in');
  if (view.getUint32(8, true) !== elements || view.getUint32(12, true) !== words)
    throw new FormatError(`result header is wrong, it has ${elements} elements of ${words} words`);
  const high = RESULT_HEADER_BYTES + elements * words * 4;
  return (at) => view.getUint32(RESULT_HEADER_BYTES + at * 4, true) + view.getUint8(high + at) * 2 ** 32;
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

export function encodeLeaseBody(lease: LeaseBody): Uint8Array<ArrayBuffer> {
  const job = encoder.encode(lease.job);
  const contributor = encoder.encode(lease.contributor);
  const tail = new Uint8Array(28);
  const view = viewOf(tail);
  view.setUint32(0, lease.at.pass, true);
  view.setUint32(4, lease.at.tile, true);
  view.setUint32(8, lease.parts, true);
  view.setUint32(12, lease.attempt, true);
  view.setUint32(16, lease.epoch, true);
  view.setFloat64(20, lease.expiresMs, true);
  return concatBytes(Uint8Array.of(LEASE_VERSION, job.byteLength), job, Uint8Array.of(contributor.byteLength), contributor, tail);
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
 * Packed scene v1: triangles in world space with their BVH, independent of picture size and camera.
 *   header: 64 u32 (256 bytes), then sections, each starting at a multiple of 256 bytes, zero-padded.
 *   header[0] magic 'TSS1' · [1] version 1 · [2..] one (byte offset, byte length) pair per section, in `sceneSections` order
 *   Remaining header words are 0.
 */
export const SCENE_MAGIC = 0x31535354;
export const SCENE_VERSION = 1;
export const SCENE_HEADER_BYTES = 256;
export const SCENE_ALIGN_BYTES = 256;

/** Sections in header order. Strides in bytes; `f` is f32, `u` is u32, `i` is i32. */
export const sceneSections = {
  /**
   * BVH2, both children's boxes in the parent, node 0 is the root:
   *   f left min xyz, u left ref · f left max xyz, u left count · f right min xyz, u right ref · f right max xyz, u right count
   * count 0: ref is a node index. count > 0: ref is the first triangle, count triangles (1 to 8).
   * A missing child (scene of one leaf) has count 1 with an inverted box (min = +3e38, max = -3e38): no ray hits it.
   */
  nodes: { stride: 64 },
  /**
   * In BVH leaf order: f v0 xyz, u material · f (v1 - v0) xyz, u id · f (v2 - v0) xyz, u light
   * id: index in file order, which breaks ties between equal hit distances (smaller wins).
   * light: index in `lights`, or 0xffffffff.
   */
  triangles: { stride: 48 },
  /**
   * Same order: u normal0..2 (octahedral, two snorm16: x low, y high) · f uv0 xy, uv1 xy, uv2 xy · 3 u reserved 0
   */
  attributes: { stride: 48 },
  /**
   * f base colour rgb (linear), f metallic · f emission rgb (linear radiance), f roughness
   * i base texture, i metallic-roughness texture, i emission texture (index in `textures`, -1: none), u flags (bit 0: double-sided)
   * 4 u reserved 0
   */
  materials: { stride: 64 },
  /** Emissive triangles: u triangle (leaf order), f upper bound of the cumulative selection probability, f selection probability, f area */
  lights: { stride: 16 },
  /** u first texel, u width, u height, u flags (bits 0-1 wrap s, 2-3 wrap t: 0 repeat, 1 clamp, 2 mirror; bit 4: nearest; bit 5: sRGB) */
  textures: { stride: 16 },
  /** RGBA8, red in the low byte, rows from the top. */
  texels: { stride: 4 },
  /** 256 f: sRGB byte -> linear, so that no device computes a power. */
  srgb: { stride: 4 },
} as const;

export type SceneSection = keyof typeof sceneSections;

/** Lays the sections out and writes the header. Throws on a section that is not a whole number of strides. */
export function encodeScene(sections: Readonly<Record<SceneSection, Uint8Array>>): Uint8Array<ArrayBuffer> {
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
  names.forEach((name, index) => {
    view.setUint32(8 + index * 8, offsets[index] ?? 0, true);
    view.setUint32(12 + index * 8, sections[name].byteLength, true);
    out.set(sections[name], offsets[index] ?? 0);
  });
  return out;
}

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
