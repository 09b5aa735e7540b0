/** Degrees of OKLCH, neighbours far from each other and all of them far from the red of what was refuted. */
const HUES = [155, 265, 85, 320, 205, 115, 295, 60, 235, 175, 345] as const;

/** The colour of the contributor that came so many-eth; after eleven they come again, a little darker. */
export function colourOf(index: number): string {
  const round = Math.floor(index / HUES.length) % 3;
  return `oklch(${0.76 - 0.1 * round} 0.15 ${HUES[index % HUES.length]})`;
}
