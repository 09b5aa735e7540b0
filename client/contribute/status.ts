import type { Device } from '../../shared/schemas.ts';
import { holdWords } from '../comfort/words.ts';
import type { Snapshot } from '../engine/api.ts';
import { count, duration } from '../ui/format.ts';
import type { Phase } from './contributor.svelte.ts';

/**
 * What the engine is doing, in words: a heading, and a sentence where something holds it up. `suspended`: something of it was proven wrong.
 * `halted`: why the operator has paused the network.
 */
export function statusOf(phase: Phase, snapshot: Snapshot | null, suspended: boolean, halted: string | null = null): { title: string; detail: string | null } {
  if (phase === 'stopping') return { title: 'Stopping', detail: 'Finished parts are being handed in. This takes a second or two.' };
  if (phase === 'starting' || !snapshot || snapshot.mode === 'idle') return { title: 'Starting', detail: null };
  if (!snapshot.online && snapshot.mode !== 'connecting')
    return { title: 'Reconnecting', detail: 'The coordinator does not answer. Tiles in hand are computed on, and handed in when it is back.' };
  if (snapshot.mode === 'connecting') return { title: 'Connecting', detail: null };
  if (snapshot.mode === 'paused') return { title: 'Paused', detail: snapshot.holds.map((reason) => holdWords[reason]).join(' ') };
  if (snapshot.waiting && halted !== null)
    return {
      title: 'The operator has paused the network',
      detail: `Nothing is given out until it goes on; then this begins by itself. Reason given: ${halted}`,
    };
  if (snapshot.waiting && suspended)
    return {
      title: 'No work for this browser',
      detail: 'After something was proven wrong it gets none for 24 hours. You can stop; it starts again by itself when that is over.',
    };
  if (snapshot.waiting && snapshot.restMs > 0)
    return {
      title: 'Waiting for work',
      detail: `Others had to wait for something that this browser held when it went away, so it gets nothing for ${duration(Math.ceil(snapshot.restMs / 1000))}. It goes on by itself.`,
    };
  if (snapshot.waiting) return { title: 'Waiting for work', detail: 'No job needs this GPU right now. It begins by itself when one does.' };
  return { title: 'Your GPU is working', detail: null };
}

/** Tiles that were handed in and not accepted; empty when there are none. */
export const notAccepted = ({ refuted, discarded }: Snapshot['tiles']): string =>
  [refuted > 0 ? `${count(refuted)} refuted` : '', discarded > 0 ? `${count(discarded)} not judged` : ''].filter(Boolean).join(', ');

/** What browsers tell of a GPU, which is not its model. */
export function deviceName({ vendor, architecture, description, software }: Device): string {
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'A GPU that the browser does not name';
  return software ? `${name} (software renderer)` : name;
}
