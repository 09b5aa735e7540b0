import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { openingBytesMax } from '../../shared/commitment.ts';
import { resultBytes } from '../../shared/formats.ts';
import { KIB } from '../../shared/limits.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap } from '../caps.ts';
import type { Coordinator } from '../coordinator.ts';
import { JobError } from '../jobs.ts';
import type { BlobStore } from '../store/store.ts';
import { bytesOf } from './openapi.ts';

export interface BlobRouteDeps {
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  readonly clock: () => number;
}

/** Below this a second connection costs more than what it saves us. */
const ELSEWHERE_BYTES_MIN = 256 * KIB;

const path = Type.Object({ hash: schemas.blobHash });
const getBlob = {
  operationId: 'getBlob',
  tags: ['Files'],
  summary: 'Download bytes by their hash',
  description: 'A download that broke off goes on with `Range: bytes=<from>-`.',
  params: path,
  response: {
    200: bytesOf('All of them.'),
    206: bytesOf('From there on.'),
    307: Type.Null({ description: 'They are to be had at this address for some minutes.' }),
  },
};

/**
 * Content-addressed bytes. Reading needs nothing but the hash. Writing needs a standing lease and is capped at what a result
 * of that lease, or its opening, can have. The answer is the same whether the bytes were here before or not.
 */
export const blobRoutes =
  ({ blobs, coordinator, clock }: BlobRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get('/blobs/:hash', { config: { scope: 'any', always: true }, schema: getBlob }, async (request, reply) => {
      const { hash } = request.params;
      const size = await blobs.size(hash);
      if (size === undefined) throw new JobError('not_found', 'There is no such blob.');
      // Small ones are sooner here than an answer that sends elsewhere.
      const address = size >= ELSEWHERE_BYTES_MIN ? await blobs.address(hash) : null;
      if (address !== null) return reply.header('cache-control', `private, max-age=${address.seconds}`).redirect(address.url, 307);
      // A large input goes on where its download broke off. Any other kind of range may be ignored (RFC 9110, 14.2).
      const from = Number(/^bytes=(\d{1,15})-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const isRest = from > 0 && from < size;
      if (isRest) reply.code(206).header('content-range', `bytes ${from}-${size - 1}/${size}`);
      return reply
        .header('accept-ranges', 'bytes')
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('content-length', isRest ? size - from : size)
        .type('application/octet-stream')
        .send(await blobs.stream(hash, isRest ? from : 0));
    });

    app.put('/blobs/:hash', { schema: { params: path }, config: { rateLimit: false, always: true } }, async (request) => {
      const token = /^Lease ([A-Za-z0-9_-]{40,400})$/.exec(request.headers.authorization ?? '')?.[1];
      if (token === undefined) throw new JobError('forbidden', 'Send the header authorization: Lease <token>.');
      const lease = coordinator.readLease(token);
      const job = coordinator.openJob(lease.job);
      if (!job) throw new JobError('conflict', 'This lease has expired or its job has ended.');
      if (lease.expiresMs < clock()) throw atCap('leaseTokenMsMax', new JobError('conflict', 'This lease has expired or its job has ended.'));
      const shape = { parts: lease.parts, elements: job.spec.elements(job.context, lease.at), words: job.spec.elementWords(job.context, lease.at) };
      const bytesMax = Math.max(resultBytes(shape.elements, shape.words), openingBytesMax(shape));
      await blobs.put(request.body as AsyncIterable<Uint8Array>, { bytesMax, expected: request.params.hash });
      return {};
    });
  };
