import type { ProductKind, ProductShape } from '../kind.ts';
import type { Product, Scalars } from '../product.ts';

/** A product from numbers in memory, and what it should be. */

export interface Case {
  readonly kind: ProductKind;
  readonly shape: ProductShape;
  /** op(A), m rows of k; op(B), k rows of n. */
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly addend: readonly number[];
  readonly bias: readonly number[];
  readonly scalars: Scalars;
  /** Lines are longer than they need be by so many numbers, and begin so far in. */
  readonly padding: number;
  readonly offset: number;
}

interface Packed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** In the units of `Placed`. */
  readonly offset: number;
  readonly lineStride: number;
}

/** Not a number, in f32 and twice in f16. */
const NANS = 0x7fc07fc0;
const TAIL_WORDS = 1024;

/** Numbers in lines, with strides and an offset that are whole words. */
function pack({ kind, padding, offset }: Case, lines: number, length: number, value: (line: number, at: number) => number): Packed {
  const perWord = { f32: 1, f16: 2, i8: 4, i32: 1 }[kind.type];
  const strideWords = Math.ceil(length / perWord) + padding;
  const words = new Uint32Array(offset + strideWords * lines + TAIL_WORDS);
  // What lies between the lines and behind them, such as other tensors, must not count.
  if (kind.type === 'f32' || kind.type === 'f16') words.fill(NANS);
  const bytes = new Uint8Array(words.buffer);
  const view = { f32: Float32Array, f16: Float16Array, i8: Int8Array, i32: Int32Array }[kind.type];
  const numbers = new view(words.buffer);
  for (let line = 0; line < lines; line++) for (let at = 0; at < length; at++) numbers[(offset + line * strideWords) * perWord + at] = value(line, at);
  const unit = kind.type === 'f16' ? 2 : 1;
  return { bytes, offset: offset * unit, lineStride: strideWords * unit };
}

export async function compute(device: GPUDevice, product: Product, test: Case): Promise<number[]> {
  const { kind, shape, a, b, scalars } = test;
  const { m, n, k } = shape;
  const whole = kind.type === 'i8' || kind.type === 'i32';
  const made: GPUBuffer[] = [];
  const upload = (bytes: Uint8Array<ArrayBuffer>): GPUBuffer => {
    const buffer = device.createBuffer({
      size: Math.ceil(Math.max(bytes.byteLength, 16) / 16) * 16,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    device.queue.writeBuffer(buffer, 0, bytes);
    made.push(buffer);
    return buffer;
  };
  const place = ({ bytes, ...rest }: Packed) => ({ buffer: upload(bytes), ...rest });
  const rowsOf = (numbers: readonly number[]) => upload(new Uint8Array((whole ? Int32Array : Float32Array).from(numbers).buffer as ArrayBuffer));
  const packedA = kind.transposeA ? pack(test, k, m, (line, at) => a[at * k + line]!) : pack(test, m, k, (line, at) => a[line * k + at]!);
  const packedB = kind.transposeB ? pack(test, n, k, (line, at) => b[at * n + line]!) : pack(test, k, n, (line, at) => b[line * n + at]!);
  const c = upload(new Uint8Array(m * n * 4).fill(0x55));
  const bound = await product.bind(
    { m, n, k: kind.type === 'i8' ? Math.ceil(k / 4) : k },
    {
      a: place(packedA),
      b: place(packedB),
      c: { buffer: c, offset: 0, lineStride: n },
      ...(kind.addend && { addend: { buffer: rowsOf(test.addend), offset: 0, lineStride: n } }),
      ...(kind.bias && { bias: { buffer: rowsOf(test.bias), offset: 0 } }),
    },
    scalars,
  );
  // In two pieces, as slices come.
  const half = Math.floor(bound.workgroups / 2);
  for (const range of [
    { first: half, end: bound.workgroups },
    { first: 0, end: half },
  ]) {
    if (range.end === range.first) continue;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    product.encode(pass, bound, range);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
  const staging = device.createBuffer({ size: m * n * 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(c, 0, staging, 0, m * n * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const out = [...new (whole ? Int32Array : Float32Array)(staging.getMappedRange().slice(0))];
  for (const buffer of [...made, staging]) buffer.destroy();
  product.unbind(bound);
  return out;
}

/** In f64, or exactly; and per entry the root of the sum of the squares of what was added up. */
export function reference({ kind, shape, a, b, addend, bias, scalars }: Case): { readonly values: number[]; readonly spreads: number[] } {
  const { m, n, k } = shape;
  const values: number[] = [];
  const spreads: number[] = [];
  for (let row = 0; row < m; row++)
    for (let column = 0; column < n; column++) {
      let [sum, squares] = [0, 0];
      for (let at = 0; at < k; at++) {
        const product = a[row * k + at]! * b[at * n + column]!;
        sum += product;
        squares += product * product;
      }
      const x = scalars.alpha * sum + (kind.addend ? scalars.beta * addend[row * n + column]! : 0) + (kind.bias ? bias[column]! : 0);
      values.push(kind.activation === 'none' || x >= 0 ? x : kind.activation === 'relu' ? 0 : (scalars.slope ?? 0) * x);
      spreads.push(Math.hypot(scalars.alpha * Math.sqrt(squares), kind.addend ? scalars.beta * addend[row * n + column]! : 0, kind.bias ? bias[column]! : 0));
    }
  return { values, spreads };
}
