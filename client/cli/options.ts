import { basename, extname } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { MICRO, parseCredits } from '../../shared/credits.ts';
import type { WorkloadField, WorkloadView } from '../sdk/index.ts';

/** What the arguments say. Parameters of a job are options named like its form's fields, so they are read once the coordinator has told which it has. */

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const commands = ['submit', 'quote', 'status', 'watch', 'download', 'list', 'pause', 'resume', 'cancel', 'workloads'] as const;
export type CommandName = (typeof commands)[number];

export const usage = `tessera: orders jobs from a Tessera coordinator.

  npx tessera submit FILE... [--PARAMETER VALUE]... [--wait] [--out FILE]
  npx tessera quote FILE... [--PARAMETER VALUE]...      price and finish, without ordering
  npx tessera status|watch|pause|resume|cancel JOB
  npx tessera download JOB --out FILE [--output ID]
  npx tessera list                                      your jobs, newest first
  npx tessera workloads                                 what can be ordered, and with which parameters

  --server URL       the coordinator (default: TESSERA_SERVER, else http://localhost:8080)
  --key KEY          an API key of the Account page (default: TESSERA_KEY; without one a guest's session with
                     test credits is kept in the folder of your settings)
  --workload ID      which kind of job, where the files do not say
  --title TEXT       (default: the name of the first file)
  --visibility V     public, unlisted or private (default: unlisted)
  --certainty E      most wrong values to expect, as a share, such as 0.0001
  --seed N           for a result that can be made again bit by bit
  --params JSON      parameters that are more than a number or a word
  --max-price C      orders nothing that costs more credits
  --wait             waits until it is done, with progress on standard error
  --out FILE         where the result goes; its ending says which of the job's files. Waits for the job
  --output ID        which of the job's files, where the ending does not say
  --json             answers of the coordinator as JSON on standard output
  --help             this text

Exits with 0 when all is well, 1 on a refusal or failure, 2 on wrong arguments, 3 when the job was cancelled.`;

const general = {
  server: { type: 'string' },
  key: { type: 'string' },
  workload: { type: 'string' },
  title: { type: 'string' },
  visibility: { type: 'string' },
  certainty: { type: 'string' },
  seed: { type: 'string' },
  params: { type: 'string' },
  'max-price': { type: 'string' },
  wait: { type: 'boolean' },
  out: { type: 'string' },
  output: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

type Values = { [Name in keyof typeof general]?: (typeof general)[Name]['type'] extends 'boolean' ? boolean : string };

export interface Arguments {
  readonly command: CommandName;
  readonly positionals: readonly string[];
  readonly values: Values;
  readonly args: readonly string[];
}

/** `'help'`, or what can be known without a coordinator. Throws `UsageError`. */
export function readArguments(args: readonly string[]): Arguments | 'help' {
  const { values, positionals } = parsed(args, {});
  if (values.help || args.length === 0) return 'help';
  const [name, ...rest] = positionals;
  const command = commands.find((each) => each === name);
  if (!command) throw new UsageError(name === undefined ? 'Which command?' : `There is no command called ${name}. There are ${commands.join(', ')}.`);
  return { command, positionals: rest, values, args };
}

function parsed(args: readonly string[], more: ParseArgsOptionsConfig): { values: Values & Record<string, unknown>; positionals: string[] } {
  const strict = Object.keys(more).length > 0;
  try {
    const { values, positionals } = parseArgs({ args: joined(args, more), options: { ...more, ...general }, allowPositionals: true, strict });
    return { values: values as Values & Record<string, unknown>, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * `--name value` -> `--name=value`, so that values may begin with a dash and, while it is not known yet which options there are, no value is taken
 * for a file.
 */
function joined(args: readonly string[], more: ParseArgsOptionsConfig): string[] {
  const options: ParseArgsOptionsConfig = { ...more, ...general };
  const result: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    const next = args[at + 1];
    const name = /^--([^=]+)$/.exec(arg)?.[1];
    const takesValue = name !== undefined && options[name]?.type !== 'boolean';
    if (arg === '--') return [...result, ...args.slice(at)];
    if (takesValue && next !== undefined && !/^--[a-z]/i.test(next)) {
      result.push(`${arg}=${next}`);
      at++;
    } else result.push(arg);
  }
  return result;
}

export interface Order {
  readonly workload: WorkloadView;
  readonly params: Readonly<Record<string, unknown>>;
  /** Paths by the field they belong to. */
  readonly files: Readonly<Record<string, string>>;
  readonly title: string;
  readonly visibility: 'public' | 'unlisted' | 'private';
  readonly targetError: number | null;
  readonly seed: number | null;
  /** In micro-credits. */
  readonly priceMax: bigint | null;
}

/** The order that the arguments of `submit` and `quote` describe. Throws `UsageError`; whether values are in range is for the coordinator to say. */
export function readOrder({ args, values: known }: Arguments, workloads: readonly WorkloadView[]): Order {
  const [, ...paths] = parsed(args, {}).positionals;
  const workload = chosen(workloads, known.workload, paths);
  const options = Object.fromEntries(workload.fields.map(({ name }) => [name, { type: 'string' as const }]));
  const { values } = parsed(args, options);
  const files: Record<string, string> = {};
  for (const path of paths) files[fieldFor(workload, path, files).name] = path;
  const params: Record<string, unknown> = { ...workload.defaults };
  for (const field of workload.fields) {
    const given = values[field.name];
    if (typeof given !== 'string') continue;
    if (field.kind === 'file') files[field.name] = given;
    else params[field.name] = paramOf(field, given);
  }
  const [first] = Object.values(files);
  return {
    workload,
    params: { ...params, ...paramsOf(values.params) },
    files,
    title: values.title ?? (first === undefined ? workload.title : basename(first, extname(first)).slice(0, 80)),
    visibility: visibilityOf(values.visibility ?? 'unlisted'),
    targetError: values.certainty === undefined ? null : numberOf('--certainty', values.certainty),
    seed: values.seed === undefined ? null : numberOf('--seed', values.seed),
    priceMax: values['max-price'] === undefined ? null : priceOf(values['max-price']),
  };
}

function chosen(workloads: readonly WorkloadView[], id: string | undefined, paths: readonly string[]): WorkloadView {
  const named = workloads.find((each) => each.id === id);
  if (id !== undefined && !named) throw new UsageError(`--workload is one of ${workloads.map((each) => each.id).join(', ')}, not ${id}`);
  const fitting = named ?? workloads.find((each) => paths.every((path) => accepting(each, path).length > 0));
  if (!fitting) throw new UsageError(`Nothing here takes ${paths.join(', ')}. See tessera workloads.`);
  return fitting;
}

const accepting = ({ fields }: WorkloadView, path: string): WorkloadField[] =>
  fields.filter((field) => field.kind === 'file' && field.accept.split(',').includes(extname(path).toLowerCase()));

function fieldFor(workload: WorkloadView, path: string, taken: Readonly<Record<string, string>>): WorkloadField {
  const field = accepting(workload, path).find(({ name }) => !(name in taken));
  if (!field) throw new UsageError(`${path} cannot be used by ${workload.id}, or there are two files of its kind.`);
  return field;
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
