import { statfs } from 'node:fs/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { HOUR_MS, limits, MIB } from '../../shared/limits.ts';
import { BlobTooLarge } from '../store/store.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import type { Sessions } from './session.ts';

/** Left for the database and for results, which must not fail. */
const FREE_BYTES_MIN = 512 * MIB;

const tooLarge = (): HttpError => new HttpError('too_large', 'The file is too large.', undefined, `at most ${limits.uploadBytesMax / MIB} MiB`);

/** Files for jobs, streamed to disk while they are hashed. */
export const uploadRoutes =
  ({ config, blobs }: AppDeps, sessions: Sessions): FastifyPluginAsyncTypebox =>
  async (app) => {
    const countUpload = app.createRateLimit({
      max: limits.uploadsPerOwnerHourMax,
      timeWindow: HOUR_MS,
      keyGenerator: async (request) => `upload/${await sessions.ownerOf(request)}`,
    });

    app.post('/api/uploads', { config: { scope: 'jobs:write' } }, async (request) => {
      await sessions.require(request);
      const count = await countUpload(request);
      if (!count.isAllowed && count.isExceeded)
        throw new HttpError(
          'too_many',
          `Uploads are capped; try again in ${Math.ceil(count.ttlInSeconds / 60)} minutes.`,
          undefined,
          `${limits.uploadsPerOwnerHourMax} an hour`,
          { retryAfterS: count.ttlInSeconds },
        );
      if (request.headers['content-type'] !== 'application/octet-stream') throw new HttpError('bad_input', 'Send the file as application/octet-stream.');
      if (Number(request.headers['content-length'] ?? 0) > limits.uploadBytesMax) throw tooLarge();
      const { bavail, bsize } = await statfs(config.dataDir);
      if (bavail * bsize < FREE_BYTES_MIN) throw new HttpError('busy', 'The coordinator’s disk is nearly full. Tell its operator.');
      try {
        return await blobs.put(request.body as AsyncIterable<Uint8Array>, { bytesMax: limits.uploadBytesMax });
      } catch (error) {
        throw error instanceof BlobTooLarge ? tooLarge() : error;
      }
    });
  };
