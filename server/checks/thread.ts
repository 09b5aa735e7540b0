import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { workload } from '../../shaders/registry.ts';
import type { Evidence } from '../../shared/model.ts';
import { type AcceptedResult, InputError, type WorkloadCheck, type WorkloadEntry } from '../../shared/workload.ts';
import type { Answer, FromThread, JobHandle, Kind, Question, SourceMessage, ToThread } from './messages.ts';

/** One worker thread: answers one question at a time. It may be terminated at any moment, so it keeps nothing of value. */

/** Parsed inputs of the jobs asked about last; a scene is tens of megabytes, so few. */
const LOADED_MAX = 4;
const loaded = new Map<string, { readonly check: WorkloadCheck<unknown, unknown>; readonly inputs: unknown }>();

function entryOf(id: string): WorkloadEntry {
  const entry = workload(id);
  if (!entry) throw new InputError('workload', `There is no workload called ${JSON.stringify(id)}.`);
  return entry;
}

async function load({ workload: id, job, inputs }: JobHandle) {
  const known = loaded.get(job.id);
  if (known) return known;
  const check = await entryOf(id).check();
  const files = Object.fromEntries(inputs.map(({ name, path }) => [name, new Uint8Array(readFileSync(path))]));
  const fresh = { check, inputs: check.load(job, files) };
  const oldest = loaded.keys().next().value;
  if (loaded.size >= LOADED_MAX && oldest !== undefined) loaded.delete(oldest);
  loaded.set(job.id, fresh);
  return fresh;
}

function timed(measure: () => Omit<Evidence, 'cpuMs'>): Evidence {
  const before = process.cpuUsage();
  const evidence = measure();
  const { user, system } = process.cpuUsage(before);
  return { ...evidence, cpuMs: (user + system) / 1000 };
}

const answers: { [K in Kind]: (question: Question[K]) => Promise<Answer[K]> } = {
  async prepare({ workload: id, params, files }) {
    return (await entryOf(id).prepare()).prepare(params, files);
  },
  async audit(question) {
    const { check, inputs } = await load(question);
    const sample = check.draw(question.job, question.at, question.parts, question.digest, question.count);
    return timed(() => check.audit(inputs, question.job, question.at, question.result, sample));
  },
  async compare(question) {
    const { check } = await load(question);
    let sample = { parts: [] as readonly number[], elements: [] as readonly number[] };
    const evidence = timed(() => {
      const outcome = check.compare(question.job, question.at, question.result, question.replica, question.most);
      sample = outcome.sample;
      return outcome.evidence;
    });
    return { evidence, sample };
  },
  async referee(question) {
    const { check, inputs } = await load(question);
    const judge = (bytes: Uint8Array): Evidence => timed(() => check.audit(inputs, question.job, question.at, bytes, question.sample));
    return { result: judge(question.result), replica: judge(question.replica) };
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
