import { type Kernels, PAGES_MAX } from './kernels.ts';

/** The kernels in plain TypeScript, on a memory of their own: the reference, and the peer that WebAssembly has to beat. */
export function plainKernels(): Kernels {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES_MAX });
  const f32 = () => new Float32Array(memory.buffer);
  const f64 = () => new Float64Array(memory.buffer);
  const i32 = () => new Int32Array(memory.buffer);
  const i64 = () => new BigInt64Array(memory.buffer);
  type Vectors = Float32Array | Float64Array;

  const dotsWith =
    (vectors: () => Vectors, size: number): Kernels['dots'] =>
    (x, stride, rows, n, u, v, w, yu, yv, q) => {
      const [values, of, sums] = [f32(), vectors(), f64()];
      for (let row = 0; row < rows; row++) {
        let [su, sv, sq] = [0, 0, 0];
        const from = (x + row * stride) / 4;
        for (let j = 0; j < n; j++) {
          const value = values[from + j]!;
          su += value * of[u / size + j]!;
          sv += value * of[v / size + j]!;
          sq += value * value * of[w / size + j]!;
        }
        sums[yu / 8 + row]! += su;
        sums[yv / 8 + row]! += sv;
        sums[q / 8 + row]! += sq;
      }
    };
  const axpysWith =
    (vectors: () => Vectors, size: number): Kernels['axpys'] =>
    (x, stride, lines, n, u, v, w, yu, yv, q) => {
      const [values, of, sums] = [f32(), vectors(), f64()];
      for (let line = 0; line < lines; line++) {
        const [fu, fv, fw] = [of[u / size + line]!, of[v / size + line]!, of[w / size + line]!];
        const from = (x + line * stride) / 4;
        for (let i = 0; i < n; i++) {
          const value = values[from + i]!;
          sums[yu / 8 + i]! += fu * value;
          sums[yv / 8 + i]! += fv * value;
          sums[q / 8 + i]! += fw * value * value;
        }
      }
    };
  const whole = (low: number, high: number): bigint => BigInt(i32()[low / 4]!) + (BigInt(i32()[high / 4]!) << 32n);

  return {
    memory,
    dots: dotsWith(f64, 8),
    axpys: axpysWith(f64, 8),
    fastDots: dotsWith(f32, 4),
    fastAxpys: axpysWith(f32, 4),
    combine(bases, stride, count, factors, n, out) {
      const values = f64();
      for (let i = 0; i < Math.ceil(n / 8) * 8; i++) {
        let sum = 0;
        for (let base = 0; base < count; base++) sum += values[factors / 8 + base]! * values[(bases + base * stride) / 8 + i]!;
        values[out / 8 + i] = sum;
      }
    },
    wholeDots(x, stride, rows, n, low, high, y) {
      for (let row = 0; row < rows; row++)
        for (let j = 0; j < n; j++) i64()[y / 8 + row]! += BigInt(i32()[(x + row * stride) / 4 + j]!) * whole(low + 4 * j, high + 4 * j);
    },
    wholeAxpys(x, stride, lines, n, low, high, y) {
      for (let line = 0; line < lines; line++)
        for (let i = 0; i < n; i++) i64()[y / 8 + i]! += BigInt(i32()[(x + line * stride) / 4 + i]!) * whole(low + 4 * line, high + 4 * line);
    },
    wholeCombine(bases, stride, count, factors, n, low, high) {
      for (let i = 0; i < n; i++) {
        let sum = 0n;
        for (let base = 0; base < count; base++) sum += i64()[(bases + base * stride) / 8 + i]! * i64()[factors / 8 + base]!;
        const lower = BigInt.asIntN(32, sum);
        i32()[low / 4 + i] = Number(lower);
        i32()[high / 4 + i] = Number(BigInt.asIntN(32, (sum - lower) >> 32n));
      }
    },
    widen(x, n, out) {
      i32().set(new Int8Array(memory.buffer, x, n), out / 4);
    },
  };
}
