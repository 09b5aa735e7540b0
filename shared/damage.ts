/** What wrong elements do to a picture: how many there are, and how large the largest connected patch of them is. */
export interface Damage {
  readonly wrong: number;
  /** Elements of the largest patch, connected over edges. */
  readonly patch: number;
}

/** `wrong`: one byte an element, row by row, `width` in a row. A small graffito matters more than the same number of scattered pixels. */
export function damageOf(wrong: Uint8Array, width: number): Damage {
  const seen = new Uint8Array(wrong.length);
  let [count, largest] = [0, 0];
  const stack: number[] = [];
  for (let start = 0; start < wrong.length; start++) {
    if (wrong[start] === 0) continue;
    count++;
    if (seen[start] === 1) continue;
    let size = 0;
    stack.push(start);
    seen[start] = 1;
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      size++;
      const column = at % width;
      const around = [at - width, at + width, column > 0 ? at - 1 : -1, column < width - 1 ? at + 1 : -1];
      for (const next of around) {
        if (next < 0 || next >= wrong.length || wrong[next] === 0 || seen[next] === 1) continue;
        seen[next] = 1;
        stack.push(next);
      }
    }
    largest = Math.max(largest, size);
  }
  return { wrong: count, patch: largest };
}
