import { spawnSync } from 'node:child_process';
import { type Adapter, findAdapter } from '../client/headless/adapter.ts';

export type Dawn = Extract<Adapter, { kind: 'dawn' }>;

/** Runs a command with what this machine computes on through Dawn, and ends the process with the code that it resolves with: 1 where it rejects. */
export async function withDawn(command: (adapter: Dawn) => Promise<number>): Promise<never> {
  try {
    // Dawn keeps its threads for the life of the process.
    process.exit(await run(command));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

async function run(command: (adapter: Dawn) => Promise<number>): Promise<number> {
  const adapter = await findAdapter('auto');
  if (adapter.kind === 'restart')
    return spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit', env: { ...process.env, ...adapter.env } }).status ?? 1;
  if (adapter.kind === 'chromium') throw new Error('Dawn finds nothing to compute on in Node here, not even in software.');
  return command(adapter);
}
