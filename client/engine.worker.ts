import * as Comlink from 'comlink';
import type { EngineSettings, PartFact, Snapshot, TileFact } from './engine/api.ts';
import { createEngine, type Engine } from './engine/engine.ts';

/** The engine inside a Web Worker. Pages reach it through `openEngine` of engine/host.ts, never directly. */
let engine: Engine | null = null;

const host = {
  start(
    settings: EngineSettings,
    onState: (snapshot: Snapshot) => void,
    onTile: ((fact: TileFact) => void) | null,
    onPart: ((fact: PartFact) => void) | null,
  ): void {
    if (engine) throw new Error('this engine was started before');
    engine = createEngine({
      ...settings,
      gpu: async () => navigator.gpu,
      onState,
      ...(onTile && { onTile }),
      // The bytes are this listener's own copy: they move to the page instead of being copied once more.
      ...(onPart && { onPart: (fact) => onPart(Comlink.transfer(fact, [fact.bytes.buffer])) }),
    });
    engine.start();
  },
  pause: (): void => engine?.pause(),
  resume: (): void => engine?.resume(),
  stop: async (): Promise<void> => engine?.stop(),
  setPower: (percent: number): void => engine?.setPower(percent),
  setSliceMs: (ms: number): void => engine?.setSliceMs(ms),
};

export type EngineHost = typeof host;

Comlink.expose(host);
