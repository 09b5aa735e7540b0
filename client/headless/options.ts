import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Value } from 'typebox/value';
import { limits, MIB } from '../../shared/limits.ts';
import { type ConsentGrant, consentGrant } from '../../shared/schemas.ts';
import { parseHours } from '../comfort/hours.ts';
import { type Drill, drills, isDrill } from './drill.ts';

export const adapterChoices = ['auto', 'gpu', 'software', 'chromium'] as const;
export type AdapterChoice = (typeof adapterChoices)[number];

export interface Options {
  /** Origin of the coordinator. */
  readonly origin: string;
  /** Stop after this many accepted tiles; null: go on until told to stop. */
  readonly tiles: number | null;
  readonly powerPercent: number;
  /** Hours of the local day in which it may work, as `parseHours` takes them; empty: always. */
  readonly hours: string;
  /** Jobs whose inputs are larger are not taken. */
  readonly downloadBytesMax: number;
  readonly json: boolean;
  readonly adapter: AdapterChoice;
  /** The operator's key: this contributor is his own. Never shown. */
  readonly trusted: string | null;
  /** A contributor and its consent that somebody's account made: earnings are that account's. Null: one of its own. */
  readonly identity: ConsentGrant | null;
  /** How to lie, to test the checks. */
  readonly drill: Drill | null;
}

/** See `hello` in shared/schemas.ts. */
const KEY_CHARS_MAX = 200;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `Contributes this machine's GPU to a Tessera coordinator, without a browser.

  npm run contribute -- --url URL [--tiles N] [--power P] [--hours H] [--download-max MIB]
                        [--adapter A] [--identity FILE] [--trusted KEY [--drill LIE]] [--json]

  --url URL      the coordinator, such as https://tessera.example or http://localhost:3000
  --tiles N      stop after N accepted tiles (default: go on until Ctrl-C)
  --power P      percent of the GPU's time, 5 to 100 (default 100)
  --hours H      works at these hours of the local day only, pausing and going on by itself: 22-7, or 22:30-7,12-13
                 (default: always)
  --download-max MIB
                 takes no jobs whose inputs are larger, 1 to 4096 (default 256)
  --adapter A    auto, gpu (a real one), software (SwiftShader in Node) or chromium (a headless browser); default auto,
                 which tries them in this order
  --identity FILE
                 earns for an account: FILE holds the answer of POST /api/consents to a session of that account; not with
                 --adapter chromium, which has an account of its own
  --trusted KEY  the operator's own machine: KEY is one of the coordinator's TRUSTED_KEYS, or @FILE that holds it. Its results
                 are believed and it audits those of others; not with --adapter chromium, which contributes through the page
  --drill LIE    lies on purpose, to show that it is found out: nothing, brighter, patch or coarse; nothing of it is accepted
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
    hours: hoursOf(values.hours),
    downloadBytesMax: MIB * integer('--download-max', values['download-max'], limits.downloadBytesMin / MIB, limits.downloadBytesMax / MIB),
    json: values.json,
    adapter,
    identity: values.identity === undefined ? null : identityOf(values.identity, adapter),
    trusted: values.trusted === undefined ? null : keyOf(values.trusted, adapter),
    drill: values.drill === undefined ? null : drillOf(values.drill, values.trusted !== undefined),
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
        hours: { type: 'string', default: '' },
        'download-max': { type: 'string', default: String(limits.downloadBytesDefault / MIB) },
        adapter: { type: 'string', default: 'auto' },
        identity: { type: 'string' },
        trusted: { type: 'string' },
        drill: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The text itself, which the page's own settings hold too. */
function hoursOf(text: string): string {
  try {
    parseHours(text);
    return text;
  } catch (error) {
    throw new UsageError(`--hours is not ${text}. ${error instanceof Error ? error.message : error}`);
  }
}

/** Other users of the machine see a command's arguments, but not a file that is kept from them. Messages never hold the key. */
function keyOf(text: string, adapter: AdapterChoice): string {
  if (adapter === 'chromium') throw new UsageError('--trusted does not go with --adapter chromium: a page cannot show a key');
  const key = text.startsWith('@') ? readKey(text.slice(1)) : text;
  if (key.length === 0 || key.length > KEY_CHARS_MAX) throw new UsageError(`--trusted is a key of 1 to ${KEY_CHARS_MAX} characters, or @FILE that holds one`);
  return key;
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new UsageError(`--trusted names a file that cannot be read: ${path}`);
  }
}

function identityOf(path: string, adapter: AdapterChoice): ConsentGrant {
  if (adapter === 'chromium') throw new UsageError('--identity does not go with --adapter chromium: a page has an account of its own');
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (Value.Check(consentGrant, content)) return content;
  } catch {
    // Said below: what a parser quotes of it would be a secret.
  }
  throw new UsageError(`--identity names a file that does not hold an answer of POST /api/consents: ${path}`);
}

function drillOf(name: string, hasKey: boolean): Drill {
  if (!hasKey) throw new UsageError('--drill needs the operator’s key: --trusted KEY');
  if (!isDrill(name)) throw new UsageError(`--drill is one of ${Object.keys(drills).join(', ')}, not ${name}`);
  return name;
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
