import type { ResultTable, WorkloadView } from '../../shared/workload.ts';
import { inputsOf, LABEL_WORDS, labelsOf } from './grid.ts';
import { floatsOf, ofInput } from './outcome.ts';
import { className, type InferJob, type InferParams, type InferPrepared, inputName, settingsOf } from './params.ts';
import { layoutOf, regionOf, type Sheet } from './sheet.ts';
import { wordsOfResult } from './words.ts';

type View = WorkloadView<InferParams, InferPrepared>;

export const looks: View['looks'] = () => [];

/** A cell shows every `step`-th pixel of its picture. */
function drawCell(job: InferJob, { cellWidth, cellHeight, step }: Sheet, words: Uint32Array, put: (x: number, y: number, word: number) => void): void {
  const { width } = job.prepared.drawn!;
  for (let y = 0; y < cellHeight; y++) for (let x = 0; x < cellWidth; x++) put(x, y, words[y * step * width + x * step]!);
}

export const createPainter: View['createPainter'] = (job) => {
  const sheet = layoutOf(job);
  if (!sheet) throw new RangeError('this job makes no pictures');
  const canvas = new Uint32Array(sheet.width * sheet.height);
  return {
    shows: () => true,
    setLook: () => undefined,
    add(at, parts, result) {
      const words = wordsOfResult(job, at, parts, result);
      const region = regionOf(job, at)!;
      const { first, end } = inputsOf(job.prepared, at);
      for (let index = 0; index < end - first; index++) {
        const left = region.x + (index % sheet.columns) * sheet.cellWidth;
        const top = region.y + Math.floor(index / sheet.columns) * sheet.cellHeight;
        drawCell(job, sheet, ofInput(job, words, index), (x, y, word) => {
          canvas[(top + y) * sheet.width + left + x] = word;
        });
      }
      return region;
    },
    pixels(x, y, width, height) {
      const words = new Uint32Array(width * height);
      for (let row = 0; row < height; row++) words.set(canvas.subarray((y + row) * sheet.width + x, (y + row) * sheet.width + x + width), row * width);
      return new Uint8ClampedArray(words.buffer);
    },
  };
};

/** Of a score from 0 to 1; others are shown as they are. */
const scoreText = (job: InferJob, score: number): string => (job.prepared.probabilities ? `${(100 * score).toFixed(1)} %` : score.toPrecision(4));

export function table(job: InferJob): ResultTable | null {
  if (job.params.kind !== 'labels') return null;
  const shown = Math.min(settingsOf(job.params).k, labelsOf(job.params, job.prepared));
  return {
    columns: ['Input', ...Array.from({ length: shown }, (_, place) => (place === 0 ? 'Best' : `${place + 1}.`))],
    total: job.prepared.count,
    rows(at, parts, result) {
      const words = wordsOfResult(job, at, parts, result);
      const { first, end } = inputsOf(job.prepared, at);
      return Array.from({ length: end - first }, (_, index) => {
        const labels = ofInput(job, words, index).slice();
        const scores = floatsOf(labels);
        const cell = (place: number): string => `${className(job, labels[place * LABEL_WORDS]!)} ${scoreText(job, scores[place * LABEL_WORDS + 1]!)}`;
        return { index: first + index, cells: [inputName(job, first + index), ...Array.from({ length: shown }, (_, place) => cell(place))] };
      });
    },
  };
}
