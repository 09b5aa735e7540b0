import { readFile } from 'node:fs/promises';
import { callPage, openPage, progress } from '../testing/benchBrowser.ts';
import { median } from '../testing/benchFigures.ts';
import type { ProductShape } from './kind.ts';
import type { Race } from './testing/benchPage.ts';

/**
 * Our f32 product against TensorFlow.js 4.22 and ONNX Runtime Web 1.30, both on WebGPU, in one headless Chromium: N queued products and one
 * number read back, by turns. `CHROMIUM_FLAGS` selects a GPU. Every contestant's product is checked against f64 before and after.
 */

const ROUNDS = 7;

const cube = (side: number): ProductShape => ({ m: side, n: side, k: side });
/** m x k x n: the last of a GPU is a layer of a language model. */
const onGpus: readonly ProductShape[] = [cube(1024), cube(2048), cube(4096), { m: 4096, k: 512, n: 14336 }, { m: 1531, k: 1787, n: 1999 }];
const inSoftware: readonly ProductShape[] = [cube(128), cube(256), cube(512), { m: 213, k: 331, n: 287 }];

const nameOf = ({ m, k, n }: ProductShape): string => (m === k && k === n ? String(m) : `${m}x${k}x${n}`);

/** Errors beyond this are no rounding: somebody did not multiply. */
const ERROR_MAX = 20;

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const { page, blobs, browser, close } = await openPage([{ name: 'matmul', entry: new URL('./testing/benchPage.ts', import.meta.url) }]);
  const dist = new URL('.', import.meta.resolve('onnxruntime-web/webgpu'));
  blobs.set('ort.mjs', await readFile(new URL('ort.webgpu.bundle.min.mjs', dist)));
  blobs.set('ort.wasm', await readFile(new URL('ort-wasm-simd-threaded.asyncify.wasm', dist)));
  const figures: Record<string, number> = {};
  const notes: string[] = [];
  try {
    const { name, software } = await callPage<{ name: string; software: boolean }>(page, 'matmul', 'adapterInfo');
    for (const shape of software ? inSoftware : onGpus) {
      const { rates, errors, variant } = await callPage<Race>(page, 'matmul', 'race', shape, ROUNDS);
      for (const [who, error] of Object.entries(errors)) if (!(error < ERROR_MAX)) throw new Error(`${who} did not multiply ${nameOf(shape)}: off by ${error}`);
      const [own, tfjs, ort] = [rates.ours!, rates.tfjs!, rates.ort!];
      const best = median(tfjs) > median(ort) ? tfjs : ort;
      figures[`tflops_ours_${nameOf(shape)}`] = median(own);
      figures[`ratio_best_peer_${nameOf(shape)}`] = median(own) / median(best);
      figures[`tflops_tfjs_${nameOf(shape)}`] = median(tfjs);
      figures[`tflops_ort_${nameOf(shape)}`] = median(ort);
      const range = (values: readonly number[]): string => `${Math.min(...values).toPrecision(3)} to ${Math.max(...values).toPrecision(3)}`;
      notes.push(
        `${nameOf(shape)}: ours ${range(own)}, TensorFlow.js ${range(tfjs)}, ONNX Runtime ${range(ort)} TFLOP/s; worst errors ${Object.values(errors)
          .map((error) => error.toFixed(1))
          .join(', ')} of 2^-24 sqrt(k) |a b|; ${variant}`,
      );
      progress(notes.at(-1)!);
    }
    notes.push(
      `${name}${software ? ' (software)' : ''} in Chromium ${browser}; ${ROUNDS} rounds by turns, medians, their range above`,
      'a FLOP is a multiplication or an addition: 2 m n k a product. Shapes are m x k x n. Left out: upload, compiling, calibration, the read of the product. In: queuing, and a read of four bytes each round',
      'could be gamed by products that are not computed (each is checked on 64 entries against f64, before and after), by a peer that copies in and out (its operands and results lie on the GPU), or by other matrices (all have the same)',
    );
    return { suite: 'matmul', figures, notes };
  } finally {
    await close();
  }
}
