import { parseArgs } from 'node:util';

export const usage = `A room full of unlike devices renders one picture, on a wall for all to see.

  npm run room -- [--https] [--port P] [--width W] [--samples N] [--gpu-hour-usd D]
  npm run room -- --local N [--seconds S] [--width W] [--samples N] [--record FILE.png] [--json]

Starts a coordinator on an empty database of its own, orders the picture, and prints the address of the wall: open it on
the projector. Everybody else opens the address beside the QR code and presses "Share my GPU". The wall has a slider that
plants liars and a button that kills the coordinator with kill -9. Ctrl-C ends it all.

  --https           devices in the local network can join (docs/local-network.md); without it this machine alone can
  --port P          default 8080; 0: any
  --width W         pixels of the picture, 16 : 9 (default 3840; with --local 160)
  --samples N       paths a pixel (default 256; with --local 64)
  --gpu-hour-usd D  what an hour of a rented H100 is taken to cost, for the bill (default 3)
  --local N         brings N contributors itself, of different speeds and two WebGPU implementations: pages of a headless
                    Chromium and Dawn in Node. It then plays the room alone: liars come, the coordinator is killed, the
                    liars go. Exits with 1 if anything is not as it should be
  --seconds S       fails unless it is done by then (default 600)
  --record FILE     makes an animated PNG of the wall
  --json            the figures in one line of JSON, last`;

export interface RoomOptions {
  readonly isHttps: boolean;
  readonly port: number;
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly gpuHourUsd: number;
  /** Contributors that it brings itself; null: a real room. */
  readonly local: number | null;
  readonly seconds: number;
  readonly record: string | null;
  readonly json: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const LOCAL_MAX = 16;
const WIDTH_STEP = 16;

/** `'help'`, or what the arguments say. Throws `UsageError`. */
export function readOptions(args: readonly string[]): RoomOptions | 'help' {
  const values = parsed(args);
  if (values.help) return 'help';
  const local = values.local === undefined ? null : numberOf('--local', values.local, 1, LOCAL_MAX);
  if (local === null && (values.record !== undefined || values.seconds !== undefined)) throw new UsageError('--record and --seconds go with --local N');
  if (local !== null && values.https) throw new UsageError('--https does not go with --local, where nobody else joins');
  const width = numberOf('--width', values.width ?? (local === null ? '3840' : '160'), 64, 7680);
  if (width % WIDTH_STEP !== 0) throw new UsageError(`--width is a multiple of ${WIDTH_STEP}, not ${width}`);
  return {
    isHttps: values.https,
    port: numberOf('--port', values.port ?? (local === null ? '8080' : '0'), 0, 65_535),
    width,
    height: (width / 16) * 9,
    samples: numberOf('--samples', values.samples ?? (local === null ? '256' : '64'), 1, 65_536),
    gpuHourUsd: amountOf('--gpu-hour-usd', values['gpu-hour-usd']),
    local,
    seconds: numberOf('--seconds', values.seconds ?? '600', 10, 86_400),
    record: values.record ?? null,
    json: values.json,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        https: { type: 'boolean', default: false },
        port: { type: 'string' },
        width: { type: 'string' },
        samples: { type: 'string' },
        'gpu-hour-usd': { type: 'string', default: '3' },
        local: { type: 'string' },
        seconds: { type: 'string' },
        record: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new UsageError(`${name} is a whole number from ${min} to ${max}, not ${text}`);
  return value;
}

function amountOf(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1000)) throw new UsageError(`${name} is more than 0 and at most 1000, not ${text}`);
  return value;
}
