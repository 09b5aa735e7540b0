import { fullMask, type PartMask } from '../../shared/model.ts';

const BLOCK_TILES = 1024;

interface Block {
  /** One mask a tile, indexed inside the block. */
  readonly accepted: Uint32Array;
  readonly held: Uint32Array;
  readonly leased: Uint32Array;
}

/**
 * Which parts of which tiles are where. A tile is its running number (pass x tiles + tile); tiles nobody has touched
 * take no memory: blocks of 1024 are made at the first lease in them.
 *
 *   free -> leased -> held (handed in, being checked) -> accepted
 *            |          '-> free (refuted)
 *            '-> free (expired, given back)
 */
export class TileBlocks {
  readonly #blocks: (Block | undefined)[];
  readonly #tiles: number;
  readonly #partsOf: (tile: number) => number;
  /** Tiles before this were offered once; the ones that came back are in `#returned`. */
  #cursor = 0;
  #returned: number[] = [];

  constructor(tiles: number, partsOf: (tile: number) => number) {
    this.#tiles = tiles;
    this.#partsOf = partsOf;
    this.#blocks = new Array(Math.ceil(tiles / BLOCK_TILES));
  }

  #block(tile: number): Block {
    const index = Math.floor(tile / BLOCK_TILES);
    let block = this.#blocks[index];
    if (!block) {
      block = { accepted: new Uint32Array(BLOCK_TILES), held: new Uint32Array(BLOCK_TILES), leased: new Uint32Array(BLOCK_TILES) };
      this.#blocks[index] = block;
    }
    return block;
  }

  #get(array: keyof Block, tile: number): PartMask {
    return (this.#blocks[Math.floor(tile / BLOCK_TILES)]?.[array][tile % BLOCK_TILES] ?? 0) as PartMask;
  }

  accepted(tile: number): PartMask {
    return this.#get('accepted', tile);
  }

  held(tile: number): PartMask {
    return this.#get('held', tile);
  }

  leased(tile: number): PartMask {
    return this.#get('leased', tile);
  }

  /** Parts that nobody has handed in: what a result may still be credited for. */
  unclaimed(tile: number): PartMask {
    return (fullMask(this.#partsOf(tile)) & ~this.accepted(tile) & ~this.held(tile)) as PartMask;
  }

  free(tile: number): PartMask {
    return (this.unclaimed(tile) & ~this.leased(tile)) as PartMask;
  }

  lease(tile: number, parts: PartMask): void {
    this.#block(tile).leased[tile % BLOCK_TILES]! |= parts;
  }

  /** Ends a lease on these parts; what nobody handed in is offered again. */
  unlease(tile: number, parts: PartMask): void {
    this.#block(tile).leased[tile % BLOCK_TILES]! &= ~parts;
    this.#offerAgain(tile);
  }

  hold(tile: number, parts: PartMask): void {
    this.#block(tile).held[tile % BLOCK_TILES]! |= parts;
  }

  /** A refuted or discarded result: its parts are offered again. */
  unhold(tile: number, parts: PartMask): void {
    this.#block(tile).held[tile % BLOCK_TILES]! &= ~parts;
    this.#offerAgain(tile);
  }

  accept(tile: number, parts: PartMask): void {
    const block = this.#block(tile);
    block.held[tile % BLOCK_TILES]! &= ~parts;
    block.accepted[tile % BLOCK_TILES]! |= parts;
  }

  /** An accepted result counts no more: its parts are offered again. */
  revoke(tile: number, parts: PartMask): void {
    this.#block(tile).accepted[tile % BLOCK_TILES]! &= ~parts;
    this.#offerAgain(tile);
  }

  #offerAgain(tile: number): void {
    if (tile < this.#cursor && this.free(tile) !== 0) this.#returned.push(tile);
  }

  /** A tile with free parts, returned ones first, or undefined. Does not take it. */
  peek(): number | undefined {
    while (this.#returned.length > 0) {
      const tile = this.#returned[this.#returned.length - 1]!;
      if (this.free(tile) !== 0) return tile;
      this.#returned.pop();
    }
    while (this.#cursor < this.#tiles && this.free(this.#cursor) === 0) this.#cursor++;
    return this.#cursor < this.#tiles ? this.#cursor : undefined;
  }
}
