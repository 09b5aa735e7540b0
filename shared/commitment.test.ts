import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commitParts, openingBytesMax, readOpening, type Shape, saltOf } from './commitment.ts';
import { FormatError } from './formats.ts';
import { maskOf, partsOf } from './model.ts';
import { Rng } from './rng.ts';

function parts(shape: Shape, seed: number) {
  const rng = new Rng(seed);
  return partsOf(shape.parts).map((part) => ({
    part,
    bytes: new Uint8Array(Uint32Array.from({ length: shape.elements * shape.words }, () => rng.u32()).buffer),
  }));
}

const words = (part: { bytes: Uint8Array }, shape: Shape, element: number): number[] => [
  ...new Uint32Array(part.bytes.slice(element * shape.words * 4, (element + 1) * shape.words * 4).buffer),
];

describe('commit, then open', () => {
  const salt = saltOf('token');

  it('opens exactly the words that were committed, for any shape and any elements', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
        (elements, mask, width, seed, picks) => {
          const shape = { parts: maskOf(mask), elements, words: width };
          const made = parts(shape, seed);
          const wanted = picks.map((pick) => pick % elements);
          const committed = commitParts(salt, shape, made.toReversed());
          const opening = committed.open(wanted);
          expect(opening.byteLength).toBeLessThanOrEqual(openingBytesMax(shape));
          const read = readOpening(opening, salt, committed.root, shape, wanted);
          for (const element of wanted) for (const part of made) expect([...read(part.part, element)]).toEqual(words(part, shape, element));
        },
      ),
    );
  });

  const shape: Shape = { parts: maskOf([0, 1, 3]), elements: 50, words: 4 };
  const made = parts(shape, 1);
  const committed = commitParts(salt, shape, made);
  const wanted = [3, 17, 49];
  const opening = committed.open(wanted);

  it('refuses any changed, missing or added byte', () => {
    for (let at = 0; at < opening.length; at++) {
      const changed = opening.slice();
      changed[at]! ^= 1;
      expect(() => readOpening(changed, salt, committed.root, shape, wanted)).toThrow(FormatError);
    }
    for (const bytes of [opening.slice(0, -1), opening.slice(0, 20), new Uint8Array([...opening, 0]), new Uint8Array()])
      expect(() => readOpening(bytes, salt, committed.root, shape, wanted)).toThrow(FormatError);
  });

  it('refuses the opening of other elements, under another salt, of another root or of other parts', () => {
    expect(() => readOpening(opening, salt, committed.root, shape, [3, 17, 44])).toThrow(FormatError);
    expect(() => readOpening(opening, salt, committed.root, shape, [3, 17])).toThrow('does not hold');
    expect(() => readOpening(opening, saltOf('another lease'), committed.root, shape, wanted)).toThrow('does not match');
    expect(() => readOpening(opening, salt, commitParts(saltOf('another lease'), shape, made).root, shape, wanted)).toThrow('does not match');
    expect(() => readOpening(opening, salt, committed.root, { ...shape, parts: maskOf([0, 1]) }, wanted)).toThrow(FormatError);
    expect(() => readOpening(opening, salt, committed.root, shape, wanted)(2, 3)).toThrow('not opened');
    expect(() => readOpening(opening, salt, committed.root, shape, wanted)(0, 30)).toThrow('not opened');
  });

  it('knows what the tree of one leaf and the odd row look like', () => {
    const one: Shape = { parts: maskOf([0]), elements: 1, words: 1 };
    const bytes = [{ part: 0, bytes: Uint8Array.of(1, 2, 3, 4) }];
    const tiny = commitParts(salt, one, bytes);
    expect(tiny.open([0])).toHaveLength(8 + 16);
    // 50 elements are 13 leaves: element 49 is alone in the last one, which moves up as it is.
    expect(() => commitParts(salt, shape, [{ part: 0, bytes: new Uint8Array(3) }])).toThrow(FormatError);
  });
});
