import type { PartMask, TileRef } from '../../shared/model.ts';
import type { PartialResult, Runner, SlicePolicy, WorkloadRun } from '../../shared/workload.ts';
import { uploadStorage } from '../common/buffers.ts';
import { lossOf } from '../common/device.ts';
import { type Bound, openProduct, type Product } from '../common/matmul/product.ts';
import { checked } from '../common/scopes.ts';
import { inSlices, SliceController, type WorkRange } from '../common/slices.ts';
import { GpuOperand } from './gpuOperand.ts';
import { blockOf } from './grid.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, settingsOf, wordBytes } from './params.ts';

/** Workgroups of the first slice: few enough for a software renderer. */
const FIRST_SLICE = 1;
const SLICE_MAX = 65535;

/** As the kernel counts them: bytes come four in a word. */
const innerWords = ({ a, k }: MatmulPrepared): number => (a.type === 'i8' ? Math.ceil(k / 4) : k);

/** Everything of a job that stays on the GPU. */
interface Operands {
  readonly a: GpuOperand;
  readonly b: GpuOperand;
  readonly addend: GPUBuffer | null;
  readonly bias: GPUBuffer | null;
}

export const open: WorkloadRun<MatmulParams, MatmulPrepared>['open'] = async (device, job, inputs) => {
  const { a, b, k, addend, bias, tileRows, tileColumns } = job.prepared;
  const opened: { dispose(): void }[] = [];
  const keep = <T extends { dispose(): void }>(one: T): T => {
    opened.push(one);
    return one;
  };
  const upload = async (name: 'addend' | 'bias'): Promise<GPUBuffer> => {
    const bytes = inputs[name];
    if (!bytes) throw new Error(`The job has no input named ${name}.`);
    const buffer = await checked(device, () => uploadStorage(device, name, bytes, wordBytes));
    keep({ dispose: () => buffer.destroy() });
    return buffer;
  };
  try {
    const product = keep(
      await openProduct(
        device,
        {
          type: a.type,
          transposeA: a.along === 'outer',
          transposeB: b.along === 'inner',
          bias: bias !== null,
          addend: addend !== null,
          activation: 'none',
        },
        { m: tileRows, n: tileColumns, k },
      ),
    );
    const operands: Operands = {
      a: keep(await GpuOperand.open(device, 'a', a, inputs.a, tileRows)),
      b: keep(await GpuOperand.open(device, 'b', b, inputs.b, tileColumns)),
      addend: addend ? await upload('addend') : null,
      bias: bias ? await upload('bias') : null,
    };
    return new MatmulRunner(device, job, product, operands, () => {
      for (const one of opened) one.dispose();
    });
  } catch (error) {
    for (const one of opened) one.dispose();
    throw error;
  }
};

class MatmulRunner implements Runner {
  readonly #device: GPUDevice;
  readonly #job: MatmulJob;
  readonly #product: Product;
  readonly #operands: Operands;
  readonly #loss: Promise<never>;
  readonly #controller = new SliceController(FIRST_SLICE, 1, SLICE_MAX);
  readonly dispose: () => void;

  constructor(device: GPUDevice, job: MatmulJob, product: Product, operands: Operands, dispose: () => void) {
    this.#device = device;
    this.#job = job;
    this.#product = product;
    this.#operands = operands;
    this.#loss = lossOf(device);
    this.dispose = dispose;
  }

  async *run({ tile }: TileRef, _parts: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    const device = this.#device;
    const { prepared, params } = this.#job;
    const { alpha, beta } = settingsOf(params);
    const { batch, row, column, rows, columns } = blockOf(prepared, tile);
    const size = rows * columns * wordBytes;
    const [c, staging] = await checked(device, () => [
      device.createBuffer({ label: 'block', size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC }),
      device.createBuffer({ label: 'block read back', size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
    ]);
    let bound: Bound | null = null;
    try {
      const { a, b, addend, bias } = this.#operands;
      const addends = prepared.addend?.batches ?? 1;
      const product = await this.#product.bind(
        { m: rows, n: columns, k: innerWords(prepared) },
        {
          a: a.place(batch, row, rows),
          b: b.place(batch, column, columns),
          c: { buffer: c, offset: 0, lineStride: columns },
          ...(addend && { addend: { buffer: addend, offset: ((addends === 1 ? 0 : batch) * prepared.m + row) * prepared.n + column, lineStride: prepared.n } }),
          ...(bias && { bias: { buffer: bias, offset: column } }),
        },
        { alpha, beta },
      );
      bound = product;
      const submit = (slice: WorkRange): Promise<void> => Promise.race([this.#submit(product, slice), this.#loss]);
      const ranges = [{ first: 0, end: product.workgroups }];
      for await (const _ of inSlices(ranges, { controller: this.#controller, policy, signal, submit }));
      yield { part: 0, bytes: await Promise.race([this.#read(c, staging, size), this.#loss]) };
    } finally {
      if (bound) this.#product.unbind(bound);
      c.destroy();
      staging.destroy();
    }
  }

  async #submit(bound: Bound, range: WorkRange): Promise<void> {
    const encoder = this.#device.createCommandEncoder({ label: 'product slice' });
    const pass = encoder.beginComputePass({ label: 'product slice' });
    this.#product.encode(pass, bound, range);
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
    await this.#device.queue.onSubmittedWorkDone();
  }

  async #read(from: GPUBuffer, staging: GPUBuffer, size: number): Promise<Uint8Array<ArrayBuffer>> {
    const encoder = this.#device.createCommandEncoder({ label: 'block read back' });
    encoder.copyBufferToBuffer(from, 0, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return new Uint8Array(staging.getMappedRange().slice(0));
  }
}
