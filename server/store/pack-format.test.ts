import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError, fromHex, toBase64Url } from '../../shared/formats.ts';
import type { BlobHash, ContributorId, JobId, OwnerId, PartMask, ResultId, SiteId } from '../../shared/model.ts';
import { decodeInline, encodePack, PACK_RESULTS_MAX, Pack, placeOf, type ResultRow } from './pack-format.ts';

const job = 'j_0000000000000001' as JobId;
const NOTHING = new Uint8Array();
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const timeMs = fc.integer({ min: 0, max: 2 ** 52 });

const row: fc.Arbitrary<ResultRow> = fc.record({
  seq: fc.integer({ min: 1, max: 2 ** 52 }),
  id: bytes(12).map((id) => `r_${toBase64Url(id)}` as ResultId),
  job: fc.constant(job),
  pass: u32,
  tile: u32,
  parts: u32 as fc.Arbitrary<PartMask>,
  epoch: u32,
  attempt: u32,
  contributor: fc.constantFrom('c_a', 'c_b', 'c_c') as fc.Arbitrary<ContributorId>,
  owner: fc.constantFrom('device:a', 'wallet:b') as fc.Arbitrary<OwnerId>,
  site: fc.constantFrom(null, 's_1' as SiteId),
  hash: bytes(32).map((hash) => Buffer.from(hash).toString('hex') as BlobHash),
  size_bytes: u32,
  salt: fc.constant(NOTHING),
  root: fc.constant(NOTHING),
  commitment: fc.constant(NOTHING),
  nonce: fc.constant(NOTHING),
  drawn: u32,
  round: fc.constantFrom('first', 'second'),
  opening_hash: fc.constant(null),
  compute_ms: fc.double({ noNaN: true }),
  committed_ms: timeMs,
  state: fc.constantFrom('accepted', 'refuted', 'discarded'),
  evidence_json: fc.json(),
  error_bound: fc.double({ noNaN: true }),
  decided_ms: fc.option(timeMs),
  vesting_unit: fc.constant(null),
  vesting_micro_credits: fc.constant(null),
  vests_at_ms: fc.constant(null),
  refund_to: fc.constant(null),
  drill: fc.constantFrom(0, 1),
  passes_wanted: fc.option(fc.double({ noNaN: true })),
  opening_inline: fc.constant(null),
  inline: fc.option(fc.uint8Array({ maxLength: 40 })),
});

test('what is packed is read back as it was, wherever in memory it lies', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), fc.integer({ min: 0, max: 7 }), (rows, offset) => {
      const { data, ids, inline, authors, places } = encodePack(rows);
      const moved = (given: Uint8Array): Uint8Array => {
        const memory = new Uint8Array(given.byteLength + offset);
        memory.set(given, offset);
        return memory.subarray(offset);
      };
      const pack = new Pack({ job, data: moved(data), ids: moved(ids) }, authors);
      const kept = inline ? decodeInline(moved(inline), pack.length) : rows.map(() => null);
      expect(pack.rows().map((each, place) => ({ ...each, inline: kept[place] }))).toEqual(rows);
      expect(rows.map((_, place) => pack.author(place))).toEqual(places);
      expect(new Set(authors.map(({ contributor, owner, site }) => `${contributor} ${owner} ${site}`)).size).toBe(authors.length);
      for (const { id } of rows) expect(rows[placeOf(ids, id)]?.id).toBe(id);
    }),
    { numRuns: 200 },
  );
});

const one = fc.sample(row, { numRuns: 1, seed: 1 })[0]!;

test('an id is found at its place alone: not across two others, and not when it is of another pack', () => {
  const id = (...own: number[]): ResultId => `r_${toBase64Url(Uint8Array.from(own))}` as ResultId;
  const ids = fromHex(`${'00'.repeat(6)}${'01'.repeat(6)}${'02'.repeat(6)}${'03'.repeat(6)}`);
  expect(placeOf(ids, id(2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3))).toBe(1);
  expect(placeOf(ids, id(1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2))).toBe(-1);
});

test('what the layout has no room for is refused, and what is none is not read', () => {
  expect(() => encodePack([])).toThrow(RangeError);
  expect(() => encodePack(Array.from({ length: PACK_RESULTS_MAX + 1 }, () => one))).toThrow(RangeError);
  for (const wrong of [
    { size_bytes: 2 ** 32 },
    { tile: -1 },
    { pass: 0.5 },
    { id: 'r_short' as ResultId },
    { hash: 'ab' as BlobHash },
    { state: 'committed' as const },
  ])
    expect(() => encodePack([{ ...one, ...wrong }]), JSON.stringify(wrong)).toThrow(RangeError);
  const { data, ids, authors } = encodePack([one]);
  expect(() => new Pack({ job, data: data.subarray(1), ids }, authors)).toThrow(FormatError);
  expect(() => new Pack({ job, data, ids: ids.subarray(1) }, authors)).toThrow(FormatError);
  expect(() => new Pack({ job, data, ids }, []).row(0)).toThrow(FormatError);
});
