import type { EventEmitter } from 'node:events';
import type { Socket } from 'socket.io';

/*
 * What a connection keeps for as long as its contributor waits. Socket.IO, Engine.IO, ws and Node each keep it as if there were few of them; of ten
 * thousand a kilobyte each is a tenth of the whole process.
 */

/** Events of any name are looked up among listeners: nothing may be inherited. */
const nothing: object = Object.freeze(Object.create(null));

/** Listeners as objects of one shape, whose names V8 keeps once for all of them. As Node makes them each is a hash table of its own, 160 to 450 bytes. */
export function packListeners(...emitters: readonly EventEmitter[]): void {
  for (const emitter of emitters as readonly (EventEmitter & { _events: object })[]) emitter._events = Object.assign(Object.create(nothing), emitter._events);
}

/** What is read of a handshake, without its date, its URL and the rest. */
export function packHandshake(socket: Socket): void {
  const { address, headers } = socket.handshake;
  Object.assign(socket, { handshake: { address, headers } });
}

/** The receiving half of a WebSocket of ws. */
export interface Receiving {
  readonly _receiver?: { _mask?: Uint8Array };
}

/** ws keeps the mask of the last message as a view of all that was read with it. */
export function packMask({ _receiver: receiver }: Receiving): void {
  const mask = receiver?._mask;
  if (receiver && mask && mask.buffer.byteLength > mask.byteLength) receiver._mask = new Uint8Array(mask);
}
