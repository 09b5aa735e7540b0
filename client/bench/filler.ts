import { workload, workloadIds } from '../../shaders/registry.ts';
import { partsOf } from '../../shared/model.ts';
import type { ConsentGrant } from '../../shared/schemas.ts';
import type { Runner, WorkloadEntry } from '../../shared/workload.ts';
import { createEngine } from '../engine/engine.ts';
import { FakeGpu } from '../engine/testing/workload.ts';

/**
 * A contributor that computes nothing: every value of its results is the same, and the operator's key makes them believed. So pages can be
 * measured with as many accepted results as one likes on a machine without a GPU. All else is real: engine, leases, commitments, blobs.
 */

/** A grey that every workload of sums can show. */
const VALUE = 4000;

export interface Filler {
  /** Milliseconds since 1970 at which each result was heard to be accepted, by `pass:tile`. */
  readonly acceptedMs: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

function filled(id: string, restMs: number): WorkloadEntry | undefined {
  const entry = workload(id);
  if (!entry) return undefined;
  const { spec } = entry;
  return {
    ...entry,
    run: async () => ({
      open: async (_device, job) => {
        const runner: Runner = {
          async *run(at, parts, _slice, signal) {
            await new Promise((resolve) => setTimeout(resolve, restMs));
            for (const part of partsOf(parts)) {
              signal.throwIfAborted();
              yield { part, bytes: new Uint8Array(new Uint32Array(spec.elements(job, at) * spec.elementWords(job, at)).fill(VALUE).buffer) };
            }
          },
          recompute: async (elements) => {
            const words = elements.reduce((sum, element) => sum + spec.elementWords(job, element), 0);
            return new Uint8Array(new Uint32Array(words).fill(VALUE).buffer);
          },
          dispose: () => undefined,
        };
        return runner;
      },
    }),
  };
}

/** `restMs`: rest before each tile, 0 for as fast as it goes. */
export async function startFiller(origin: string, trusted: string, restMs: number): Promise<Filler> {
  const response = await fetch(`${origin}/api/consents`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kinds: workloadIds, site: null }),
  });
  if (!response.ok) throw new Error(`no consent: ${response.status} ${await response.text()}`);
  const { consent, contributor } = (await response.json()) as ConsentGrant;
  const acceptedMs = new Map<string, number>();
  const engine = createEngine({
    origin,
    trusted,
    identity: { contributor, consent: consent.id },
    kinds: consent.kinds,
    gpu: new FakeGpu().source,
    backend: 'none',
    yieldsToOthers: false,
    workload: (id) => filled(id, restMs),
    onState: () => undefined,
    onTile: ({ step, at }) => {
      if (step === 'accepted') acceptedMs.set(`${at.pass}:${at.tile}`, Date.now());
    },
  });
  engine.start();
  return { acceptedMs, stop: () => engine.stop() };
}
