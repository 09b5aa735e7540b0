import '../shaders/raw-hooks.ts';
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { requestDevice } from '../shaders/common/device.ts';
import { workload, workloadIds } from '../shaders/registry.ts';
import { encodeResult, wordsOf } from '../shared/formats.ts';
import { type ElementRef, type JobContext, type JobId, maskOf, type TileRef } from '../shared/model.ts';
import type { AuditCheck, AuditedRunner, Runner, SlicePolicy, VerifyCheck, WorkloadEntry } from '../shared/workload.ts';
import { type Dawn, withDawn } from './dawn.ts';

/** `npm run agree -- WORKLOAD`: what the kernel of a workload comes to on this machine's GPU, beside its CPU reference. */
const usage = `npm run agree -- WORKLOAD
  One part of a tile of the workload's first sample, on the GPU; then some of its elements again, on the GPU and on the CPU.
  Workloads: ${workloadIds.join(', ')}`;

/** Elements that are compared, spread over the part. */
const COMPARED_MAX = 256;
const slice: SlicePolicy = { budgetMs: () => 50, inFlight: () => 2, between: async () => undefined };
const never = new AbortController().signal;

interface Claimed {
  readonly entry: WorkloadEntry;
  readonly job: JobContext;
  readonly inputs: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  readonly at: TileRef;
  readonly runner: Runner;
  /** Of part 0. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function firstPart(runner: Runner, at: TileRef): Promise<Uint8Array<ArrayBuffer>> {
  for await (const { bytes } of runner.run(at, maskOf([0]), slice, never)) return bytes;
  throw new Error('no part came');
}

/** Elements of part 0, evenly spread. */
function spread(at: TileRef, count: number): ElementRef[] {
  const compared = Math.min(count, COMPARED_MAX);
  return Array.from({ length: compared }, (_, index) => ({ ...at, part: 0, element: Math.floor(((index + 0.5) * count) / compared) }));
}

/** What the two come to, in a sentence, and whether that is as the workload promises. */
interface Outcome {
  readonly says: string;
  readonly agrees: boolean;
}

async function compare({ entry: { spec }, job, inputs, at, runner, bytes }: Claimed, check: AuditCheck): Promise<Outcome> {
  const [count, words] = [spec.elements(job, at), spec.elementWords(job, at)];
  const elements = spread(at, count);
  const all = wordsOf(bytes, count * words);
  const claimed = elements.map(({ element }) => all.subarray(element * words, (element + 1) * words));
  const loaded = check.load(job, inputs);
  const truth = await check.recompute(loaded, job, elements);
  const again = wordsOf(await (runner as AuditedRunner).recompute(elements, slice, never), elements.length * words);
  let [equal, differing, unexplained, changed] = [0, 0, 0, 0];
  for (const [index, element] of elements.entries()) {
    const of = (values: Uint32Array): Uint32Array => values.subarray(index * words, (index + 1) * words);
    const claim = claimed[index]!;
    if (check.distance(job, element, claim, of(again)) > 0) changed++;
    const apart = check.distance(job, element, claim, of(truth));
    if (apart === 0) equal++;
    if (apart <= spec.tolerance.allowed) continue;
    differing++;
    if (!(await check.explains(loaded, job, element, claim))) unexplained++;
  }
  const says = `${elements.length} of ${count} elements: ${equal} equal to the CPU's, ${differing} further apart than ${spec.tolerance.allowed} ${spec.tolerance.unit}, ${unexplained} unexplained; computed alone ${changed} came out otherwise`;
  return { says, agrees: unexplained === 0 && changed === 0 };
}

function verify({ entry: { spec }, job, inputs, at, bytes }: Claimed, check: VerifyCheck): Outcome {
  const result = encodeResult([{ part: 0, bytes }], spec.elements(job, at), spec.elementWords(job, at));
  const { wrong, worst, where } = check.verify(check.load(job, inputs), job, at, result, { job: randomBytes(32), result: randomBytes(32) });
  return {
    says: `the whole result: ${wrong} of ${spec.elements(job, at)} elements wrong, at most ${worst} ${spec.tolerance.unit} off ${where}`.trim(),
    agrees: wrong === 0,
  };
}

async function agree(entry: WorkloadEntry, adapter: Dawn): Promise<number> {
  const { spec } = entry;
  const [sample] = await (await entry.samples()).samples();
  if (!sample) throw new Error(`${spec.id} has no samples`);
  const { prepared, inputs } = await (await entry.prepare()).prepare(sample.params, sample.files);
  const job: JobContext = { id: 'j_agree00000000000' as JobId, seed: 1, params: sample.params, prepared };
  const at = { pass: 0, tile: spec.split(job.params, prepared).tiles >> 1 };
  const { device } = await requestDevice(adapter.gpu);
  const given = inputs as Claimed['inputs'];
  const runner = await (await entry.run()).open(device, job, given);
  try {
    const claimed = { entry, job, inputs: given, at, runner, bytes: await firstPart(runner, at) };
    const check = await entry.check();
    const { says, agrees } = 'verify' in check ? verify(claimed, check) : await compare(claimed, check);
    console.log(`${adapter.name}\n${sample.title}, tile ${at.tile}, ${says}.`);
    console.log(agrees ? 'They agree.' : 'They do not agree.');
    return agrees ? 0 : 1;
  } finally {
    runner.dispose();
    device.destroy();
  }
}

const { values, positionals } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } }, allowPositionals: true });
const entry = workload(positionals[0] ?? '');
if (values.help || !entry) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}
await withDawn((adapter) => agree(entry, adapter));
