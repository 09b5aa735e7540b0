import { limits } from '../../../shared/limits.ts';
import { countParts, type PartMask } from '../../../shared/model.ts';

/** `partly`: some of its parts are accepted, and nothing of it is known to be under way. */
export type TileState = 'waiting' | 'leased' | 'checking' | 'partly' | 'accepted' | 'refuted';

/** A result that is never judged (never opened, say) is not told of: it does not count as being checked for ever. */
const CHECKING_MS_MAX = 2 * limits.openingMsMax;

interface News {
  readonly tile: number;
  readonly parts: PartMask;
}
interface Accepted extends News {
  readonly drawn: number;
  readonly errorBound: number;
}

/**
 * What is known of every tile, in some numbers each: how far it is, what was computed again of it, and how sure it is. What is in work and what is
 * checked is known from when the page was opened on.
 */
export class TileBook {
  readonly tiles: number;
  /** Parts of all passes of a tile; fewer are needed where passes are left out. */
  readonly partsPerTile: number;
  readonly #parts: Uint32Array;
  readonly #drawn: Float64Array;
  /** Sum over the accepted parts of the error bound of their result. */
  readonly #bounds: Float64Array;
  readonly #leasedUntil: Float64Array;
  readonly #checkingUntil: Float64Array;
  readonly #wrong: Uint8Array;
  #changes = $state(0);

  constructor(tiles: number, partsPerTile: number) {
    this.tiles = tiles;
    this.partsPerTile = partsPerTile;
    this.#parts = new Uint32Array(tiles);
    this.#drawn = new Float64Array(tiles);
    this.#bounds = new Float64Array(tiles);
    this.#leasedUntil = new Float64Array(tiles);
    this.#checkingUntil = new Float64Array(tiles);
    this.#wrong = new Uint8Array(tiles);
  }

  /** Read by whoever draws it: it counts the changes. */
  get changes(): number {
    return this.#changes;
  }

  lease(tile: number, nowMs: number): void {
    this.#leasedUntil[tile] = nowMs + limits.leaseDeadlineMsMax;
    this.#changes++;
  }

  check(tile: number, nowMs: number): void {
    this.#leasedUntil[tile] = 0;
    this.#checkingUntil[tile] = nowMs + CHECKING_MS_MAX;
    this.#changes++;
  }

  accept({ tile, parts, drawn, errorBound }: Accepted): void {
    this.#add(tile, countParts(parts), drawn, errorBound);
    this.#end(tile);
    this.#wrong[tile] = 0;
  }

  refute(tile: number): void {
    this.#end(tile);
    this.#wrong[tile] = 1;
  }

  /** An accepted result counts no more. */
  revoke({ tile, parts, drawn, errorBound }: Accepted): void {
    this.#add(tile, -countParts(parts), -drawn, errorBound);
    this.#wrong[tile] = 1;
  }

  state(tile: number, nowMs: number, isOver: boolean): TileState {
    const parts = this.#parts[tile] ?? 0;
    if (parts > 0 && (isOver || parts >= this.partsPerTile)) return 'accepted';
    if (this.#wrong[tile] === 1) return 'refuted';
    if (!isOver && (this.#checkingUntil[tile] ?? 0) > nowMs) return 'checking';
    if (!isOver && (this.#leasedUntil[tile] ?? 0) > nowMs) return 'leased';
    return parts > 0 ? 'partly' : 'waiting';
  }

  parts(tile: number): number {
    return this.#parts[tile] ?? 0;
  }

  /** Elements that were recomputed. */
  drawn(tile: number): number {
    return this.#drawn[tile] ?? 0;
  }

  /** Expected share of wrong elements among those accepted, at most; null while there are none. */
  errorBound(tile: number): number | null {
    const parts = this.#parts[tile] ?? 0;
    return parts === 0 ? null : Math.max(0, this.#bounds[tile]! / parts);
  }

  #add(tile: number, parts: number, drawn: number, errorBound: number): void {
    this.#parts[tile]! += parts;
    this.#drawn[tile]! += drawn;
    this.#bounds[tile]! += errorBound * parts;
    this.#changes++;
  }

  #end(tile: number): void {
    this.#leasedUntil[tile] = 0;
    this.#checkingUntil[tile] = 0;
    this.#changes++;
  }
}
