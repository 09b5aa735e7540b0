import type { PartMask, ResultId } from '../../../shared/model.ts';
import type { AcceptedView } from '../../../shared/schemas.ts';

/** What is kept of an accepted result. */
export type KnownResult = Omit<AcceptedView, 'hash'>;

const ROWS_MIN = 256;
const NONE = -1;

/** Columns of numbers, one row a result: a job may have a million of them. */
class Columns {
  readonly tile: Uint32Array;
  readonly pass: Uint32Array;
  readonly parts: Uint32Array;
  readonly drawn: Uint32Array;
  readonly errorBound: Float64Array;
  /** Place among the names. */
  readonly by: Uint32Array;
  /** The row before of the same tile. */
  readonly before: Int32Array;
  /** Its bytes were asked for. */
  readonly claimed: Uint8Array;

  constructor(rows: number, from?: Columns) {
    const grown = <Column extends Uint32Array | Float64Array | Int32Array | Uint8Array>(column: Column, old: Column | undefined): Column => {
      if (old) column.set(old as never);
      return column;
    };
    this.tile = grown(new Uint32Array(rows), from?.tile);
    this.pass = grown(new Uint32Array(rows), from?.pass);
    this.parts = grown(new Uint32Array(rows), from?.parts);
    this.drawn = grown(new Uint32Array(rows), from?.drawn);
    this.errorBound = grown(new Float64Array(rows), from?.errorBound);
    this.by = grown(new Uint32Array(rows), from?.by);
    this.before = grown(new Int32Array(rows), from?.before);
    this.claimed = grown(new Uint8Array(rows), from?.claimed);
  }
}

/** The accepted results of a job by tile, as they come and, rarely, go. 170 bytes each with all else that a page keeps (`memory.test.ts`). */
export class Results {
  /** A result's row. A result that goes leaves its row behind, unlinked: that is rare. */
  readonly #rows = new Map<ResultId, number>();
  readonly #names: string[] = [];
  readonly #places = new Map<string, number>();
  #columns = new Columns(ROWS_MIN);
  #idOf: (ResultId | undefined)[] = [];
  /** By tile: its newest row. */
  #newest = new Int32Array(0);
  #used = 0;
  /** Read by whoever shows results, so that it shows them again when they change. */
  #changes = $state(0);

  get count(): number {
    void this.#changes;
    return this.#rows.size;
  }

  get ids(): ResultId[] {
    return [...this.#rows.keys()];
  }

  /** Of one tile, by pass. */
  of(tile: number): KnownResult[] {
    void this.#changes;
    const found: KnownResult[] = [];
    for (let row = this.#newest[tile] ?? NONE; row !== NONE; row = this.#columns.before[row]!) found.push(this.#at(row));
    return found.sort((a, b) => a.pass - b.pass || a.parts - b.parts);
  }

  *all(): Generator<KnownResult> {
    for (const row of this.#rows.values()) yield this.#at(row);
  }

  /** Returns whether it is new. */
  add(result: KnownResult): boolean {
    if (this.#rows.has(result.id)) return false;
    const row = this.#used++;
    if (row >= this.#columns.tile.length) this.#columns = new Columns(2 * row, this.#columns);
    const columns = this.#columns;
    columns.tile[row] = result.tile;
    columns.pass[row] = result.pass;
    columns.parts[row] = result.parts;
    columns.drawn[row] = result.drawn;
    columns.errorBound[row] = result.errorBound;
    columns.by[row] = this.#placeOf(result.contributor);
    this.#link(row, result.tile);
    this.#idOf[row] = result.id;
    this.#rows.set(result.id, row);
    this.#changes++;
    return true;
  }

  /** Returns what was removed. */
  remove(id: ResultId): KnownResult | undefined {
    const row = this.#rows.get(id);
    if (row === undefined) return undefined;
    const result = this.#at(row);
    this.#rows.delete(id);
    this.#idOf[row] = undefined;
    this.#unlink(row, result.tile);
    this.#changes++;
    return result;
  }

  /** Whether its bytes are to be fetched now: once, until they are let go of. */
  claim(id: ResultId): boolean {
    const row = this.#rows.get(id);
    if (row === undefined || this.#columns.claimed[row] === 1) return false;
    this.#columns.claimed[row] = 1;
    return true;
  }

  /** Its bytes did not come. */
  unclaim(id: ResultId): void {
    const row = this.#rows.get(id);
    if (row !== undefined) this.#columns.claimed[row] = 0;
  }

  /** What was painted is gone. */
  unclaimAll(): void {
    this.#columns.claimed.fill(0);
  }

  #at(row: number): KnownResult {
    const { tile, pass, parts, drawn, errorBound, by } = this.#columns;
    return {
      id: this.#idOf[row]!,
      tile: tile[row]!,
      pass: pass[row]!,
      parts: parts[row]! as PartMask,
      drawn: drawn[row]!,
      errorBound: errorBound[row]!,
      contributor: this.#names[by[row]!]!,
    };
  }

  #placeOf(name: string): number {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    this.#places.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }

  #link(row: number, tile: number): void {
    if (tile >= this.#newest.length) {
      const newest = new Int32Array(Math.max(ROWS_MIN, 2 * tile)).fill(NONE);
      newest.set(this.#newest);
      this.#newest = newest;
    }
    this.#columns.before[row] = this.#newest[tile]!;
    this.#newest[tile] = row;
  }

  #unlink(row: number, tile: number): void {
    const { before } = this.#columns;
    if (this.#newest[tile] === row) {
      this.#newest[tile] = before[row]!;
      return;
    }
    let later = this.#newest[tile]!;
    while (before[later] !== row) later = before[later]!;
    before[later] = before[row]!;
  }
}
