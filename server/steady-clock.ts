/** The share of the time that passes by which it may run faster or slower, to come back to the wall clock: a clock that drifts is followed, a jump is not. */
const SLEW = 0.02;

/**
 * Milliseconds since 1970 that pass as time does: a wall clock that is set, by an hour or by hand, or a machine that slept, makes no lease run out and no
 * opening late. `wall` is in milliseconds since 1970, `monotonic` in milliseconds since whenever.
 */
export function steadyClock(wall: () => number, monotonic: () => number): () => number {
  let now = wall();
  let lookedMs = monotonic();
  return () => {
    const elapsed = Math.max(0, monotonic() - lookedMs);
    lookedMs += elapsed;
    const behind = wall() - (now + elapsed);
    now += elapsed + Math.max(-SLEW * elapsed, Math.min(SLEW * elapsed, behind));
    return Math.floor(now);
  };
}
