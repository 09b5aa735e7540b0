import { parseArgs } from 'node:util';

export const adapterChoices = ['auto', 'gpu', 'software', 'chromium'] as const;
export type AdapterChoice = (typeof adapterChoices)[number];

export interface Options {
  /** Origin of the coordinator. */
  readonly origin: string;
  /** Stop after this many accepted tiles; null: go on until told to stop. */
  readonly tiles: number | null;
  readonly powerPercent: number;
  readonly json: boolean;
  readonly adapter: AdapterChoice;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `Contributes this machine's GPU to a Tessera coordinator, without a browser.

  npm run contribute -- --url URL [--tiles N] [--power P] [--adapter A] [--json]

  --url URL      the coordinator, such as https://tessera.example or http://localhost:3000
  --tiles N      stop after N accepted tiles (default: go on until Ctrl-C)
  --power P      percent of the GPU's time, 5 to 100 (default 100)
  --adapter A    auto, gpu (a real one), software (SwiftShader in Node) or chromium (a headless browser); default auto,
                 which tries them in this order
  --json         one JSON object a line on standard output, the last one at the end; everything else on standard error
  --help         this text

Running it is the consent to run the workloads that it lists before it begins. Ctrl-C hands finished work in, gives the
rest back and withdraws the consent.`;

/** `'help'`, or what the arguments say. Throws `UsageError`. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parsed(args);
  if (values.help) return 'help';
  if (values.url === undefined) throw new UsageError('--url is missing: which coordinator shall get the work?');
  const adapter = adapterChoices.find((choice) => choice === values.adapter);
  if (!adapter) throw new UsageError(`--adapter is one of ${adapterChoices.join(', ')}, not ${values.adapter}`);
  return {
    origin: originOf(values.url),
    tiles: values.tiles === undefined ? null : integer('--tiles', values.tiles, 1, 1_000_000),
    powerPercent: integer('--power', values.power, 5, 100),
    json: values.json,
    adapter,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        tiles: { type: 'string' },
        power: { type: 'string', default: '100' },
        adapter: { type: 'string', default: 'auto' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function originOf(text: string): string {
  const url = URL.parse(text);
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw new UsageError(`--url is an http or https address, not ${text}`);
  return url.origin;
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new UsageError(`${name} is a whole number from ${min} to ${max}, not ${text}`);
  return value;
}
