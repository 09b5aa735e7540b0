import { uploadStorage } from '../common/buffers.ts';
import type { Placed } from '../common/matmul/product.ts';
import pcg from '../common/pcg.wgsl?raw';
import { lineWords, type Matrix, type NumberType, type SeedKind, wordBytes } from './params.ts';
import { seedKey } from './seeds.ts';
import seeds from './seeds.wgsl?raw';

/** An operand on the GPU: the whole of it where it came as an input, and from a seed what one block needs, made anew for each. */

const FILL_GROUP = 64;
/** Workgroups in one dimension of a dispatch that every device allows. */
const GROUPS_MAX = 65535;
const typeCode: Readonly<Record<NumberType, number>> = { f32: 0, f16: 1, i8: 2, i32: 3 };
const kindCode: Readonly<Record<SeedKind, number>> = { f32: 0, f16: 1, i8: 2 };

export class GpuOperand {
  readonly #device: GPUDevice;
  readonly #matrix: Matrix;
  readonly #buffer: GPUBuffer;
  readonly #fill: { readonly pipeline: GPUComputePipeline; readonly uniform: GPUBuffer; readonly group: GPUBindGroup } | null;

  private constructor(device: GPUDevice, matrix: Matrix, buffer: GPUBuffer, pipeline: GPUComputePipeline | null) {
    this.#device = device;
    this.#matrix = matrix;
    this.#buffer = buffer;
    const uniform = pipeline && device.createBuffer({ label: 'fill', size: 9 * 4, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.#fill =
      pipeline && uniform
        ? {
            pipeline,
            uniform,
            group: device.createBindGroup({
              label: 'fill',
              layout: pipeline.getBindGroupLayout(0),
              entries: [
                { binding: 0, resource: { buffer: uniform } },
                { binding: 1, resource: { buffer } },
              ],
            }),
          }
        : null;
  }

  /** `outer`: the most rows or columns that a block has. Throws with the numbers when the device cannot bind the operand. */
  static async open(device: GPUDevice, label: string, matrix: Matrix, input: Uint8Array<ArrayBuffer> | undefined, outer: number): Promise<GpuOperand> {
    if (!matrix.seed) {
      if (!input) throw new Error(`The job has no input named ${label}.`);
      return new GpuOperand(device, matrix, uploadStorage(device, label, input, wordBytes), null);
    }
    const panel = panelOf(matrix, outer);
    const size = lineWords(panel) * wordBytes * panel.lines;
    const most = device.limits.maxStorageBufferBindingSize;
    if (size > most) throw new Error(`${label} takes ${size} bytes for a tile; this GPU binds at most ${most}.`);
    const module = device.createShaderModule({ label: 'seeds', code: pcg + seeds });
    const pipeline = await device.createComputePipelineAsync({ label: 'seeds', layout: 'auto', compute: { module, entryPoint: 'main' } });
    return new GpuOperand(device, matrix, device.createBuffer({ label, size, usage: GPUBufferUsage.STORAGE }), pipeline);
  }

  /** Numbers from one batch to the next; 0 where all share one. */
  get batchStride(): number {
    const { lines, batches } = this.#matrix;
    return batches === 1 ? 0 : lines * this.#lineStride(this.#matrix);
  }

  /** Rows of A, or columns of B, [first, first + count), of one batch. Fills them from the seed on the queue, before whatever is submitted next. */
  place(batch: number, first: number, count: number): Placed {
    const matrix = this.#matrix;
    if (!this.#fill) {
      const lineStride = this.#lineStride(matrix);
      return { buffer: this.#buffer, lineStride, offset: batch * this.batchStride + (matrix.along === 'inner' ? first * lineStride : first) };
    }
    const panel = panelOf(matrix, count);
    this.#refill(panel, first);
    return { buffer: this.#buffer, lineStride: this.#lineStride(panel), offset: 0 };
  }

  #lineStride(matrix: Pick<Matrix, 'type' | 'length'>): number {
    return lineWords(matrix) * (matrix.type === 'f16' ? 2 : 1);
  }

  #refill(panel: Pick<Matrix, 'type' | 'length' | 'lines'>, first: number): void {
    const { seed, type, along } = this.#matrix;
    if (!seed || !this.#fill) throw new Error('an input is not filled');
    const { pipeline, uniform, group } = this.#fill;
    const perLine = lineWords(panel);
    const words = perLine * panel.lines;
    const start = first * (along === 'inner' ? seed.lineStep : seed.step);
    const fill = [seedKey(seed.seed), start, seed.lineStep, seed.step, panel.length, perLine, words, kindCode[seed.kind], typeCode[type]];
    this.#device.queue.writeBuffer(uniform, 0, Uint32Array.from(fill));
    const groups = Math.ceil(words / FILL_GROUP);
    const across = Math.min(groups, GROUPS_MAX);
    const encoder = this.#device.createCommandEncoder({ label: 'fill' });
    const pass = encoder.beginComputePass({ label: 'fill' });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(across, Math.ceil(groups / across));
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  dispose(): void {
    this.#buffer.destroy();
    this.#fill?.uniform.destroy();
  }
}

/** What a block of so many rows of A, or columns of B, needs of a matrix. */
function panelOf({ type, along, lines, length }: Matrix, outer: number): Pick<Matrix, 'type' | 'length' | 'lines'> {
  return along === 'inner' ? { type, length, lines: Math.min(lines, outer) } : { type, lines, length: Math.min(length, outer) };
}
