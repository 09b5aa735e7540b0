import { expect } from 'vitest';
import { decodeResult } from '../../../shared/formats.ts';
import { type ConsentId, type ContributorId, type PartMask, partsOf } from '../../../shared/model.ts';
import type { VerdictMessage } from '../../../shared/protocol.ts';
import type { EngineMode, PartFact, Snapshot, TileFact } from '../api.ts';
import { createEngine, type Engine } from '../engine.ts';
import type { EngineOptions } from '../options.ts';
import { FakeCoordinator, type Script, type StoredResult } from './coordinator.ts';
import { elementContent, FakeGpu, type FakeWork, type FakeWorkOptions, fakeWork } from './workload.ts';

/** An engine with a fake GPU and a fake coordinator, and what tests ask of the three. */

const identity = { contributor: { id: 'c_0000000000000000' as ContributorId, secret: 's'.repeat(43) }, consent: 'k_0000000000000000' as ConsentId };
const timing = { ackMsMax: 300, retryMsFirst: 20, retryMsMost: 100 };

interface World {
  readonly coordinator: FakeCoordinator;
  readonly gpu: FakeGpu;
  readonly work: FakeWork;
  readonly engine: Engine;
  readonly modes: EngineMode[];
  readonly tiles: TileFact[];
  readonly parts: PartFact[];
  readonly last: () => Snapshot;
}

const open: World[] = [];

export async function world(script: Script, workOptions: FakeWorkOptions = {}, options: Partial<EngineOptions> = {}): Promise<World> {
  const coordinator = new FakeCoordinator(Object.assign(script, { elements: workOptions.elements ?? 16 }));
  await coordinator.start();
  const gpu = new FakeGpu();
  const work = fakeWork(workOptions);
  const snapshots: Snapshot[] = [];
  const modes: EngineMode[] = [];
  const tiles: TileFact[] = [];
  const parts: PartFact[] = [];
  const engine = createEngine({
    origin: coordinator.origin,
    identity,
    kinds: ['fake'],
    gpu: gpu.source,
    backend: 'test',
    workload: () => work.entry,
    connectionTiming: timing,
    onState(snapshot) {
      snapshots.push(snapshot);
      if (modes.at(-1) !== snapshot.mode) modes.push(snapshot.mode);
    },
    onTile: (fact) => tiles.push(fact),
    onPart: (fact) => parts.push(fact),
    ...options,
  });
  const made = { coordinator, gpu, work, engine, modes, tiles, parts, last: () => snapshots.at(-1)! };
  open.push(made);
  return made;
}

/** After each test. */
export async function closeWorlds(): Promise<void> {
  for (const { engine, coordinator } of open.splice(0)) {
    await engine.stop();
    await coordinator.stop();
  }
}

/** On all four parts of a tile. */
export const verdictOn = (job: VerdictMessage['job'], tile: number, over: Partial<VerdictMessage> = {}): VerdictMessage => ({
  job,
  at: { pass: 0, tile },
  parts: 15 as PartMask,
  verdict: 'accepted',
  microCredits: '5',
  earnedMicroCredits: '12',
  vestingMicroCredits: '4',
  voidedMicroCredits: '0',
  reason: '',
  ...over,
});

export async function until(condition: () => boolean, what: string, msMax = 5000): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${msMax} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Tiles whose parts are all stored, each part exactly once and with the right totals. */
export function storedTiles(coordinator: FakeCoordinator, elements = 16): number[] {
  const done = new Map<number, number>();
  for (const { at, parts, bytes } of coordinator.stored.values()) {
    const total = decodeResult(bytes, parts, elements, 1);
    const sum = (element: number): number => partsOf(parts).reduce((all, part) => all + elementContent(at.tile, part, element), 0);
    for (let element = 0; element < elements; element++) expect(total(element)).toBe(sum(element));
    expect((done.get(at.tile) ?? 0) & parts).toBe(0);
    done.set(at.tile, (done.get(at.tile) ?? 0) | parts);
  }
  return [...done].filter(([, mask]) => mask === 15).map(([tile]) => tile);
}

const isOpened = ({ wanted, opened }: StoredResult): boolean => wanted.length === 0 && opened.length > 0;
/** All stored results are opened; the coordinator has checked that they lead to their roots and add up. */
export const allOpened = (coordinator: FakeCoordinator): boolean => coordinator.stored.size > 0 && [...coordinator.stored.values()].every(isOpened);
export const first = (coordinator: FakeCoordinator): StoredResult => [...coordinator.stored.values()][0]!;
