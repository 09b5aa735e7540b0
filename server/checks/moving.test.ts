import { expect, it } from 'vitest';
import { buffersOf, movable } from './moving.ts';

const preparation = (inputs: Record<string, Uint8Array>) => ({ prepared: { n: 1 }, inputs, report: ['fine'], facts: { triangles: 2 } });

it('hands over memory that an input has to itself, without copying it', () => {
  const scene = new Uint8Array(1000).fill(7);
  const moved = movable(preparation({ scene, again: scene }));
  expect(moved.inputs.scene).toBe(scene);
  expect(buffersOf(moved)).toEqual([scene.buffer]);
  const received = structuredClone(moved, { transfer: buffersOf(moved) });
  expect(scene.byteLength).toBe(0);
  expect(received).toEqual(preparation({ scene: new Uint8Array(1000).fill(7), again: new Uint8Array(1000).fill(7) }));
});

it('copies views of larger memory, of shared memory and of Node’s pool', () => {
  const all = Uint8Array.from({ length: 100 }, (_, at) => at);
  const shared = new Uint8Array(new SharedArrayBuffer(10)).fill(3);
  const pooled = Buffer.from('pooled');
  const moved = movable(preparation({ head: all.subarray(0, 10), tail: all.subarray(90), shared, pooled }));
  const received = structuredClone(moved, { transfer: buffersOf(moved) });
  expect(Object.values(received.inputs).map((bytes) => [...bytes])).toEqual([[...all.slice(0, 10)], [...all.slice(90)], [...shared], [...pooled]]);
  expect(Object.values(received.inputs).every(({ buffer, byteLength }) => buffer.byteLength === byteLength)).toBe(true);
  expect([all.byteLength, pooled.toString()]).toEqual([100, 'pooled']);
});

it('takes an input without bytes', () => {
  const moved = movable(preparation({ none: new Uint8Array() }));
  expect(structuredClone(moved, { transfer: buffersOf(moved) }).inputs.none).toHaveLength(0);
});
