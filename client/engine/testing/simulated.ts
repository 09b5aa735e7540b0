import { inSlices, SliceController } from '../../../shaders/common/slices.ts';
import { type PartMask, partsOf } from '../../../shared/model.ts';
import type { PartialResult, Runner, SlicePolicy, WorkloadEntry } from '../../../shared/workload.ts';

/** A GPU that only takes time, and a workload without a kernel for it: what `engine.bench.ts` keeps busy. */

/** One tile of it. */
export interface SimulatedWork {
  readonly id: string;
  readonly parts: number;
  readonly elements: number;
  readonly words: number;
  readonly unitsPerPart: number;
  readonly partMs: number;
}

/** Does one thing after the other, without a gap as long as the next was handed in before the last was done. */
export class SimulatedGpu {
  /** When it had something to do: ascending, apart. */
  readonly #busy: { readonly from: number; to: number }[] = [];

  /** Resolves when it is done, which may be a millisecond after it was. */
  submit(ms: number): Promise<void> {
    const now = performance.now();
    const last = this.#busy.at(-1);
    if (last && last.to >= now) last.to += ms;
    else this.#busy.push({ from: now, to: now + ms });
    const end = this.#busy.at(-1)!.to;
    return new Promise((resolve) => setTimeout(resolve, Math.max(0, end - now)));
  }

  /** Share of the time between two moments, both past. */
  busyShare(fromMs: number, toMs: number): number {
    const within = this.#busy.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, toMs) - Math.max(from, fromMs)), 0);
    return within / (toMs - fromMs);
  }

  /** As an engine finds one. */
  readonly source = async (): Promise<GPU> => {
    const device = { lost: new Promise(() => undefined), destroy: () => undefined };
    const info = { vendor: 'bench', architecture: '', description: '', isFallbackAdapter: false };
    const adapter = { info, limits: {}, features: new Set(), requestDevice: async () => device };
    return { requestAdapter: async () => adapter } as unknown as GPU;
  };
}

/** Slices in microseconds of the GPU's time, handed in as kernels do. */
const SLICE_US_FIRST = 1000;
const SLICE_US_MOST = 100_000;

export function simulatedWorkload({ id, parts: _, elements, words, partMs }: SimulatedWork, gpu: SimulatedGpu): WorkloadEntry {
  const controller = new SliceController(SLICE_US_FIRST, SLICE_US_FIRST, SLICE_US_MOST);
  const partUs = partMs * 1000;
  const runner: Runner = {
    async *run(at, mask: PartMask, policy: SlicePolicy, signal): AsyncGenerator<PartialResult> {
      const parts = partsOf(mask);
      const ranges = parts.map((_, index) => ({ first: index * partUs, end: (index + 1) * partUs }));
      const submit = async ({ first, end }: { first: number; end: number }): Promise<number> => {
        await gpu.submit((end - first) / 1000);
        return end;
      };
      for await (const end of inSlices(ranges, { controller, policy, signal, submit })) {
        if (end % partUs !== 0) continue;
        const part = parts[end / partUs - 1]!;
        yield { part, bytes: new Uint8Array(new Uint32Array(elements * words).fill(0xf0000000 + at.tile * 64 + part).buffer) };
      }
    },
    dispose: () => undefined,
  };
  const spec = { id, version: 1, checking: 'audit', elementWords: () => words, elements: () => elements, region: () => null };
  return { spec, run: async () => ({ open: async () => runner }) } as unknown as WorkloadEntry;
}
