import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { workload } from '../../shaders/registry.ts';
import { MIB } from '../../shared/limits.ts';
import { type AcceptedResult, type AuditCheck, InputError, type VerifyCheck, type WorkloadCheck, type WorkloadEntry } from '../../shared/workload.ts';
import { compareSample, type Judge, proveOpening, recomputeSample } from './evidence.ts';
import type { Alive, Answer, DeskAnswer, DeskQuestion, FromThread, JobHandle, Kind, Question, ToThread } from './messages.ts';
import { buffersOf, movable } from './moving.ts';

/** One worker thread: answers one question at a time. It may be terminated at any moment, so it keeps nothing of value. */

/** Parsed inputs of the jobs asked about last: a scene is tens of megabytes, so few; one may be hundreds, so not many bytes. */
const LOADED_MAX = 4;
const LOADED_BYTES_MAX = 1024 * MIB;
const loaded = new Map<string, { readonly value: unknown; readonly bytes: number }>();

function entryOf(id: string): WorkloadEntry {
  const entry = workload(id);
  if (!entry) throw new InputError('workload', `There is no workload called ${JSON.stringify(id)}.`);
  return entry;
}

function inputsOf(check: WorkloadCheck, { job, inputs }: JobHandle): unknown {
  const known = loaded.get(job.id);
  if (known) return known.value;
  const files = Object.fromEntries(inputs.map(({ name, path }) => [name, readInput(path)]));
  const bytes = Object.values(files).reduce((sum, { byteLength }) => sum + byteLength, 0);
  // Room first: the old and the new together may be more than there is.
  let held = [...loaded.values()].reduce((sum, each) => sum + each.bytes, bytes);
  for (const [id, each] of loaded) {
    if (loaded.size < LOADED_MAX && held <= LOADED_BYTES_MAX) break;
    loaded.delete(id);
    held -= each.bytes;
  }
  const value = check.load(job, files);
  loaded.set(job.id, { value, bytes });
  return value;
}

/** Aligned, and in memory of its own; a large file's already is. */
function readInput(path: string): Uint8Array {
  const bytes = readFileSync(path);
  return bytes.byteLength === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes);
}

/** The checks of a workload that is audited. */
async function auditOf(entry: WorkloadEntry): Promise<AuditCheck> {
  const check = await entry.check();
  if (!('recompute' in check)) throw new Error(`${entry.spec.id} is not audited`);
  return check;
}

async function verifierOf(entry: WorkloadEntry): Promise<VerifyCheck> {
  const check = await entry.check();
  if (!('verify' in check)) throw new Error(`${entry.spec.id} is not verified`);
  return check;
}

/** The workload's checks, bound to one job. Its inputs are read only when something has to be recomputed. */
async function judgeOf(question: Question['recompute']): Promise<Judge> {
  const entry = entryOf(question.workload);
  const { spec } = entry;
  const check = await auditOf(entry);
  const { job, at } = question;
  return {
    words: spec.elementWords(job, at),
    allowed: spec.tolerance.allowed,
    recompute: (elements) => check.recompute(inputsOf(check, question), job, elements),
    distance: (element, a, b) => check.distance(job, element, a, b),
    explains: (element, claimed) => check.explains(inputsOf(check, question), job, element, claimed),
  };
}

/** CPU time of this thread alone, not of its neighbours. */
async function timed<T>(measure: () => T | Promise<T>): Promise<{ readonly value: T; readonly cpuMs: number }> {
  const before = process.threadCpuUsage();
  const value = await measure();
  const { user, system } = process.threadCpuUsage(before);
  return { value, cpuMs: (user + system) / 1000 };
}

const answers: { [K in Kind]: (question: Question[K]) => Promise<Answer[K]> } = {
  async prepare({ workload: id, params, files }) {
    return (await entryOf(id).prepare()).prepare(params, files);
  },
  async opening({ shape, salt, root, result, opening, sample }) {
    return proveOpening(shape, { salt, root }, result, opening, sample);
  },
  async recompute(question) {
    const judge = await judgeOf(question);
    const { value, cpuMs } = await timed(() => recomputeSample(judge, question.at, question.sample, question.claims, question.enough));
    return { ...value, cpuMs };
  },
  async compare(question) {
    const judge = await judgeOf(question);
    const { value, cpuMs } = await timed(() => compareSample(judge, question.at, question.sample, question.claims, question.values, question.enough));
    return { result: { ...value.result, cpuMs }, auditor: { ...value.auditor, cpuMs: 0 }, apart: value.apart };
  },
  async verify(question) {
    const { workload: id, job, at, result, keys } = question;
    const check = await verifierOf(entryOf(id));
    const { value, cpuMs } = await timed(() => check.verify(inputsOf(check, question), job, at, result, keys));
    return { ...value, cpuMs };
  },
  async measure({ workload: id, job, at, parts, result }) {
    const { passesWanted } = await auditOf(entryOf(id));
    if (!passesWanted) throw new Error(`${id} does not say how many passes its tiles need`);
    return passesWanted(job, at, parts, result);
  },
  async assemble({ workload: id, job, output, desk }) {
    const closed = new Promise<never>((_, reject) => {
      desk.once('close', () => reject(new Error('nobody wants the file any more')));
    });
    const ask = (question: DeskQuestion): Promise<DeskAnswer> => {
      parentPort?.postMessage({ alive: true } satisfies Alive);
      const answered = new Promise<DeskAnswer>((resolve) => {
        desk.once('message', resolve);
      });
      desk.postMessage(question);
      return Promise.race([answered, closed]);
    };
    async function* results(): AsyncGenerator<AcceptedResult> {
      for (let next = await ask({ next: true }); next !== null; next = await ask({ next: true })) yield next;
    }
    try {
      for await (const piece of (await entryOf(id).assemble()).assemble(job, output, results())) await ask({ piece });
      return null;
    } finally {
      closed.catch(() => undefined);
      desk.close();
    }
  },
};

async function answer<K extends Kind>(kind: K, question: Question[K]): Promise<FromThread> {
  try {
    const found = await answers[kind](question);
    return { ok: true, answer: kind === 'prepare' ? movable(found as Answer['prepare']) : found };
  } catch (error) {
    const { field, limit } = error instanceof InputError ? error : { field: undefined, limit: undefined };
    return { ok: false, message: error instanceof Error ? error.message : String(error), field, limit };
  }
}

parentPort?.on('message', async ({ kind, question }: ToThread) => {
  const reply = await answer(kind, question);
  parentPort?.postMessage(reply, kind === 'prepare' && reply.ok ? buffersOf(reply.answer as Answer['prepare']) : []);
});
