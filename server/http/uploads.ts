import { statfs } from 'node:fs/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { HOUR_MS, limits, MIB } from '../../shared/limits.ts';
import type { BlobHash, OwnerId } from '../../shared/model.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap } from '../caps.ts';
import { BlobTooLarge } from '../store/store.ts';
import { type Upload, UploadError, type UploadRefusal, type Uploads } from '../uploads.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import type { Sessions } from './session.ts';

/** Left for the database and for results, which must not fail. */
const FREE_BYTES_MIN = 512 * MIB;
const TUS_VERSION = '1.0.0';
const OFFSET_TYPE = 'application/offset+octet-stream';
const RETRY_AFTER_S = 1;
const WRONG_VERSION = 412;

const tooLarge = (): HttpError =>
  atCap('uploadBytesMax', new HttpError('too_large', 'The file is too large.', undefined, `at most ${limits.uploadBytesMax / MIB} MiB`));

/** How the protocol answers each refusal (tus 1.0.0; 460 is its own). */
const refusals: Readonly<Record<UploadRefusal, (message: string) => HttpError>> = {
  unknown: (message) => new HttpError('not_found', message),
  elsewhere: (message) => new HttpError('conflict', message, 'Upload-Offset'),
  busy: (message) => new HttpError('busy', message, undefined, undefined, { status: 423, retryAfterS: RETRY_AFTER_S }),
  tooLong: (message) => new HttpError('too_large', message, 'Upload-Length'),
  checksum: (message) => new HttpError('bad_input', message, 'Upload-Checksum', undefined, { status: 460 }),
  tooMany: (message) =>
    atCap('unfinishedUploadsPerOwnerMax', new HttpError('too_many', message, undefined, `at most ${limits.unfinishedUploadsPerOwnerMax} unfinished`)),
};

/** A header of digits only. */
function integerOf(request: FastifyRequest, name: string): number {
  const text = request.headers[name.toLowerCase()];
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw new HttpError('bad_input', `The header ${name} must be a number of bytes.`, name);
  return Number(text);
}

/** `Upload-Metadata: key base64,key base64`: given back as it came. */
function metadataOf({ headers }: FastifyRequest): string | null {
  const text = headers['upload-metadata'];
  if (typeof text !== 'string' || text === '') return null;
  const most = limits.uploadMetadataCharsMax;
  if (text.length > most)
    throw atCap('uploadMetadataCharsMax', new HttpError('bad_input', 'Upload-Metadata is too long.', 'Upload-Metadata', `at most ${most} characters`));
  return text;
}

/** Of all that clients like to say only the hash matters here. */
function announcedHash(metadata: string | null): BlobHash | null {
  const value = /(?:^|,)\s*hash ([A-Za-z0-9+/=]{1,200})\s*(?:,|$)/.exec(metadata ?? '')?.[1];
  if (value === undefined) return null;
  const hash = Buffer.from(value, 'base64').toString('latin1').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hash))
    throw new HttpError('bad_input', 'The hash in Upload-Metadata is a SHA-256 in hex, in base64.', 'Upload-Metadata', '64 hex digits');
  return hash as BlobHash;
}

/** `Upload-Checksum: sha256 base64` of the bytes of one request. */
function checksumOf({ headers }: FastifyRequest): Uint8Array | undefined {
  const text = headers['upload-checksum'];
  if (text === undefined) return undefined;
  const digest = Buffer.from(/^sha256 ([A-Za-z0-9+/]{43}=)$/.exec(String(text))?.[1] ?? '', 'base64');
  if (digest.byteLength !== 32)
    throw new HttpError('bad_input', 'The header Upload-Checksum must be sha256 and a digest in base64.', 'Upload-Checksum', 'sha256');
  return digest;
}

const uploadPath = Type.Object({ upload: Type.String({ pattern: '^u_[A-Za-z0-9_-]{16}$' }) });
const tags = ['Files'];

/**
 * Files for jobs. Whoever has a small file sends it at once as application/octet-stream. Whoever wants to go on after a broken connection speaks
 * tus 1.0.0 (https://tus.io/protocols/resumable-upload: core, creation, creation-with-upload, termination, expiration, checksum).
 */
export const uploadRoutes =
  (
    { config, blobs, uploads, metrics }: Pick<AppDeps, 'config' | 'blobs' | 'metrics'> & { readonly uploads: Uploads },
    sessions: Sessions,
  ): FastifyPluginAsyncTypebox =>
  async (app) => {
    const countUpload = app.createRateLimit({
      max: limits.uploadsPerOwnerHourMax,
      timeWindow: HOUR_MS,
      keyGenerator: async (request) => `upload/${await sessions.ownerOf(request)}`,
    });

    async function refuseTooMany(request: FastifyRequest): Promise<void> {
      const count = await countUpload(request);
      if (count.isAllowed || !count.isExceeded) return;
      const message = `Uploads are capped; try again in ${Math.ceil(count.ttlInSeconds / 60)} minutes.`;
      throw atCap(
        'uploadsPerOwnerHourMax',
        new HttpError('too_many', message, undefined, `${limits.uploadsPerOwnerHourMax} an hour`, { retryAfterS: count.ttlInSeconds }),
      );
    }

    async function refuseWithoutRoom(): Promise<void> {
      for (const folder of new Set([config.dataDir, config.uploadsDir])) {
        const { bavail, bsize } = await statfs(folder);
        if (bavail * bsize < FREE_BYTES_MIN) throw new HttpError('busy', 'The coordinator’s disk is nearly full. Tell its operator.');
      }
    }

    /** Whose request it is, once it is one of the protocol. */
    async function speaker(request: FastifyRequest): Promise<OwnerId> {
      const { owner } = await sessions.require(request);
      if (request.headers['tus-resumable'] !== TUS_VERSION)
        throw new HttpError('bad_input', `This needs the header Tus-Resumable: ${TUS_VERSION}.`, 'Tus-Resumable', TUS_VERSION, { status: WRONG_VERSION });
      return owner;
    }

    const refused = (error: unknown): never => {
      throw error instanceof UploadError ? refusals[error.why](error.message) : error;
    };

    const describe = (reply: FastifyReply, { offset, length, metadata, hash, expiresMs }: Upload): FastifyReply =>
      reply.headers({
        'upload-offset': offset,
        'upload-length': length,
        'upload-expires': new Date(expiresMs).toUTCString(),
        'cache-control': 'no-store',
        ...(hash === null ? {} : { 'upload-hash': hash }),
        ...(metadata === null ? {} : { 'upload-metadata': metadata }),
      });

    /** A sender that has vanished would hold the upload for as long as its connection seems to live. */
    async function* bytesOf(request: FastifyRequest): AsyncGenerator<Uint8Array> {
      const stalled = setTimeout(() => request.raw.destroy(atCap('uploadStallMsMax', new Error('the upload has stalled'))), limits.uploadStallMsMax);
      try {
        for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
          stalled.refresh();
          yield chunk;
        }
      } finally {
        clearTimeout(stalled);
      }
    }

    app.addHook('onSend', async (request, reply) => {
      if (request.headers['tus-resumable'] !== undefined) reply.header('tus-resumable', TUS_VERSION);
      if (reply.statusCode === WRONG_VERSION) reply.header('tus-version', TUS_VERSION);
    });

    const sending = {
      operationId: 'upload',
      tags,
      summary: 'Upload a file',
      description:
        'The body is the whole file, as `application/octet-stream`. Uploads that go on after a broken connection are the protocol tus 1.0.0 at the same address ' +
        '(core, creation, creation-with-upload, termination, expiration, checksum): the answer to the last bytes has the hash in `Upload-Hash`, and a `hash` in ' +
        '`Upload-Metadata` is the SHA-256 that the file must have.',
      response: { 200: schemas.uploaded },
    };
    app.post('/api/uploads', { config: { scope: 'jobs:write' }, schema: sending }, async (request, reply) => {
      if (request.headers['tus-resumable'] !== undefined) return begin(request, reply);
      await sessions.require(request);
      await refuseTooMany(request);
      if (request.headers['content-type'] !== 'application/octet-stream') throw new HttpError('bad_input', 'Send the file as application/octet-stream.');
      if (Number(request.headers['content-length'] ?? 0) > limits.uploadBytesMax) throw tooLarge();
      await refuseWithoutRoom();
      try {
        const uploaded = await blobs.put(bytesOf(request), { bytesMax: limits.uploadBytesMax });
        metrics.upload();
        return uploaded;
      } catch (error) {
        throw error instanceof BlobTooLarge ? tooLarge() : error;
      }
    });

    async function begin(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
      const owner = await speaker(request);
      const length = integerOf(request, 'Upload-Length');
      if (length > limits.uploadBytesMax) throw tooLarge();
      await refuseTooMany(request);
      await refuseWithoutRoom();
      const metadata = metadataOf(request);
      let upload = await uploads.create(owner, length, announcedHash(metadata), metadata).catch(refused);
      // An empty file is complete as soon as it has begun.
      const hasBody = request.headers['content-type'] === OFFSET_TYPE;
      if (hasBody || length === 0) {
        const { id } = upload;
        upload = await uploads.append(owner, id, 0, hasBody ? bytesOf(request) : none(), checksumOf(request)).catch(async (error: unknown) => {
          // Nobody has been told where it is.
          await uploads.remove(owner, id).catch(() => undefined);
          return refused(error);
        });
      }
      if (upload.hash !== null) metrics.upload();
      return describe(reply.code(201).header('location', `/api/uploads/${upload.id}`), upload).send();
    }

    const asking = { params: uploadPath };
    app.head('/api/uploads/:upload', { config: { scope: 'jobs:write' }, schema: asking }, async (request, reply) => {
      const owner = await speaker(request);
      try {
        return describe(reply, await uploads.get(owner, request.params.upload)).send();
      } catch (error) {
        return refused(error);
      }
    });

    const going = {
      params: uploadPath,
    };
    app.patch('/api/uploads/:upload', { config: { scope: 'jobs:write' }, schema: going }, async (request, reply) => {
      const owner = await speaker(request);
      if (request.headers['content-type'] !== OFFSET_TYPE)
        throw new HttpError('bad_input', `Send the bytes as ${OFFSET_TYPE}.`, 'Content-Type', OFFSET_TYPE, { status: 415 });
      await refuseWithoutRoom();
      const upload = await uploads
        .append(owner, request.params.upload, integerOf(request, 'Upload-Offset'), bytesOf(request), checksumOf(request))
        .catch(refused);
      if (upload.hash !== null) metrics.upload();
      return describe(reply.code(204), upload).send();
    });

    const ending = { params: uploadPath };
    app.delete('/api/uploads/:upload', { config: { scope: 'jobs:write' }, schema: ending }, async (request, reply) => {
      const owner = await speaker(request);
      await uploads.remove(owner, request.params.upload).catch(refused);
      return reply.code(204).send();
    });

    const telling = {};
    app.options('/api/uploads', { schema: telling }, async (_request, reply) =>
      reply
        .code(204)
        .headers({
          'tus-resumable': TUS_VERSION,
          'tus-version': TUS_VERSION,
          'tus-max-size': limits.uploadBytesMax,
          'tus-extension': 'creation,creation-with-upload,termination,expiration,checksum',
          'tus-checksum-algorithm': 'sha256',
        })
        .send(),
    );
  };

async function* none(): AsyncGenerator<Uint8Array> {}
