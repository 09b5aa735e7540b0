/**
 * A drill: the operator's own contributor lies on purpose, and Watch shows its tiles turn red and be computed again. Each way
 * changes the words of a finished part in place, u32 sums; nothing that a drill hands in is ever accepted.
 */
export const drills = {
  /** Hands in what was never computed. */
  nothing: (words) => void words.fill(0),
  /** Two percent more of everything. */
  brighter: (words) => {
    for (let at = 0; at < words.length; at++) words[at] = words[at]! * 1.02;
  },
  /** The first eighth overwritten with the last. */
  patch: (words) => void words.copyWithin(0, words.length - Math.floor(words.length / 8)),
  /** The low bits dropped, as by arithmetic of half the precision. */
  coarse: (words) => {
    for (let at = 0; at < words.length; at++) words[at] = words[at]! & ~1023;
  },
} satisfies Record<string, (words: Uint32Array) => void>;

export type Drill = keyof typeof drills;
export const isDrill = (name: string): name is Drill => Object.hasOwn(drills, name);
