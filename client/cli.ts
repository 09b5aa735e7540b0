#!/usr/bin/env node
import { run } from './cli/commands.ts';
import { readArguments, UsageError, usage } from './cli/options.ts';
import { openSession } from './cli/session.ts';
import { Tessera, TesseraError } from './sdk/index.ts';

/** `npx tessera`: orders jobs from a command line, see `usage`. */

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort(new Error('stopped')));

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (args === 'help') {
    console.log(usage);
    return 0;
  }
  const { env } = process;
  const server = args.values.server ?? env.TESSERA_SERVER ?? 'http://localhost:8080';
  if (!URL.canParse(server)) throw new UsageError(`--server is an http or https address, not ${server}`);
  const key = args.values.key ?? env.TESSERA_KEY;
  const tessera = new Tessera({ server, ...(key ? { key } : {}) });
  if (!key) await openSession(tessera, server, env);
  const print = (line: string): void => console.log(line);
  const note = (line: string): void => console.error(line);
  return run({ tessera, server: new URL(server).origin, args, print, note, progress: process.stderr, signal: stopping.signal });
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof TesseraError) {
    console.error([error.message, error.field && `Field: ${error.field}.`, error.limit && `Accepted: ${error.limit}.`].filter(Boolean).join(' '));
  } else if (stopping.signal.aborted) console.error('Stopped. A job that was ordered goes on: see tessera list.');
  else console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) console.error('See --help.');
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
