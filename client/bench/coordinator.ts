import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_MS_MAX = 180_000;
const root = join(import.meta.dirname, '../..');

export interface BenchCoordinator {
  readonly url: string;
  /** A file of the built pages. */
  built(name: string): Buffer;
  close(): Promise<void>;
}

/** `npm start` on a data folder of its own: builds the pages if they changed, and answers under `app.localhost`, a site of its own. */
export async function startCoordinator(port: number, more: Readonly<Record<string, string>> = {}): Promise<BenchCoordinator> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tessera-web-bench-'));
  const url = `http://app.localhost:${port}`;
  const env = { ...process.env, HOST: '127.0.0.1', PORT: String(port), PUBLIC_ORIGIN: url, DATA_DIR: dataDir, GALLERY: 'on', LOG_LEVEL: 'warn', ...more };
  const child = spawn(process.execPath, ['scripts/start.ts'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    rmSync(dataDir, { recursive: true, force: true });
  };
  let said = '';
  const ready = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the coordinator was not ready within ${READY_MS_MAX / 1000} s:\n${said}`)), READY_MS_MAX);
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
        if (!said.includes('Tessera is ready')) return;
        clearTimeout(late);
        resolve();
      });
    child.once('exit', (code) => reject(new Error(`the coordinator ended with ${code}:\n${said}`)));
  });
  try {
    await ready;
  } catch (error) {
    await close();
    throw error;
  }
  return { url, built: (name) => readFileSync(join(root, 'dist/client', name)), close };
}
