import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type PostgresServer, startPostgres } from './postgres.testing.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A socket; whoever connects is told the port of the PostgreSQL of this run. */
    readonly postgres: string;
  }
}

/** One PostgreSQL for all tests of a run, started when the first of them wants it: a run without any does not pay for it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-run-'));
  let started: Promise<PostgresServer> | undefined;
  const asked = createServer((socket) => {
    started ??= startPostgres();
    started.then(
      ({ port }) => socket.end(String(port)),
      (error: unknown) => socket.end(String(error)),
    );
  });
  asked.listen(join(folder, 'postgres'));
  await once(asked, 'listening');
  project.provide('postgres', join(folder, 'postgres'));
  return async () => {
    asked.close();
    await (await started)?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
