import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { workload } from '../../shaders/registry.ts';
import { type AcceptedResult, InputError, type WorkloadCheck, type WorkloadEntry } from '../../shared/workload.ts';
import { compareSample, type Judge, proveOpening, recomputeSample } from './evidence.ts';
import type { Answer, FromThread, JobHandle, Kind, Question, SourceMessage, ToThread } from './messages.ts';

/** One worker thread: answers one question at a time. It may be terminated at any moment, so it keeps nothing of value. */

/** Parsed inputs of the jobs asked about last; a scene is tens of megabytes, so few. */
const LOADED_MAX = 4;
const loaded = new Map<string, unknown>();

function entryOf(id: string): WorkloadEntry {
  const entry = workload(id);
  if (!entry) throw new InputError('workload', `There is no workload called ${JSON.stringify(id)}.`);
  return entry;
}

function inputsOf(check: WorkloadCheck<unknown, unknown>, { job, inputs }: JobHandle): unknown {
  if (loaded.has(job.id)) return loaded.get(job.id);
  const files = Object.fromEntries(inputs.map(({ name, path }) => [name, new Uint8Array(readFileSync(path))]));
  const fresh = check.load(job, files);
  const oldest = loaded.keys().next().value;
  if (loaded.size >= LOADED_MAX && oldest !== undefined) loaded.delete(oldest);
  loaded.set(job.id, fresh);
  return fresh;
}

/** The workload's checks, bound to one job. Its inputs are read only when something has to be recomputed. */
async function judgeOf(question: JobHandle): Promise<Judge> {
  const { spec, check: face } = entryOf(question.workload);
  const check = await face();
  const { job } = question;
  return {
    words: spec.elementWords,
    allowed: spec.tolerance.allowed,
    recompute: (elements) => check.recompute(inputsOf(check, question), job, elements),
    distance: (a, b) => check.distance(job, a, b),
    explains: (element, claimed) => check.explains(inputsOf(check, question), job, element, claimed),
  };
}

/** CPU time of this thread alone, not of its neighbours. */
function timed<T>(measure: () => T): { readonly value: T; readonly cpuMs: number } {
  const before = process.threadCpuUsage();
  const value = measure();
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
    const { value, cpuMs } = timed(() => recomputeSample(judge, question.at, question.sample, question.claims, question.enough));
    return { ...value, cpuMs };
  },
  async compare(question) {
    const judge = await judgeOf(question);
    const { value, cpuMs } = timed(() => compareSample(judge, question.at, question.sample, question.claims, question.values, question.enough));
    return { result: { ...value.result, cpuMs }, auditor: { ...value.auditor, cpuMs: 0 }, apart: value.apart };
  },
  async assemble({ workload: id, job, output, source }) {
    async function* results(): AsyncGenerator<AcceptedResult> {
      for (;;) {
        const message = await new Promise<SourceMessage>((resolve) => {
          source.once('message', resolve);
          source.postMessage('next');
        });
        if (message === null) return;
        yield message;
      }
    }
    try {
      return await (await entryOf(id).assemble()).assemble(job, output, results());
    } finally {
      source.close();
    }
  },
};

async function answer<K extends Kind>(kind: K, question: Question[K]): Promise<FromThread> {
  try {
    return { ok: true, answer: await answers[kind](question) };
  } catch (error) {
    const { field, limit } = error instanceof InputError ? error : { field: undefined, limit: undefined };
    return { ok: false, message: error instanceof Error ? error.message : String(error), field, limit };
  }
}

parentPort?.on('message', async ({ kind, question }: ToThread) => {
  parentPort?.postMessage(await answer(kind, question));
});
