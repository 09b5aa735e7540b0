import { type Hours, isWithin, nextChangeMs } from '../comfort/hours.ts';
import type { Engine } from '../engine/engine.ts';

/** Looked at anew this often, not slept until: machines are suspended, and their clocks set. */
const LOOK_EVERY_MS = 5000;

/** Pauses the engine outside these hours of the local day and lets it go on within them, and says so each time. Returns how to end that. */
export function keepHours(
  hours: Hours,
  engine: Pick<Engine, 'pause' | 'resume'>,
  note: (line: string) => void,
  now: () => Date = () => new Date(),
): () => void {
  let isHeld = false;
  const look = (): void => {
    const date = now();
    if (isWithin(hours, date) !== isHeld) return;
    isHeld = !isHeld;
    if (isHeld) engine.pause('hours');
    else engine.resume('hours');
    note(sentence(isHeld, nextChangeMs(hours, date)));
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

function sentence(isHeld: boolean, changeMs: number | null): string {
  const at = changeMs === null ? null : new Date(changeMs).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  if (isHeld) return at === null ? 'Paused by --hours.' : `Paused by --hours; goes on at ${at}.`;
  return at === null ? 'Going on: --hours allow it.' : `Going on: --hours allow it until ${at}.`;
}
