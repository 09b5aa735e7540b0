import { openAsBlob } from 'node:fs';
import { formatCredits } from '../../shared/credits.ts';
import type { JobId, JobRequest, JobView, Quote, QuoteRequest, Tessera } from '../sdk/index.ts';
import { roughly } from '../ui/format.ts';
import { outputFor, saveOutput } from './download.ts';
import { type Arguments, general, UsageError } from './options.ts';
import { type Order, readOrder } from './order.ts';
import { ProgressBar } from './progress.ts';

/** It throws where it could reject. */
const opened = async (path: string): Promise<Blob> => openAsBlob(path);

/** What a command works with. `print` is for what was asked for, `note` for what people want to know beside it. */
export interface Desk {
  readonly tessera: Tessera;
  readonly server: string;
  readonly args: Arguments;
  readonly print: (line: string) => void;
  readonly note: (line: string) => void;
  readonly progress: NodeJS.WriteStream;
  readonly signal: AbortSignal;
}

const OK = 0;
const CANCELLED = 3;
const LISTED = 20;

/** Runs the command; resolves with the exit code. Throws `UsageError` and `TesseraError`. */
export function run(desk: Desk): Promise<number> {
  const { command } = desk.args;
  switch (command) {
    case 'submit':
      return submit(desk);
    case 'quote':
      return quote(desk);
    case 'download':
      return download(desk, jobOf(desk.args));
    case 'watch':
      return watch(desk, jobOf(desk.args));
    case 'status':
      return show(desk, () => desk.tessera.job(jobOf(desk.args)));
    case 'pause':
    case 'resume':
    case 'cancel':
      return show(desk, () => desk.tessera[command](jobOf(desk.args)));
    case 'list':
      return list(desk);
    case 'workloads':
      return workloads(desk);
    default:
      throw command satisfies never;
  }
}

function jobOf({ positionals: [job] }: Arguments): JobId {
  if (!job || !/^j_[A-Za-z0-9_-]{16}$/.test(job)) throw new UsageError('Which job? Its id begins with j_.');
  return job as JobId;
}

async function prepare(desk: Desk): Promise<{ order: Order; request: QuoteRequest; quoted: Quote }> {
  const { tessera, signal } = desk;
  const order = readOrder(desk.args, await tessera.workloads({ signal }));
  const files: Record<string, string> = {};
  for (const [field, path] of Object.entries(order.files)) {
    const bar = new ProgressBar(desk.progress, 'KiB sent');
    const file = await opened(path).catch(() => {
      throw new UsageError(`${path} cannot be read.`);
    });
    const kib = (bytes: number): number => Math.ceil(bytes / 1024);
    files[field] = (await tessera.upload(file, { signal, progress: (sent, total) => bar.update(kib(sent), kib(total)) })).hash;
    bar.end();
  }
  const checks = order.targetError === null ? {} : { checks: { targetError: order.targetError } };
  const request = { workload: order.workload.id, params: order.params, files: files as QuoteRequest['files'], ...checks };
  const quoted = await tessera.quote(request, { signal });
  for (const line of priceLines(quoted)) desk.note(line);
  return { order, request, quoted };
}

function priceLines(quoted: Quote): string[] {
  const price = `Price: at most ${formatCredits(BigInt(quoted.holdMicroCredits))} test credits, ${formatCredits(BigInt(quoted.checksMicroCredits))} of them for checking.`;
  const finish = quoted.finish
    ? `Done in about ${roughly(quoted.finish.p50Seconds)}, 19 times in 20 within ${roughly(quoted.finish.p95Seconds)}.`
    : 'Nobody who could compute it is online: it waits until somebody is.';
  return [...quoted.report, price, finish];
}

async function quote(desk: Desk): Promise<number> {
  const { quoted } = await prepare(desk);
  if (desk.args.values.json) desk.print(JSON.stringify(quoted));
  return OK;
}

async function submit(desk: Desk): Promise<number> {
  const { order, request, quoted } = await prepare(desk);
  if (order.priceMax !== null && BigInt(quoted.holdMicroCredits) > order.priceMax) {
    desk.note(`That is more than --max-price ${formatCredits(order.priceMax)}: nothing was ordered.`);
    return 1;
  }
  const { title, visibility, seed } = order;
  const ordered: JobRequest = { ...request, title, visibility, quote: quoted.id, ...(seed === null ? {} : { seed }) };
  const job = await desk.tessera.submit(ordered, { signal: desk.signal });
  const { wait, out, json } = desk.args.values;
  desk.note(`${job.title}: ${job.id}, ${desk.server}/jobs/${job.id}`);
  if (wait || out !== undefined) return watch(desk, job.id);
  if (json) desk.print(JSON.stringify(job));
  else desk.print(job.id);
  return OK;
}

async function watch(desk: Desk, id: JobId): Promise<number> {
  const { tessera, signal } = desk;
  const bar = new ProgressBar(desk.progress, 'parts');
  const update = ({ parts }: JobView): void => bar.update(parts.accepted, parts.total);
  const job = await tessera.wait(id, { signal, progress: update });
  update(job);
  bar.end();
  if (job.status === 'cancelled') {
    desk.note('The job was cancelled; what was not used came back.');
    return CANCELLED;
  }
  if (desk.args.values.out !== undefined) return download(desk, id);
  desk.print(desk.args.values.json ? JSON.stringify(job) : lineOf(job));
  return OK;
}

async function download(desk: Desk, id: JobId): Promise<number> {
  const { out, output: wanted, json } = desk.args.values;
  if (out === undefined) throw new UsageError('--out is missing: into which file?');
  const file = outputFor(await desk.tessera.files(id, { signal: desk.signal }), out, wanted);
  await saveOutput(desk.tessera, id, file.output, out);
  desk.note(`${file.title} -> ${out}`);
  if (json) desk.print(JSON.stringify(await desk.tessera.job(id)));
  return OK;
}

async function show(desk: Desk, ask: () => Promise<JobView>): Promise<number> {
  const job = await ask();
  desk.print(desk.args.values.json ? JSON.stringify(job) : lineOf(job));
  return OK;
}

async function list(desk: Desk): Promise<number> {
  const { rows, next } = await desk.tessera.jobs({ limit: LISTED });
  if (desk.args.values.json) desk.print(JSON.stringify(rows));
  else for (const job of rows) desk.print(lineOf(job));
  if (next !== null) desk.note(`The latest ${LISTED}; all are at ${desk.server}/gallery.`);
  return OK;
}

async function workloads(desk: Desk): Promise<number> {
  const all = await desk.tessera.workloads();
  if (desk.args.values.json) {
    desk.print(JSON.stringify(all));
    return OK;
  }
  for (const { id, title, summary, fields, defaults } of all) {
    desk.print(`${id}: ${title}. ${summary}`);
    for (const field of fields) {
      const range = field.kind === 'choice' ? `${field.options.map(({ value }) => value).join(', ')}. ` : field.kind === 'file' ? `${field.accept}. ` : '';
      const standard = defaults[field.name] === undefined ? '' : ` (default ${String(defaults[field.name])})`;
      const condition = field.when ? `, with --${field.when.field} ${field.when.is.join(' or ')}` : '';
      const option = field.name in general ? `--param ${field.name}=` : `--${field.name}`;
      desk.print(`  ${option}${standard}${condition}\n      ${range}${field.help}`);
    }
  }
  return OK;
}

function lineOf({ id, title, status, parts, paidMicroCredits, heldMicroCredits }: JobView): string {
  const share = Math.floor((100 * parts.accepted) / Math.max(1, parts.total));
  return `${id}  ${status.padEnd(9)} ${String(share).padStart(3)} %  ${formatCredits(BigInt(paidMicroCredits))} of ${formatCredits(BigInt(heldMicroCredits))}  ${printable(title)}`;
}

/** Titles are other people's: no control characters on somebody's terminal. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '');
