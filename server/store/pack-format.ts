import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Selectable } from 'kysely';
import { FormatError } from '../../shared/formats.ts';
import type { BlobHash, ContributorId, JobId, OwnerId, PartMask, ResultId, SiteId } from '../../shared/model.ts';
import type { ResultsTable } from './schema.ts';

/*
 * A pack: results of one job that nothing changes any more, in the order of their running numbers, column by column. Little-endian.
 *
 *   data    u32 magic 'TPK1' · u32 n, results · n x 32 bytes: hash · and deflated (RFC 1951):
 *             n x f64: seq · committed ms · decided ms · compute ms · error bound · passes wanted (NaN: null)
 *             n x u32: pass · tile · parts · epoch · attempt · bytes · elements drawn
 *             n x u16: author, by its place in the pack
 *             n x u8: bits 0 and 1: state, 2: made by a drill, 3: second round
 *             UTF-8: the JSON of their evidence, a line each
 *   ids     n x 12 bytes: what follows `r_` of an id, as bytes
 *   inline  n x u32: bytes, or 2^32 - 1 when there are none here · the bytes, one behind the other
 *
 * Deflated, because evidence is text and most numbers are like those before them: 146 bytes a result less for 1.4 ms a pack of 1024. Hashes and the bytes
 * of results would hardly be shorter.
 * Not kept is what only a check needs, and nothing here is checked again: salt, root, commitment, nonce and opening.
 */

const MAGIC = 0x314b5054;
const HEAD_BYTES = 8;
const HASH_BYTES = 32;
const ID_BYTES = 12;
const ID = /^r_[A-Za-z0-9_-]{16}$/;
const ABSENT = 0xffff_ffff;
const DEFLATE_LEVEL = 1;
export const PACK_RESULTS_MAX = 0xffff;

const states = ['accepted', 'refuted', 'discarded'] as const;
const DRILL = 4;
const SECOND = 8;

const floats = ['seq', 'committed_ms', 'decided_ms', 'compute_ms', 'error_bound', 'passes_wanted'] as const;
const integers = ['pass', 'tile', 'parts', 'epoch', 'attempt', 'size_bytes', 'drawn'] as const;
const ROW_BYTES = floats.length * 8 + integers.length * 4 + 2 + 1;

export type ResultRow = Selectable<ResultsTable>;

/** What is kept of a row. */
export const packedColumns = [
  ...floats,
  ...integers,
  'id',
  'job',
  'contributor',
  'owner',
  'site',
  'hash',
  'round',
  'state',
  'evidence_json',
  'drill',
  'inline',
] as const;
export type KeptRow = Pick<ResultRow, (typeof packedColumns)[number]>;

/** Who made results of a pack, as what they were told at the time. Beside the pack, so that a name can be changed. */
export interface PackAuthor {
  readonly contributor: ContributorId;
  readonly owner: OwnerId;
  readonly site: SiteId | null;
}

export interface EncodedPack {
  readonly data: Uint8Array;
  readonly ids: Uint8Array;
  /** Null: no result has its bytes here. */
  readonly inline: Uint8Array | null;
  /** By their places; and the author of each result. */
  readonly authors: readonly PackAuthor[];
  readonly places: readonly number[];
}

/** Throws `RangeError` for what the layout has no room for. */
export function encodePack(rows: readonly KeptRow[]): EncodedPack {
  const count = rows.length;
  if (count === 0 || count > PACK_RESULTS_MAX) throw new RangeError(`a pack of ${count} results`);
  const { authors, places } = authorsOf(rows);
  const columns = new Uint8Array(count * ROW_BYTES);
  const at = columnsOf(columns.buffer, count);
  const ids = Buffer.alloc(count * ID_BYTES);
  const head = Buffer.alloc(HEAD_BYTES + count * HASH_BYTES);
  head.writeUInt32LE(MAGIC);
  head.writeUInt32LE(count, 4);
  for (const [index, row] of rows.entries()) {
    for (const name of floats) at[name][index] = row[name] ?? Number.NaN;
    for (const name of integers) at[name][index] = u32(row[name], name, row.id);
    at.author[index] = places[index]!;
    at.flags[index] = flagsOf(row);
    if (!ID.test(row.id)) throw new RangeError(`${row.id} is no id of a result`);
    ids.write(row.id.slice(2), index * ID_BYTES, 'base64url');
    if (head.write(row.hash, HEAD_BYTES + index * HASH_BYTES, 'hex') !== HASH_BYTES) throw new RangeError(`${row.id} has no SHA-256`);
  }
  const evidence = Buffer.from(rows.map((row) => row.evidence_json).join('\n'));
  const data = Buffer.concat([head, deflateRawSync(Buffer.concat([columns, evidence]), { level: DEFLATE_LEVEL })]);
  return { data, ids, inline: encodeInline(rows.map(({ inline }) => inline)), authors, places };
}

function authorsOf(rows: readonly KeptRow[]): Pick<EncodedPack, 'authors' | 'places'> {
  const known = new Map<string, number>();
  const authors: PackAuthor[] = [];
  const places = rows.map(({ contributor, owner, site }) => {
    const key = `${contributor} ${owner} ${site}`;
    const place = known.get(key) ?? authors.push({ contributor, owner, site }) - 1;
    known.set(key, place);
    return place;
  });
  return { authors, places };
}

function u32(value: number, name: string, id: ResultId): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32) throw new RangeError(`${name} of ${id} is ${value}`);
  return value;
}

function flagsOf({ id, state, drill, round }: KeptRow): number {
  const index = state === 'committed' ? -1 : states.indexOf(state);
  if (index < 0) throw new RangeError(`${id} is ${state}`);
  return index | (drill === 1 ? DRILL : 0) | (round === 'second' ? SECOND : 0);
}

function encodeInline(all: readonly (Uint8Array | null)[]): Uint8Array | null {
  if (all.every((bytes) => bytes === null)) return null;
  const lengths = Uint32Array.from(all, (bytes) => bytes?.byteLength ?? ABSENT);
  return Buffer.concat([new Uint8Array(lengths.buffer), ...all.flatMap((bytes) => bytes ?? [])]);
}

/** Views of the columns, those of wide numbers first, so that each is aligned. */
function columnsOf(buffer: ArrayBuffer, count: number) {
  let at = 0;
  const next = <View>(make: (from: number) => View, bytes: number): View => {
    const view = make(at);
    at += bytes * count;
    return view;
  };
  const named = <Name extends string, View>(names: readonly Name[], make: (from: number) => View, bytes: number) =>
    Object.fromEntries(names.map((name) => [name, next(make, bytes)])) as Record<Name, View>;
  return {
    ...named(floats, (from) => new Float64Array(buffer, from, count), 8),
    ...named(integers, (from) => new Uint32Array(buffer, from, count), 4),
    author: next((from) => new Uint16Array(buffer, from, count), 2),
    flags: next((from) => new Uint8Array(buffer, from, count), 1),
  };
}

const asIs = (value: number): number | null => (Number.isNaN(value) ? null : value);
const NOTHING = new Uint8Array();

/** The place of a result in a pack with these ids; -1: it is in another one. */
export function placeOf(ids: Uint8Array, id: ResultId): number {
  const wanted = Buffer.from(id.slice(2), 'base64url');
  const all = bufferOf(ids);
  for (let at = all.indexOf(wanted); at >= 0; at = all.indexOf(wanted, at + 1)) if (at % ID_BYTES === 0) return at / ID_BYTES;
  return -1;
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads a pack. Throws `FormatError` for what is none. */
export class Pack {
  readonly length: number;
  readonly #job: JobId;
  readonly #authors: readonly PackAuthor[];
  readonly #columns: ReturnType<typeof columnsOf>;
  readonly #evidence: readonly string[];
  readonly #hashes: Buffer;
  readonly #ids: Buffer;

  constructor({ job, data, ids }: { readonly job: JobId; readonly data: Uint8Array; readonly ids: Uint8Array }, authors: readonly PackAuthor[]) {
    const bytes = bufferOf(data);
    if (bytes.byteLength < HEAD_BYTES || bytes.readUInt32LE() !== MAGIC) throw new FormatError('a pack does not start with TPK1');
    const count = bytes.readUInt32LE(4);
    const from = HEAD_BYTES + count * HASH_BYTES;
    const rest = inflateRawSync(bytes.subarray(from));
    if (rest.byteLength < count * ROW_BYTES || ids.byteLength !== count * ID_BYTES) throw new FormatError(`a pack is too short for ${count} results`);
    // Memory of its own, aligned.
    const columns = new Uint8Array(rest.subarray(0, count * ROW_BYTES));
    this.length = count;
    this.#job = job;
    this.#authors = authors;
    this.#columns = columnsOf(columns.buffer, count);
    this.#evidence = rest.toString('utf8', count * ROW_BYTES).split('\n');
    this.#hashes = bytes.subarray(HEAD_BYTES, from);
    this.#ids = bufferOf(ids);
    if (this.#evidence.length !== count) throw new FormatError(`a pack has evidence of ${this.#evidence.length} results, not of ${count}`);
  }

  seq(place: number): number {
    return this.#columns.seq[place]!;
  }

  author(place: number): number {
    return this.#columns.author[place]!;
  }

  state(place: number): (typeof states)[number] {
    return states[this.#columns.flags[place]! & 3]!;
  }

  /** All but the bytes, as it was a row of its own; of what only a check needs nothing is left. */
  row(place: number): ResultRow {
    const columns = this.#columns;
    const author = this.#authors[columns.author[place]!];
    if (!author) throw new FormatError(`a pack names its author ${columns.author[place]}, of ${this.#authors.length}`);
    const flags = columns.flags[place]!;
    return {
      seq: columns.seq[place]!,
      id: `r_${this.#ids.toString('base64url', place * ID_BYTES, (place + 1) * ID_BYTES)}` as ResultId,
      job: this.#job,
      pass: columns.pass[place]!,
      tile: columns.tile[place]!,
      parts: columns.parts[place]! as PartMask,
      epoch: columns.epoch[place]!,
      attempt: columns.attempt[place]!,
      contributor: author.contributor,
      owner: author.owner,
      site: author.site,
      hash: this.#hashes.toString('hex', place * HASH_BYTES, (place + 1) * HASH_BYTES) as BlobHash,
      size_bytes: columns.size_bytes[place]!,
      salt: NOTHING,
      root: NOTHING,
      commitment: NOTHING,
      nonce: NOTHING,
      drawn: columns.drawn[place]!,
      round: (flags & SECOND) === 0 ? 'first' : 'second',
      opening_hash: null,
      compute_ms: columns.compute_ms[place]!,
      committed_ms: columns.committed_ms[place]!,
      state: this.state(place),
      evidence_json: this.#evidence[place]!,
      error_bound: columns.error_bound[place]!,
      decided_ms: asIs(columns.decided_ms[place]!),
      vesting_unit: null,
      vesting_micro_credits: null,
      vests_at_ms: null,
      refund_to: null,
      drill: (flags & DRILL) === 0 ? 0 : 1,
      passes_wanted: asIs(columns.passes_wanted[place]!),
      opening_inline: null,
      inline: null,
    };
  }

  /** Those that this holds for, in the order of their running numbers. */
  rows(wanted: (place: number) => boolean = () => true): ResultRow[] {
    const found: ResultRow[] = [];
    for (let place = 0; place < this.length; place++) if (wanted(place)) found.push(this.row(place));
    return found;
  }
}

/** The bytes of the results of a pack, by their places; null: they are elsewhere. */
export function decodeInline(inline: Uint8Array, count: number): (Uint8Array | null)[] {
  const bytes = bufferOf(inline);
  let at = count * 4;
  return Array.from({ length: count }, (_, place) => {
    const length = bytes.readUInt32LE(place * 4);
    if (length === ABSENT) return null;
    at += length;
    if (at > bytes.byteLength) throw new FormatError('the bytes of a pack are too short');
    return new Uint8Array(bytes.subarray(at - length, at));
  });
}
