import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { HOUR_MS } from '../../shared/limits.ts';
import { takeBackupRequest } from '../backup-request.ts';
import type { Retention } from '../retention.ts';
import { HttpError } from './errors.ts';
import { isFromHere } from './metrics.ts';

export interface BackupDeps {
  readonly dataDir: string;
  readonly retention: Pick<Retention, 'keepAll'>;
  /** Writes a consistent copy of the database there. */
  readonly copyTo: (path: string) => Promise<void>;
  readonly clock: () => number;
}

/** A backup that takes longer is given up. */
const BACKUP_MS_MAX = 24 * HOUR_MS;
const COPY = /^backup-[0-9a-f-]{36}\.sqlite(-journal|-wal)?$/;

/**
 * `npm run backup` asks for it. The answer is one line that names the copy, and then goes on until the connection is closed: so long nothing
 * is deleted, so that whoever copies blobs finds all that the copy of the database speaks of. Asked from elsewhere it is not there.
 */
export const backupRoutes =
  ({ dataDir, retention, copyTo, clock }: BackupDeps) =>
  async (app: FastifyInstance): Promise<void> => {
    // Of one who was killed over it.
    for (const name of readdirSync(dataDir)) if (COPY.test(name)) rmSync(join(dataDir, name), { force: true });
    let isBusy = false;
    app.post('/backup', async (request, reply) => {
      if (!isFromHere(request)) return reply.callNotFound();
      const secret = /^Backup ([A-Za-z0-9_-]{20,100})$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      if (!takeBackupRequest(dataDir, secret, clock())) throw new HttpError('forbidden', 'Use npm run backup on this machine, with DATA_DIR as it is here.');
      if (isBusy) throw new HttpError('busy', 'A backup is being made.');
      isBusy = true;
      const release = retention.keepAll();
      const name = `backup-${randomUUID()}.sqlite`;
      const end = (): void => {
        clearTimeout(timer);
        release();
        isBusy = false;
        rmSync(join(dataDir, name), { force: true });
      };
      const timer = setTimeout(() => request.raw.destroy(), BACKUP_MS_MAX).unref();
      try {
        await copyTo(join(dataDir, name));
        if (request.raw.destroyed && request.raw.aborted) throw new HttpError('conflict', 'Nobody waits for this backup any more.');
      } catch (error) {
        end();
        throw error;
      }
      const body = new Readable({ read: () => undefined, destroy: (error, done) => done(error) });
      body.on('close', end).on('error', () => undefined);
      body.push(`${JSON.stringify({ copy: name })}\n`);
      return reply.type('application/x-ndjson').header('cache-control', 'no-store').send(body);
    });
  };
