import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCredits, parseCredits, priceOf, splitShare } from './credits.ts';
import {
  decodeLeaseBody,
  decodeResult,
  decodeScene,
  domainBytes,
  encodeLeaseBody,
  encodeResult,
  encodeScene,
  FormatError,
  fromBase64Url,
  fromHex,
  hasFeature,
  type SceneSection,
  sceneFeatures,
  sceneSections,
  toBase64Url,
  toHex,
  wordsOfPart,
} from './formats.ts';
import { type ContributorId, countParts, fullMask, type JobId, type MicroUnits, maskOf, type PartMask, partsOf, withoutParts } from './model.ts';
import { pcgHash, Rng, seedOf } from './rng.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

describe('part masks', () => {
  it('are sets of part indices', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 29 })), (parts) => {
        const mask = maskOf(parts);
        expect(partsOf(mask)).toEqual(parts.toSorted((a, b) => a - b));
        expect(countParts(mask)).toBe(parts.length);
        expect(withoutParts(fullMask(30), mask) | mask).toBe(fullMask(30));
      }),
    );
  });
});

describe('credits', () => {
  it('format and parse are inverse', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), (amount) => {
        expect(parseCredits(formatCredits(amount))).toBe(amount);
      }),
    );
    expect(formatCredits(1_500_000n)).toBe('1.50');
    expect(formatCredits(-1n)).toBe('-0.000001');
  });

  it('refuses what is not a decimal number with at most six decimals', () => {
    for (const text of ['', '1e3', '0.0000001', '1,5', '0x10', 'NaN', '1.2.3']) expect(() => parseCredits(text), text).toThrow(RangeError);
  });

  it('rounds a price up and never loses a micro-credit in a split', () => {
    expect(priceOf(1 as MicroUnits, 1n)).toBe(1n);
    expect(priceOf(2_000_000 as MicroUnits, 3n)).toBe(6n);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.integer({ min: 0, max: 100 }), (amount, percent) => {
        const { share, rest } = splitShare(amount, percent);
        expect(share + rest).toBe(amount);
        expect(share * 100n).toBeLessThanOrEqual(amount * BigInt(percent));
      }),
    );
    expect(() => splitShare(1n, 101)).toThrow(RangeError);
    expect(() => priceOf(-1 as MicroUnits, 1n)).toThrow(RangeError);
  });
});

describe('text encodings', () => {
  it('hex and base64url round-trip, and agree with Node', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(fromHex(toHex(value))).toEqual(value);
        expect(fromBase64Url(toBase64Url(value))).toEqual(value);
        expect(toBase64Url(value)).toBe(Buffer.from(value).toString('base64url'));
      }),
    );
    for (const text of ['0', 'AB', 'zz']) expect(() => fromHex(text), text).toThrow(FormatError);
    for (const text of ['+', 'a', 'ab=']) expect(() => fromBase64Url(text), text).toThrow(FormatError);
  });

  it('frames pieces so that no two lists give the same bytes', () => {
    const join = (...pieces: number[][]): string => toHex(domainBytes('d', ...pieces.map((piece) => Uint8Array.from(piece))));
    expect(join([1], [2, 3])).not.toBe(join([1, 2], [3]));
    expect(join([1, 2, 3])).not.toBe(join([1, 2, 3], []));
  });
});

describe('results', () => {
  const part = (index: number, ...words: number[]) => ({ part: index, bytes: new Uint8Array(Uint32Array.from(words).buffer) });
  const mask = maskOf([0, 2]);
  const good = encodeResult([part(0, 1, 0xffffffff), part(2, 2, 0xffffffff)], 1, 2);

  it('are exact totals, beyond 32 bits too', () => {
    const total = decodeResult(good, mask, 1, 2);
    expect([total(0), total(1)]).toEqual([3, 2 * 0xffffffff]);
  });

  it('add up in any order of the parts, from unaligned bytes too', () => {
    const shifted = new Uint8Array(9);
    shifted.set(part(2, 2, 0xffffffff).bytes, 1);
    expect(encodeResult([{ part: 2, bytes: shifted.subarray(1) }, part(0, 1, 0xffffffff)], 1, 2)).toEqual(good);
  });

  it('are refused when cut, extended, renamed or of another size', () => {
    const wrongMagic = good.slice();
    wrongMagic[0] = 0;
    expect(() => decodeResult(good.subarray(0, -1), mask, 1, 2)).toThrow('expected');
    expect(() => decodeResult(new Uint8Array([...good, 0]), mask, 1, 2)).toThrow('expected');
    expect(() => decodeResult(wrongMagic, mask, 1, 2)).toThrow('TSR2');
    expect(() => decodeResult(good, maskOf([0, 3]), 1, 2)).toThrow('other parts');
    expect(() => decodeResult(good, mask, 2, 1)).toThrow('elements');
    expect(() => encodeResult([part(1, 1, 1), part(1, 1, 1)], 1, 2)).toThrow('twice');
    expect(() => encodeResult([part(1, 1)], 1, 2)).toThrow(FormatError);
  });

  it('of one part are its words alone, and are still read as they were written before', () => {
    const one = encodeResult([part(2, 7, 0xffffffff)], 1, 2);
    expect(one).toHaveLength(16 + 8);
    const total = decodeResult(one, maskOf([2]), 1, 2);
    expect([total(0), total(1)]).toEqual([7, 0xffffffff]);
    expect([...wordsOfPart(one, maskOf([2]), 1, 2)]).toEqual([7, 0xffffffff]);
    const before = new Uint8Array(good);
    new DataView(before.buffer).setUint32(4, maskOf([2]), true);
    expect(decodeResult(before, maskOf([2]), 1, 2)(0)).toBe(3);
    expect([...wordsOfPart(before, maskOf([2]), 1, 2)]).toEqual([3, 0xfffffffe]);
    const two = new Uint8Array(one);
    new Uint32Array(two.buffer)[1] = mask;
    expect(() => decodeResult(two, mask, 1, 2)).toThrow('TSR2');
    expect(() => wordsOfPart(good, mask, 1, 2)).toThrow('sum');
  });
});

describe('lease bodies', () => {
  it('round-trip, and refuse anything cut or extended', () => {
    const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const id = fc.stringMatching(/^[a-z]_[A-Za-z0-9_-]{16}$/);
    fc.assert(
      fc.property(id, id, u32, u32, fc.integer({ min: 1, max: 2 ** 30 - 1 }), u32, u32, (job, contributor, pass, tile, parts, attempt, epoch) => {
        const lease = {
          job: job as JobId,
          contributor: contributor as ContributorId,
          at: { pass, tile },
          parts: parts as PartMask,
          attempt,
          epoch,
          expiresMs: 1.7e12,
        };
        const body = encodeLeaseBody(lease);
        expect(decodeLeaseBody(body)).toEqual(lease);
        expect(() => decodeLeaseBody(body.subarray(0, -1))).toThrow(FormatError);
        expect(() => decodeLeaseBody(Uint8Array.from([...body, 0]))).toThrow(FormatError);
      }),
    );
    expect(() => decodeLeaseBody(new Uint8Array())).toThrow(FormatError);
  });
});

describe('packed scenes', () => {
  const names = Object.keys(sceneSections) as SceneSection[];
  const sections = Object.fromEntries(names.map((name, index) => [name, new Uint8Array(sceneSections[name].stride * (index + 1)).fill(index + 1)])) as Record<
    SceneSection,
    Uint8Array
  >;

  it('give back every section, aligned for a GPU buffer', () => {
    const packed = encodeScene(sections, sceneFeatures.glass | sceneFeatures.bareLights);
    expect(hasFeature(packed, 'glass') && hasFeature(packed, 'bareLights')).toBe(true);
    expect(hasFeature(packed, 'textures') || hasFeature(packed, 'instances')).toBe(false);
    const read = decodeScene(packed);
    for (const name of names) {
      expect(read[name]).toEqual(sections[name]);
      expect(read[name].byteOffset % 256).toBe(0);
    }
  });

  it('are refused when cut or when a section points outside', () => {
    const packed = encodeScene(sections, 0);
    expect(() => decodeScene(packed.slice(0, 100))).toThrow('shorter');
    expect(() => decodeScene(packed.slice(0, packed.byteLength - 256))).toThrow('does not lie inside');
    const outside = packed.slice();
    new DataView(outside.buffer).setUint32(8, 0x7fffff00, true);
    expect(() => decodeScene(outside)).toThrow('does not lie inside');
    expect(() => encodeScene({ ...sections, nodes: new Uint8Array(63) }, 0)).toThrow('not a multiple');
  });
});

describe('random numbers', () => {
  it('are those of the published PCG hash', () => {
    // pcg_hash(0), pcg_hash(1) by the C code of Jarzynski & Olano.
    const c = (input: number): number => {
      const state = Number((BigInt(input) * 747796405n + 2891336453n) & 0xffffffffn);
      const word = Number((BigInt(((state >>> ((state >>> 28) + 4)) ^ state) >>> 0) * 277803737n) & 0xffffffffn);
      return ((word >>> 22) ^ word) >>> 0;
    };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (input) => {
        expect(pcgHash(input)).toBe(c(input));
      }),
    );
  });

  it('are uniform and repeatable', () => {
    const counts = new Array<number>(10).fill(0);
    const rng = new Rng(7);
    for (let i = 0; i < 100_000; i++) counts[rng.below(10)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    // 27.9 is exceeded with chance 0.001 at nine degrees of freedom.
    expect(chiSquare).toBeLessThan(27.9);
    expect(new Rng(7).u32()).toBe(new Rng(7).u32());
    expect(seedOf(1, 2)).not.toBe(seedOf(2, 1));
    expect(() => rng.below(0)).toThrow(RangeError);
  });
});
