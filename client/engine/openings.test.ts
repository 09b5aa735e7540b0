import { expect, it, vi } from 'vitest';
import { type Committed, commitParts, saltOf } from '../../shared/commitment.ts';
import type { JobId, PartMask, ResultId } from '../../shared/model.ts';
import type { Lease } from '../../shared/protocol.ts';
import { realClock } from './clock.ts';
import { type Command, wireBytes } from './connection.ts';
import type { Sealed } from './handin.ts';
import { Openings } from './openings.ts';

const idOf = (number: number): ResultId => `r_${String(number).padStart(16, '0')}` as ResultId;
const shape = { parts: 3 as PartMask, elements: 8, words: 1 };

function sealed(tile: number): Sealed {
  const parts = [0, 1].map((part) => ({ part, bytes: new Uint8Array(32).fill(tile + part) }));
  const committed: Committed = commitParts(saltOf('token'), shape, parts);
  const lease = { token: 'token', job: 'j_0000000000000000' as JobId, at: { pass: 0, tile }, parts: shape.parts, deadlineMs: 0 } satisfies Lease;
  return { lease, parts: shape.parts, committed, sizeBytes: 64 };
}

/** A coordinator that answers openings when it is told to. */
function world(heldBytesMax: number) {
  const opened: ResultId[] = [];
  const unopened: ResultId[] = [];
  let answers = Promise.resolve();
  const connection = {
    call: async (command: Command, message: () => unknown): Promise<never> => {
      await answers;
      const { result, unopened: back = [] } = message() as { result: ResultId; unopened?: readonly ResultId[] };
      if (command === 'open') opened.push(result);
      unopened.push(...back);
      return null as never;
    },
  };
  const signal = new AbortController().signal;
  const blobs = { attach: async (_hash: string, bytes: Uint8Array<ArrayBuffer>) => wireBytes(bytes) };
  const openings = new Openings({ connection, blobs, clock: realClock, signal, handIns: { settled: async () => undefined }, heldBytesMax });
  return {
    openings,
    opened,
    unopened,
    signal,
    /** Returns the way to let answers come again. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      answers = promise;
      return resolve;
    },
  };
}

it('forgets the oldest of those that were opened, and gives them back when they are asked for after all', async () => {
  const { openings, opened, unopened, signal } = world(3 * 64);
  for (let tile = 0; tile < 5; tile++) {
    openings.stored(idOf(tile), sealed(tile), [tile]);
    await openings.delivered(signal);
    expect(openings.heldBytes).toBe(64 * Math.min(3, tile + 1));
  }
  opened.length = 0;
  openings.wanted([0, 1, 2, 3, 4].map((tile) => ({ result: idOf(tile), elements: [7] })));
  await openings.delivered(signal);
  // Openings are hashed side by side, so they may arrive in any order.
  expect(opened.toSorted()).toEqual([idOf(2), idOf(3), idOf(4)]);
  await vi.waitFor(() => expect(unopened).toEqual([idOf(0), idOf(1)]));
});

it('keeps what was not opened yet, however much it is', async () => {
  const { openings, opened, hold, signal } = world(64);
  const goOn = hold();
  for (let tile = 0; tile < 4; tile++) openings.stored(idOf(tile), sealed(tile), [tile]);
  expect(openings.heldBytes).toBe(4 * 64);
  goOn();
  await openings.delivered(signal);
  expect(opened.toSorted()).toEqual([0, 1, 2, 3].map(idOf));
  expect(openings.heldBytes).toBe(64);
});

it('forgets what has its verdict, and that alone', async () => {
  const { openings, signal } = world(1024);
  for (const tile of [0, 1]) openings.stored(idOf(tile), sealed(tile), [0]);
  await openings.delivered(signal);
  const verdict = { verdict: 'accepted', microCredits: '0', earnedMicroCredits: '0', vestingMicroCredits: '0', voidedMicroCredits: '0', reason: '' } as const;
  openings.judged({ ...verdict, job: 'j_0000000000000000' as JobId, at: { pass: 0, tile: 0 }, parts: 1 as PartMask });
  expect(openings.heldBytes).toBe(128);
  openings.judged({ ...verdict, job: 'j_0000000000000000' as JobId, at: { pass: 0, tile: 0 }, parts: 3 as PartMask });
  expect(openings.heldBytes).toBe(64);
});
