import { parentPort } from 'node:worker_threads';
import type { ToThread } from './messages.ts';
import { buffersOf, movable } from './moving.ts';

/** A thread that goes wrong in the ways that a preparation can, by the parameters of the question. */

const MIB = 1024 * 1024;
const kept: unknown[] = [];

/** Filled in one go, as a decoder does. */
const bufferOf = (mib: number): Uint8Array => new Uint8Array(mib * MIB).fill(1);

const ways: Readonly<Record<string, () => void>> = {
  hang() {
    for (;;) kept.length = 0;
  },
  heap() {
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
  },
  buffers() {
    for (;;) kept.push(bufferOf(16));
  },
  exit() {
    process.exit(3);
  },
  throw() {
    setTimeout(() => {
      throw new Error('a decoder broke');
    }, 0);
  },
  large() {
    const answer = movable({ prepared: 'large', inputs: { scene: bufferOf(200), again: bufferOf(100).subarray(50 * MIB) }, report: [], facts: {} });
    parentPort?.postMessage({ ok: true, answer }, buffersOf(answer));
  },
};

function well(prepared: string): void {
  parentPort?.postMessage({ ok: true, answer: { prepared, inputs: {}, report: [], facts: {} } });
}

parentPort?.on('message', ({ question }: ToThread & { kind: 'prepare' }) => {
  const name = String(question.params);
  (ways[name] ?? (() => well(name)))();
});
