import { isMarkedAsUntransferable } from 'node:worker_threads';
import type { Preparation } from '../../shared/workload.ts';

/**
 * Inputs leave their thread by handing their memory over: a scene of 700 MB would otherwise be there twice. A view that shares its memory
 * with others, or with Node's pool, is copied first, for else it would be sent with all that is behind it.
 */
export function movable<Prepared>(found: Preparation<Prepared>): Preparation<Prepared> {
  const whole = (bytes: Uint8Array): Uint8Array => {
    const { buffer, byteLength } = bytes;
    const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && !isMarkedAsUntransferable(buffer);
    return isOwn ? bytes : new Uint8Array(bytes);
  };
  return { ...found, inputs: Object.fromEntries(Object.entries(found.inputs).map(([name, bytes]) => [name, whole(bytes)])) };
}

/** What is handed over; each once, also when two inputs are the same bytes. */
export const buffersOf = ({ inputs }: Preparation<unknown>): ArrayBuffer[] => [...new Set(Object.values(inputs).map(({ buffer }) => buffer as ArrayBuffer))];
