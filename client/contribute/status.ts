import type { Device } from '../../shared/schemas.ts';
import type { Snapshot } from '../engine/api.ts';
import type { Phase } from './contributor.svelte.ts';

/** What the engine is doing, in words: a heading, and a sentence where something holds it up. */
export function statusOf(phase: Phase, snapshot: Snapshot | null): { title: string; detail: string | null } {
  if (phase === 'stopping') return { title: 'Stopping', detail: 'Finished parts are being handed in. This takes a second or two.' };
  if (phase === 'starting' || !snapshot || snapshot.mode === 'idle') return { title: 'Starting', detail: null };
  if (!snapshot.online && snapshot.mode !== 'connecting')
    return { title: 'Reconnecting', detail: 'The coordinator does not answer. Tiles in hand are computed on, and handed in when it is back.' };
  if (snapshot.mode === 'connecting') return { title: 'Connecting', detail: null };
  if (snapshot.mode === 'paused') return { title: 'Paused', detail: null };
  if (snapshot.waiting) return { title: 'Waiting for work', detail: 'No job needs this GPU right now. It begins by itself when one does.' };
  return { title: 'Your GPU is working', detail: null };
}

/** What browsers tell of a GPU, which is not its model. */
export function deviceName({ vendor, architecture, description, software }: Device): string {
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'A GPU that the browser does not name';
  return software ? `${name} (software renderer)` : name;
}
