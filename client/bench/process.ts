import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_MS_MAX = 30_000;
const root = join(import.meta.dirname, '../..');

export interface Process {
  /** Its address, from the line that says that it is ready. */
  readonly url: string;
  close(): Promise<void>;
}

/** A coordinator without pages on a port and a data folder of its own. */
export async function startServer(env: Readonly<Record<string, string>> = {}): Promise<Process> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tessera-sdk-'));
  const own = { HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir, GALLERY: 'off', LOG_LEVEL: 'warn', PUBLIC_ORIGIN: '', HTTPS: 'off' };
  const child = spawn(process.execPath, ['server/main.ts'], { cwd: root, env: { ...process.env, ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    rmSync(dataDir, { recursive: true, force: true });
  };
  let said = '';
  const ready = new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the coordinator was not ready within ${READY_MS_MAX / 1000} s:\n${said}`)), READY_MS_MAX);
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
        const url = /Tessera is ready: (http\S+)/.exec(said)?.[1];
        if (url === undefined) return;
        clearTimeout(late);
        resolve(url);
      });
    child.once('exit', (code) => reject(new Error(`the coordinator ended with ${code}:\n${said}`)));
  });
  try {
    return { url: await ready, close };
  } catch (error) {
    await close();
    throw error;
  }
}
