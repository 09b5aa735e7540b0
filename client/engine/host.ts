import * as Comlink from 'comlink';
import type { Preferences } from '../../shared/schemas.ts';
import type { EngineHost } from '../engine.worker.ts';
import { type EngineListeners, type EngineSettings, type Snapshot, sliceMsOf } from './api.ts';

/**
 * The page's way to the engine: the engine runs in a Web Worker, so that neither compiling kernels nor hashing results
 * ever holds up the page. Call only after the visitor has said yes: no worker, no GPU and no socket exists before.
 *
 *   const engine = await openEngine({ origin, identity, kinds }, { onState, onTile, onPart });
 *   await engine.pause(); await engine.resume(); await engine.setPower(50);
 *   await engine.stop();   // finished parts handed in, leases given back, worker gone; takes a second or two
 *
 * Every outcome arrives through `onState`: mode `failed` or `stopped` (consent ended) needs no `stop()`, which is still
 * safe to call any number of times. An ended engine is not started again: open another one.
 * `onTile` and `onPart` cost a message each; leave out what is not drawn. The slice follows the page's visibility
 * unless `sliceMs` is given.
 */
export interface PageEngine {
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Percent of the GPU's time, 5 to 100; takes effect with the next slice. */
  setPower(percent: number): Promise<void>;
  /** Bytes that the inputs of one job may have; takes effect at once. */
  setDownloadMax(bytes: number): Promise<void>;
  /** Of what it may do, what it wants to do; what it holds of anything else goes back. */
  setPreferences(preferences: Preferences): Promise<void>;
  stop(): Promise<void>;
}

/** A worker that has not ended by then hangs in a driver: it is terminated as it is. */
const STOP_MS_MAX = 5000;

export async function openEngine(settings: EngineSettings, listeners: EngineListeners): Promise<PageEngine> {
  const worker = new Worker(new URL('../engine.worker.ts', import.meta.url), { type: 'module', name: 'tessera engine' });
  const remote = Comlink.wrap<EngineHost>(worker);
  const ended = Promise.withResolvers<void>();

  // A visible page shares its frames with the kernel, a hidden one does not.
  const sliceMs = (): number => (document.visibilityState === 'visible' ? sliceMsOf.visible : sliceMsOf.hidden);
  const follow = (): void => void remote.setSliceMs(sliceMs());
  const end = (): void => {
    document.removeEventListener('visibilitychange', follow);
    worker.terminate();
    ended.resolve();
  };
  const onState = (snapshot: Snapshot): void => {
    listeners.onState(snapshot);
    if (snapshot.mode === 'stopped' || snapshot.mode === 'failed') end();
  };

  if (settings.sliceMs === undefined) document.addEventListener('visibilitychange', follow);
  const { onTile, onPart } = listeners;
  try {
    const started = remote.start(
      { sliceMs: sliceMs(), ...settings },
      Comlink.proxy(onState),
      onTile ? Comlink.proxy(onTile) : null,
      onPart ? Comlink.proxy(onPart) : null,
    );
    await Promise.race([started, failureOf(worker)]);
  } catch (error) {
    end();
    throw error;
  }

  // A terminated worker answers nothing: whoever waits for an answer waits for the end as well.
  const untilEnd = async (answer: Promise<void>): Promise<void> => Promise.race([answer, ended.promise]);
  return {
    pause: () => untilEnd(remote.pause()),
    resume: () => untilEnd(remote.resume()),
    setPower: (percent) => untilEnd(remote.setPower(percent)),
    setDownloadMax: (bytes) => untilEnd(remote.setDownloadMax(bytes)),
    setPreferences: (preferences) => untilEnd(remote.setPreferences(preferences)),
    async stop() {
      void remote.stop();
      const deadline = setTimeout(end, STOP_MS_MAX);
      await ended.promise;
      clearTimeout(deadline);
    },
  };
}

/** Rejects when the worker's script cannot be loaded: Comlink would wait for ever. */
function failureOf(worker: Worker): Promise<never> {
  return new Promise((_, reject) => {
    worker.addEventListener('error', (event) => reject(new Error(event.message || 'The engine could not be loaded. Reload the page.')), { once: true });
  });
}
