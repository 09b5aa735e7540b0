import { wordsOfPart } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import type { LookControl, WorkloadView } from '../../shared/workload.ts';
import { type Block, blockOf, pictureStep, pixelsOf } from './grid.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, settingsOf } from './params.ts';

/** A product as a map of colours: blue below nought, orange above it. */

/** Root mean squares at which a colour is full. */
const FULL_AT = 2.5;
const STOPS_MAX = 8;

type Colour = readonly [number, number, number];
const below: Colour = [33, 102, 172];
const nought: Colour = [247, 247, 247];
const above: Colour = [217, 95, 14];

/** What entries are about as large as. */
export function scaleOf({ params, prepared }: MatmulJob): number {
  const { a, b, k, addend, bias } = prepared;
  const { alpha, beta } = settingsOf(params);
  const product = Math.abs(alpha) * Math.sqrt(k) * a.rms * b.rms;
  return Math.hypot(product, addend ? beta * addend.peak : 0, bias?.peak ?? 0) || 1;
}

/** Entries of a result, row by row. */
export function entriesOf({ prepared }: MatmulJob, { rows, columns }: Block, result: Uint8Array): Float32Array | Int32Array {
  const words = wordsOfPart(result, fullMask(1), rows, columns);
  return prepared.exact ? new Int32Array(words.buffer, words.byteOffset, words.length) : new Float32Array(words.buffer, words.byteOffset, words.length);
}

export const looks: WorkloadView<MatmulParams, MatmulPrepared>['looks'] = (): readonly LookControl[] => [
  { kind: 'range', name: 'contrast', label: 'Contrast', unit: 'stops', min: -STOPS_MAX, max: STOPS_MAX, step: 0.5, value: 0 },
];

export const createPainter: WorkloadView<MatmulParams, MatmulPrepared>['createPainter'] = (job, frame) => {
  const { prepared } = job;
  const step = pictureStep(prepared) ?? 1;
  const [width, height] = [Math.ceil(prepared.n / step), Math.ceil(prepared.m / step)];
  const values = new Float32Array(width * height).fill(Number.NaN);
  const full = FULL_AT * scaleOf(job);
  let gain = 1;
  return {
    shows: ({ tile }) => blockOf(prepared, tile).batch === frame,
    setLook({ contrast }) {
      gain = typeof contrast === 'number' ? 2 ** contrast : 1;
    },
    add({ tile }, _parts, result) {
      const block = blockOf(prepared, tile);
      const entries = entriesOf(job, block, result);
      const [y, x] = [pixelsOf(block.row, block.rows, step), pixelsOf(block.column, block.columns, step)];
      for (let py = y.first; py < y.first + y.count; py++) {
        for (let px = x.first; px < x.first + x.count; px++) {
          const [row, column] = [Math.min(py * step, prepared.m - 1) - block.row, Math.min(px * step, prepared.n - 1) - block.column];
          if (row >= 0 && row < block.rows && column >= 0 && column < block.columns) values[py * width + px] = entries[row * block.columns + column]!;
        }
      }
      return { x: x.first, y: y.first, width: x.count, height: y.count };
    },
    pixels(x, y, columns, rows) {
      const bytes = new Uint8ClampedArray(columns * rows * 4);
      for (let at = 0; at < columns * rows; at++) {
        const value = values[(y + Math.floor(at / columns)) * width + x + (at % columns)]!;
        // Nothing is there yet.
        if (Number.isNaN(value)) continue;
        bytes.set(colourOf((gain * value) / full), at * 4);
        bytes[at * 4 + 3] = 255;
      }
      return bytes;
    },
  };
};

function colourOf(share: number): number[] {
  const end = share < 0 ? below : above;
  const mix = Math.min(1, Math.abs(share));
  return nought.map((from, channel) => Math.round(from + (end[channel]! - from) * mix));
}
