import type { ResultId } from '../../../shared/model.ts';
import type { AcceptedView } from '../../../shared/schemas.ts';

/** The accepted results of a job by tile, as they come and, rarely, go. */
export class Results {
  readonly #byTile = new Map<number, Map<ResultId, AcceptedView>>();
  readonly #tiles = new Map<ResultId, number>();
  /** Read by whoever shows results, so that it shows them again when they change. */
  #changes = $state(0);

  get count(): number {
    void this.#changes;
    return this.#tiles.size;
  }

  get ids(): ResultId[] {
    return [...this.#tiles.keys()];
  }

  /** Of one tile, by pass. */
  of(tile: number): AcceptedView[] {
    void this.#changes;
    return [...(this.#byTile.get(tile)?.values() ?? [])].sort((a, b) => a.pass - b.pass || a.parts - b.parts);
  }

  add(result: AcceptedView): void {
    if (this.#tiles.has(result.id)) return;
    const tile = this.#byTile.get(result.tile);
    if (tile) tile.set(result.id, result);
    else this.#byTile.set(result.tile, new Map([[result.id, result]]));
    this.#tiles.set(result.id, result.tile);
    this.#changes++;
  }

  /** Returns what was removed. */
  remove(id: ResultId): AcceptedView | undefined {
    const tile = this.#byTile.get(this.#tiles.get(id) ?? -1);
    const result = tile?.get(id);
    tile?.delete(id);
    if (this.#tiles.delete(id)) this.#changes++;
    return result;
  }
}
