/** Rows in one statement: enough to make its cost per row small, few enough that every size is soon prepared. */
const BATCH_ROWS_MAX = 64;

/** Hands out the items in order, in batches that fit one statement. */
export async function inBatches<Item>(items: readonly Item[], write: (batch: readonly Item[]) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH_ROWS_MAX) await write(items.slice(start, start + BATCH_ROWS_MAX));
}
