import { type ElementRef, partsOf } from '../../../shared/model.ts';
import type { PartialResult, Runner, SlicePolicy, WorkloadEntry } from '../../../shared/workload.ts';

/** A GPU and a workload whose bytes are known beforehand, in slices of a few milliseconds of waiting. */

export class FakeGpu {
  devices = 0;
  /** Fails to find an adapter from now on. */
  gone = false;
  #lose: (message: string) => void = () => undefined;

  readonly source = async (): Promise<GPU | undefined> => ({ requestAdapter: async () => (this.gone ? null : this.#adapter()) }) as unknown as GPU;

  /** The present device goes the way of a driver's watchdog. */
  lose(): void {
    this.#lose('the watchdog bit');
  }

  #adapter(): GPUAdapter {
    const info = { vendor: 'fake', architecture: 'test', description: '', isFallbackAdapter: false };
    return { info, limits: {}, features: new Set(), requestDevice: async () => this.#device() } as unknown as GPUAdapter;
  }

  #device(): GPUDevice {
    this.devices++;
    const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
      this.#lose = (message) => resolve({ reason: 'unknown', message } as GPUDeviceLostInfo);
    });
    return { lost, destroy: this.#lose, number: this.devices } as unknown as GPUDevice;
  }
}

export interface FakeWork {
  readonly entry: WorkloadEntry;
  /** In order: `open <job>`, `run <job>/<tile> parts <list>`, `audit <job> <elements>`, `dispose <job>`. */
  readonly log: string[];
  /** Parts computed, by tile, however often. */
  readonly computed: string[];
  budgetsMs: number[];
  slices: number;
}

export interface FakeWorkOptions {
  /** Of a part, one u32 each. */
  readonly elements?: number;
  readonly slicesPerPart?: number;
  readonly sliceMs?: number;
  /** Throws what a kernel that cannot run here throws. */
  readonly failOpen?: (job: string) => boolean;
  readonly failAudit?: () => boolean;
}

/** What a kernel sums for one element; totals of four parts need more than 32 bits. */
export const elementContent = (tile: number, part: number, element: number): number => 0xf0000000 + tile * 100_000 + element * 10 + part;

export const partContent = (tile: number, part: number, elements: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Uint32Array.from({ length: elements }, (_, element) => elementContent(tile, part, element)).buffer);

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function fakeWork(options: FakeWorkOptions = {}): FakeWork {
  const { elements = 16, slicesPerPart = 1, sliceMs = 2, failOpen = () => false, failAudit = () => false } = options;
  const work: Omit<FakeWork, 'entry'> = { log: [], computed: [], budgetsMs: [], slices: 0 };
  const runner = (job: string): Runner => ({
    async *run(at, parts, slice: SlicePolicy, signal): AsyncGenerator<PartialResult> {
      work.log.push(`run ${job}/${at.tile} parts ${partsOf(parts).join('')}`);
      for (const part of partsOf(parts)) {
        for (let index = 0; index < slicesPerPart; index++) {
          signal.throwIfAborted();
          work.budgetsMs.push(slice.budgetMs());
          work.slices++;
          await sleep(sliceMs);
          if (index === slicesPerPart - 1) {
            work.computed.push(`${at.tile}.${part}`);
            yield { part, bytes: partContent(at.tile, part, elements) };
          }
          await slice.between(sliceMs, 0);
        }
      }
    },
    async recompute(wanted: readonly ElementRef[], slice: SlicePolicy, signal: AbortSignal) {
      work.log.push(`audit ${job} ${wanted.map(({ tile, part, element }) => `${tile}.${part}.${element}`).join(' ')}`);
      for (let index = 0; index < slicesPerPart; index++) {
        signal.throwIfAborted();
        work.budgetsMs.push(slice.budgetMs());
        work.slices++;
        await sleep(sliceMs);
        await slice.between(sliceMs, 0);
      }
      signal.throwIfAborted();
      if (failAudit()) throw new Error('this GPU cannot recompute');
      return new Uint8Array(Uint32Array.from(wanted, ({ tile, part, element }) => elementContent(tile, part, element)).buffer);
    },
    dispose: () => void work.log.push(`dispose ${job}`),
  });
  const entry = {
    spec: {
      id: 'fake',
      version: 1,
      checking: 'audit',
      elementWords: () => 1,
      elements: () => elements,
      region: () => ({ x: 0, y: 0, width: 1, height: 1, frame: 0 }),
    },
    run: async () => ({
      async open(_device: GPUDevice, { id }: { id: string }, inputs: Record<string, Uint8Array>) {
        if (failOpen(id)) throw new Error('needs more than this GPU has');
        const name = id.slice(2).replace(/0+$/, '');
        work.log.push(`open ${name}${inputs.scene ? ` with ${inputs.scene.byteLength} bytes` : ''}`);
        return runner(name);
      },
    }),
  } as unknown as WorkloadEntry;
  return Object.assign(work, { entry });
}
