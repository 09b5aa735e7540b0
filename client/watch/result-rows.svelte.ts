import type { ResultId } from '../../shared/model.ts';
import type { ResultTable } from '../../shared/workload.ts';
import type { KnownResult } from '../ui/mosaic/results.svelte.ts';

/** What is shown at a time. */
export const ROWS = 25;
const FETCHES_IN_FLIGHT_MAX = 4;
/** Results come many times a second; nobody reads faster than this. */
const FOLLOW_MS = 500;

export interface ShownRow {
  /** From 0, in the whole table. */
  readonly index: number;
  readonly cells: readonly string[];
}
type Row = ShownRow & { readonly result: ResultId; readonly tile: number };

export interface RowSource {
  /** All that are accepted now. */
  results(): Iterable<KnownResult>;
  /** The bytes of one of them. */
  fetch(result: ResultId, signal: AbortSignal): Promise<Uint8Array>;
}

/**
 * The rows of a job's results, page by page, as they are accepted. Results are fetched in the order of their tiles and no further than what is looked
 * at: a table of a hundred thousand rows costs its first page. A result that cannot be fetched or read is left out.
 */
export class ResultRows {
  readonly table: ResultTable;
  readonly #source: RowSource;
  readonly #abort = new AbortController();
  /** Results that were fetched, or could not be. */
  readonly #read = new Set<ResultId>();
  /** By their index. */
  #rows = $state.raw<readonly Row[]>([]);
  #page = $state(0);
  #hasMore = $state(false);
  #busy = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(table: ResultTable, source: RowSource) {
    this.table = table;
    this.#source = source;
  }

  get page(): number {
    return this.#page;
  }
  get shown(): readonly ShownRow[] {
    return this.#rows.slice(this.#page * ROWS, (this.#page + 1) * ROWS);
  }
  /** There are rows behind those of this page. */
  get hasMore(): boolean {
    return this.#hasMore || this.#rows.length > (this.#page + 1) * ROWS;
  }
  /** Rows of this page are on their way. */
  get busy(): boolean {
    return this.#busy;
  }

  turn(page: number): void {
    this.#page = page;
    void this.#fill();
  }

  /** Results came or went. */
  follow(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#fill();
    }, FOLLOW_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  async #fill(): Promise<void> {
    // Whoever fills already looks at the page and the results again before it ends.
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let wanted = this.#wanted(); wanted.length > 0; wanted = this.#wanted()) {
        const batch = wanted.slice(0, FETCHES_IN_FLIGHT_MAX);
        const rows = await Promise.all(batch.map((result) => this.#rowsOf(result)));
        if (this.#abort.signal.aborted) return;
        for (const { id } of batch) this.#read.add(id);
        this.#put(rows.flat());
      }
    } finally {
      this.#busy = false;
    }
  }

  /** What is still to be fetched for this page, in the order of the tiles. Lets go of what was taken back. */
  #wanted(): KnownResult[] {
    const accepted = [...this.#source.results()];
    const ids = new Set(accepted.map(({ id }) => id));
    if (this.#rows.some(({ result }) => !ids.has(result))) this.#rows = this.#rows.filter(({ result }) => ids.has(result));
    const unread = accepted.filter(({ id }) => !this.#read.has(id)).sort((a, b) => a.tile - b.tile || a.pass - b.pass);
    const last = this.#rows[(this.#page + 1) * ROWS - 1];
    const wanted = last ? unread.filter(({ tile }) => tile <= last.tile) : unread;
    this.#hasMore = unread.length > wanted.length;
    return wanted;
  }

  async #rowsOf(result: KnownResult): Promise<Row[]> {
    try {
      const bytes = await this.#source.fetch(result.id, this.#abort.signal);
      return this.table.rows(result, result.parts, bytes).map(({ index, cells }) => ({ index, cells, result: result.id, tile: result.tile }));
    } catch {
      return [];
    }
  }

  /** A row that comes again takes the place of the one before. */
  #put(rows: readonly Row[]): void {
    const byIndex = new Map([...this.#rows, ...rows].map((row) => [row.index, row]));
    this.#rows = [...byIndex.values()].sort((a, b) => a.index - b.index);
  }
}
