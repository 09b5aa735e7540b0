import { checked } from '../scopes.ts';
import type { WorkRange } from '../slices.ts';
import { choose, type VariantStore } from './calibrate.ts';
import { type ProductKind, type ProductShape, tileM, tileN, type Variant } from './kind.ts';
import { productSource } from './source.ts';

/** Where an operand lies, in its numbers; in words of four for i8. Whole words for f16. */
export interface Placed {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  /** From one line to the next. */
  readonly lineStride: number;
}

export interface Operands {
  /** Left out where the kind has a hook for it. */
  readonly a?: Placed;
  readonly b: Placed;
  /** Rows of f32, or of i32. */
  readonly c: Placed;
  readonly addend?: Placed;
  readonly bias?: Pick<Placed, 'buffer' | 'offset'>;
  /** Bindings of the hook. */
  readonly hook?: GPUBindGroup;
}

export interface Scalars {
  readonly alpha: number;
  readonly beta: number;
  readonly slope?: number;
}

/** A product with its operands, in pieces that can be computed one after the other. */
export interface Bound {
  readonly workgroups: number;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly hook: GPUBindGroup | undefined;
  readonly uniform: GPUBuffer;
}

export interface ProductOptions {
  /** In place of the one that is the fastest here. */
  readonly variant?: Variant;
  /** Remembers what was the fastest, by device and shape. */
  readonly store?: VariantStore;
}

const PARAMETER_WORDS = 18;
/** Where `Parameters` has its first workgroup. */
const FIRST_BYTE = 3 * 4;

/** Numbers that one load reads together. */
const VECTOR = 4;

/**
 * Kernels for products of a kind, of about a shape. Calibrates for some 200 ms the first time on a device, unless a variant is given. Throws
 * when the GPU refuses.
 */
export async function openProduct(device: GPUDevice, kind: ProductKind, shape: ProductShape, { variant, store }: ProductOptions = {}): Promise<Product> {
  const chosen = variant ?? (await choose(device, kind, shape, store));
  const product = new Product(device, kind, chosen);
  await product.compile(true);
  return product;
}

export class Product {
  readonly variant: Variant;
  readonly #device: GPUDevice;
  readonly #kind: ProductKind;
  readonly #layout: GPUPipelineLayout;
  readonly #pipelines = new Map<boolean, Promise<GPUComputePipeline>>();
  readonly #uniforms: GPUBuffer[] = [];

  constructor(device: GPUDevice, kind: ProductKind, variant: Variant) {
    this.variant = variant;
    this.#device = device;
    this.#kind = kind;
    this.#layout = layoutOf(device, kind);
  }

  /** `vectors`: to read four numbers at once; otherwise one by one, where lines do not lie on vectors. */
  compile(vectors: boolean): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(vectors) ?? this.#compile(vectors);
    this.#pipelines.set(vectors, known);
    return known;
  }

  #compile(vectors: boolean): Promise<GPUComputePipeline> {
    const device = this.#device;
    const nativeHalf = device.features.has('shader-f16');
    const code = productSource({ kind: this.#kind, variant: this.variant, vectors, nativeHalf });
    const module = device.createShaderModule({ label: 'product', code });
    return device.createComputePipelineAsync({ label: 'product', layout: this.#layout, compute: { module, entryPoint: 'main' } });
  }

  /** Compiles what its operands need, where that was not done. Throws `RangeError` when an operand is missing. */
  async bind(shape: ProductShape, operands: Operands, { alpha, beta, slope = 0 }: Scalars): Promise<Bound> {
    const { a, b, c, addend, bias, hook } = operands;
    const kind = this.#kind;
    if (kind.loadA ? !hook : !a) throw new RangeError('a product needs an A');
    if ((kind.addend && !addend) || (kind.bias && !bias)) throw new RangeError('a product needs what is added');
    const [tilesM, tilesN] = [Math.ceil(shape.m / tileM(this.variant)), Math.ceil(shape.n / tileN(this.variant))];
    const words = new Uint32Array(PARAMETER_WORDS);
    words.set([shape.m, shape.n, shape.k, 0, tilesN, tilesM, a?.offset ?? 0, a?.lineStride ?? 0, b.offset, b.lineStride, c.offset, c.lineStride]);
    words.set([addend?.offset ?? 0, addend?.lineStride ?? 0, bias?.offset ?? 0], 12);
    new Float32Array(words.buffer).set([alpha, beta, slope], 15);
    const isVectors = [a, b].every((operand) => !operand || (operand.offset % VECTOR === 0 && operand.lineStride % VECTOR === 0));
    const pipeline = await this.compile(isVectors);
    return checked(this.#device, () => {
      const uniform = this.#device.createBuffer({ label: 'product', size: words.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
      this.#uniforms.push(uniform);
      this.#device.queue.writeBuffer(uniform, 0, words);
      const buffers: readonly (readonly [number, GPUBuffer | undefined])[] = [
        [0, uniform],
        [1, kind.loadA ? undefined : a?.buffer],
        [2, b.buffer],
        [3, c.buffer],
        [4, kind.addend ? addend?.buffer : undefined],
        [5, kind.bias ? bias?.buffer : undefined],
      ];
      const entries = buffers.flatMap(([binding, buffer]) => (buffer ? [{ binding, resource: { buffer } }] : []));
      const group = this.#device.createBindGroup({ label: 'product', layout: pipeline.getBindGroupLayout(0), entries });
      return { workgroups: tilesM * tilesN, pipeline, group, hook, uniform };
    });
  }

  /**
   * Workgroups [first, end) of a product, at most 65535. One range of a product in a submit: where it begins is written to the queue at once, ahead
   * of what is submitted next.
   */
  encode(pass: GPUComputePassEncoder, { pipeline, group, hook, uniform }: Bound, { first, end }: WorkRange): void {
    this.#device.queue.writeBuffer(uniform, FIRST_BYTE, Uint32Array.of(first));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    if (hook) pass.setBindGroup(1, hook);
    pass.dispatchWorkgroups(end - first);
  }

  /** Frees what binding took; nothing of it may be on the queue any more. */
  unbind({ uniform }: Bound): void {
    this.#uniforms.splice(this.#uniforms.indexOf(uniform), 1);
    uniform.destroy();
  }

  dispose(): void {
    for (const uniform of this.#uniforms) uniform.destroy();
    this.#uniforms.length = 0;
  }
}

/** Explicit, so that both ways of reading share it. */
function layoutOf(device: GPUDevice, kind: ProductKind): GPUPipelineLayout {
  const visibility = GPUShaderStage.COMPUTE;
  const buffer = (binding: number, type: GPUBufferBindingType): GPUBindGroupLayoutEntry => ({ binding, visibility, buffer: { type } });
  const own = device.createBindGroupLayout({
    label: 'product',
    entries: [
      buffer(0, 'uniform'),
      ...(kind.loadA ? [] : [buffer(1, 'read-only-storage')]),
      buffer(2, 'read-only-storage'),
      buffer(3, 'storage'),
      ...(kind.addend ? [buffer(4, 'read-only-storage')] : []),
      ...(kind.bias ? [buffer(5, 'read-only-storage')] : []),
    ],
  });
  return device.createPipelineLayout({ label: 'product', bindGroupLayouts: kind.loadA ? [own, kind.loadA.layout] : [own] });
}
