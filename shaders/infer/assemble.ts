import sharp from 'sharp';
import type { AcceptedResult, WorkloadAssemble } from '../../shared/workload.ts';
import { npyHeader } from '../common/tensors/npy.ts';
import { type ZipFile, zip } from '../common/zip.ts';
import { inputsOf, LABEL_WORDS, labelsOf, sizeOf } from './grid.ts';
import { floatsOf, ofInput } from './outcome.ts';
import { outputsOf } from './outputs.ts';
import { className, type InferJob, type InferParams, type InferPrepared, inputName, settingsOf } from './params.ts';
import { wordsOfResult } from './words.ts';

type Results = AsyncIterable<AcceptedResult>;

const encoder = new TextEncoder();

/** The words of one input after the other; of inputs without a result there are none. Throws `RangeError` for another order than the tiles'. */
async function* inputs(job: InferJob, results: Results): AsyncGenerator<{ readonly input: number; readonly words: Uint32Array }> {
  let next = 0;
  for await (const { tile, parts, bytes } of results) {
    const { first, end } = inputsOf(job.prepared, tile);
    if (first < next) throw new RangeError(`tile ${tile.tile} came after a tile behind it`);
    next = end;
    const words = wordsOfResult(job, tile, parts, bytes);
    for (let input = first; input < end; input++) yield { input, words: ofInput(job, words, input - first) };
  }
}

/** As they are on a little-endian machine, f32; not-a-number where there is no result. */
async function* npy(job: InferJob, results: Results): AsyncGenerator<Uint8Array> {
  const { count, output } = job.prepared;
  const none = new Float32Array(sizeOf(output.shape)).fill(Number.NaN);
  const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array | Float32Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);
  yield npyHeader('f32', [count, ...output.shape]);
  let next = 0;
  for await (const { input, words } of inputs(job, results)) {
    for (; next < input; next++) yield bytesOf(none);
    yield bytesOf(words);
    next++;
  }
  for (; next < count; next++) yield bytesOf(none);
}

interface Label {
  readonly class: number;
  readonly label: string;
  readonly score: number;
}

/** Those that were ordered: one more was computed. */
function labels(job: InferJob, words: Uint32Array): Label[] {
  const aligned = words.slice();
  const scores = floatsOf(aligned);
  const count = Math.min(settingsOf(job.params).k, labelsOf(job.params, job.prepared));
  return Array.from({ length: count }, (_, place) => {
    const index = aligned[place * LABEL_WORDS]!;
    return { class: index, label: className(job, index), score: scores[place * LABEL_WORDS + 1]! };
  });
}

/** Of a field in RFC 4180. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Enough digits to tell any two f32 apart. */
const digits = (score: number): string => String(Number(score.toPrecision(9)));

async function* csv(job: InferJob, results: Results): AsyncGenerator<Uint8Array> {
  yield encoder.encode('input,rank,class,label,score\r\n');
  for await (const { input, words } of inputs(job, results)) {
    const rows = labels(job, words).map(({ class: index, label, score }, place) =>
      [quoted(inputName(job, input)), place + 1, index, quoted(label), digits(score)].join(','),
    );
    yield encoder.encode(`${rows.join('\r\n')}\r\n`);
  }
}

async function* json(job: InferJob, results: Results): AsyncGenerator<Uint8Array> {
  let before = '[\n';
  for await (const { input, words } of inputs(job, results)) {
    yield encoder.encode(before + JSON.stringify({ input: inputName(job, input), labels: labels(job, words) }));
    before = ',\n';
  }
  yield encoder.encode(before === '[\n' ? '[]\n' : '\n]\n');
}

/** `0012-name.png` is what became of input 12; of names only what every file system takes is kept. */
function fileName(job: InferJob, input: number): string {
  const width = Math.max(4, String(job.prepared.count - 1).length);
  const stem = (job.prepared.names?.[input] ?? '')
    .replace(/\.[^.]*$/, '')
    .replace(/^.*\//, '')
    .replace(/[^A-Za-z0-9._-]+/g, '_');
  return `${String(input).padStart(width, '0')}${stem === '' ? '' : `-${stem}`}.png`;
}

async function* pictures(job: InferJob, results: Results): AsyncGenerator<ZipFile> {
  const { width, height, channels } = job.prepared.drawn!;
  for await (const { input, words } of inputs(job, results)) {
    const image = sharp(new Uint8Array(words.slice().buffer), { raw: { width, height, channels: 4 } }).removeAlpha();
    yield { name: fileName(job, input), pieces: [await (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer()] };
  }
}

/** The files of `outputs.ts`, made input by input as the results come: one tile is held. */
export const assemble: WorkloadAssemble<InferParams, InferPrepared>['assemble'] = (job, output, results) => {
  const known = outputsOf(job.params).some(({ id }) => id === output);
  if (known && output === 'npy') return npy(job, results);
  if (known && output === 'csv') return csv(job, results);
  if (known && output === 'json') return json(job, results);
  if (known && output === 'zip') return zip(pictures(job, results));
  throw new RangeError(`this job has no output ${JSON.stringify(output)}`);
};
