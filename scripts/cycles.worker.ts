import '../shaders/raw-hooks.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { workload } from '../shaders/registry.ts';
import { encodeResult } from '../shared/formats.ts';
import { fullMask, type JobContext, type PartMask, type TileRef } from '../shared/model.ts';

/** Renders every `of`th tile of a job on the CPU reference, from the `index`th on. */
export interface Share {
  readonly workload: string;
  readonly job: JobContext;
  readonly inputs: Readonly<Record<string, Uint8Array>>;
  readonly index: number;
  readonly of: number;
}

export interface RenderedTile {
  readonly tile: TileRef;
  readonly parts: PartMask;
  readonly bytes: Uint8Array;
}

async function render({ workload: id, job, inputs, index, of }: Share): Promise<RenderedTile[]> {
  const entry = workload(id);
  if (!entry) throw new Error(`no workload ${id}`);
  const { spec } = entry;
  const check = await entry.check();
  const loaded = check.load(job, inputs);
  const { tiles, passes } = spec.split(job.params as object, job.prepared);
  const rendered: RenderedTile[] = [];
  for (let number = index; number < tiles * passes; number += of) {
    const at = { tile: Math.floor(number / passes), pass: number % passes };
    const parts = fullMask(spec.parts(job as JobContext<object>, at));
    const bytes = encodeResult(
      await check.render(loaded, job, at, parts),
      spec.elements(job as JobContext<object>, at),
      spec.elementWords(job as JobContext<object>, at),
    );
    rendered.push({ tile: at, parts, bytes });
  }
  return rendered;
}

parentPort?.postMessage(await render(workerData as Share));
