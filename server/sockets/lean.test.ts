import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { packListeners, packMask } from './lean.ts';

test('packed listeners are called, added and removed as before, and nothing is inherited', () => {
  const emitter = new EventEmitter();
  const heard: string[] = [];
  const hear = (text: string): void => void heard.push(text);
  emitter.on('a', hear);
  emitter.once('a', hear);
  const before = Reflect.get(emitter, '_events');
  packListeners(emitter);
  expect(Reflect.get(emitter, '_events')).not.toBe(before);
  emitter.on('b', hear);
  emitter.emit('a', '1');
  emitter.emit('a', '2');
  emitter.emit('b', '3');
  emitter.off('b', hear);
  for (const name of ['b', 'constructor', 'toString', '__proto__']) expect(emitter.emit(name, '4'), name).toBe(false);
  expect(heard).toEqual(['1', '1', '2', '3']);
});

test('a mask lets go of what was read with it, and is the same mask', () => {
  const read = new Uint8Array(1000).fill(7);
  const socket = { _receiver: { _mask: read.subarray(4, 8) } };
  packMask(socket);
  expect([...socket._receiver._mask]).toEqual([7, 7, 7, 7]);
  expect(socket._receiver._mask.buffer.byteLength).toBe(4);
  const packed = socket._receiver._mask;
  packMask(socket);
  expect(socket._receiver._mask).toBe(packed);
  packMask({});
});
