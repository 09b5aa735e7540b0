import * as Comlink from 'comlink';
import type { Preferences } from '../shared/schemas.ts';
import type { EngineSettings, HoldReason, PartFact, Snapshot, TileFact } from './engine/api.ts';
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
      backend: backendOf(navigator.userAgent),
      onState,
      ...(onTile && { onTile }),
      // The bytes are this listener's own copy: they move to the page instead of being copied once more.
      ...(onPart && { onPart: (fact: PartFact) => onPart(Comlink.transfer(fact, [fact.bytes.buffer])) }),
    });
    engine.start();
  },
  pause: (reason: HoldReason): void => engine?.pause(reason),
  resume: (reason: HoldReason): void => engine?.resume(reason),
  stop: async (): Promise<void> => engine?.stop(),
  setPower: (percent: number): void => engine?.setPower(percent),
  setYieldsToOthers: (yields: boolean): void => engine?.setYieldsToOthers(yields),
  setDownloadMax: (bytes: number): void => engine?.setDownloadMax(bytes),
  setPreferences: (preferences: Preferences): void => engine?.setPreferences(preferences),
  setSliceMs: (ms: number): void => engine?.setSliceMs(ms),
};

/** Browser and major version: WebGPU implementations differ by these, and nothing finer is sent. Chromium's relatives name it too. */
function backendOf(userAgent: string): string {
  const [, name = 'browser', major = '0'] = /(Firefox|Chrome|Version)\/(\d+)/.exec(userAgent) ?? [];
  return `${{ Firefox: 'firefox', Chrome: 'chromium', Version: 'safari' }[name] ?? name}-${major}`;
}

export type EngineHost = typeof host;

Comlink.expose(host);
