import wabt from 'wabt';

/**
 * The inner loop of the reference, in WebAssembly: JavaScript has no vectors, and this is three times as fast. Sums are f64. Assembled once a thread:
 * 50 ms, nearly all of it loading wabt.
 */

/** Four outputs of four pixels: sums[pixel][output] = sum over lines and inputs of values[pixel + line x stride + input] weights[line][input][output]. */
const source = `(module
  (import "env" "memory" (memory 1 65536))
  (func (export "dot") (param $a i32) (param $b i32) (param $c i32) (param $d i32) (param $stride i32)
    (param $lines i32) (param $bytes i32) (param $weights i32) (param $sums i32)
    (local $end i32) (local $w0 v128) (local $w1 v128) (local $v v128)
    (local $a0 v128) (local $a1 v128) (local $b0 v128) (local $b1 v128) (local $c0 v128) (local $c1 v128) (local $d0 v128) (local $d1 v128)
    (loop $line
      (local.set $end (i32.add (local.get $a) (local.get $bytes)))
      (loop $input
        (local.set $w0 (v128.load (local.get $weights)))
        (local.set $w1 (v128.load offset=16 (local.get $weights)))
        ${['a', 'b', 'c', 'd']
          .map(
            (pixel) => `(local.set $v (f64x2.promote_low_f32x4 (v128.load32_splat (local.get $${pixel}))))
        (local.set $${pixel}0 (f64x2.relaxed_madd (local.get $v) (local.get $w0) (local.get $${pixel}0)))
        (local.set $${pixel}1 (f64x2.relaxed_madd (local.get $v) (local.get $w1) (local.get $${pixel}1)))
        (local.set $${pixel} (i32.add (local.get $${pixel}) (i32.const 4)))`,
          )
          .join('\n        ')}
        (local.set $weights (i32.add (local.get $weights) (i32.const 32)))
        (br_if $input (i32.lt_u (local.get $a) (local.get $end))))
      ${['a', 'b', 'c', 'd']
        .map((pixel) => `(local.set $${pixel} (i32.add (local.get $${pixel}) (i32.sub (local.get $stride) (local.get $bytes))))`)
        .join('\n      ')}
      (br_if $line (local.tee $lines (i32.sub (local.get $lines) (i32.const 1)))))
    ${['a', 'b', 'c', 'd']
      .flatMap((pixel, at) => [0, 1].map((half) => `(v128.store offset=${at * 32 + half * 16} (local.get $sums) (local.get $${pixel}${half}))`))
      .join('\n    ')}))`;

const PAGE_BYTES = 65_536;
const PAGES_MAX = 65_536;
/** Four outputs of four pixels. */
const SUMS_BYTES = 16 * 8;

const parsed = (await wabt()).parseWat('dot.wat', source, { simd: true, relaxed_simd: true });
const compiled = new WebAssembly.Module(new Uint8Array(parsed.toBinary({}).buffer));
parsed.destroy();
const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES_MAX });
const { dot } = new WebAssembly.Instance(compiled, { env: { memory } }).exports as {
  dot(a: number, b: number, c: number, d: number, stride: number, lines: number, bytes: number, weights: number, sums: number): void;
};

/** One plane of inputs and the weights of four outputs, in the memory of the inner loop. Making another one ends the use of this. */
export class Dots {
  /** [pixel][output] of the last call. */
  readonly sums: Float64Array;
  readonly #values: number;
  readonly #weights: number;
  readonly #stride: number;
  readonly #edge: number;
  readonly #from: number;

  /** `stride`: values from line to line. */
  constructor(values: Float32Array, stride: number, edge: number, from: number) {
    this.#weights = SUMS_BYTES;
    this.#values = this.#weights + edge ** 2 * from * 32;
    [this.#stride, this.#edge, this.#from] = [stride, edge, from];
    const missing = this.#values + values.byteLength - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    new Float32Array(memory.buffer, this.#values, values.length).set(values);
    this.sums = new Float64Array(memory.buffer, 0, 16);
  }

  /** [edge][edge][from][4]. */
  setWeights(weights: Float64Array): void {
    new Float64Array(memory.buffer, this.#weights, weights.length).set(weights);
  }

  /** Computes `sums` of pixels whose windows of the inputs begin at these values. */
  at(a: number, b: number, c: number, d: number): void {
    const start = this.#values;
    dot(start + a * 4, start + b * 4, start + c * 4, start + d * 4, this.#stride * 4, this.#edge, this.#edge * this.#from * 4, this.#weights, 0);
  }
}
