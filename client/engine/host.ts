import * as Comlink from 'comlink';
import type { Preferences } from '../../shared/schemas.ts';
import type { EngineHost } from '../engine.worker.ts';
import type { EngineListeners, EngineSettings, HoldReason, Snapshot } from './api.ts';
import { visibleSliceMs, watchFrames } from './frames.ts';

/**
 * The page's way to the engine: the engine runs in a Web Worker, so that neither compiling kernels nor hashing results
 * ever holds up the page. Call only after the visitor has said yes: no worker, no GPU and no socket exists before.
 *
 *   const engine = await openEngine({ origin, identity, kinds }, { onState, onTile, onPart });
 *   await engine.pause('owner'); await engine.resume('owner'); await engine.setPower(50);
 *   await engine.stop();   // finished parts handed in, leases given back, worker gone; takes a second or two
 *
 * Every outcome arrives through `onState`: mode `failed` or `stopped` (consent ended) needs no `stop()`, which is still
 * safe to call any number of times. An ended engine is not started again: open another one.
 * `onTile` and `onPart` cost a message each; leave out what is not drawn. The slice follows the page's frames while it is seen and is
 * longer while it is hidden, unless `sliceMs` is given. A page that the browser freezes hands back what it holds.
 */
export interface PageEngine {
  /** Holds the engine for this reason; it goes on when none is left. */
  pause(reason: HoldReason): Promise<void>;
  resume(reason: HoldReason): Promise<void>;
  /** Percent of the GPU's time, 5 to 100; takes effect with the next slice. */
  setPower(percent: number): Promise<void>;
  setYieldsToOthers(yields: boolean): Promise<void>;
  /** Bytes that the inputs of one job may have; takes effect at once. */
  setDownloadMax(bytes: number): Promise<void>;
  /** Of what it may do, what it wants to do; what it holds of anything else goes back. */
  setPreferences(preferences: Preferences): Promise<void>;
  stop(): Promise<void>;
}

/** A worker that has not ended by then hangs in a driver: it is terminated as it is. */
const STOP_MS_MAX = 5000;
/** Of a hidden page that is about to be frozen anyway: a round trip to the coordinator, and the slice under way. */
const GOODBYE_MS = 200;

export async function openEngine(settings: EngineSettings, listeners: EngineListeners): Promise<PageEngine> {
  const worker = new Worker(new URL('../engine.worker.ts', import.meta.url), { type: 'module', name: 'tessera engine' });
  const remote = Comlink.wrap<EngineHost>(worker);
  const ended = Promise.withResolvers<void>();

  let isSoftware = false;
  const freeze = (): void => {
    void remote.pause('frozen');
    // The worker is frozen as soon as this handler ends, whether it has heard of it or not: it gets the time to give back what it holds.
    const until = performance.now() + GOODBYE_MS;
    while (performance.now() < until);
  };
  const thaw = (): void => void remote.resume('frozen');
  const unwatch: (() => void)[] = [];
  const end = (): void => {
    for (const stop of unwatch.splice(0)) stop();
    worker.terminate();
    ended.resolve();
  };
  const onState = (snapshot: Snapshot): void => {
    isSoftware = snapshot.device?.software ?? false;
    listeners.onState(snapshot);
    if (snapshot.mode === 'stopped' || snapshot.mode === 'failed') end();
  };

  const { onTile, onPart } = listeners;
  try {
    const started = remote.start(
      { sliceMs: visibleSliceMs.first, ...settings },
      Comlink.proxy(onState),
      onTile ? Comlink.proxy(onTile) : null,
      onPart ? Comlink.proxy(onPart) : null,
    );
    await Promise.race([started, failureOf(worker)]);
  } catch (error) {
    end();
    throw error;
  }

  if (settings.sliceMs === undefined)
    unwatch.push(
      watchFrames(
        (ms) => void remote.setSliceMs(ms),
        () => !isSoftware,
      ),
    );
  document.addEventListener('freeze', freeze);
  document.addEventListener('resume', thaw);
  unwatch.push(() => {
    document.removeEventListener('freeze', freeze);
    document.removeEventListener('resume', thaw);
  });

  // A terminated worker answers nothing: whoever waits for an answer waits for the end as well.
  const untilEnd = async (answer: Promise<void>): Promise<void> => Promise.race([answer, ended.promise]);
  return {
    pause: (reason) => untilEnd(remote.pause(reason)),
    resume: (reason) => untilEnd(remote.resume(reason)),
    setPower: (percent) => untilEnd(remote.setPower(percent)),
    setYieldsToOthers: (yields) => untilEnd(remote.setYieldsToOthers(yields)),
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
