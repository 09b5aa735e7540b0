import { basename, extname } from 'node:path';
import { MICRO, parseCredits } from '../../shared/credits.ts';
import type { WorkloadField, WorkloadView } from '../sdk/index.ts';
import { choicesShowing, emptyFieldFor, shownNames } from '../ui/form-fields.ts';
import { type Arguments, general, parsed, UsageError } from './options.ts';

/** What `submit` and `quote` order. Parameters are options named like the fields of the workload's form, so they are read once the coordinator has told which it has. */

type Params = Readonly<Record<string, unknown>>;

export interface Order {
  readonly workload: WorkloadView;
  readonly params: Params;
  /** Paths by the field they belong to. */
  readonly files: Readonly<Record<string, string>>;
  readonly title: string;
  readonly visibility: 'public' | 'unlisted' | 'private';
  readonly targetError: number | null;
  readonly seed: number | null;
  /** In micro-credits. */
  readonly priceMax: bigint | null;
}

/** The order that the arguments describe. Throws `UsageError`; whether values are in range is for the coordinator to say. */
export function readOrder({ args, values: known }: Arguments, workloads: readonly WorkloadView[]): Order {
  const [, ...paths] = parsed(args, {}).positionals;
  const workload = chosen(workloads, known.workload, paths);
  const own = workload.fields.filter(({ name }) => !(name in general));
  const { values } = parsed(args, Object.fromEntries(own.map(({ name }) => [name, { type: 'string' as const }])));
  const said: Record<string, unknown> = { ...paramsOf(values.params) };
  const files: Record<string, string> = {};
  const give = (name: string, text: string): void => {
    const field = workload.fields.find((each) => each.name === name);
    if (field?.kind === 'file') files[name] = text;
    else said[name] = field ? paramOf(field, text) : anyOf(text);
  };
  for (const { name } of own) if (typeof values[name] === 'string') give(name, values[name]);
  for (const [name, text] of pairs('--param', values.param)) give(name, text);
  for (const [name, path] of pairs('--file', values.file)) files[fileField(workload, name)] = path;
  for (const path of paths) files[fieldFor(workload, path, files, { ...workload.defaults, ...said })] = path;
  const [first] = Object.values(files);
  return {
    workload,
    params: withFiles(workload, said, files),
    files,
    title: values.title ?? (first === undefined ? workload.title : basename(first, extname(first)).slice(0, 80)),
    visibility: visibilityOf(values.visibility ?? 'unlisted'),
    targetError: values.certainty === undefined ? null : numberOf('--certainty', values.certainty),
    seed: values.seed === undefined ? null : numberOf('--seed', values.seed),
    priceMax: values['max-price'] === undefined ? null : priceOf(values['max-price']),
  };
}

/** By its name, else the only one that takes all of these files at once. */
function chosen(workloads: readonly WorkloadView[], id: string | undefined, paths: readonly string[]): WorkloadView {
  const ids = (of: readonly WorkloadView[]): string => of.map((each) => each.id).join(', ');
  const named = workloads.find((each) => each.id === id);
  if (id !== undefined && !named) throw new UsageError(`--workload is one of ${ids(workloads)}, not ${id}`);
  if (named) return named;
  const fitting = workloads.filter((each) => takesAll(each, paths));
  const [only] = fitting;
  if (only && fitting.length === 1) return only;
  if (paths.length === 0) throw new UsageError(`Which kind of job? --workload is one of ${ids(workloads)}.`);
  if (only) throw new UsageError(`${paths.join(', ')} can be used by ${ids(fitting)}: say which with --workload.`);
  const some = workloads.filter((each) => paths.every((path) => takesAll(each, [path])));
  if (some.length > 0) throw new UsageError(`There are more files of a kind than ${ids(some)} can use.`);
  throw new UsageError(`Nothing here takes ${paths.join(', ')}. See tessera workloads.`);
}

function takesAll({ fields, defaults }: WorkloadView, paths: readonly string[]): boolean {
  const taken = new Set<string>();
  return paths.every((path) => {
    const field = emptyFieldFor(fields, path, taken, defaults);
    if (field !== undefined) taken.add(field);
    return field !== undefined;
  });
}

function fieldFor(workload: WorkloadView, path: string, files: Readonly<Record<string, string>>, params: Params): string {
  const field = emptyFieldFor(workload.fields, path, new Set(Object.keys(files)), params);
  if (field === undefined) throw new UsageError(`${path} cannot be used by ${workload.id}, or there are more files of its kind than it can use.`);
  return field;
}

function fileField({ id, fields }: WorkloadView, name: string): string {
  const files = fields.filter(({ kind }) => kind === 'file').map((field) => field.name);
  if (files.includes(name)) return name;
  throw new UsageError(`--file is for one of ${files.join(', ')} of ${id}, not ${name}`);
}

/** A file that is given says by itself that it is to be used, unless the arguments say otherwise. */
function withFiles({ fields, defaults }: WorkloadView, said: Params, files: Readonly<Record<string, string>>): Params {
  let params: Params = { ...defaults, ...said };
  for (const [name, path] of Object.entries(files)) {
    params = { ...params, ...choicesShowing(fields, name, params), ...said };
    const unused = !shownNames(fields, params).has(name);
    const { when } = fields.find((field) => field.name === name) ?? {};
    if (unused && when) throw new UsageError(`${path} is used with --${when.field} ${when.is.join(' or ')} alone.`);
  }
  return params;
}

/** `name=value` -> its halves. */
function pairs(option: string, texts: readonly string[] = []): [string, string][] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`${option} is NAME=VALUE, not ${text}`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

/** Of a parameter that no field says: JSON, or else the text. */
function anyOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function paramOf(field: WorkloadField, text: string): unknown {
  switch (field.kind) {
    case 'integer':
    case 'number':
      return numberOf(`--${field.name}`, text);
    case 'choice':
      if (!field.options.some(({ value }) => value === text))
        throw new UsageError(`--${field.name} is one of ${field.options.map(({ value }) => value).join(', ')}, not ${text}`);
      return text;
    case 'picked':
      return paramsOf(text);
    case 'text':
    case 'file':
      return text;
    default:
      throw field satisfies never;
  }
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`${name} is a number, not ${text}`);
  return value;
}

function paramsOf(text: string | undefined): object {
  if (text === undefined) return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new UsageError(`A JSON object is needed, not ${text}`);
}

function visibilityOf(text: string): Order['visibility'] {
  if (text === 'public' || text === 'unlisted' || text === 'private') return text;
  throw new UsageError(`--visibility is public, unlisted or private, not ${text}`);
}

function priceOf(text: string): bigint {
  try {
    return parseCredits(text);
  } catch {
    throw new UsageError(`--max-price is an amount of credits with at most ${String(MICRO).length - 1} decimals, not ${text}`);
  }
}
