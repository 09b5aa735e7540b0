import { countParts, fullMask, type PartMask } from '../../shared/model.ts';
import type { TileGrid } from '../../shared/workload.ts';

const BLOCK_TILES = 1024;
/** Places of the queue that were passed are let go of in such bunches. */
const PASSED_MAX = 4096;

interface Block {
  /** One mask a tile, indexed inside the block. */
  readonly accepted: Uint32Array;
  readonly held: Uint32Array;
  readonly leased: Uint32Array;
}

/**
 * Which parts of which tiles are where. A tile of a pass has its running number (pass x tiles + tile); those nobody has touched
 * take no memory: blocks of 1024 are made at the first lease in them.
 *
 *   free -> leased -> held (handed in, being checked) -> accepted
 *            |          '-> free (refuted)
 *            '-> free (expired, given back)
 *
 * Of the adaptive passes, in their order, a tile has its first one open and the others shut until `setTurn` opens them, one after the
 * other: nothing of a shut pass is free. Those of a tile that is good enough stay shut: their parts are waived, but for what was leased
 * or handed in before.
 *
 * Of a job that several coordinators share, only tiles that were claimed (`claim`) are here: nothing of all others is free or waived.
 */
export class TileBlocks {
  readonly #blocks: (Block | undefined)[];
  readonly #numbers: number;
  readonly #tiles: number;
  readonly #partsOf: (number: number) => number;
  readonly #adaptive: readonly number[];
  /** By pass: its place among the adaptive ones, 0 for all others, which wait for nothing. */
  readonly #places: Uint32Array;
  /** By tile: its open adaptive passes less one, and whether those behind them are waived. */
  readonly #turns: Uint32Array;
  readonly #good: Uint8Array;
  /** Numbers before this were offered once; the ones that came back are in `#returned`, those whose turn came in `#opened`. */
  #cursor = 0;
  #returned: number[] = [];
  #opened: number[] = [];
  #openedAt = 0;
  #waived = 0;
  /** By tile, where the job is shared; null: all are here. */
  readonly #claimed: Uint8Array | null;
  readonly #offered: () => void;

  /** `offered` is called when there may be something free where there was nothing. */
  constructor(
    { passes, tiles }: TileGrid,
    partsOf: (number: number) => number,
    adaptive: readonly number[] = [],
    isShared = false,
    offered: () => void = () => {},
  ) {
    this.#offered = offered;
    this.#claimed = isShared ? new Uint8Array(tiles) : null;
    this.#numbers = passes * tiles;
    this.#tiles = tiles;
    this.#partsOf = partsOf;
    this.#adaptive = adaptive;
    this.#places = new Uint32Array(passes);
    for (const [place, pass] of adaptive.entries()) this.#places[pass] = place;
    const isAdaptive = adaptive.length > 1;
    this.#turns = new Uint32Array(isAdaptive ? tiles : 0);
    this.#good = new Uint8Array(isAdaptive ? tiles : 0);
    this.#blocks = new Array(Math.ceil(this.#numbers / BLOCK_TILES));
  }

  /** Parts that nobody needs any more. */
  get waived(): number {
    return this.#waived;
  }

  /** All passes of these tiles are here from now on. */
  claim(first: number, count: number): void {
    this.#claimed?.fill(1, first, first + count);
    // What was passed by is looked at again.
    this.#cursor = 0;
    this.#offered();
  }

  isHere(tile: number): boolean {
    return this.#claimed === null || this.#claimed[tile] === 1;
  }

  #block(number: number): Block {
    const index = Math.floor(number / BLOCK_TILES);
    let block = this.#blocks[index];
    if (!block) {
      block = { accepted: new Uint32Array(BLOCK_TILES), held: new Uint32Array(BLOCK_TILES), leased: new Uint32Array(BLOCK_TILES) };
      this.#blocks[index] = block;
    }
    return block;
  }

  #get(array: keyof Block, number: number): PartMask {
    return (this.#blocks[Math.floor(number / BLOCK_TILES)]?.[array][number % BLOCK_TILES] ?? 0) as PartMask;
  }

  /** Every change of a tile goes through here, so that what is waived is counted at all times. */
  #change(number: number, edit: (block: Block, index: number) => void): void {
    const before = this.#waivedOf(number);
    edit(this.#block(number), number % BLOCK_TILES);
    this.#waived += this.#waivedOf(number) - before;
  }

  accepted(number: number): PartMask {
    return this.#get('accepted', number);
  }

  held(number: number): PartMask {
    return this.#get('held', number);
  }

  leased(number: number): PartMask {
    return this.#get('leased', number);
  }

  isComplete(number: number): boolean {
    return this.accepted(number) === fullMask(this.#partsOf(number));
  }

  /** Parts that nobody has handed in: what a result may still be credited for. */
  unclaimed(number: number): PartMask {
    return (fullMask(this.#partsOf(number)) & ~this.accepted(number) & ~this.held(number)) as PartMask;
  }

  free(number: number): PartMask {
    return !this.isHere(number % this.#tiles) || this.#isShut(number) ? (0 as PartMask) : this.#untouched(number);
  }

  #untouched(number: number): PartMask {
    return (this.unclaimed(number) & ~this.leased(number)) as PartMask;
  }

  #isShut(number: number): boolean {
    const place = this.#placeOf(number);
    return place > 0 && place > this.#turns[number % this.#tiles]!;
  }

  #placeOf(number: number): number {
    return this.#places[Math.floor(number / this.#tiles)] ?? 0;
  }

  #waivedOf(number: number): number {
    return this.#isShut(number) && this.#good[number % this.#tiles] === 1 ? countParts(this.#untouched(number)) : 0;
  }

  lease(number: number, parts: PartMask): void {
    this.#change(number, ({ leased }, index) => {
      leased[index]! |= parts;
    });
  }

  /** Ends a lease on these parts; what nobody handed in is offered again. */
  unlease(number: number, parts: PartMask): void {
    this.#change(number, ({ leased }, index) => {
      leased[index]! &= ~parts;
    });
    this.#offerAgain(number);
  }

  hold(number: number, parts: PartMask): void {
    this.#change(number, ({ held }, index) => {
      held[index]! |= parts;
    });
  }

  /** A refuted or discarded result: its parts are offered again. */
  unhold(number: number, parts: PartMask): void {
    this.#change(number, ({ held }, index) => {
      held[index]! &= ~parts;
    });
    this.#offerAgain(number);
  }

  accept(number: number, parts: PartMask): void {
    this.#change(number, ({ held, accepted }, index) => {
      held[index]! &= ~parts;
      accepted[index]! |= parts;
    });
  }

  /** An accepted result counts no more: its parts are offered again. */
  revoke(number: number, parts: PartMask): void {
    this.#change(number, ({ accepted }, index) => {
      accepted[index]! &= ~parts;
    });
    this.#offerAgain(number);
  }

  #offerAgain(number: number): void {
    if (this.free(number) === 0) return;
    if (number < this.#cursor || number >= this.#tiles) this.#returned.push(number);
    this.#offered();
  }

  /** How many of its adaptive passes a tile has open. */
  turn(tile: number): number {
    return (this.#turns[tile] ?? 0) + 1;
  }

  /** Opens the first `open` adaptive passes of a tile and shuts the others, which are waived when it is good enough. Returns whether one was opened. */
  setTurn(tile: number, open: number, isGood: boolean): boolean {
    const before = this.turn(tile);
    if (before === open && (this.#good[tile] === 1) === isGood) return false;
    const waivedOfTile = (): number => {
      let sum = 0;
      if (this.#good[tile] === 1) for (const pass of this.#adaptive.slice(this.turn(tile))) sum += this.#waivedOf(pass * this.#tiles + tile);
      return sum;
    };
    const waivedBefore = waivedOfTile();
    this.#turns[tile] = open - 1;
    this.#good[tile] = isGood ? 1 : 0;
    this.#waived += waivedOfTile() - waivedBefore;
    for (const pass of this.#adaptive.slice(before, open)) this.#opened.push(pass * this.#tiles + tile);
    if (open > before) this.#offered();
    return open > before;
  }

  /** A number with free parts, returned ones first, then passes whose turn has come, or undefined. Does not take it. */
  peek(): number | undefined {
    while (this.#returned.length > 0) {
      const number = this.#returned[this.#returned.length - 1]!;
      if (this.free(number) !== 0) return number;
      this.#returned.pop();
    }
    // All tiles get their first pass before any gets its second: a whole picture comes first.
    if (this.#advance(Math.min(this.#tiles, this.#numbers))) return this.#cursor;
    return this.#nextOpened() ?? (this.#advance(this.#numbers) ? this.#cursor : undefined);
  }

  /** To the next number that has free parts and waits for no turn: those that do come by `#opened`. */
  #advance(end: number): boolean {
    while (this.#cursor < end) {
      const tile = this.#cursor % this.#tiles;
      if (this.#placeOf(this.#cursor) > 0) this.#cursor += this.#tiles - tile;
      else if (!this.isHere(tile)) this.#cursor += this.#toNextHere(tile);
      else if (this.free(this.#cursor) === 0) this.#cursor++;
      else break;
    }
    return this.#cursor < end;
  }

  #toNextHere(tile: number): number {
    const next = this.#claimed?.indexOf(1, tile) ?? -1;
    return (next < 0 ? this.#tiles : next) - tile;
  }

  #nextOpened(): number | undefined {
    while (this.#openedAt < this.#opened.length && this.free(this.#opened[this.#openedAt]!) === 0) this.#openedAt++;
    if (this.#openedAt >= PASSED_MAX && this.#openedAt * 2 >= this.#opened.length) {
      this.#opened.splice(0, this.#openedAt);
      this.#openedAt = 0;
    }
    return this.#opened[this.#openedAt];
  }
}
