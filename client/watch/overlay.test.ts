import { describe, expect, it } from 'vitest';
import { fullMask, maskOf } from '../../shared/model.ts';
import type { Layout } from '../ui/mosaic/layout.ts';
import { TileBook } from '../ui/mosaic/tile-book.svelte.ts';
import { boundSign, drawnSign, drawTiles, type Facet, legends, type Scene, type Sign, signOf, stateSigns } from './overlay.ts';

const all = Object.values(legends).flat();

describe('signs', () => {
  it('are told apart without colours: no two of a legend have the same mark or word', () => {
    for (const signs of Object.values(legends)) {
      expect(new Set(signs.map(({ mark }) => mark)).size).toBe(signs.length);
      expect(new Set(signs.map(({ word }) => word)).size).toBe(signs.length);
    }
    expect(all.every(({ opacity }) => opacity >= 0 && opacity <= 1)).toBe(true);
  });

  it('say how much was computed again and how sure it is, in steps that the legend names', () => {
    expect([0, 1, 63, 64, 1023, 1024].map((drawn) => drawnSign(drawn).mark)).toEqual(['none', 1, 1, 2, 3, 4]);
    expect([null, 1, 1e-3, 1e-4, 1e-5, 0].map((bound) => boundSign(bound).mark)).toEqual(['none', 1, 2, 3, 4, 4]);
  });
});

describe('the book of tiles', () => {
  it('counts what is accepted, and lets go of what is never judged', () => {
    const book = new TileBook(4, 6);
    const sign = (tile: number, nowMs: number, isOver = false): Sign => signOf({ book, facet: 'state', nowMs, isOver }, tile);
    book.lease(0, 0);
    book.check(1, 0);
    book.accept({ tile: 2, parts: fullMask(6), drawn: 10, errorBound: 1e-3 });
    book.accept({ tile: 3, parts: maskOf([0]), drawn: 10, errorBound: 1e-3 });
    expect([0, 1, 2, 3].map((tile) => sign(tile, 1).word)).toEqual(['In work', 'Being checked', 'Accepted', 'Accepted in part']);
    expect([0, 1].map((tile) => sign(tile, 3_600_000).word)).toEqual(['Waiting', 'Waiting']);
    // Of an ended job what is accepted is all there will be: passes may have been left out.
    expect([0, 3].map((tile) => sign(tile, 1, true).word)).toEqual(['Waiting', 'Accepted']);
    book.accept({ tile: 3, parts: maskOf([1, 2]), drawn: 20, errorBound: 1e-4 });
    expect(book.errorBound(3)).toBeCloseTo((1e-3 + 2e-4) / 3);
    expect(book.errorBound(0)).toBeNull();
  });
});

describe('drawing', () => {
  const layout: Layout = {
    width: 400,
    height: 100,
    isPicture: true,
    paints: true,
    frames: 2,
    tiles: 8,
    passes: 1,
    region: ({ tile }) => ({ x: (tile % 4) * 100, y: 0, width: 100, height: 100, frame: Math.floor(tile / 4) }),
  };

  /** Rectangles that are filled and words that are written. */
  function drawn(scene: Partial<Scene>, wordWidth = 30): { rects: number[][]; words: string[] } {
    const [rects, words]: [number[][], string[]] = [[], []];
    const context = new Proxy({} as Record<string, unknown>, {
      get: (target, name: string) =>
        name === 'fillRect'
          ? (...rect: number[]) => rects.push(rect)
          : name === 'fillText'
            ? (word: string) => words.push(word)
            : name === 'measureText'
              ? () => ({ width: wordWidth })
              : (target[name] ?? (() => undefined)),
      set: () => true,
    });
    const book = new TileBook(8, 1);
    for (let tile = 0; tile < 8; tile++) book.accept({ tile, parts: maskOf([0]), drawn: 100 * tile, errorBound: 1e-4 });
    const tones = { text: 'a', surface: 'b', accent: 'c', warm: 'd', danger: 'e' };
    const base = { layout, frame: 0, book, facet: 'drawn' as Facet, shown: { x: 0, y: 0, width: 1, height: 1 }, nowMs: 0, isOver: false };
    drawTiles(context as unknown as CanvasRenderingContext2D, { ...base, ...scene }, tones, 400, 100);
    return { rects, words };
  }

  it('is of the frame and of the part that is shown, with words where there is room', () => {
    expect(drawn({}).words).toEqual(['0', '100', '200', '300']);
    expect(drawn({ frame: 1 }).words).toEqual(['400', '500', '600', '700']);
    expect(drawn({ shown: { x: 0.6, y: 0.5, width: 0.3, height: 0.5 } }).words).toEqual(['200', '300']);
    expect(drawn({ facet: 'bound' }).words).toEqual(Array(4).fill('1 in 10K'));
    expect(drawn({ facet: 'state' }).words).toEqual(Array(4).fill(stateSigns.accepted.word));
  });

  it('writes no word that does not fit', () => expect(drawn({}, 110).words).toEqual([]));

  it('scales tiles to the frame', () => {
    const { rects } = drawn({ shown: { x: 0.5, y: 0.5, width: 0.25, height: 0.5 } });
    expect(rects).toContainEqual([0, -100, 400, 200]);
  });
});
