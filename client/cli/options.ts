import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** What the arguments say without knowing what can be ordered; `order.ts` reads the rest. */

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const commands = ['submit', 'quote', 'status', 'watch', 'download', 'list', 'pause', 'resume', 'cancel', 'workloads'] as const;
export type CommandName = (typeof commands)[number];

export const usage = `tessera: orders jobs from a Tessera coordinator.

  npx tessera submit [FILE]... [--PARAMETER VALUE]... [--wait] [--out FILE]
  npx tessera quote [FILE]... [--PARAMETER VALUE]...    price and finish, without ordering
  npx tessera status|watch|pause|resume|cancel JOB
  npx tessera download JOB --out FILE [--output ID]
  npx tessera list                                      your jobs, newest first
  npx tessera workloads                                 what can be ordered, and with which parameters

  --server URL       the coordinator (default: TESSERA_SERVER, else http://localhost:8080)
  --key KEY          an API key of the Account page (default: TESSERA_KEY; without one a guest's session with
                     test credits is kept in the folder of your settings)
  --workload ID      which kind of job, where the files do not say
  --param NAME=VALUE a parameter, also one that is named like an option here; as often as needed
  --file NAME=PATH   a file for a field of its own, where its ending does not say; as often as needed
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

/** Options of every job; parameters of theirs may not be named so. */
export const general = {
  server: { type: 'string' },
  key: { type: 'string' },
  workload: { type: 'string' },
  param: { type: 'string', multiple: true },
  file: { type: 'string', multiple: true },
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

type ValueOf<Option> = Option extends { type: 'boolean' } ? boolean : Option extends { multiple: true } ? string[] : string;
type Values = { [Name in keyof typeof general]?: ValueOf<(typeof general)[Name]> };

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

/** `more`: options beside the general ones; with none of them, unknown options are let pass. Throws `UsageError`. */
export function parsed(args: readonly string[], more: ParseArgsOptionsConfig): { values: Values & Record<string, unknown>; positionals: string[] } {
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
