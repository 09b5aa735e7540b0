import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Tessera } from '../sdk/index.ts';

/** Without an API key the command is a guest whose session, and with it jobs and test credits, is kept for the next time: a file that its user alone reads. */

const folder = (env: NodeJS.ProcessEnv): string => join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'tessera');

const fileOf = (server: string, env: NodeJS.ProcessEnv): string => join(folder(env), `${new URL(server).host.replace(/[^\w.-]/g, '_')}.session`);

/** Goes on with the session of before, or begins one. */
export async function openSession(tessera: Tessera, server: string, env: NodeJS.ProcessEnv): Promise<void> {
  const path = fileOf(server, env);
  const kept = await readFile(path, 'utf8').catch(() => '');
  if (kept !== '') tessera.cookie = kept.trim();
  await tessera.session();
  const { cookie } = tessera;
  if (cookie === undefined || cookie === kept) return;
  await mkdir(folder(env), { recursive: true, mode: 0o700 });
  await writeFile(path, cookie, { mode: 0o600 });
}
